package siltstone_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

var huge = flag.Bool("huge", false, "also try values of 256 MiB and ten million elements")

func TestLargeValuesLiveInMemtableLogAndTables(t *testing.T) {
	if testing.Short() {
		t.Skip("the full tier")
	}
	t.Parallel()
	sizes := []int{64<<10 - 1, 64 << 10, 64<<10 + 1, 1 << 20, 5 << 20}
	if *huge {
		sizes = append(sizes, 256<<20)
	}
	for _, level := range []siltstone.Durability{siltstone.SyncDurability, siltstone.BufferedDurability} {
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
		_, err := w.Persist(k)
		note(name+".Persist", err)
		_, err = w.(siltstone.Typed).Hash("h").Set("f", nil)
		note(name+".Hash.Set", err)
	}
	reader("DB", s.DB)
	writer("DB", s.DB)
	reader("Tx", tx)
	writer("Tx", tx)
	reader("Snapshot", snap)
	var b siltstone.Batch
	note("DB.Apply of nothing", s.Apply(&b, siltstone.SyncDurability))
	b.Put(k, k)
	note("DB.Apply", s.Apply(&b, siltstone.SyncDurability))
	note("DB.View", s.View(bg, func(*siltstone.Tx) error { return nil }))
	note("DB.Update", s.Update(bg, func(*siltstone.Tx) error { return nil }))
	_, err := s.Begin(bg, siltstone.ReadOnlyMode)
	note("DB.Begin", err)
	_, err = s.NewSnapshot()
	note("DB.NewSnapshot", err)
	note("DB.Sync", s.Sync())
	note("DB.Flush", s.Flush(bg))
	note("DB.Compact", s.Compact(bg, siltstone.Range{}))
	note("DB.Check", s.Check(bg))
	note("DB.Checkpoint", s.Checkpoint(bg, "copy"))
	_, err = s.Backup(bg, io.Discard, nil)
	note("DB.Backup", err)
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
	tx, err := s.Begin(bg, siltstone.ReadWriteMode)
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
	if again := s.DB.Close(); again != err {
		t.Errorf("a second Close says %v, the first %v", again, err)
	}
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
	ok(t, s.Apply(&siltstone.Batch{}, siltstone.SyncDurability))
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
	if testing.Short() {
		t.Skip("the full tier")
	}
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

// allocated returns how many bytes do allocates.
func allocated(t *testing.T, do func() error) int64 {
	t.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	ok(t, do())
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// incompressible fills a value of n bytes with what no compressor shrinks.
func incompressible(n int) []byte {
	v := make([]byte, n)
	x := uint64(1)
	for i := range v {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		v[i] = byte(x)
	}
	return v
}

// bigStore is a store in a real directory that does nothing by itself.
func bigStore(t *testing.T, dir string) *siltstone.DB {
	t.Helper()
	o := &siltstone.Options{}
	o.Extreme(siltstone.Extremes{ManualWork: true})
	db, err := siltstone.Open(dir, o)
	ok(t, err)
	return db
}

// bigValue is what a value of a size costs, step by step, in bytes allocated.
type bigValue struct {
	t      *testing.T
	value  []byte
	cached bool // a block of it fits the cache
}

// costs fails if do allocates more than most times the value, and a little.
func (b *bigValue) costs(what string, most float64, do func() error) {
	b.t.Helper()
	n := allocated(b.t, do)
	times := float64(n) / float64(len(b.value))
	b.t.Logf("%s: %.2f times the value", what, times)
	if float64(n) > most*float64(len(b.value))+2<<20 {
		b.t.Errorf("%s allocates %.2f times the value, at most %v is right", what, times, most)
	}
}

func (b *bigValue) get(db *siltstone.DB) func() error {
	return func() error {
		v, err := db.Get([]byte("k"))
		if !bytes.Equal(v, b.value) {
			b.t.Errorf("the value of %d bytes has %d, or other ones", len(b.value), len(v))
		}
		return err
	}
}

// held returns how many bytes are in use, the value's own excepted.
func (b *bigValue) held() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	runtime.KeepAlive(b.value)
	return int64(m.HeapAlloc) - int64(len(b.value))
}

// live goes through all that happens to a value: the bounds are what Options and
// docs promise.
func (b *bigValue) live() {
	t := b.t
	dir, killed := t.TempDir(), t.TempDir()
	db := bigStore(t, dir)
	b.costs("Put", 1.01, func() error { return db.Put([]byte("k"), b.value) })
	b.costs("Get from memory", 1.01, b.get(db))
	ok(t, os.RemoveAll(killed))
	ok(t, os.CopyFS(killed, os.DirFS(dir))) // as a kill leaves it
	b.costs("Flush", 1.01, func() error { return db.Flush(bg) })
	b.costs("Get from a table", 2.01, b.get(db))
	if b.cached {
		b.costs("Check", 1.01, func() error { return db.Check(bg) })
	}
	ok(t, db.Close())
	db = bigStore(t, dir)
	b.costs("Get after Close", 2.01, b.get(db))
	ok(t, db.Close())
	b.costs("Open after a kill", 2.15, func() error { db = bigStore(t, killed); return nil })
	b.get(db)()
	ok(t, db.Close())
}

// TestTheLargestValueFitsABoundOfMemory holds a value of 1 GiB, the largest there
// is, and looks at the most memory the process ever had: the caller's value, what
// each step above costs, and what the runtime has not given back yet.
func TestTheLargestValueFitsABoundOfMemory(t *testing.T) {
	if !*huge {
		t.Skip("takes gigabytes")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(5)) // garbage is not what is measured
	b := &bigValue{t: t, value: incompressible(siltstone.MaxValueLen)}
	b.live()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("the system does not tell the peak")
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	peak, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	ok(t, err)
	t.Logf("peak: %d MiB", peak>>10)
	if most := int64(17 << 20 / 4); peak > most {
		t.Errorf("peak: %d MiB, at most %d", peak>>10, most>>10)
	}
}

func TestAnExplanationListsAFewRangeDeletesAndCountsAll(t *testing.T) {
	s := newStore(t)
	putAll(t, s.DB, "k", "v")
	const deletes = 100
	for range deletes {
		ok(t, s.DeleteRange(rng("a", "z")))
	}
	e, err := s.Explain([]byte("k"))
	ok(t, err)
	source := e.Sources[0]
	if n := len(source.RangeDels); n != 16 || source.Covered != deletes {
		t.Errorf("%d range deletes are listed, of %d", n, source.Covered)
	}
	for i := 1; i < len(source.RangeDels); i++ {
		if source.RangeDels[i] >= source.RangeDels[i-1] {
			t.Errorf("not the newest ones first: %d", source.RangeDels)
		}
	}
	if e.Verdict.Reason != "range-deleted" || e.Verdict.Seq != source.RangeDels[0] || !strings.Contains(e.String(), "84 older range deletes") {
		t.Errorf("%v", e)
	}
}

// The elements of a collection lie elsewhere than its key.
func TestTheSizeOfACollectionsKeyCountsItsElements(t *testing.T) {
	if testing.Short() {
		t.Skip("the full tier")
	}
	t.Parallel()
	s := newStore(t, func(o *siltstone.Options) { o.MemtableBytes = 1 << 20 })
	for i := range 3 {
		members := make([]typed.Member, 20_000*i+100)
		for j := range members {
			members[j] = typed.Member{Name: fmt.Sprintf("%x", uint64(j+1)*0x9E3779B97F4A7C15), Score: float64(j)}
		}
		_, err := s.ZSet(fmt.Sprint("z", i)).AddMany(0, members...)
		ok(t, err)
	}
	ok(t, s.Put([]byte("a"), []byte("v")))
	ok(t, s.Flush(bg))
	ok(t, s.Compact(bg, siltstone.Range{}))
	size := func(r siltstone.Range) int64 {
		n, err := s.EstimateSize(r)
		ok(t, err)
		return n
	}
	all := size(siltstone.Range{})
	if a := size(rng("a", "b")); a > all/20 {
		t.Errorf("one value takes %d of %d bytes", a, all)
	}
	half, whole := size(rng("z1", "z2")), size(rng("z2", "z3"))
	if ratio := float64(whole) / float64(half); ratio < 1.5 || ratio > 2.5 || half < all/5 {
		t.Errorf("20,000 members take %d bytes, 40,000 take %d, all %d", half, whole, all)
	}
	if n := size(siltstone.Prefix([]byte("z"))); n < all*9/10 || n > all*11/10 {
		t.Errorf("all sorted sets take %d of %d bytes", n, all)
	}
}

// Of many keys the first ones are asked for collections, and stand for the rest.
func TestTheSizeOfManyCollectionsIsExtrapolated(t *testing.T) {
	if testing.Short() {
		t.Skip("the full tier")
	}
	t.Parallel()
	s := newStore(t, func(o *siltstone.Options) { o.MemtableBytes = 8 << 20 })
	value := strings.Repeat("v", 300)
	for i := range 15_000 {
		var fields []typed.Field
		for j := range 3 {
			fields = append(fields, typed.Field{Name: fmt.Sprint(j), Value: []byte(value)})
		}
		_, err := s.Hash(fmt.Sprintf("h%06d", i)).SetMany(fields...)
		ok(t, err)
	}
	ok(t, s.Flush(bg))
	ok(t, s.Compact(bg, siltstone.Range{}))
	all, err := s.EstimateSize(siltstone.Range{})
	ok(t, err)
	some, err := s.EstimateSize(siltstone.Prefix([]byte("h")))
	ok(t, err)
	if some < all*3/4 || some > all*5/4 {
		t.Errorf("all hashes take %d of %d bytes", some, all)
	}
}
