package siltstone_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
)

var huge = flag.Bool("huge", false, "also try values of 256 MiB and ten million elements")

// TestKeysOfEveryLengthThatIsAllowed puts keys around 64 KiB, the limit, into
// memtable, log and tables. 65,536 is 0 in 16 bits.
func TestKeysOfEveryLengthThatIsAllowed(t *testing.T) {
	s := newStore(t)
	lengths := []int{1, 2, 255, 256, 65534, 65535, 65536}
	for _, n := range lengths {
		s.put(strings.Repeat("k", n), fmt.Sprint(n))
	}
	long := strings.Repeat("k", siltstone.MaxKeyLen+1)
	var b siltstone.Batch
	b.Delete([]byte(long))
	_, getErr := s.Get([]byte(long))
	_, hasErr := s.Has([]byte(long))
	_, ttlErr := s.TTL([]byte(long))
	_, iterErr := s.NewIter(&siltstone.IterOptions{Range: siltstone.Prefix([]byte(long))})
	_, sizeErr := s.EstimateSize(siltstone.Range{Lower: []byte(long)})
	_, addErr := s.Set("set").Add(long)
	for name, err := range map[string]error{
		"Put": s.Put([]byte(long), nil), "PutTTL": s.PutTTL([]byte(long), nil, time.Second), "Delete": s.Delete([]byte(long)),
		"DeleteRange": s.DeleteRange(siltstone.Range{Upper: []byte(long)}), "Apply": s.Apply(&b, siltstone.Default),
		"Expire": s.Expire([]byte(long), time.Second), "Persist": s.Persist([]byte(long)),
		"Get": getErr, "Has": hasErr, "TTL": ttlErr, "NewIter": iterErr, "EstimateSize": sizeErr, "Set.Add": addErr,
	} {
		if !errors.Is(err, siltstone.ErrKeyTooLarge) {
			t.Errorf("%s of a key of %d bytes: %v", name, len(long), err)
		}
	}
	look := func() {
		t.Helper()
		for _, n := range lengths {
			wantText(t, get(s, strings.Repeat("k", n)), fmt.Sprint(n))
		}
		i := 0
		for kv, err := range s.Scan(siltstone.Range{}) {
			ok(t, err)
			if len(kv.Key) != lengths[i] {
				t.Errorf("key %d has %d bytes, want %d", i, len(kv.Key), lengths[i])
			}
			i++
		}
		if i != len(lengths) {
			t.Errorf("%d keys, want %d", i, len(lengths))
		}
	}
	look()
	s.flush()
	look()
	s.compact()
	look()
	s.reopen()
	look()
	s.check()
}

func TestMembersOfEveryLengthThatIsAllowed(t *testing.T) {
	s := newStore(t)
	lengths := []int{0, 1, 65535, 65536}
	for _, n := range lengths {
		_, err := s.Set("set").Add(strings.Repeat("m", n))
		ok(t, err)
		_, err = s.ZSet("zset").Add(strings.Repeat("m", n), float64(n))
		ok(t, err)
		_, err = s.Hash("hash").Set(strings.Repeat("m", n), fmt.Append(nil, n))
		ok(t, err)
	}
	for range 2 {
		for _, n := range lengths {
			member := strings.Repeat("m", n)
			if has, err := s.Set("set").Has(member); !has || err != nil {
				t.Errorf("member of %d bytes: %v, %v", n, has, err)
			}
			if score, err := s.ZSet("zset").Score(member); score != float64(n) || err != nil {
				t.Errorf("score of a member of %d bytes: %v, %v", n, score, err)
			}
			if v, err := s.Hash("hash").Get(member); string(v) != fmt.Sprint(n) || err != nil {
				t.Errorf("field of %d bytes: %q, %v", n, v, err)
			}
		}
		s.compact()
		s.reopen()
		s.check()
	}
}

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

func TestRangesWithOddBounds(t *testing.T) {
	s := newStore(t)
	s.put("a", "1", "b", "2")
	none, empty := []byte(nil), []byte{}
	for _, c := range []struct {
		r    siltstone.Range
		want string
	}{
		{siltstone.Range{Lower: none, Upper: none}, "a=1 b=2"},
		{siltstone.Range{Lower: empty, Upper: none}, "a=1 b=2"},
		{siltstone.Range{Lower: none, Upper: empty}, ""},
		{siltstone.Range{Lower: empty, Upper: empty}, ""},
		{siltstone.Range{Lower: []byte("b")}, "b=2"},
		{siltstone.Range{Upper: []byte("b")}, "a=1"},
		{siltstone.Range{Lower: []byte("a"), Upper: empty}, "[siltstone: lower bound is above upper bound]"},
		{siltstone.Prefix(nil), "a=1 b=2"},
		{siltstone.Prefix([]byte("a")), "a=1"},
		{siltstone.Prefix([]byte("\xff\xff")), ""},
	} {
		wantText(t, list(s, c.r), c.want)
	}
	s.put("\xff\xff", "3", "\xff\xffx", "4")
	wantText(t, list(s, siltstone.Prefix([]byte("\xff\xff"))), "\xff\xff=3 \xff\xffx=4")
	ok(t, s.DeleteRange(siltstone.Range{Lower: none, Upper: empty}))
	ok(t, s.DeleteRange(rng("a", "a")))
	wantErr(t, s.DeleteRange(rng("b", "a")), siltstone.ErrBadRange)
	wantErr(t, s.Compact(bg, rng("b", "a")), siltstone.ErrBadRange)
	_, err := s.EstimateSize(rng("b", "a"))
	wantErr(t, err, siltstone.ErrBadRange)
	wantText(t, list(s, siltstone.Range{}), "a=1 b=2 \xff\xff=3 \xff\xffx=4")
	ok(t, s.DeleteRange(siltstone.Prefix([]byte("\xff"))))
	wantText(t, list(s, siltstone.Range{}), "a=1 b=2")
}

// TestRawCallsOnTypedKeys: a raw read shows that a collection is there, and not
// what is inside; a raw write replaces it.
func TestRawCallsOnTypedKeys(t *testing.T) {
	s := newStore(t)
	_, err := s.Hash("h").Set("f", []byte("v"))
	ok(t, err)
	snap, err := s.NewSnapshot()
	ok(t, err)
	defer snap.Close()
	ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
		for _, from := range []siltstone.Reader{s.DB, tx, snap} {
			_, err := from.Get([]byte("h"))
			wantErr(t, err, siltstone.ErrWrongType)
			dst, err := from.AppendGet([]byte("x"), []byte("h"))
			wantErr(t, err, siltstone.ErrWrongType)
			wantText(t, string(dst), "x")
			if has, err := from.Has([]byte("h")); !has || err != nil {
				t.Errorf("Has: %v, %v", has, err)
			}
			if ttl, err := from.TTL([]byte("h")); ttl != siltstone.NoTTL || err != nil {
				t.Errorf("TTL: %v, %v", ttl, err)
			}
			wantText(t, list(from, siltstone.Range{}), "h(hash)")
			wantText(t, listBack(from, siltstone.Range{}), "h(hash)")
		}
		return nil
	}))
	_, err = s.Set("h").Add("m")
	wantErr(t, err, siltstone.ErrWrongType)
	s.put("h", "string")
	_, err = s.Hash("h").Get("f")
	wantErr(t, err, siltstone.ErrWrongType)
	wantText(t, get(s, "h"), "string")
	s.step()
	s.check()
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
