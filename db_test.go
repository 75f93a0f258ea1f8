package siltstone_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

func TestCloseAmidCallsOfEveryKindGivesRightAnswersOrErrClosed(t *testing.T) {
	t.Parallel()
	rounds := few(3, 8)
	if *long {
		rounds = 200
	}
	for range rounds {
		mem := vfs.NewMem()
		o := siltstone.Options{FS: mem, MemoryLimit: 8 << 20, MemtableBytes: 16 << 10, Durability: siltstone.BufferedDurability}
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
		if err := db.Close(); err != nil && !strings.Contains(err.Error(), "still open") {
			t.Errorf("Close again: %v", err)
		}
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
	// A link of a table that a reader has open cannot be renamed with the directory of
	// the copy: then the copy fails whole, and succeeds once the table is closed.
	err := db.Checkpoint(bg, "copy")
	for ; errors.Is(err, vfstest.ErrInUse); err = db.Checkpoint(bg, "copy") {
		ok(t, db.Close())
		db = open(w)
	}
	ok(t, err)
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
	s.opts = siltstone.Options{FS: s.fs, Clock: s.clock.Now, Durability: siltstone.BufferedDurability}
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
	wantText(t, list(s, rng("d", "b")), `[siltstone: range from "d" to "b": lower bound is above upper bound]`)
	for kv, err := range s.Scan(siltstone.Range{}) {
		ok(t, err)
		ok(t, s.Delete(kv.Key)) // the loop does not see it
		if string(kv.Key) == "c" {
			break
		}
	}
	wantText(t, list(s, siltstone.Range{}), "d=4")
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
	ok(t, s.Apply(&b, siltstone.SyncDurability))
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
		o := siltstone.Options{FS: mem, Durability: siltstone.BufferedDurability}
		workers(&o)
		db, err := siltstone.Open("db", &o)
		ok(t, err)
		for i := range 500 {
			ok(t, db.Put(fmt.Appendf(nil, "%d", i), bytes.Repeat([]byte("v"), 100)))
		}
		if err := db.Close(); err != nil && !strings.Contains(err.Error(), "still open") {
			t.Errorf("Close again: %v", err)
		}
		if open := mem.OpenFiles(); len(open) > 0 {
			t.Errorf("files left open: %v", open)
		}
	}
	await(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= before })
}

func TestManyOverlappingRangeDeletes(t *testing.T) {
	s := newStore(t, small)
	alive := map[int]bool{}
	for i := range 200 {
		s.put(fmt.Sprintf("%03d", i), "v")
		alive[i] = true
	}
	for i := range 300 {
		lo, hi := i*7%200, i*7%200+i%9
		ok(t, s.DeleteRange(rng(fmt.Sprintf("%03d", lo), fmt.Sprintf("%03d", hi))))
		for j := lo; j < hi; j++ {
			delete(alive, j)
		}
		back := i * 13 % 200
		s.put(fmt.Sprintf("%03d", back), "v")
		alive[back] = true
		if i%50 == 49 {
			s.step()
		}
		if i%10 != 0 {
			continue
		}
		n := 0
		for kv, err := range s.Scan(siltstone.Range{}) {
			ok(t, err)
			var k int
			_, _ = fmt.Sscanf(string(kv.Key), "%d", &k)
			if !alive[k] {
				t.Fatalf("after %d: %s is back", i, kv.Key)
			}
			n++
		}
		if n != len(alive) {
			t.Fatalf("after %d: %d keys, want %d", i, n, len(alive))
		}
	}
	s.check()
}
