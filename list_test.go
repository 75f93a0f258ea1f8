package siltstone

import (
	"fmt"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// An insert where there is no room moves the items around to other indexes.
func TestPowerCutAtEveryByteOfARenumberingKeepsAllOfItOrNothing(t *testing.T) {
	typedtest.InRows(t)
	s := newTypedStore(t, 1)
	s.change = func(o *Options) { o.MemtableBytes = 1 << 20 } // all in one log
	s.reopen()
	l := s.List("l")
	values := [][]byte{[]byte("first"), []byte("last")}
	_, err := l.PushBack(values...)
	s.done(err)
	insert := func(i int) {
		inserted, err := l.InsertAfter([]byte("first"), fmt.Append(nil, "value ", i))
		if err != nil || !inserted {
			t.Fatal(inserted, err)
		}
	}
	for i := range 16 { // as often as the distance of two neighbours can be halved
		insert(i)
	}
	before := s.picture()
	name, old := logBytes(t, s.disk)
	insert(16)
	after := s.picture()
	moved := 0
	for line := range strings.Lines(before) {
		if !strings.Contains(after, line) {
			moved++
		}
	}
	if moved < 4 {
		t.Fatalf("%d rows changed", moved)
	}
	same, changed := logBytes(t, s.disk)
	if same != name {
		t.Fatalf("the insert went to %s and not %s", same, name)
	}
	first, end := 0, len(changed)
	for first < len(old) && old[first] == changed[first] {
		first++
	}
	for end > first && changed[end-1] == 0 {
		end--
	}
	for cut := first; cut <= end; cut++ {
		o := denseOptions(cutLog(t, s.disk, name, int64(cut), 0), s.clock)
		db, err := Open("db", &o)
		s.done(err)
		got := (&typedStore{t: t, db: db}).picture()
		s.done(db.Close())
		if got != before && (got != after || cut < end-8) || cut == end && got != after {
			t.Fatalf("cut at byte %d of %d to %d left\n%s", cut, first, end, got)
		}
	}
	s.crash(vfstest.P1)
	if got := s.picture(); got != after {
		t.Errorf("after a crash there is\n%s", got)
	}
	t.Logf("%d rows changed; cut at %d bytes", moved, end-first)
}
