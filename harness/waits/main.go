// Waits measures how long a writer may have to wait for another one, on a disk whose
// syncs take 3 ms:
//
//	go run ./harness/waits
//
// It prints three figures, each beside its aim:
//
//   - how many increments a second 32 callers make of one key, against 32 keys. They
//     wait for each other until a change is visible, and share the syncs.
//   - how long one call over a set of 200,000 members takes beside flushes, against its
//     time alone. Each flush changes the state that the call read.
//   - how much longer the slowest Put takes beside the commit of a transaction that
//     read 3,000,000 keys one by one.
//
// Files are in memory, so that no other disk is measured.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

const (
	syncTime = 3 * time.Millisecond
	callers  = 32
	pause    = 8 * time.Millisecond // between flushes
)

type settings struct {
	members, reads int
	hot            time.Duration
}

func main() {
	var s settings
	flag.IntVar(&s.members, "members", 200_000, "members of the set")
	flag.IntVar(&s.reads, "reads", 3_000_000, "keys that the large transaction reads")
	flag.DurationVar(&s.hot, "hot", 5*time.Second, "how long the callers increment")
	flag.Parse()
	for _, measure := range []func() error{s.hotKey, s.largeCall, s.largeCommit} {
		if err := measure(); err != nil {
			fmt.Fprintln(os.Stderr, "waits:", err)
			os.Exit(1)
		}
	}
}

// open opens a new store, with every commit synced if synced is set.
func open(synced bool) (*siltstone.DB, error) {
	disk := vfstest.NewFaults(vfs.NewMem())
	disk.OnOp(func(op vfstest.Op) {
		if op.Kind == vfstest.Sync {
			time.Sleep(syncTime)
		}
	})
	d := siltstone.BufferedDurability
	if synced {
		d = siltstone.SyncDurability
	}
	return siltstone.Open("db", &siltstone.Options{FS: disk, Durability: d, MemoryLimit: 128 << 20})
}

func (s *settings) hotKey() error {
	one, err := s.increments(1)
	if err != nil {
		return err
	}
	each, err := s.increments(callers)
	if err != nil {
		return err
	}
	fmt.Printf("hot key: %.0f increments a second of 1 key, %.0f of %d keys, ratio %.2f (aim: at least 0.8)\n",
		one, each, callers, one/each)
	return nil
}

// increments returns how many increments a second the callers make, of so many keys.
func (s *settings) increments(keys int) (rate float64, err error) {
	db, err := open(true)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	var done atomic.Int64
	errs := make([]error, callers)
	var all sync.WaitGroup
	begin := time.Now()
	for g := range callers {
		all.Go(func() {
			counter := db.String(strconv.Itoa(g % keys))
			for errs[g] == nil && time.Since(begin) < s.hot {
				_, errs[g] = counter.Incr(1)
				done.Add(1)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return float64(done.Load()) / time.Since(begin).Seconds(), nil
}

// largeCall runs calls that read and write all of a large set, alone and beside
// flushes.
func (s *settings) largeCall() error {
	db, err := open(false)
	if err != nil {
		return err
	}
	defer db.Close()
	members := make([]string, s.members)
	for i := range members {
		members[i] = "member" + strconv.Itoa(i)
	}
	if _, err := db.Set("src").Add(members...); err != nil {
		return err
	}
	for _, c := range []struct {
		name string
		call func() error
	}{
		{"StoreUnion", func() error { _, err := db.Set("dst").StoreUnion("src"); return err }},
		{"CopyTo", func() error { _, err := db.Key("src").CopyTo("copy", true); return err }},
	} {
		if err := c.call(); err != nil { // both that are measured replace a set
			return err
		}
		alone, err := timed(c.call)
		if err != nil {
			return err
		}
		stop := make(chan struct{})
		var flusher sync.WaitGroup
		flusher.Go(func() { flushing(db, stop) })
		beside, err := timed(c.call)
		close(stop)
		flusher.Wait()
		if err != nil {
			return err
		}
		fmt.Printf("large call: %s of %d members %v alone, %v beside a flush every %v, ratio %.1f (aim: at most 5)\n",
			c.name, s.members, round(alone), round(beside), pause, beside.Seconds()/alone.Seconds())
	}
	return nil
}

func timed(call func() error) (time.Duration, error) {
	begin := time.Now()
	err := call()
	return time.Since(begin), err
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// flushing puts a key and flushes, with a pause, until it is to stop. What fails here
// fails the call that is measured, too.
func flushing(db *siltstone.DB, stop <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-time.After(pause):
		}
		_ = db.Put([]byte("other"+strconv.Itoa(i%1000)), nil)
		_ = db.Flush(context.Background())
	}
}

// largeCommit commits a transaction with many reads beside puts of other keys.
func (s *settings) largeCommit() error {
	db, err := open(false)
	if err != nil {
		return err
	}
	defer db.Close()
	for i := range 1000 {
		if err := db.Put(key("read", i), nil); err != nil {
			return err
		}
	}
	alone, err := s.longestPut(db, func() error { time.Sleep(time.Second); return nil })
	if err != nil {
		return err
	}
	tx, err := db.Begin(context.Background(), siltstone.ReadWriteMode)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for i := range s.reads {
		if _, err := tx.Has(key("read", i)); err != nil {
			return err
		}
	}
	if err := tx.Put([]byte("written"), nil); err != nil {
		return err
	}
	var took time.Duration
	beside, err := s.longestPut(db, func() (err error) { took, err = timed(tx.Commit); return err })
	if err != nil {
		return err
	}
	fmt.Printf("large commit: %d reads, committed in %v; the slowest Put takes %v beside it, %v without, %v more (aim: at most 10ms)\n",
		s.reads, round(took), round(beside), round(alone), round(beside-alone))
	return nil
}

func key(prefix string, i int) []byte { return []byte(prefix + strconv.Itoa(i)) }

// longestPut returns how long the slowest put took while f ran.
func (s *settings) longestPut(db *siltstone.DB, f func() error) (time.Duration, error) {
	stop := make(chan struct{})
	var took []time.Duration
	var putErr error
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; putErr == nil; i++ {
			select {
			case <-stop:
				return
			default:
			}
			var d time.Duration
			d, putErr = timed(func() error { return db.Put(key("put", i%100_000), nil) })
			took = append(took, d)
			time.Sleep(100 * time.Microsecond)
		}
	})
	err := f()
	close(stop)
	writer.Wait()
	if err == nil {
		err = putErr
	}
	if len(took) == 0 {
		return 0, err
	}
	return slices.Max(took), err
}
