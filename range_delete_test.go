package siltstone_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
)

// TestDeleteRangeConflictsWithPointRead: a range delete changes keys that it
// does not name.
func TestDeleteRangeConflictsWithPointRead(t *testing.T) {
	reads := map[string]struct {
		read      func(tx *siltstone.Tx)
		conflicts bool
	}{
		"key inside":         {func(tx *siltstone.Tx) { _ = get(tx, "m") }, true},
		"absent key inside":  {func(tx *siltstone.Tx) { _ = get(tx, "n") }, true},
		"key outside":        {func(tx *siltstone.Tx) { _ = get(tx, "z") }, false},
		"upper bound itself": {func(tx *siltstone.Tx) { _ = get(tx, "p") }, false},
		"scan across":        {func(tx *siltstone.Tx) { _ = list(tx, rng("l", "z")) }, true},
		"empty scan inside":  {func(tx *siltstone.Tx) { _ = list(tx, rng("n", "o")) }, true},
		"scan beside":        {func(tx *siltstone.Tx) { _ = list(tx, rng("p", "zz")) }, false},
		"backward scan":      {func(tx *siltstone.Tx) { _ = listBack(tx, siltstone.Range{Upper: []byte("n")}) }, true},
		"seek over it":       {func(tx *siltstone.Tx) { seekOnly(tx, "mm") }, true},
		"seek stops before":  {func(tx *siltstone.Tx) { seekOnly(tx, "a") }, false},
		"Has":                {func(tx *siltstone.Tx) { _, _ = tx.Has([]byte("m")) }, true},
		"TTL":                {func(tx *siltstone.Tx) { _, _ = tx.TTL([]byte("m")) }, true},
		"nothing":            {func(*siltstone.Tx) {}, false},
	}
	for name, c := range reads {
		for place, settle := range map[string]func(s *testStore){
			"memtable": func(*testStore) {}, "table": (*testStore).flush, "last level": (*testStore).compact,
		} {
			s := newStore(t)
			s.put("a", "1", "m", "2", "p", "3", "z", "4")
			s.compact()
			tx := s.begin()
			c.read(tx)
			ok(t, tx.Put([]byte("w"), nil))
			ok(t, s.DeleteRange(rng("m", "p")))
			settle(s)
			if err := tx.Commit(); errors.Is(err, siltstone.ErrConflict) != c.conflicts || err != nil && !c.conflicts {
				t.Errorf("%s, range delete in the %s: %v", name, place, err)
			}
		}
	}
}

func seekOnly(tx *siltstone.Tx, key string) {
	it, err := tx.NewIter(nil)
	if err == nil {
		it.SeekGE([]byte(key))
		_ = it.Close()
	}
}

// TestScanSkipsRangeDeletedKeysInsideAStreamedBlock: a scan that streams a block
// without comparing must stop where a range tombstone of another source begins.
func TestScanSkipsRangeDeletedKeysInsideAStreamedBlock(t *testing.T) {
	s := newStore(t)
	for i := range 100 {
		s.put(fmt.Sprintf("k%02d", i), "v")
	}
	s.compact()
	expect := func(r siltstone.Reader, gone func(i int) bool) {
		t.Helper()
		var want []string
		for i := range 100 {
			if !gone(i) {
				want = append(want, fmt.Sprintf("k%02d=v", i))
			}
		}
		wantText(t, list(r, siltstone.Range{}), strings.Join(want, " "))
		for i, j := 0, len(want)-1; i < j; i, j = i+1, j-1 {
			want[i], want[j] = want[j], want[i]
		}
		wantText(t, listBack(r, siltstone.Range{}), strings.Join(want, " "))
	}
	first, err := s.NewSnapshot()
	ok(t, err)
	defer first.Close()
	for name, settle := range map[string]func(){"memtable": func() {}, "table": s.flush} {
		ok(t, s.DeleteRange(rng("k50", "k60")))
		settle()
		second, err := s.NewSnapshot()
		ok(t, err)
		ok(t, s.DeleteRange(rng("k55", "k70")))
		s.put("k58", "v")
		settle()
		t.Log(name)
		expect(first, func(int) bool { return false })
		expect(second, func(i int) bool { return i >= 50 && i < 60 })
		expect(s, func(i int) bool { return i >= 50 && i < 70 && i != 58 })
		second.Close()
		for i := 50; i < 70; i++ {
			s.put(fmt.Sprintf("k%02d", i), "v")
		}
		s.flush()
	}
}

// TestTombstoneStaysWhileASiblingRunHasTheKey: a tombstone may only leave when no
// older run, of whatever level, can have its key.
func TestTombstoneStaysWhileASiblingRunHasTheKey(t *testing.T) {
	for name, kill := range map[string]func(s *testStore) error{
		"delete":       func(s *testStore) error { return s.Delete([]byte("key")) },
		"range delete": func(s *testStore) error { return s.DeleteRange(rng("a", "z")) },
		"expiry":       func(s *testStore) error { return s.PutTTL([]byte("key"), []byte("short"), time.Millisecond) },
	} {
		s := newStore(t, small)
		s.put("key", "old")
		s.flush()
		look := func(when string) {
			t.Helper()
			if got := get(s, "key"); got != "[none]" {
				t.Errorf("%s, %s: the key is back: %s", name, when, got)
			}
			wantText(t, list(s, rng("k", "l")), "")
		}
		ok(t, kill(s))
		s.clock.advance(time.Second)
		for i := range 40 {
			s.put(fmt.Sprint("beside", i%3), strings.Repeat("x", 100))
			s.flush()
			s.clock.advance(time.Second)
			look("after a flush")
			if i%3 == 0 {
				s.step()
				look("after merges")
			}
		}
		s.compact()
		look("at the end")
		s.check()
	}
}

// TestKeyWrittenAfterARangeDeleteSurvivesTheMergeOfBoth: a zeroed sequence under
// a tombstone that stays would hide the key.
func TestKeyWrittenAfterARangeDeleteSurvivesTheMergeOfBoth(t *testing.T) {
	s := newStore(t)
	s.put("a", "1", "k", "old", "z", "1")
	snap, err := s.NewSnapshot()
	ok(t, err)
	ok(t, s.DeleteRange(rng("b", "y")))
	s.put("k", "new")
	for range 2 {
		s.compact()
		wantText(t, list(s, siltstone.Range{}), "a=1 k=new z=1")
		wantText(t, get(s, "k"), "new")
		snap.Close()
		s.reopen()
	}
	wantText(t, list(s, siltstone.Range{}), "a=1 k=new z=1")
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
