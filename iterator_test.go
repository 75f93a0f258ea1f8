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
