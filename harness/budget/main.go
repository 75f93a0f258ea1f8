// Budget shows that memory stays inside one budget. Each case prints one line, with
// the most that was in use and the limit for it:
//
//	batches   batches of 2 MiB under a small MemoryLimit, on a slow disk, until a kill
//	reopen    the store that the kill left, on the same disk
//	load      many keys, one by one
//	walk      several iterators through that store at once
//	read      reads at random
//
//	go run ./harness/budget                10 M keys of 128 bytes, 64 MiB, 16 iterators
//	go run ./harness/budget -n 0           batches and reopen only
//
// What is in use is what the runtime calls heap in use, garbage included; the
// store maps nothing. It exits 1 if that went above one and a half times the
// limit, or if the parts in Metrics().Memory are not what the heap holds.
package main

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/harness/internal/load"
)

type settings struct {
	load.Settings
	limit     int64
	iterators int
	batches   int
	kill      bool
	over      bool // a case went above its bound
}

func main() {
	var s settings
	s.Flags()
	flag.Int64Var(&s.limit, "limit", 64<<20, "MemoryLimit in bytes")
	flag.IntVar(&s.iterators, "iterators", 16, "iterators open at once")
	flag.IntVar(&s.batches, "batches", 150, "batches of 2 MiB before the kill; 0: none")
	flag.BoolVar(&s.kill, "kill", false, "be the process that writes batches to -dir and is killed")
	flag.Parse()
	if s.kill {
		s.Main("budget", s.writeBatches)
		return
	}
	s.Main("budget", s.run)
}

func (s *settings) run() error {
	if s.batches > 0 {
		for _, d := range disks {
			if err := s.killed(d); err != nil {
				return err
			}
		}
	}
	if s.Keys > 0 {
		if err := s.keys(); err != nil {
			return err
		}
	}
	if s.over {
		return errors.New("more was in use than one and a half times the limit")
	}
	return nil
}

// bound is what may be in use: the runtime collects when the heap has grown by a
// part of itself, so garbage comes on top of the limit.
func (s *settings) bound() uint64 { return uint64(s.limit) * 3 / 2 }

// say prints the line of one case.
func (s *settings) say(name string, begin time.Time, peak uint64) {
	verdict := "ok"
	if peak > s.bound() {
		verdict, s.over = "OVER", true
	}
	fmt.Printf("%-20s peak heap in use %6.1f MiB, at most %.1f: %s (%v)\n", name, mib(peak), mib(s.bound()), verdict, time.Since(begin).Round(time.Millisecond))
}

// keys loads keys one by one, walks them and reads them.
func (s *settings) keys() error {
	db, err := siltstone.Open(filepath.Join(s.Dir, "keys"), &siltstone.Options{Durability: siltstone.BufferedDurability, MemoryLimit: s.limit})
	if err != nil {
		return err
	}
	w := watch()
	for _, step := range []struct {
		name string
		do   func(*siltstone.DB) error
	}{{"load", s.load}, {"walk", s.walk}, {"read", s.read}} {
		begin := time.Now()
		if err = step.do(db); err != nil {
			break
		}
		s.say(step.name, begin, w.take())
		if err = compare(db); err != nil {
			break
		}
	}
	fmt.Println(db.Metrics())
	w.stop()
	return errors.Join(err, db.Close())
}

func mib(bytes uint64) float64 { return float64(bytes) / (1 << 20) }

// compare holds the parts of Metrics().Memory to the heap in use: they sum to
// within 15 % of it once background work has ended.
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
		if off := float64(said)/float64(m.HeapInuse) - 1; off > -0.15 && off < 0.15 {
			fmt.Printf("  heap in use %.1f MiB, the parts of Metrics().Memory %.1f MiB\n", mib(m.HeapInuse), mib(said))
			return nil
		}
	}
	return fmt.Errorf("the heap in use has %d bytes and the parts of Metrics().Memory sum to %d: %+v", m.HeapInuse, said, db.Metrics().Memory)
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
