package siltstone_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

var huge = flag.Bool("huge", false, "also try values of 256 MiB and ten million elements")

func TestLargeValuesLiveInMemtableLogAndTables(t *testing.T) {
	sizes := []int{64<<10 - 1, 64 << 10, 64<<10 + 1, 1 << 20, 5 << 20}
	if *huge {
		sizes = append(sizes, 256<<20)
	}
	for _, level := range []siltstone.Durability{siltstone.Sync, siltstone.Buffered} {
		s := newStore(t, func(o *siltstone.Options) { o.Durability = level })
		value := func(n int) []byte {
			v := make([]byte, n)
			for i := range v {
				v[i] = byte(i * n >> 7)
			}
			return v
		}
		look := func() {
			t.Helper()
			for _, n := range sizes {
				if v, err := s.Get(fmt.Append(nil, n)); err != nil || !bytes.Equal(v, value(n)) {
					t.Errorf("value of %d bytes: %d bytes, %v", n, len(v), err)
				}
			}
		}
		for _, n := range sizes {
			ok(t, s.Put(fmt.Append(nil, n), value(n)))
		}
		look()
		s.flush()
		look()
		s.compact()
		look()
		s.reopen()
		look()
		ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
			for _, n := range sizes {
				v, err := tx.Get(fmt.Append(nil, n))
				ok(t, err)
				ok(t, tx.Put(fmt.Append(nil, n), v))
			}
			return nil
		}))
		look()
		s.check()
	}
}

// everyCall calls every method of everything that was made before the store was
// closed and returns their errors.
func everyCall(s *testStore, tx *siltstone.Tx, snap *siltstone.Snapshot, it *siltstone.Iterator) map[string]error {
	k := []byte("k")
	errs := map[string]error{}
	note := func(name string, err error) { errs[name] = err }
	reader := func(name string, r siltstone.Reader) {
		_, err := r.Get(k)
		note(name+".Get", err)
		_, err = r.AppendGet(nil, k)
		note(name+".AppendGet", err)
		_, err = r.Has(k)
		note(name+".Has", err)
		_, err = r.TTL(k)
		note(name+".TTL", err)
		_, err = r.NewIter(nil)
		note(name+".NewIter", err)
		for _, err := range r.Scan(siltstone.Range{}) {
			note(name+".Scan", err)
		}
		for _, err := range r.ScanBack(siltstone.Range{}) {
			note(name+".ScanBack", err)
		}
		_, err = r.(siltstone.Typed).Hash("h").Get("f")
		note(name+".Hash.Get", err)
		for _, err := range r.(siltstone.Typed).Hash("h").All() {
			note(name+".Hash.All", err)
		}
	}
	writer := func(name string, w siltstone.Writer) {
		note(name+".Put", w.Put(k, k))
		note(name+".PutTTL", w.PutTTL(k, k, time.Second))
		note(name+".Delete", w.Delete(k))
		note(name+".DeleteRange", w.DeleteRange(siltstone.Range{}))
		note(name+".Expire", w.Expire(k, time.Second))
		note(name+".Persist", w.Persist(k))
		_, err := w.(siltstone.Typed).Hash("h").Set("f", nil)
		note(name+".Hash.Set", err)
	}
	reader("DB", s.DB)
	writer("DB", s.DB)
	reader("Tx", tx)
	writer("Tx", tx)
	reader("Snapshot", snap)
	var b siltstone.Batch
	note("DB.Apply of nothing", s.Apply(&b, siltstone.Sync))
	b.Put(k, k)
	note("DB.Apply", s.Apply(&b, siltstone.Sync))
	note("DB.View", s.View(bg, func(*siltstone.Tx) error { return nil }))
	note("DB.Update", s.Update(bg, func(*siltstone.Tx) error { return nil }))
	_, err := s.Begin(bg, siltstone.ReadOnly)
	note("DB.Begin", err)
	_, err = s.NewSnapshot()
	note("DB.NewSnapshot", err)
	note("DB.Sync", s.Sync())
	note("DB.Flush", s.Flush(bg))
	note("DB.Compact", s.Compact(bg, siltstone.Range{}))
	note("DB.Check", s.Check(bg))
	note("DB.Checkpoint", s.Checkpoint(bg, "copy"))
	_, err = s.EstimateSize(siltstone.Range{})
	note("DB.EstimateSize", err)
	for name, move := range map[string]func() bool{
		"First": it.First, "Last": it.Last, "Next": it.Next, "Prev": it.Prev,
		"SeekGE": func() bool { return it.SeekGE(k) }, "SeekLT": func() bool { return it.SeekLT(k) },
	} {
		if move() || it.Valid() || it.Key() != nil || it.Value() != nil {
			note("Iterator."+name, nil)
		}
		note("Iterator.Err after "+name, it.Err())
	}
	return errs
}

func TestEverythingAfterCloseIsErrClosed(t *testing.T) {
	s := newStore(t)
	s.put("k", "v")
	_, err := s.Hash("h").Set("f", nil)
	ok(t, err)
	tx, err := s.Begin(bg, siltstone.ReadWrite)
	ok(t, err)
	snap, err := s.NewSnapshot()
	ok(t, err)
	it, err := s.NewIter(nil)
	ok(t, err)
	it.First()
	err = s.DB.Close()
	for _, what := range []string{"1 iterator", "1 snapshot", "1 transaction"} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("Close with things left open says %v, without %q", err, what)
		}
	}
	ok(t, s.DB.Close())
	for name, err := range everyCall(s, tx, snap, it) {
		if !errors.Is(err, siltstone.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	if err := tx.Commit(); !errors.Is(err, siltstone.ErrClosed) {
		t.Errorf("Commit after Close: %v", err)
	}
	tx.Rollback()
	snap.Close()
	_ = it.Close()
	_ = s.Options()
	s.open()
	wantText(t, list(s, siltstone.Range{}), "h(hash) k=v")
}

func TestCloseNamesWhoOpenedWhatWasLeftOpen(t *testing.T) {
	db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem(), TrackOpen: true})
	ok(t, err)
	snap, err := db.NewSnapshot()
	ok(t, err)
	it, err := db.NewIter(nil)
	ok(t, err)
	ok(t, it.Close())
	err = db.Close()
	if err == nil || !strings.Contains(err.Error(), "TestCloseNamesWhoOpenedWhatWasLeftOpen") || strings.Contains(err.Error(), "iterator") {
		t.Errorf("Close says %v", err)
	}
	snap.Close()
}

func TestZeroBatchIterAndTypedHandlesOfNothingAreHarmless(t *testing.T) {
	s := newStore(t)
	ok(t, s.Apply(&siltstone.Batch{}, siltstone.Sync))
	it, err := s.NewIter(nil)
	ok(t, err)
	if it.Next() || it.Prev() || it.Valid() || it.Key() != nil || it.First() || it.Last() || it.SeekGE(nil) || it.SeekLT(nil) {
		t.Error("an iterator over nothing stands on something")
	}
	ok(t, it.Err())
	ok(t, it.Close())
	ok(t, it.Close())
}

// TestOneDeleteOfTenMillionElementsReturnsTheDisk: one record says that most of
// the store is garbage. By default there are fewer elements. Typed calls tell
// the store what they ended; a blind write is understood by the merge that meets
// what it hides.
func TestOneDeleteOfTenMillionElementsReturnsTheDisk(t *testing.T) {
	n := 100_000
	if *huge {
		n = 10_000_000
	}
	for _, c := range []struct {
		name  string
		end   func(s *testStore) error
		merge func(s *testStore)
	}{
		{"Drop", func(s *testStore) error { _, err := s.Key("big").Drop(); return err }, (*testStore).step},
		{"expiry", func(s *testStore) error {
			defer s.clock.advance(2 * time.Hour)
			return s.Expire([]byte("big"), time.Hour)
		}, (*testStore).step},
		{"Put", func(s *testStore) error { return s.Put([]byte("big"), []byte("x")) }, (*testStore).compact},
		{"DeleteRange", func(s *testStore) error { return s.DeleteRange(rng("b", "c")) }, (*testStore).compact},
	} {
		s := newStore(t, func(o *siltstone.Options) { o.MemtableBytes = 1 << 20 })
		s.put("small", "kept")
		fields := make([]typed.Field, 0, 10_000)
		for i := 0; i < n; i += cap(fields) {
			fields = fields[:0]
			for j := range cap(fields) {
				fields = append(fields, typed.Field{Name: fmt.Sprintf("field %08d", i+j), Value: []byte("value")})
			}
			_, err := s.Hash("big").SetMany(fields...)
			ok(t, err)
		}
		s.step()
		full := s.diskBytes()
		ok(t, c.end(s))
		s.flush()
		c.merge(s)
		for range 2 { // the verdict, then its effect
			s.step()
			s.flush()
		}
		s.step()
		if left := s.diskBytes(); left > full/20 {
			t.Errorf("%s: %d of %d bytes are still on disk", c.name, left, full)
		}
		wantText(t, get(s, "small"), "kept")
		s.check()
	}
}

// diskBytes is the size of all table files.
func (s *testStore) diskBytes() (n int64) {
	s.t.Helper()
	names, err := s.fs.List("db")
	ok(s.t, err)
	for _, name := range names {
		if len(name) > 4 && name[len(name)-4:] == ".sst" {
			st, err := s.fs.Stat("db/" + name)
			if errors.Is(err, fs.ErrNotExist) {
				continue // a merge removed it since
			}
			ok(s.t, err)
			n += st.Size()
		}
	}
	return n
}

// NoTTL is what TTL returns of a key that does not expire. Given back, to whatever
// call, it means the same: so a key is copied with its time to live.
func TestNoTTLGivenBackMeansNone(t *testing.T) {
	db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem()})
	ok(t, err)
	ks, err := db.Keyspace("ks")
	ok(t, err)
	ok(t, db.Put([]byte("from"), nil))
	ttl, err := db.TTL([]byte("from"))
	if err != nil || ttl != siltstone.NoTTL {
		t.Fatal(ttl, err)
	}
	var b siltstone.Batch
	b.PutTTL([]byte("Batch.PutTTL"), nil, ttl)
	b.PutTTL([]byte("short"), nil, time.Hour)
	b.Put([]byte("Expire"), nil)
	for op, err := range b.Ops() {
		if err != nil || op.TTL != 0 && string(op.Key) != "short" {
			t.Errorf("%s: TTL %v, %v", op.Key, op.TTL, err)
		}
	}
	ok(t, db.Apply(&b, siltstone.Default))
	ok(t, db.PutTTL([]byte("PutTTL"), nil, ttl))
	ok(t, db.Expire([]byte("Expire"), ttl))
	ok(t, ks.PutTTL([]byte("Keyspace.PutTTL"), nil, ttl))
	ok(t, db.Update(bg, func(tx *siltstone.Tx) error { return tx.PutTTL([]byte("Tx.PutTTL"), nil, ttl) }))
	for _, k := range []string{"Batch.PutTTL", "PutTTL", "Expire", "Tx.PutTTL", "Keyspace.PutTTL"} {
		get, key := db.TTL, db.Key(k)
		if k == "Keyspace.PutTTL" {
			get, key = ks.TTL, ks.Key(k)
		}
		if got, err := get([]byte(k)); err != nil || got != siltstone.NoTTL {
			t.Errorf("%s: TTL is %v, %v", k, got, err)
		}
		if d, err := key.Deadline(); err != nil || !d.IsZero() {
			t.Errorf("%s: deadline %v, %v", k, d, err)
		}
	}
	if got, err := db.TTL([]byte("short")); err != nil || got > time.Hour || got <= 0 {
		t.Errorf("beside a key without: TTL is %v, %v", got, err)
	}
	ok(t, db.Close())
}

func TestNilsAndLevelsThatDoNotExistAreRefused(t *testing.T) {
	mem := vfs.NewMem()
	db, err := siltstone.Open("db", &siltstone.Options{FS: mem})
	ok(t, err)
	ks, err := db.Keyspace("ks")
	ok(t, err)
	var none context.Context
	var b siltstone.Batch
	b.Put([]byte("k"), nil)
	nothing := func(*siltstone.Tx) error { return nil }
	put := func(tx *siltstone.Tx) error {
		tx.SetDurability(77)
		tx.OnCommit(nil)
		return tx.Put([]byte("k"), nil)
	}
	for name, call := range map[string]func() error{
		"Apply(nil)":        func() error { return db.Apply(nil, siltstone.Default) },
		"Apply(b, 77)":      func() error { return db.Apply(&b, 77) },
		"SetDurability(77)": func() error { return db.Update(bg, put) },
		"Begin(ctx, 0)":     func() error { _, err := db.Begin(bg, 0); return err },
		"Begin(ctx, 3)":     func() error { _, err := db.Begin(bg, 3); return err },
		"Begin(nil)":        func() error { _, err := db.Begin(none, siltstone.ReadOnly); return err },
		"View(nil, fn)":     func() error { return db.View(none, nothing) },
		"View(ctx, nil)":    func() error { return db.View(bg, nil) },
		"Update(nil, fn)":   func() error { return db.Update(none, nothing) },
		"Update(ctx, nil)":  func() error { return db.Update(bg, nil) },
		"Flush":             func() error { return db.Flush(none) },
		"Compact":           func() error { return db.Compact(none, siltstone.Range{}) },
		"Keyspace.Compact":  func() error { return ks.Compact(none, siltstone.Range{}) },
		"Check":             func() error { return db.Check(none) },
		"Checkpoint":        func() error { return db.Checkpoint(none, "copy") },
		"Repair(nil context)": func() error {
			_, err := siltstone.Repair(none, "db", "mended", &siltstone.Options{FS: mem})
			return err
		},
	} {
		if err := call(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if has, err := db.Has([]byte("k")); has || err != nil {
		t.Error("what was refused has changed something", err)
	}
	ok(t, db.Update(bg, func(tx *siltstone.Tx) error { tx.OnCommit(nil); return nil }))
	ok(t, db.Close())
}

// Tests like to give a clock that starts at the zero Time.
func TestTimeToLiveRunsOnAClockBeforeTheEpoch(t *testing.T) {
	for _, start := range []time.Time{{}, time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(0, 0)} {
		t.Run(start.UTC().String(), func(t *testing.T) {
			var off atomic.Int64
			db, err := siltstone.Open("db", &siltstone.Options{
				FS:    vfs.NewMem(),
				Clock: func() time.Time { return start.Add(time.Duration(off.Load())) },
			})
			ok(t, err)
			ok(t, db.PutTTL([]byte("key"), nil, time.Minute))
			_, err = db.Hash("hash").SetTTL("field", nil, time.Minute)
			ok(t, err)
			if ttl, err := db.TTL([]byte("key")); err != nil || ttl != time.Minute {
				t.Errorf("key: TTL %v, %v", ttl, err)
			}
			off.Add(int64(time.Hour))
			if _, err := db.Get([]byte("key")); !errors.Is(err, siltstone.ErrNotFound) {
				t.Errorf("key, an hour later: %v", err)
			}
			if has, err := db.Hash("hash").Has("field"); has || err != nil {
				t.Errorf("field, an hour later: %v %v", has, err)
			}
			ok(t, db.Close())
		})
	}
}

// One wrong reading of the clock, of a board that has lost its time, is kept: no
// later deadline would ever hold. ResetClock is the way back.
func TestAClockThatWasWrongOnceCanBeSetBack(t *testing.T) {
	wrong, right := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	clock := wrong
	disk := vfstest.NewDisk(1)
	o := &siltstone.Options{FS: disk, Clock: func() time.Time { return clock }}
	open := func() *siltstone.DB {
		t.Helper()
		db, err := siltstone.Open("db", o)
		ok(t, err)
		return db
	}
	db := open()
	ok(t, db.Put([]byte("k"), []byte("v")))
	ok(t, db.PutTTL([]byte("x"), nil, time.Minute))
	if _, _, err := siltstone.ResetClock("db", o); !errors.Is(err, siltstone.ErrLocked) {
		t.Errorf("of an open store: %v", err)
	}
	o.FS = disk.Image(vfstest.P0, rand.New(rand.NewPCG(1, 1))) // killed: the clock is in the log, too
	ok(t, db.Close())
	if _, _, err := siltstone.ResetClock("nothing", o); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no store: %v", err)
	}
	clock = right
	was, now, err := siltstone.ResetClock("db", o)
	if err != nil || !now.Equal(right) || was.Sub(wrong).Abs() > time.Second {
		t.Fatalf("from %v to %v, %v", was, now, err)
	}
	db = open()
	if _, err := db.String("token").SetWith([]byte("v"), typed.SetOptions{At: right.Add(24 * time.Hour)}); err != nil {
		t.Error(err)
	}
	if ttl, err := db.TTL([]byte("token")); err != nil || ttl != 24*time.Hour {
		t.Errorf("token: TTL %v, %v", ttl, err)
	}
	if v, err := db.Get([]byte("k")); err != nil || string(v) != "v" {
		t.Errorf("k: %q, %v", v, err)
	}
	if d, err := db.Key("x").Deadline(); err != nil || d.Year() != 2099 {
		t.Errorf("x keeps its deadline: %v, %v", d, err)
	}
	ok(t, db.Check(bg))
	ok(t, db.Close())
	clock = right.Add(time.Hour)
	if was, now, err := siltstone.ResetClock("db", o); err != nil || !was.Equal(now) {
		t.Errorf("of a clock that is right: %v, %v, %v", was, now, err)
	}
}
