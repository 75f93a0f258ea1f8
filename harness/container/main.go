// Container shows how much memory a process needs for a MemoryLimit: it runs itself as a
// process for each limit, once without and once with GOMEMLIMIT, and prints the most memory
// that the process had. That is its resident set, which a container's limit counts whole; the
// pages of files that a container counts too are taken back when they are needed.
//
//	go run ./harness/container                 limits of 32, 64 and 256 MiB, 10 s each
//	go run ./harness/container -for 60s -limits 128
//
// The process loads four times as many bytes as the limit, in values of 400 bytes, and then
// puts, gets and scans as fast as it can. Its GOMEMLIMIT is nine tenths of twice the limit. It exits 1 if a process
// needed more than twice the limit and 32 MiB for a runtime that does nothing else.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/harness/internal/load"
)

type settings struct {
	load.Settings
	length time.Duration
	limits string
	child  int64 // MiB; 0: this is the parent
}

func main() {
	s := settings{Settings: load.Settings{ValueSize: 400}}
	flag.DurationVar(&s.length, "for", 10*time.Second, "how long each process runs")
	flag.StringVar(&s.limits, "limits", "32,64,256", "values of MemoryLimit, in MiB")
	flag.StringVar(&s.Dir, "dir", "", "directory of the stores; a temporary one if empty")
	flag.Int64Var(&s.child, "child", 0, "be the process with this limit")
	flag.Parse()
	if s.child > 0 {
		s.Main("container", s.work)
		return
	}
	s.Main("container", s.run)
}

// spare is what a process may have beside twice its limit.
const spare = 32 // MiB

func (s *settings) run() error {
	fmt.Printf("| `MemoryLimit` | `GOMEMLIMIT` | most memory | of the limit | operations a second |\n|---|---|---|---|---|\n")
	over := false
	for text := range strings.SplitSeq(s.limits, ",") {
		limit, err := strconv.ParseInt(text, 10, 64)
		if err != nil || limit < 8 {
			return fmt.Errorf("-limits %q: numbers of MiB, at least 8", s.limits)
		}
		for _, gomemlimit := range []int64{0, limit * 2 * 9 / 10} {
			peak, rate, err := s.process(limit, gomemlimit)
			if err != nil {
				return err
			}
			shown := "none"
			if gomemlimit > 0 {
				shown = fmt.Sprintf("%d MiB", gomemlimit)
			}
			over = over || peak > float64(2*limit+spare)
			fmt.Printf("| %d MiB | %s | %.0f MiB | %.2f | %.0f |\n", limit, shown, peak, peak/float64(limit), rate)
		}
	}
	if over {
		return errors.New("a process needed more than twice its limit")
	}
	return nil
}

// process runs a child, and returns the most memory that it had, in MiB.
func (s *settings) process(limit, gomemlimit int64) (peak, rate float64, err error) {
	dir := filepath.Join(s.Dir, "store")
	defer os.RemoveAll(dir)
	program, err := os.Executable()
	if err != nil {
		return 0, 0, err
	}
	cmd := exec.Command(program, "-child", fmt.Sprint(limit), "-for", s.length.String(), "-dir", dir)
	cmd.Stderr = os.Stderr
	if gomemlimit > 0 {
		cmd.Env = append(os.Environ(), fmt.Sprintf("GOMEMLIMIT=%dMiB", gomemlimit))
	}
	out, err := cmd.Output()
	if err == nil {
		_, err = fmt.Sscan(string(out), &peak, &rate)
	}
	return peak, rate, err
}

// work is a child: it loads, and then three goroutines put, get and scan for a while.
func (s *settings) work() error {
	db, err := siltstone.Open(s.Dir, &siltstone.Options{Durability: siltstone.BufferedDurability, MemoryLimit: s.child << 20})
	if err != nil {
		return err
	}
	keys := uint64(4*s.child<<20) / (s.ValueSize + 16)
	for n := range keys {
		if err := db.Put(load.Key(nil, n), s.Value(nil, n)); err != nil {
			return errors.Join(err, db.Close())
		}
	}
	anyKey := func(n uint64) []byte { return load.Key(nil, n*0x2545F4914F6CDD1D%keys) }
	var done atomic.Uint64
	errs := make([]error, 3)
	end := time.Now().Add(s.length)
	var all sync.WaitGroup
	for i, do := range []func(n uint64) error{
		func(n uint64) error { return db.Put(anyKey(n), s.Value(nil, n)) },
		func(n uint64) error { _, err := db.Get(anyKey(n)); return err },
		func(n uint64) error {
			for _, err := range siltstone.Limit(db.Scan(siltstone.Range{Lower: anyKey(n)}), 100) {
				if err != nil {
					return err
				}
			}
			return nil
		},
	} {
		all.Go(func() {
			for n := uint64(0); errs[i] == nil && time.Now().Before(end); n++ {
				errs[i] = do(n)
				done.Add(1)
			}
		})
	}
	all.Wait()
	if err := errors.Join(errors.Join(errs...), db.Close()); err != nil {
		return err
	}
	peak, err := peakMemory()
	if err != nil {
		return err
	}
	fmt.Println(peak, float64(done.Load())/s.length.Seconds())
	return nil
}

// peakMemory returns the most memory that this process has had, in MiB.
func peakMemory() (float64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("the memory of a process is read where there is Linux: %w", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib float64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		return 0, fmt.Errorf("/proc/self/status has no VmHWM: %w", err)
	}
	return kib / 1024, nil
}
