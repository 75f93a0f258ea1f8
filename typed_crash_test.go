package siltstone

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// logBytes returns the name and content of the newest log that counts.
func logBytes(t testing.TB, disk vfs.FS) (name string, content []byte) {
	t.Helper()
	names, err := disk.List("db")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	for _, n := range names {
		if !strings.HasSuffix(n, ".wal") {
			continue
		}
		f, err := disk.Open("db/" + n)
		if err != nil {
			t.Fatal(err)
		}
		st, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, st.Size())
		if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		f.Close()
		if bytes.Trim(b, "\x00") != nil { // or else it was only prepared
			name, content = n, b
		}
	}
	return name, content
}

// cutLog returns the disk with a log that ends at size, or has zeros from there
// on.
func cutLog(t testing.TB, disk *vfstest.Disk, name string, size int64, zeros int64) *vfstest.Disk {
	t.Helper()
	cut := disk.Image(vfstest.P0, nil)
	f, err := cut.OpenWrite("db/" + name)
	if err == nil {
		err = f.Truncate(size)
	}
	if err == nil && zeros > 0 {
		err = f.Allocate(zeros)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return cut
}

func TestPowerCutAtEveryByteOfATypedTransactionKeepsAllOfItOrNothing(t *testing.T) {
	typedtest.InEveryForm(t, powerCutAtEveryByteOfATypedTransactionKeepsAllOfItOrNothing)
}

func powerCutAtEveryByteOfATypedTransactionKeepsAllOfItOrNothing(t *testing.T) {
	s := newTypedStore(t, 1)
	s.change = func(o *Options) { o.MemtableBytes = 1 << 20 } // all in one log
	s.reopen()
	s.done(typedtest.Populate(s))
	before := s.picture()
	name, old := logBytes(t, s.disk)
	s.done(s.Update(func(tx typedtest.API) error {
		for _, call := range typedtest.Changes() {
			switch call.Name { // the others end what these change, or fail behind them
			case "Expire", "Append", "Hash.Set", "ExpireFields", "Set.Add", "Set.AddTTL", "Set.MoveTo", "ZSet.Add", "PopMin", "PushFront", "Trim":
				if err := call.Run(tx); err != nil {
					return fmt.Errorf("%s: %w", call.Name, err)
				}
			}
		}
		return nil
	}))
	after := s.picture()
	same, changed := logBytes(t, s.disk)
	if same != name || after == before {
		t.Fatalf("the transaction went to %s and not %s", same, name)
	}
	first, end := 0, len(changed)
	for first < len(old) && old[first] == changed[first] {
		first++
	}
	for end > first && changed[end-1] == 0 {
		end--
	}
	stride := tier(19, 3, 1)
	kept := 0
	for cut := first; cut <= end; cut += stride {
		if cut+stride > end {
			cut = end
		}
		for _, zeros := range []int64{0, int64(len(changed))} {
			o := denseOptions(cutLog(t, s.disk, name, int64(cut), zeros), s.clock)
			db, err := Open("db", &o)
			if err != nil {
				t.Fatalf("cut at byte %d of %d to %d, zeros %v: %v", cut, first, end, zeros > 0, err)
			}
			got := (&typedStore{t: t, db: db}).picture()
			s.done(db.Close())
			switch {
			case got == after && cut >= end-8: // the frame may end in zeros
				kept++
			case got != before || cut == end && zeros > 0:
				t.Fatalf("cut at byte %d of %d to %d, zeros %v, left\n%s", cut, first, end, zeros > 0, got)
			}
		}
	}
	if kept == 0 {
		t.Error("the whole transaction is never there")
	}
	t.Logf("cut at %d bytes", end-first)
}

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
		tx, err := db.Begin(context.Background(), ReadWrite)
		if err != nil {
			return err
		}
		return errors.Join(largeTransaction(tx, writes), tx.Commit())
	},
}

func TestLargeTransactionSurvivesACrashInTheMiddleWholeOrNotAtAll(t *testing.T) {
	writes, stride, most := tier(3000, 10_000, 5_000_000), int64(3), 30
	if longRun() {
		stride, most = 1, 4
	}
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
