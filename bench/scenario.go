package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// scenario is a sequence of steps on one store. Every engine goes through it in
// a process of its own.
type scenario struct {
	name  string
	keys  keyShape
	value int                   // bytes
	count func(n uint64) uint64 // keys, out of -n
	sync  bool                  // commits are durable
	quick bool                  // part of -quick
	times int                   // the data over the memory of the process, in a control group; 0: neither is bounded
	given bool                  // blocks and memtables together have what -cache says
	grows bool                  // -grow says how far, and without it the scenario is left out
	only  string                // the engine that takes part; "": all
	steps []step

	unlimited bool // -limit ends no row of it
}

// step does one thing to the bed. Exactly one of its funcs is set.
type step struct {
	row     string // what the results call it; "" for a preparation
	title   string
	unit    unit
	needed  bool                        // later steps build on it: done even if its row is not asked for
	sized   bool                        // its result tells how much data is stored
	time    stepFunc                    // operations, put to the engine
	figure  func(*bed) (float64, error) // a number, in the step's unit
	prepare func(*bed) error
}

type stepFunc func(*bed) (*measure, error)

// unit is what a row's figure is in. Rates are better when large, the others
// when small.
type unit string

const (
	perSecond unit = "k/s" // thousands a second
	millis    unit = "ms"
	micros    unit = "µs" // of the latency that one operation in a thousand exceeds
	perByte   unit = "×"  // bytes per byte
	megabytes unit = "MB"
)

func (u unit) largerIsBetter() bool { return u == perSecond }

const (
	cacheBytes    = 1 << 30
	memtableBytes = 64 << 20
	usualValue    = 128
)

func timed(row, title string, f stepFunc) step {
	return step{row: row, title: title, unit: perSecond, time: f}
}

// loading is a timed step that stores the keys for the steps behind it.
func loading(row, title string, f stepFunc) step {
	s := timed(row, title, f)
	s.needed = true
	return s
}

// tail is a timed step whose figure is a latency.
func tail(row, title string, f stepFunc) step {
	return step{row: row, title: title, unit: micros, time: f}
}

func opening(row, title string, f stepFunc) step {
	return step{row: row, title: title, unit: millis, time: f, needed: true}
}

func figure(row, title string, u unit, f func(*bed) (float64, error)) step {
	return step{row: row, title: title, unit: u, figure: f}
}

func prepare(f func(*bed) error) step { return step{prepare: f} }

// scenarios returns all there are, in the order of the tables.
func scenarios() []scenario {
	all := []scenario{
		risingScenario(), randomScenario(), batchScenario(), syncScenario(),
		ycsbScenario(), cacheScenario(), edgeScenario(), prefixScenario(), killScenario(), sustainedScenario(),
		beyondScenario(8), beyondScenario(2), sustainedBeyondScenario(),
		liveScenario(), goroutinesScenario(), typedScenario(), kvbenchScenario(),
		growthScenario(slices.Max(growthTimes())),
	}
	for _, size := range []int{16, 128, 1 << 10, 16 << 10, 1 << 20} {
		all = append(all, valueScenario(size))
	}
	return all
}

func allKeys(n uint64) uint64 { return n }

func risingScenario() scenario {
	return scenario{name: "rising", value: usualValue, count: allKeys, quick: true, steps: []step{
		loading("fill-rising", "fill, rising keys", fill),
	}}
}

func randomScenario() scenario {
	return scenario{
		name: "random", keys: keyShape{random: true}, value: usualValue, count: allKeys, quick: true,
		steps: []step{
			prepare(mark),
			loading("fill-random", "fill, random keys", fill),
			prepare(settle),
			figure("fill-written", "bytes written per user byte, filling", perByte, writtenPerByte),
			opening("reopen-clean", "reopen after a clean close", reopen),
			prepare(settle),
			figure("fill-disk", "bytes on disk per live byte, filled", perByte, diskPerByte),
			prepare(warm),
			timed("read-present", "read, present, 2 goroutines", readPresent),
			timed("read-missing", "read, missing, 2 goroutines", readMissing),
			timed("read-zipf", "read, Zipf, 2 goroutines", readZipf),
			timed("seek-10-kept", "seek + 10, kept iterator", seekKept(10)),
			timed("seek-10-fresh", "seek + 10, fresh iterator", seekFresh(10)),
			timed("seek-100-kept", "seek + 100, kept iterator", seekKept(100)),
			timed("seek-100-fresh", "seek + 100, fresh iterator", seekFresh(100)),
			timed("scan-forward", "scan forward, keys", scanForward),
			timed("scan-backward", "scan backward, keys", scanBackward),
			timed("mixed-50", "mixed, 50 % reads, 2 goroutines", mixed(50)),
			timed("mixed-95", "mixed, 95 % reads, 2 goroutines", mixed(95)),
			prepare(mark),
			timed("overwrite-1", "overwrite, 1 goroutine", overwrite(1)),
			timed("overwrite-4", "overwrite, 4 goroutines", overwrite(4)),
			prepare(settle),
			figure("overwrite-written", "bytes written per user byte, overwriting", perByte, writtenPerByte),
			figure("overwrite-disk", "bytes on disk per live byte, overwritten", perByte, diskPerByte),
			figure("memory", "peak memory of all this", megabytes, memory),
		},
	}
}

func batchScenario() scenario {
	return scenario{
		name: "batch", keys: keyShape{random: true}, value: usualValue, count: allKeys, quick: true,
		steps: []step{loading("fill-batch-100", "fill, random keys, batches of 100, keys", fillBatches(100))},
	}
}

func syncScenario() scenario {
	return scenario{
		name: "sync", keys: keyShape{random: true}, value: usualValue, count: allKeys, sync: true, quick: true,
		steps: []step{
			timed("sync-1", "synced put, 1 goroutine", syncedPuts(1)),
			timed("sync-16", "synced put, 16 goroutines", syncedPuts(16)),
			timed("sync-64", "synced put, 64 goroutines", syncedPuts(64)),
		},
	}
}

func ycsbScenario() scenario {
	s := scenario{name: "ycsb", keys: keyShape{prefix: "user", random: true}, value: usualValue, count: allKeys}
	s.steps = []step{prepare((*bed).load), prepare(warm)}
	mixes := ycsbMixes()
	for _, name := range []string{"c", "b", "a", "f", "d", "e"} { // as YCSB orders them: growth last
		s.steps = append(s.steps, timed("ycsb-"+name, "YCSB "+string(name[0]-'a'+'A'), ycsb(mixes[name])))
	}
	return s
}

func cacheScenario() scenario {
	return scenario{
		name: "cache", keys: keyShape{random: true}, value: usualValue, count: allKeys,
		steps: []step{
			prepare((*bed).load),
			prepare(settle),
			prepare(smallCache),
			prepare(warm),
			timed("cache-present", "read, present, cache a tenth of the data", readPresent),
			timed("cache-missing", "read, missing, cache a tenth of the data", readMissing),
			timed("cache-zipf", "read, Zipf, cache a tenth of the data", readZipf),
		},
	}
}

func prefixScenario() scenario {
	return scenario{
		name: "prefix", value: usualValue, count: allKeys,
		keys: keyShape{prefix: "tenant/0000000000000001/table/0000000001/", random: true},
		steps: []step{
			loading("prefix-fill", "40-byte prefix: fill, random keys", fill),
			prepare(warm),
			timed("prefix-present", "40-byte prefix: read, present", readPresent),
			timed("prefix-missing", "40-byte prefix: read, missing", readMissing),
			timed("prefix-seek-10", "40-byte prefix: seek + 10, kept iterator", seekKept(10)),
			timed("prefix-scan", "40-byte prefix: scan forward, keys", scanForward),
		},
	}
}

func killScenario() scenario {
	return scenario{
		name: "kill", keys: keyShape{random: true}, value: usualValue, count: allKeys,
		steps: []step{opening("reopen-killed", "reopen after kill -9 with a full log", reopenKilled)},
	}
}

const valueData = 256 // bytes of values in a value scenario, per key of -n: 256 MB

func valueScenario(size int) scenario {
	name := sizeName(size)
	row, title := "value-"+name, "values of "+name
	return scenario{
		name: "value-" + name, keys: keyShape{random: true}, value: size,
		count: func(n uint64) uint64 { return max(16, min(n, n*valueData/uint64(size))) },
		steps: []step{
			prepare(mark),
			loading(row+"-fill", title+": fill, random keys", fill),
			prepare(settle),
			figure(row+"-written", title+": bytes written per user byte", perByte, writtenPerByte),
			prepare(warm),
			timed(row+"-read", title+": read, present", readPresent),
			timed(row+"-scan", title+": scan forward, keys", scanForward),
		},
	}
}

func sizeName(size int) string {
	switch {
	case size >= 1<<20:
		return fmt.Sprintf("%dMiB", size>>20)
	case size >= 1<<10:
		return fmt.Sprintf("%dKiB", size>>10)
	}
	return fmt.Sprintf("%dB", size)
}

func settle(b *bed) error {
	b.settle()
	return nil
}

// mark starts the count of bytes written.
func mark(b *bed) (err error) {
	b.user = 0
	b.marked, err = written()
	return err
}

// writtenPerByte returns the bytes written since the mark, over the bytes of
// keys and values put since then.
func writtenPerByte(b *bed) (float64, error) {
	now, err := written()
	return float64(now-b.marked) / float64(max(b.user, 1)), err
}

// diskPerByte returns the bytes of the store's files over those of the keys and
// values in it.
func diskPerByte(b *bed) (float64, error) {
	use, err := diskUse(b.config.Dir)
	return float64(use) / float64(int64(b.stored)*b.pairLen()), err
}

// memory returns the largest resident size since the bed was opened.
func memory(b *bed) (float64, error) {
	peak, err := peakMemory()
	return float64(max(b.peak, peak)) / 1e6, err
}

const leastCache = 1 << 20

// smallCache reopens the store with a cache of a tenth of its data, and little
// memtable, as an engine with one budget could cache data in the room of an
// empty one.
func smallCache(b *bed) error {
	if err := b.close(); err != nil {
		return err
	}
	b.config.Cache = max(int64(b.stored)*b.pairLen()/10, leastCache)
	b.config.Memtable = 4 << 20
	return b.open()
}

// shuffledEngines returns the engines in the order of one run: another one each
// time, the same for the same run.
func shuffledEngines(kinds []engineKind, run int) []engineKind {
	order := append([]engineKind(nil), kinds...)
	r := rand.New(rand.NewPCG(uint64(run), 1))
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	return order
}
