// Budget shows that memory stays inside one budget: it loads keys under a small
// MemoryLimit, then walks the store with several iterators open and reads it at
// random, and prints the most that was in use.
//
//	go run ./harness/budget                10 M keys of 128 bytes, 64 MiB, 16 iterators
//
// What is in use is what the runtime calls heap in use, garbage included; the
// store maps nothing. It exits 1 if that went above one and a half times the
// limit, or if the parts in Metrics().Memory are not what the heap holds.
package main

import (
	"errors"
	"flag"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/harness/internal/load"
)

type settings struct {
	load.Settings
	limit     int64
	iterators int
}

func main() {
	var s settings
	s.Flags()
	flag.Int64Var(&s.limit, "limit", 64<<20, "MemoryLimit in bytes")
	flag.IntVar(&s.iterators, "iterators", 16, "iterators open at once")
	flag.Parse()
	s.Main("budget", s.run)
}

func (s *settings) run() error {
	db, err := siltstone.Open(s.Dir, &siltstone.Options{Durability: siltstone.BufferedDurability, MemoryLimit: s.limit})
	if err != nil {
		return err
	}
	w := watch()
	var worst uint64
	for _, step := range []struct {
		name string
		do   func(*siltstone.DB) error
	}{{"load", s.load}, {"walk", s.walk}, {"read", s.read}} {
		begin := time.Now()
		if err = step.do(db); err != nil {
			break
		}
		peak := w.take()
		worst = max(worst, peak)
		fmt.Printf("%s: %v, peak heap in use %.1f MiB\n", step.name, time.Since(begin).Round(time.Millisecond), mib(peak))
		if err = compare(db); err != nil {
			break
		}
	}
	fmt.Println(db.Metrics())
	w.stop()
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	if worst > uint64(s.limit)*3/2 {
		return fmt.Errorf("%d bytes were in use, more than one and a half times the limit of %d", worst, s.limit)
	}
	return nil
}

func mib(bytes uint64) float64 { return float64(bytes) / (1 << 20) }

// compare holds the parts of Metrics().Memory to what the heap has: they sum to
// within a tenth of it once background work has ended.
func compare(db *siltstone.DB) error {
	var m runtime.MemStats
	var said uint64
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if db.Metrics().Compactions.Running > 0 {
			continue
		}
		runtime.GC()
		runtime.ReadMemStats(&m)
		said = uint64(db.Metrics().Memory.Total())
		if off := float64(said)/float64(m.HeapAlloc) - 1; off > -0.1 && off < 0.1 {
			fmt.Printf("  live heap %.1f MiB, the parts of Metrics().Memory %.1f MiB\n", mib(m.HeapAlloc), mib(said))
			return nil
		}
	}
	return fmt.Errorf("the live heap has %d bytes and the parts of Metrics().Memory sum to %d: %+v", m.HeapAlloc, said, db.Metrics().Memory)
}

func (s *settings) load(db *siltstone.DB) error {
	var k, v []byte
	for i := range s.Keys {
		k, v = load.Key(k, i), s.Value(v, i)
		if err := db.Put(k, v); err != nil {
			return err
		}
	}
	return nil
}

// walk moves the iterators in turn, each through its own part of the store.
func (s *settings) walk(db *siltstone.DB) error {
	its := make([]*siltstone.Iterator, s.iterators)
	for i := range its {
		it, err := db.NewIter(nil)
		if err != nil {
			return err
		}
		defer it.Close()
		its[i] = it
		it.SeekGE(load.Key(nil, uint64(i)))
	}
	for range s.Keys / uint64(len(its)) {
		for _, it := range its {
			if !it.Valid() && !it.First() {
				return errors.Join(it.Err(), errors.New("the store is empty"))
			}
			_ = it.Value()
			it.Next()
		}
	}
	for _, it := range its {
		if err := it.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (s *settings) read(db *siltstone.DB) error {
	var k, v []byte
	var err error
	for n := range min(s.Keys, 1_000_000) {
		k = load.Key(k, n*0x2545F4914F6CDD1D%s.Keys)
		if v, err = db.AppendGet(v[:0], k); err != nil {
			return err
		}
	}
	return nil
}

// watcher samples the heap.
type watcher struct {
	peak atomic.Uint64
	quit chan struct{}
	done sync.WaitGroup
}

func watch() *watcher {
	w := &watcher{quit: make(chan struct{})}
	w.done.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-w.quit:
				return
			case <-tick.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				if m.HeapInuse > w.peak.Load() {
					w.peak.Store(m.HeapInuse)
				}
			}
		}
	})
	return w
}

// take returns the peak since the last time.
func (w *watcher) take() uint64 { return w.peak.Swap(0) }

func (w *watcher) stop() {
	close(w.quit)
	w.done.Wait()
}
