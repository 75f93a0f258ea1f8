package siltstone

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// largeTransaction writes n keys, one collection among them, and deletes one.
func largeTransaction(tx *Tx, n int) error {
	for i := range n {
		key := fmt.Appendf(nil, "key%08d", i)
		if err := tx.Put(key, key[3:]); err != nil {
			return err
		}
	}
	for i := range min(n, 1000) {
		if _, err := tx.Set("set").Add(fmt.Sprint(i)); err != nil {
			return err
		}
	}
	return tx.Delete([]byte("before"))
}

// countLarge returns how many keys of a large transaction there are; all of it
// or nothing of it must be.
func countLarge(t testing.TB, db *DB, n int) (done bool) {
	t.Helper()
	keys, err := db.Keys().Count()
	if err != nil {
		t.Fatal(err)
	}
	members, err := db.Set("set").Len()
	if err != nil {
		t.Fatal(err)
	}
	had, err := db.Has([]byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case keys == 1 && members == 0 && had:
		return false
	case keys == int64(n)+1 && members == int64(min(n, 1000)) && !had:
		return true
	}
	t.Fatalf("a part of the transaction is there: %d keys, %d members, before %v", keys, members, had)
	return false
}

// largeCommits are the ways to commit a transaction of many writes.
var largeCommits = map[string]func(db *DB, writes int) error{
	"Update": func(db *DB, writes int) error {
		return db.Update(context.Background(), func(tx *Tx) error { return largeTransaction(tx, writes) })
	},
	"Begin": func(db *DB, writes int) error {
		tx, err := db.Begin(context.Background(), ReadWriteMode)
		if err != nil {
			return err
		}
		return errors.Join(largeTransaction(tx, writes), tx.Commit())
	},
}

func TestLargeTransactionSurvivesACrashInTheMiddleWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	writes, stride, most := tier(3000, 10_000, 5_000_000), tier[int64](3, 3, 1), tier(12, 30, 4)
	for name, commit := range largeCommits {
		t.Run(name, func(t *testing.T) {
			disk, rng := vfstest.NewDisk(1), seeded(1)
			o := Options{FS: disk, MemtableBytes: 1 << 20, Clock: newHandClock().Now, manualWork: true}
			db, err := Open("db", &o)
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Put([]byte("before"), nil); err != nil {
				t.Fatal(err)
			}
			committed := false
			whole, nothing, cuts := 0, 0, 0
			judge := func() {
				for _, p := range []vfstest.Profile{vfstest.P0, vfstest.P1, vfstest.P5} {
					o := o
					o.FS = disk.Image(p, rng)
					again, err := Open("db", &o)
					if err != nil {
						t.Fatalf("cut %v: %v", p, err)
					}
					done := countLarge(t, again, writes)
					if committed && !done {
						t.Fatalf("cut %v: the transaction had been committed and is lost", p)
					}
					if done {
						whole++
					} else {
						nothing++
					}
					if err := again.Close(); err != nil {
						t.Fatal(err)
					}
				}
			}
			disk.OnOp(func(op vfstest.Op) {
				if cuts++; op.N%stride == 0 && cuts <= most {
					judge()
				}
			})
			begin := time.Now()
			if err := commit(db, writes); err != nil {
				t.Fatal(err)
			}
			took := time.Since(begin)
			committed, cuts = true, 0
			judge()
			if err := db.step(); err != nil {
				t.Fatal(err)
			}
			disk.OnOp(nil)
			if !countLarge(t, db, writes) {
				t.Error("the transaction is not there")
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if nothing == 0 || whole == 0 {
				t.Errorf("%d cuts left it whole, %d nothing of it", whole, nothing)
			}
			t.Logf("%d writes in %v, cuts and all; %d cuts left it whole, %d nothing of it", writes, took, whole, nothing)
		})
	}
}

// The rows of a collection that has ended are there until a merge and the reaper
// have come by. That is no fault.

// collectionEnds are the ways in which a hash ends.
var collectionEnds = map[string]func(db *DB, key string) error{
	"Put":         func(db *DB, key string) error { return db.Put([]byte(key), nil) },
	"Delete":      func(db *DB, key string) error { return db.Delete([]byte(key)) },
	"DeleteRange": func(db *DB, key string) error { return db.DeleteRange(Prefix([]byte(key))) },
	"Batch": func(db *DB, key string) error {
		var b Batch
		b.Delete([]byte(key))
		b.Put([]byte(key), nil)
		return db.Apply(&b, DefaultDurability)
	},
	"Tx.Put": func(db *DB, key string) error {
		return db.Update(bg, func(tx *Tx) error { return tx.Put([]byte(key), nil) })
	},
	"String.Set": func(db *DB, key string) error { return db.String(key).Set(nil) },
	"Drop": func(db *DB, key string) error {
		_, err := db.Key(key).Drop()
		return err
	},
	"Expire": func(db *DB, key string) error { return db.Key(key).Expire(0) },
	"Remove": func(db *DB, key string) error {
		_, err := db.Hash(key).Remove("f0", "f1")
		return err
	},
	"Put and a new hash": func(db *DB, key string) error {
		if err := db.Put([]byte(key), nil); err != nil {
			return err
		}
		if err := db.Delete([]byte(key)); err != nil {
			return err
		}
		return makeHash(db, key)
	},
}

// makeHash makes a hash of two fields in rows of their own.
func makeHash(db *DB, key string) error {
	for i := range 2 {
		if _, err := db.Hash(key).Set(fmt.Sprint("f", i), make([]byte, 300)); err != nil {
			return err
		}
	}
	return nil
}

func mustCheck(t testing.TB, db *DB, when string) {
	t.Helper()
	if err := db.Check(bg); err != nil {
		t.Errorf("%s: %v", when, err)
	}
}

func TestCheckFindsNoFaultInWhatHasEnded(t *testing.T) {
	typedtest.InRows(t)
	for name, end := range collectionEnds {
		for _, flushed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, in a table %v", name, flushed), func(t *testing.T) {
				db := mustOpen(t, vfs.NewMem(), newHandClock())
				if err := makeHash(db, "h"); err != nil {
					t.Fatal(err)
				}
				if flushed {
					if err := db.Flush(bg); err != nil {
						t.Fatal(err)
					}
				}
				if err := end(db, "h"); err != nil {
					t.Fatal(err)
				}
				mustCheck(t, db, "at once")
				if err := db.Flush(bg); err != nil {
					t.Fatal(err)
				}
				mustCheck(t, db, "flushed")
				if _, err := db.reapStep(); err != nil {
					t.Fatal(err)
				}
				mustCheck(t, db, "decided")
				if err := db.step(); err != nil {
					t.Fatal(err)
				}
				mustCheck(t, db, "all done")
				mustClose(t, db)
			})
		}
	}
}

func TestCheckFindsNoFaultInACollectionOfAKeyspaceThatHasEnded(t *testing.T) {
	typedtest.InRows(t)
	db := mustOpen(t, vfs.NewMem(), newHandClock())
	defer mustClose(t, db)
	ks, err := db.CreateKeyspace("k")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ks.Hash("h").Set("f", nil); err != nil {
		t.Fatal(err)
	}
	if err := ks.Put([]byte("h"), nil); err != nil {
		t.Fatal(err)
	}
	mustCheck(t, db, "in a keyspace")
}

// A store that is only read never flushes what it replayed, nor decides about what
// was nominated.
func TestCheckFindsNoFaultInAKilledStoreThatIsOnlyRead(t *testing.T) {
	typedtest.InRows(t)
	for name, end := range collectionEnds {
		t.Run(name, func(t *testing.T) {
			disk, clock := vfstest.NewDisk(1), newHandClock()
			db := mustOpen(t, disk, clock)
			killed := []*vfstest.Disk{}
			kill := func() { killed = append(killed, disk.Image(vfstest.P0, nil)) }
			if err := makeHash(db, "h"); err != nil {
				t.Fatal(err)
			}
			if err := end(db, "h"); err != nil {
				t.Fatal(err)
			}
			if err := db.Sync(); err != nil {
				t.Fatal(err)
			}
			kill()
			if err := db.Flush(bg); err != nil {
				t.Fatal(err)
			}
			kill() // nominated
			if _, err := db.reapStep(); err != nil {
				t.Fatal(err)
			}
			kill() // decided, and the verdict is not on disk
			if err := db.Flush(bg); err != nil {
				t.Fatal(err)
			}
			kill() // settled
			mustClose(t, db)
			for i, image := range killed {
				read := mustOpen(t, image, clock.copy(), func(o *Options) { o.ReadOnly = true })
				mustCheck(t, read, fmt.Sprintf("killed at moment %d", i))
				mustClose(t, read)
			}
		})
	}
}

// listing calls then after each listing of a directory, which is what Check does
// between its look at the state and its walk over the rows.
type listing struct {
	vfs.FS
	then *func()
}

func (l listing) List(dir string) ([]string, error) {
	names, err := l.FS.List(dir)
	if f := *l.then; f != nil {
		*l.then = nil
		f()
	}
	return names, err
}

// The view of a check is older than what happens beside it.
func TestCheckFindsNoFaultInWhatIsFreedMeanwhile(t *testing.T) {
	typedtest.InRows(t)
	for name, meanwhile := range map[string]func(db *DB) error{
		"decided": func(db *DB) error { _, err := db.reapStep(); return err },
		"settled": func(db *DB) error {
			if _, err := db.reapStep(); err != nil {
				return err
			}
			return db.Flush(bg)
		},
		"freed": func(db *DB) error { return db.step() },
	} {
		t.Run(name, func(t *testing.T) {
			var then func()
			clock := newHandClock()
			db := mustOpen(t, listing{vfs.NewMem(), &then}, clock)
			for key, end := range collectionEnds {
				if err := makeHash(db, key); err != nil {
					t.Fatal(err)
				}
				if err := end(db, key); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := db.Hash("due").SetTTL("f", nil, time.Second); err != nil {
				t.Fatal(err)
			}
			if err := db.Key("due").Expire(time.Second); err != nil {
				t.Fatal(err)
			}
			if err := db.Flush(bg); err != nil {
				t.Fatal(err)
			}
			clock.advance(time.Minute)
			called := false
			then = func() {
				called = true
				if err := meanwhile(db); err != nil {
					t.Error(err)
				}
			}
			mustCheck(t, db, "beside it")
			if !called {
				t.Error("nothing happened meanwhile: nothing was shown")
			}
			mustCheck(t, db, "afterwards")
			mustClose(t, db)
		})
	}
}
