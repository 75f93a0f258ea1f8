package siltstone_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// callsOfEveryKind is one call of each kind, made over and over while the store is
// being closed. Each returns the error it met, and fails the test itself if an
// answer is wrong: the keys "fixed" never change.
func callsOfEveryKind(t *testing.T, db *siltstone.DB) []func() error {
	fixed := []byte("fixed")
	right := func(what string, v []byte, err error) error {
		if err == nil && string(v) != "value" {
			t.Errorf("%s: %q", what, v)
		}
		return err
	}
	last := func(seq func(func(siltstone.KV, error) bool)) (err error) {
		n := 0
		for kv, e := range seq {
			if err = e; err == nil && slices.Equal(kv.Key, fixed) {
				n++
			}
		}
		if err == nil && n != 1 {
			t.Errorf("a loop met the fixed key %d times", n)
		}
		return err
	}
	var copies atomic.Int64
	return []func() error{
		func() error { v, err := db.Get(fixed); return right("Get", v, err) },
		func() error { v, err := db.AppendGet(nil, fixed); return right("AppendGet", v, err) },
		func() error { _, err := db.Has(fixed); return err },
		func() error { _, err := db.TTL(fixed); return err },
		func() error { return db.Put([]byte("k"), make([]byte, 500)) },
		func() error { return db.PutTTL([]byte("k"), nil, time.Hour) },
		func() error { return db.Delete([]byte("k")) },
		func() error { return db.DeleteRange(siltstone.Range{Lower: []byte("x"), Upper: []byte("y")}) },
		func() error { return db.Expire(fixed, 1000*time.Hour) },
		func() error { return db.Persist(fixed) },
		func() error { return db.Sync() },
		func() error { return db.Flush(bg) },
		func() error { return db.Compact(bg, siltstone.Range{}) },
		func() error { return db.Check(bg) },
		func() error { return db.Checkpoint(bg, fmt.Sprint("copy", copies.Add(1))) },
		func() error { _, err := db.EstimateSize(siltstone.Range{}); return err },
		func() error { _, _ = db.Metrics(), db.Options(); return nil },
		func() error { return last(db.Scan(siltstone.Range{})) },
		func() error { return last(db.ScanBack(siltstone.Range{})) },
		func() error { return viaIterator(db) },
		func() error { return viaSnapshot(db, right) },
		func() error {
			return db.View(bg, func(tx *siltstone.Tx) error { v, err := tx.Get(fixed); return right("View", v, err) })
		},
		func() error {
			return db.Update(bg, func(tx *siltstone.Tx) error {
				if _, err := tx.Hash("h").Incr("n", 1); err != nil {
					return err
				}
				_, err := tx.List("l").PushBack(make([]byte, 100))
				return err
			})
		},
		func() error { return viaBegin(db) },
		func() error { _, err := db.Hash("h").Set(fmt.Sprint(rand.IntN(50)), make([]byte, 50)); return err },
		func() error { _, err := db.Set("s").Add(fmt.Sprint(rand.IntN(50))); return err },
		func() error { _, err := db.ZSet("z").Incr(fmt.Sprint(rand.IntN(50)), 1); return err },
		func() error { _, err := db.List("l").PopFrontN(3); return err },
		func() error { _, err := db.String("counter").Incr(1); return err },
		func() error { _, err := db.Key("h").Drop(); return err },
		func() error {
			for _, err := range db.Keys().All(typed.KeyOptions{}) {
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func viaIterator(db *siltstone.DB) error {
	it, err := db.NewIter(nil)
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		_, _ = it.Key(), it.Value()
	}
	return errors.Join(it.Err(), it.Close())
}

func viaSnapshot(db *siltstone.DB, right func(string, []byte, error) error) error {
	s, err := db.NewSnapshot()
	if err != nil {
		return err
	}
	defer s.Close()
	v, err := s.Get([]byte("fixed"))
	return right("Snapshot", v, err)
}

func viaBegin(db *siltstone.DB) error {
	tx, err := db.Begin(bg, siltstone.ReadWrite)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := tx.Put([]byte("by hand"), nil); err != nil {
		return err
	}
	return tx.Commit()
}

func TestCloseAmidCallsOfEveryKindGivesRightAnswersOrErrClosed(t *testing.T) {
	rounds := 8
	if *long {
		rounds = 200
	}
	for range rounds {
		mem := vfs.NewMem()
		o := siltstone.Options{FS: mem, MemoryLimit: 8 << 20, MemtableBytes: 16 << 10, Durability: siltstone.Buffered}
		db, err := siltstone.Open("db", &o)
		ok(t, err)
		ok(t, db.Put([]byte("fixed"), []byte("value")))
		calls := callsOfEveryKind(t, db)
		var g group
		var made atomic.Int64
		for range 8 {
			g.Go(func() {
				for ended := 0; ended < 3; {
					err := calls[rand.IntN(len(calls))]()
					made.Add(1)
					switch {
					case err == nil, errors.Is(err, siltstone.ErrNotFound), errors.Is(err, siltstone.ErrConflict):
					case errors.Is(err, siltstone.ErrClosed):
						ended++
					default:
						t.Errorf("a call while the store is closed: %v", err)
						return
					}
				}
			})
		}
		await(t, "calls of every kind", func() bool { return made.Load() > 400 })
		if err := db.Close(); err != nil && !strings.Contains(err.Error(), "still open") {
			t.Errorf("Close: %v", err)
		}
		g.Wait()
		for i, call := range calls {
			if err := call(); err != nil && !errors.Is(err, siltstone.ErrClosed) {
				t.Errorf("call %d of a closed store: %v", i, err)
			}
		}
		ok(t, db.Close())
		if open := mem.OpenFiles(); len(open) > 0 {
			t.Errorf("files left open: %v", open)
		}
		db, err = siltstone.Open("db", &o)
		ok(t, err)
		ok(t, db.Check(bg))
		ok(t, db.Close())
	}
}

// Where an open file can be neither removed nor renamed, a store closes what it
// removes first: recovery the logs it has replayed, a flush the log behind it,
// merges their inputs, a new manifest the old one. Nothing is left behind.
func TestFilesAreClosedBeforeTheyAreRemoved(t *testing.T) {
	disk := vfstest.NewDisk(1)
	open := func(f vfs.FS) *siltstone.DB {
		db, err := siltstone.Open("db", racerOptions(f))
		ok(t, err)
		return db
	}
	put := func(db *siltstone.DB, key string) { ok(t, db.Put([]byte(key), make([]byte, 1000))) }
	db := open(disk)
	for i := range 50 {
		put(db, fmt.Sprint("k", i%20))
	}
	killed := disk.Image(vfstest.P0, rand.New(rand.NewPCG(1, 1)))
	ok(t, db.Close())

	w := vfstest.NewWindows(killed)
	step := func(what string, do func()) {
		t.Helper()
		before := len(w.Refused())
		do()
		if r := w.Refused()[before:]; len(r) > 0 {
			t.Errorf("%s: %q are open", what, r)
		}
	}
	step("recovery", func() { db = open(w) })
	step("flushes", func() {
		for i := range 3 {
			put(db, fmt.Sprint("more", i))
			ok(t, db.Flush(bg))
		}
	})
	step("merges beside an iterator", func() {
		it, err := db.NewIter(nil)
		ok(t, err)
		it.First()
		ok(t, db.Compact(bg, siltstone.Range{}))
		ok(t, it.Close())
	})
	step("a checkpoint", func() { ok(t, db.Checkpoint(bg, "copy")) })
	step("Close", func() { ok(t, db.Close()) })
	names, err := w.List("db")
	ok(t, err)
	for _, n := range names {
		if strings.HasSuffix(n, ".wal") {
			t.Errorf("%s is left after Close", n)
		}
	}
	if _, err := w.Stat("copy/CURRENT"); errors.Is(err, fs.ErrNotExist) {
		t.Error("there is no checkpoint")
	}
	step("the next recovery", func() { db = open(w) })
	ok(t, db.Check(bg))
	step("the last Close", func() { ok(t, db.Close()) })
	step("Repair", func() {
		_, err := siltstone.Repair(bg, "db", "mended", racerOptions(w))
		ok(t, err)
	})
}
