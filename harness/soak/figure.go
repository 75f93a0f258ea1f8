package main

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone/metrics"
)

// figure is something that is sampled.
type figure struct {
	name, unit string
	growth     float64 // by how much the median of the second half may be above that of the first; 0: no bound
	of         func(m moment) float64
	limit      func(s *settings) float64 // for the median of the second half; 0: none
}

// moment is what is measured for a sample.
type moment struct {
	heap       uint64
	resident   uint64
	store      metrics.Metrics
	directory  int64
	files      int
	goroutines int
	rate       float64
	latency    window
}

const mib = 1 << 20

func noLimit(*settings) float64 { return 0 }

// figures are all that are sampled. The bounds of growth are far above what a loaded
// machine or a merge at the wrong moment adds, and far below what a leak adds in an hour.
var figures = []figure{
	{"heap in use", "MiB", 16, func(m moment) float64 { return float64(m.heap) / mib }, func(s *settings) float64 { return float64(s.memory) * 3 / 2 / mib }},
	{"resident memory", "MiB", 32, func(m moment) float64 { return float64(m.resident) / mib }, noLimit},
	{"Metrics().Memory", "MiB", 16, func(m moment) float64 { return float64(m.store.Memory.Total()) / mib }, func(s *settings) float64 { return float64(s.memory) * 3 / 2 / mib }},
	{"disk, size of the directory", "MiB", 64, func(m moment) float64 { return float64(m.directory) / mib }, noLimit},
	{"disk, Metrics().Disk", "MiB", 64, func(m moment) float64 { return float64(m.store.Disk.Total()) / mib }, func(s *settings) float64 { return float64(s.disk) / mib }},
	{"open descriptors", "files", 16, func(m moment) float64 { return float64(m.files) }, noLimit},
	{"goroutines", "count", 4, func(m moment) float64 { return float64(m.goroutines) }, noLimit},
	{"operations", "a second", 0, func(m moment) float64 { return m.rate }, noLimit},
	{"p99.9 of an operation", "ms", 0, func(m moment) float64 { return ms(m.latency.quantile(0.999)) }, noLimit},
	{"longest operation", "ms", 0, func(m moment) float64 { return ms(m.latency.longest) }, noLimit},
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// recorder samples a load.
type recorder struct {
	load    *load
	dir     string
	every   time.Duration
	begin   time.Time
	times   []time.Duration
	samples [][]float64 // a figure each
}

// sampleCount is how many samples a run has.
const sampleCount = 200

func newRecorder(s *settings, l *load) *recorder {
	return &recorder{load: l, dir: s.storeDir(), every: max(s.total/sampleCount, 20*time.Millisecond), begin: time.Now()}
}

// record samples until done is closed.
func (r *recorder) record(done <-chan struct{}) error {
	tick := time.NewTicker(r.every)
	defer tick.Stop()
	r.load.lat.take()
	last, ops := time.Now(), r.load.ops.Load()
	for {
		select {
		case <-done:
			return nil
		case <-tick.C:
		}
		now, n := time.Now(), r.load.ops.Load()
		size, err := directorySize(r.dir)
		if err != nil {
			return err
		}
		var heap runtime.MemStats
		runtime.ReadMemStats(&heap)
		m := moment{
			heap: heap.HeapInuse, resident: resident(), store: r.load.db.Metrics(), directory: size, files: descriptors(),
			goroutines: runtime.NumGoroutine(), rate: float64(n-ops) / now.Sub(last).Seconds(), latency: r.load.lat.take(),
		}
		last, ops = now, n
		values := make([]float64, len(figures))
		for i, f := range figures {
			values[i] = f.of(m)
		}
		r.times, r.samples = append(r.times, now.Sub(r.begin)), append(r.samples, values)
	}
}

func (r *recorder) lasted() time.Duration {
	if len(r.times) == 0 {
		return 0
	}
	return r.times[len(r.times)-1]
}

// series returns the samples of figure i.
func (r *recorder) series(i int) []float64 {
	var v []float64
	for _, s := range r.samples {
		v = append(v, s[i])
	}
	return v
}

// directorySize is the size of the files of the store.
func directorySize(dir string) (size int64, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed by a merge meanwhile
		}
		if err != nil {
			return 0, err
		}
		size += info.Size()
	}
	return size, err
}

// resident is the memory of the process that is in use, where the system tells it in
// /proc; else 0.
func resident() uint64 {
	content, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	parts := strings.Fields(string(content))
	if len(parts) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}

// descriptors counts the open files of the process, where the system tells them; else 0.
func descriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// trend is what became of a figure.
type trend struct {
	first, second float64 // medians of the halves of the run
	most          float64
	rise          float64 // of the line of least squares through the second half, along it
}

func (t trend) grew() float64 { return t.second - t.first }

// trendOf returns the trend of samples that were taken at some times.
func trendOf(v []float64, times []time.Duration) (t trend) {
	if len(v) < 4 {
		return t
	}
	half := v[len(v)/2:]
	t = trend{first: median(v[:len(v)/2]), second: median(half), most: slices.Max(v)}
	n := float64(len(half))
	var sumX, sumY, sumXY, sumXX float64
	at := times[len(v)/2:]
	for i, y := range half {
		x := (at[i] - at[0]).Seconds()
		sumX, sumY, sumXY, sumXX = sumX+x, sumY+y, sumXY+x*y, sumXX+x*x
	}
	if d := n*sumXX - sumX*sumX; d > 0 {
		t.rise = (n*sumXY - sumX*sumY) / d * (at[len(at)-1] - at[0]).Seconds()
	}
	return t
}

// number writes a figure with as many digits as one wants to read.
func number(v float64) string {
	if math.Abs(v) < 99.95 {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
