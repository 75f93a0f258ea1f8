package siltstone_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone"
)

func (s *testStore) iter(o *siltstone.IterOptions) *siltstone.Iterator {
	s.t.Helper()
	it, err := s.NewIter(o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { ok(s.t, it.Close()) })
	return it
}

// walk makes moves and writes down where each ends.
func walk(it *siltstone.Iterator, moves string) string {
	var out []string
	for _, m := range strings.Fields(moves) {
		name, arg, _ := strings.Cut(m, ":")
		at := false
		switch name {
		case "first":
			at = it.First()
		case "last":
			at = it.Last()
		case "next":
			at = it.Next()
		case "prev":
			at = it.Prev()
		case "ge":
			at = it.SeekGE([]byte(arg))
		case "lt":
			at = it.SeekLT([]byte(arg))
		}
		if at != it.Valid() {
			out = append(out, "!")
		}
		if at {
			out = append(out, string(it.Key()))
		} else {
			out = append(out, "-")
		}
	}
	return strings.Join(out, " ")
}

func TestIteratorMoves(t *testing.T) {
	for name, place := range map[string]func(s *testStore){
		"memtable":        func(*testStore) {},
		"table":           func(s *testStore) { s.flush() },
		"last level":      func(s *testStore) { s.compact() },
		"several sources": func(s *testStore) { s.flush(); s.put("b", "2", "d", "4"); s.flush(); s.put("b", "2", "c", "3") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t, small)
			s.put("a", "1", "b", "2", "c", "3", "d", "4", "e", "5")
			place(s)
			all := s.iter(nil)
			wantText(t, walk(all, "next prev first next next prev prev prev prev"), "- - a b c b a - -")
			wantText(t, walk(all, "last prev next next next"), "e d e - -")
			wantText(t, walk(all, "ge:b lt:b ge:bb lt:bb ge:z lt:z ge: lt: lt:a"), "b a c b - e a - -")
			wantText(t, walk(all, "ge:c prev next next prev"), "c b c d c")
			wantText(t, walk(all, "lt:c next prev prev next next"), "b c b a b c")
			some := s.iter(&siltstone.IterOptions{Range: rng("b", "e")})
			wantText(t, walk(some, "first prev first next next next last next last prev prev prev"), "b - b c d - d - d c b -")
			wantText(t, walk(some, "ge:a ge:e lt:z lt:b ge:d next"), "b - d - d -")
			if some.First(); string(some.Value()) != "2" {
				t.Errorf("value is %q", some.Value())
			}
			keys := s.iter(&siltstone.IterOptions{KeysOnly: true})
			wantText(t, walk(keys, "first next last"), "a b e")
			if keys.Value() != nil {
				t.Errorf("value without values is %q", keys.Value())
			}
		})
	}
}

func TestIteratorAndWhatItCameFromEndIndependently(t *testing.T) {
	s := newStore(t, small)
	s.put("a", "1", "b", "2")
	snap, err := s.NewSnapshot()
	ok(t, err)
	it, err := snap.NewIter(nil)
	ok(t, err)
	it.First()
	snap.Close()
	if it.Next() || it.Valid() {
		t.Error("the iterator of a closed snapshot moves on")
	}
	wantErr(t, it.Err(), siltstone.ErrClosed)
	wantErr(t, it.Close(), siltstone.ErrClosed)

	tx := s.begin()
	it, err = tx.NewIter(nil)
	ok(t, err)
	it.First()
	tx.Rollback()
	if it.Next() || it.Valid() {
		t.Error("the iterator of a transaction that has ended moves on")
	}
	wantErr(t, it.Err(), siltstone.ErrTxDone)
}

// TestTenThousandVersionsOfOneKeyUnderASnapshot: a leaf that was split among
// versions of one key lost some of them.
func TestTenThousandVersionsOfOneKeyUnderASnapshot(t *testing.T) {
	for _, configure := range []func(*siltstone.Options){func(*siltstone.Options) {}, small} {
		s := newStore(t, configure)
		const versions = 10_000
		snaps := map[int]*siltstone.Snapshot{}
		for i := range 60 {
			s.put(fmt.Sprintf("beside%02d", i), "x")
		}
		for i := range versions {
			s.put("key", fmt.Sprint(i))
			if i%997 == 0 {
				snap, err := s.NewSnapshot()
				ok(t, err)
				snaps[i] = snap
			}
		}
		for range 2 {
			for i, snap := range snaps {
				wantText(t, get(snap, "key"), fmt.Sprint(i))
				wantText(t, list(snap, siltstone.Prefix([]byte("key"))), fmt.Sprint("key=", i))
				wantText(t, listBack(snap, siltstone.Prefix([]byte("key"))), fmt.Sprint("key=", i))
			}
			wantText(t, get(s, "key"), fmt.Sprint(versions-1))
			s.compact()
		}
		s.check()
		for _, snap := range snaps {
			snap.Close()
		}
	}
}

// TestIteratorAcrossLeafSplitYieldsEachKeyOnce writes between the steps of
// iterators, so that what they stand in is split under them.
func TestIteratorAcrossLeafSplitYieldsEachKeyOnce(t *testing.T) {
	s := newStore(t)
	const n = 2000
	for i := range n {
		s.put(fmt.Sprintf("%06d", i*10), "old")
	}
	forward, backward := s.iter(nil), s.iter(nil)
	for i := range n {
		if i == 0 {
			forward.First()
			backward.Last()
		} else {
			forward.Next()
			backward.Prev()
		}
		for j := range 3 {
			s.put(fmt.Sprintf("%06d", (i*37%n)*10+j), "new", fmt.Sprintf("%06d", i*10+1+j), "new", fmt.Sprintf("%06d", (n-i)*10-1-j), "new")
		}
		if got, want := string(forward.Key()), fmt.Sprintf("%06d", i*10); got != want || string(forward.Value()) != "old" {
			t.Fatalf("forward step %d is at %s=%s, want %s", i, got, forward.Value(), want)
		}
		if got, want := string(backward.Key()), fmt.Sprintf("%06d", (n-1-i)*10); got != want || string(backward.Value()) != "old" {
			t.Fatalf("backward step %d is at %s=%s, want %s", i, got, backward.Value(), want)
		}
	}
	if forward.Next() || backward.Prev() {
		t.Error("there is more than was there")
	}
}

// TestSliceKeptAfterIteratorCloseNeverFaults keeps every slice an iterator lent,
// and reads them when all that they were cut from is gone.
func TestSliceKeptAfterIteratorCloseNeverFaults(t *testing.T) {
	s := newStore(t, small)
	for i := range 500 {
		s.put(fmt.Sprintf("%04d", i), strings.Repeat("v", 300))
	}
	var kept [][]byte
	keep := func() {
		it, err := s.NewIter(nil)
		ok(t, err)
		for at := it.First(); at; at = it.Next() {
			kept = append(kept, it.Key(), it.Value())
		}
		ok(t, it.Close())
		for kv := range s.ScanBack(siltstone.Range{}) {
			kept = append(kept, kv.Key, kv.Value)
		}
	}
	keep()
	s.step()
	keep()
	s.compact()
	keep()
	ok(t, s.DB.Close())
	runtime.GC()
	sum := 0
	for _, b := range kept {
		for _, c := range b {
			sum += int(c)
		}
	}
	if sum == 0 {
		t.Error("nothing was kept")
	}
	s.open()
}

func TestKeysAAndANulAreTwo(t *testing.T) {
	s := newStore(t, small)
	var want strings.Builder
	for i := range 20 {
		k := "a" + strings.Repeat("\x00", i)
		s.put(k, fmt.Sprint(i))
		fmt.Fprintf(&want, " %s=%d", k, i)
	}
	look := func() {
		t.Helper()
		wantText(t, " "+list(s, siltstone.Range{}), want.String())
		for i := range 20 {
			wantText(t, get(s, "a"+strings.Repeat("\x00", i)), fmt.Sprint(i))
		}
		wantText(t, get(s, "a"+strings.Repeat("\x00", 20)), "[none]")
	}
	look()
	s.flush()
	look()
	s.compact()
	look()
	ok(t, s.Delete([]byte("a\x00")))
	wantText(t, get(s, "a"), "0")
	wantText(t, get(s, "a\x00"), "[none]")
	wantText(t, get(s, "a\x00\x00"), "2")
}

// TestValueStaysPutWhileBackwardStepsCrossBlocks: to know the newest version
// of a key, a backward step looks one entry further, which may lie in another
// block.
func TestValueStaysPutWhileBackwardStepsCrossBlocks(t *testing.T) {
	s := newStore(t, small)
	value := func(i int) []byte { return bytes.Repeat(fmt.Appendf(nil, "%04d", i), 40) }
	for i := range 400 {
		ok(t, s.Put(fmt.Appendf(nil, "%04d", i), value(i)))
	}
	s.compact()
	it := s.iter(nil)
	i := 399
	for at := it.Last(); at; at = it.Prev() {
		if !bytes.Equal(it.Value(), value(i)) {
			t.Fatalf("key %s has the value %.8s", it.Key(), it.Value())
		}
		i--
	}
	if i != -1 {
		t.Errorf("%d keys are missing", i+1)
	}
}
