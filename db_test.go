package siltstone_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
)

var bg = context.Background()

// testClock is a clock that moves when told. Safe for concurrent use.
type testClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// testStore is a store in memory without workers, for one goroutine unless a
// test gives it workers. Closing it at the end of the test is checked.
type testStore struct {
	*siltstone.DB
	t     testing.TB
	fs    *vfs.Mem
	clock *testClock
	opts  siltstone.Options
	tx    *siltstone.Tx // begun by openTx
}

// newStore opens a new store. Each change edits its options.
func newStore(t testing.TB, changes ...func(*siltstone.Options)) *testStore {
	t.Helper()
	s := &testStore{t: t, fs: vfs.NewMem(), clock: &testClock{now: time.UnixMilli(1_700_000_000_000)}}
	s.opts = siltstone.Options{FS: s.fs, Clock: s.clock.Now, Durability: siltstone.Buffered}
	s.opts.Extreme(siltstone.Extremes{ManualWork: true})
	for _, change := range changes {
		change(&s.opts)
	}
	s.open()
	t.Cleanup(func() {
		s.rollback()
		ok(t, s.DB.Close())
		if open := s.fs.OpenFiles(); len(open) > 0 {
			t.Errorf("files left open: %v", open)
		}
	})
	return s
}

// small makes everything small: a few keys make a table.
func small(o *siltstone.Options) {
	o.MemtableBytes, o.MemoryLimit = 4<<10, 8<<20
	o.Extreme(siltstone.Extremes{BlockSize: 128, TableBytes: 1 << 10, RunLimit: 2, ManualWork: true})
}

// workers gives the store its workers.
func workers(o *siltstone.Options) {
	o.MemtableBytes, o.MemoryLimit = 8<<10, 8<<20
	o.Extreme(siltstone.Extremes{BlockSize: 512, TableBytes: 4 << 10, RunLimit: 2})
}

func (s *testStore) open() {
	s.t.Helper()
	db, err := siltstone.Open("db", &s.opts)
	ok(s.t, err)
	if err != nil {
		s.t.FailNow()
	}
	s.DB = db
}

func (s *testStore) reopen() {
	s.t.Helper()
	ok(s.t, s.DB.Close())
	s.open()
}

// step does all background work.
func (s *testStore) step() { s.t.Helper(); ok(s.t, s.Step()) }

// flush writes what is in memory to a table and merges nothing.
func (s *testStore) flush() { s.t.Helper(); ok(s.t, s.Flush(bg)) }

func (s *testStore) compact() { s.t.Helper(); ok(s.t, s.Compact(bg, siltstone.Range{})) }

func (s *testStore) put(keysAndValues ...string) {
	s.t.Helper()
	for i := 0; i < len(keysAndValues); i += 2 {
		ok(s.t, s.Put([]byte(keysAndValues[i]), []byte(keysAndValues[i+1])))
	}
}

func (s *testStore) check() { s.t.Helper(); ok(s.t, s.Check(bg)) }

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

func wantText(t testing.TB, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func rng(lower, upper string) siltstone.Range {
	return siltstone.Range{Lower: []byte(lower), Upper: []byte(upper)}
}

// get is the value of key, or the error in brackets.
func get(from siltstone.Reader, key string) string {
	v, err := from.Get([]byte(key))
	switch {
	case errors.Is(err, siltstone.ErrNotFound):
		return "[none]"
	case err != nil:
		return "[" + err.Error() + "]"
	}
	return string(v)
}

// list is everything in r, "key=value" by "key=value".
func list(from siltstone.Reader, r siltstone.Range) string { return join(from.Scan(r)) }

func listBack(from siltstone.Reader, r siltstone.Range) string { return join(from.ScanBack(r)) }

func join(seq func(func(siltstone.KV, error) bool)) string {
	var b strings.Builder
	for kv, err := range seq {
		switch {
		case err != nil:
			fmt.Fprintf(&b, " [%v]", err)
		case kv.Value == nil:
			fmt.Fprintf(&b, " %s(%v)", kv.Key, kv.Type)
		default:
			fmt.Fprintf(&b, " %s=%s", kv.Key, kv.Value)
		}
	}
	return strings.TrimPrefix(b.String(), " ")
}

func TestPutGetDelete(t *testing.T) {
	s := newStore(t)
	wantText(t, get(s, "a"), "[none]")
	s.put("a", "1", "b", "", "a", "2")
	wantText(t, get(s, "a"), "2")
	if v, err := s.Get([]byte("b")); err != nil || v == nil && len(v) != 0 {
		t.Errorf("an empty value is %v, %v", v, err)
	}
	if v, err := s.AppendGet([]byte("x"), []byte("a")); string(v) != "x2" || err != nil {
		t.Errorf("AppendGet is %q, %v", v, err)
	}
	if v, err := s.AppendGet([]byte("x"), []byte("none")); string(v) != "x" || !errors.Is(err, siltstone.ErrNotFound) {
		t.Errorf("AppendGet of nothing is %q, %v", v, err)
	}
	ok(t, s.Delete([]byte("a")))
	ok(t, s.Delete([]byte("a")))
	has, err := s.Has([]byte("a"))
	if has || err != nil {
		t.Errorf("Has of a deleted key is %v, %v", has, err)
	}
	if has, err = s.Has([]byte("b")); !has || err != nil {
		t.Errorf("Has of an empty value is %v, %v", has, err)
	}
	wantText(t, list(s, siltstone.Range{}), "b=")
}

func TestWhatIsGivenIsCopiedAndWhatIsGotIsTheCallers(t *testing.T) {
	s := newStore(t)
	key, value := []byte("key"), []byte("value")
	big := bytes.Repeat([]byte("v"), 200<<10)
	ok(t, s.Put(key, value))
	ok(t, s.Put([]byte("big"), big))
	clear(key)
	clear(value)
	clear(big)
	got, err := s.Get([]byte("key"))
	ok(t, err)
	clear(got)
	wantText(t, get(s, "key"), "value")
	if v := get(s, "big"); v != strings.Repeat("v", 200<<10) {
		t.Error("a large value changed with the caller's slice")
	}
}

func TestScanLoopsInBothDirectionsAndBreaksOut(t *testing.T) {
	s := newStore(t)
	s.put("a", "1", "b", "2", "c", "3", "d", "4")
	wantText(t, list(s, siltstone.Range{}), "a=1 b=2 c=3 d=4")
	wantText(t, listBack(s, siltstone.Range{}), "d=4 c=3 b=2 a=1")
	wantText(t, list(s, rng("b", "d")), "b=2 c=3")
	wantText(t, listBack(s, rng("b", "d")), "c=3 b=2")
	wantText(t, list(s, rng("b", "b")), "")
	wantText(t, list(s, rng("d", "b")), "[siltstone: lower bound is above upper bound]")
	for kv, err := range s.Scan(siltstone.Range{}) {
		ok(t, err)
		ok(t, s.Delete(kv.Key)) // the loop does not see it
		if string(kv.Key) == "c" {
			break
		}
	}
	wantText(t, list(s, siltstone.Range{}), "d=4")
}

func TestBatchIsAppliedWholeAndInOrder(t *testing.T) {
	for _, level := range []siltstone.Durability{siltstone.Default, siltstone.Sync, siltstone.OS, siltstone.Buffered} {
		s := newStore(t)
		var b siltstone.Batch
		b.Put([]byte("a"), []byte("1"))
		b.Put([]byte("b"), []byte("1"))
		b.DeleteRange(rng("a", "b"))
		b.Put([]byte("a"), []byte("2"))
		b.Delete([]byte("b"))
		b.PutTTL([]byte("c"), []byte("3"), time.Second)
		ok(t, s.Apply(&b, level))
		wantText(t, list(s, siltstone.Range{}), "a=2 c=3")
		s.clock.advance(time.Second)
		wantText(t, list(s, siltstone.Range{}), "a=2")
		ok(t, s.Apply(&b, level)) // again, with its TTL from now
		wantText(t, list(s, siltstone.Range{}), "a=2 c=3")
		b.Reset()
		ok(t, s.Apply(&b, level))
		s.reopen()
		wantText(t, list(s, siltstone.Range{}), "a=2 c=3")
	}
}

func TestBatchReplaysItsOperations(t *testing.T) {
	var b siltstone.Batch
	b.Put([]byte("a"), []byte("1"))
	b.PutTTL([]byte("b"), nil, 1500*time.Microsecond)
	b.Delete([]byte("c"))
	b.DeleteRange(rng("d", "e"))
	b.DeleteRange(siltstone.Range{Lower: []byte("d")})
	b.DeleteRange(siltstone.Range{Upper: []byte("e")})
	b.DeleteRange(rng("d", "d"))
	b.Put(nil, nil)
	b.Put([]byte("never"), nil)
	var got []string
	for op, err := range b.Ops() {
		if err != nil {
			got = append(got, err.Error())
			continue
		}
		got = append(got, fmt.Sprintf("%d %s=%s %v %q..%q", op.Kind, op.Key, op.Value, op.TTL, op.Range.Lower, op.Range.Upper))
	}
	wantText(t, strings.Join(got, "\n"), strings.Join([]string{
		`1 a=1 0s ""..""`, `1 b= 2ms ""..""`, `2 c= 0s ""..""`,
		`3 = 0s "d".."e"`, `3 = 0s "d"..""`, `3 = 0s "".."e"`, "siltstone: empty key",
	}, "\n"))
	if b.Len() != 6 || b.Size() == 0 {
		t.Errorf("Len %d, Size %d", b.Len(), b.Size())
	}
	s := newStore(t)
	wantErr(t, s.Apply(&b, siltstone.Sync), siltstone.ErrEmptyKey)
	wantText(t, list(s, siltstone.Range{}), "")
}

func TestBatchLargerThanTheMemtable(t *testing.T) {
	s := newStore(t, small)
	var b siltstone.Batch
	for i := range 3000 {
		b.Put(fmt.Appendf(nil, "%05d", i%1000), fmt.Appendf(nil, "value %d", i))
		if i == 1500 {
			b.DeleteRange(rng("00200", "00300"))
		}
	}
	s.put("00250", "old", "x", "y")
	ok(t, s.Apply(&b, siltstone.Sync))
	s.put("00251", "new")
	look := func() {
		t.Helper()
		for i := range 1000 {
			want := fmt.Sprintf("value %d", 2000+i)
			if i == 251 {
				want = "new"
			}
			if got := get(s, fmt.Sprintf("%05d", i)); got != want {
				t.Fatalf("key %d is %q, want %q", i, got, want)
			}
		}
		wantText(t, get(s, "x"), "y")
	}
	look()
	s.step()
	look()
	s.check()
	s.reopen()
	look()
}

func TestSnapshotShowsOneMoment(t *testing.T) {
	s := newStore(t, small)
	s.put("a", "1", "b", "1")
	snap, err := s.NewSnapshot()
	ok(t, err)
	for i := range 200 {
		s.put("a", fmt.Sprint(i), fmt.Sprintf("new%d", i), "x")
	}
	ok(t, s.DeleteRange(siltstone.Range{}))
	s.compact()
	wantText(t, list(snap, siltstone.Range{}), "a=1 b=1")
	wantText(t, listBack(snap, siltstone.Range{}), "b=1 a=1")
	wantText(t, get(snap, "a"), "1")
	wantText(t, list(s, siltstone.Range{}), "")
	snap.Close()
	snap.Close()
	wantText(t, get(snap, "a"), "[siltstone: closed]")
	s.compact()
	if size, err := s.EstimateSize(siltstone.Range{}); size != 0 || err != nil {
		t.Errorf("%d bytes left after everything was deleted, %v", size, err)
	}
}

func TestReopeningKeepsEverything(t *testing.T) {
	s := newStore(t, small)
	want := map[string]string{}
	for round := range 5 {
		for i := range 100 {
			k, v := fmt.Sprintf("key%03d", (i*7+round)%150), fmt.Sprint(round, i)
			s.put(k, v)
			want[k] = v
		}
		if round%2 == 0 {
			s.step()
		}
		s.reopen()
		n := 0
		for kv, err := range s.Scan(siltstone.Range{}) {
			ok(t, err)
			if n++; want[string(kv.Key)] != string(kv.Value) {
				t.Fatalf("%s=%s, want %s", kv.Key, kv.Value, want[string(kv.Key)])
			}
		}
		if n != len(want) {
			t.Fatalf("%d keys, want %d", n, len(want))
		}
	}
	s.check()
}

func TestOpenIsRefused(t *testing.T) {
	s := newStore(t)
	_, err := siltstone.Open("db", &s.opts)
	wantErr(t, err, siltstone.ErrLocked)
	read := s.opts
	read.ReadOnly = true
	_, err = siltstone.Open("db", &read)
	wantErr(t, err, siltstone.ErrLocked)
	for _, o := range []siltstone.Options{{MustExist: true}, {ReadOnly: true}} {
		o.FS = s.fs
		_, err = siltstone.Open("nowhere", &o)
		wantErr(t, err, fs.ErrNotExist)
	}
	for _, o := range []siltstone.Options{
		{Durability: 9}, {MemoryLimit: 1 << 20}, {MemoryLimit: -1}, {MemtableBytes: -1},
		{MaxOpenFiles: -1}, {CompactionRate: -1}, {Compression: 7},
	} {
		o.FS = vfs.NewMem()
		if db, err := siltstone.Open("db", &o); err == nil {
			t.Errorf("options %+v are accepted", o)
			_ = db.Close()
		}
	}
	if open := s.fs.OpenFiles(); len(open) == 0 {
		t.Error("the store holds no file: the test of what is left open cannot fail")
	}
}

func TestReadOnlyStoreReadsAndWritesNothing(t *testing.T) {
	s := newStore(t)
	s.put("a", "1")
	_, err := s.Hash("h").Set("f", []byte("v"))
	ok(t, err)
	ok(t, s.DB.Close())
	s.opts.ReadOnly = true
	s.open()
	second, err := siltstone.Open("db", &s.opts)
	ok(t, err)
	wantText(t, list(second, siltstone.Range{}), "a=1 h(hash)")
	ok(t, second.Close())
	wantText(t, list(s, siltstone.Range{}), "a=1 h(hash)")
	var b siltstone.Batch
	b.Put([]byte("k"), nil)
	_, hashErr := s.Hash("h").Set("f", nil)
	_, beginErr := s.Begin(bg, siltstone.ReadWrite)
	for name, err := range map[string]error{
		"Put": s.Put([]byte("k"), nil), "Delete": s.Delete([]byte("k")), "DeleteRange": s.DeleteRange(rng("a", "b")),
		"Apply": s.Apply(&b, siltstone.Default), "Expire": s.Expire([]byte("a"), time.Second), "Hash.Set": hashErr, "Begin": beginErr,
		"Update": s.Update(bg, func(*siltstone.Tx) error { return nil }), "Flush": s.Flush(bg), "Compact": s.Compact(bg, siltstone.Range{}),
	} {
		if !errors.Is(err, siltstone.ErrReadOnly) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ok(t, s.Sync())
	s.check()
	ok(t, s.View(bg, func(tx *siltstone.Tx) error { wantText(t, get(tx, "a"), "1"); return nil }))
	snap, err := s.NewSnapshot()
	ok(t, err)
	wantText(t, get(snap, "a"), "1")
	snap.Close()
	ok(t, s.DB.Close())
	s.opts.ReadOnly = false
	s.open()
}

// await polls until done, without sleeping.
func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("waited too long: %s", what)
		default:
			runtime.Gosched()
		}
	}
}

func TestCloseLeavesNoGoroutineAndNoFile(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 3 {
		mem := vfs.NewMem()
		o := siltstone.Options{FS: mem, Durability: siltstone.Buffered}
		workers(&o)
		db, err := siltstone.Open("db", &o)
		ok(t, err)
		for i := range 500 {
			ok(t, db.Put(fmt.Appendf(nil, "%d", i), bytes.Repeat([]byte("v"), 100)))
		}
		ok(t, db.Close())
		if open := mem.OpenFiles(); len(open) > 0 {
			t.Errorf("files left open: %v", open)
		}
	}
	await(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= before })
}
