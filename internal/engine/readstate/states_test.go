package readstate

import (
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/clock"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/memtable"
	"github.com/siltstonedb/siltstone/vfs"
)

func TestTheOldestOfWhatIsOpenIsKnownWithoutTrackingIt(t *testing.T) {
	t.Run("today", func(t *testing.T) { testOldest(t, time.Unix(1_000_000, 0)) })
	t.Run("at the beginning of time", func(t *testing.T) { testOldest(t, time.Unix(0, 0)) })
	t.Run("before it", func(t *testing.T) { testOldest(t, time.Unix(-1_000_000, 0)) })
}

func testOldest(t *testing.T, now time.Time) {
	dir := storedir.Dir{FS: vfs.NewMem(), Path: "db"}
	s := NewStates(NewTables(dir, 10, cache.New(1<<20), func() {}))
	s.Points.Clock, s.Points.Visible = clock.New(func() time.Time { return now }), func() base.SeqNum { return 0 }
	s.Drained, s.Spent = func() {}, func(*Mem) {}
	s.Publish(func(rs *State) {
		rs.Mem, rs.Version = &Mem{Table: memtable.New(1 << 16)}, &manifest.Version{}
	})
	expect := func(what string, want time.Duration) {
		t.Helper()
		_, got, any := s.Oldest()
		if got != want || any != (want > 0) {
			t.Errorf("%s: %v, %v, want %v", what, got, any, want)
		}
	}
	expect("nothing is open", 0)
	iterator := s.Hold()
	now = now.Add(time.Second)
	expect("an iterator over the current state", 0)
	s.Publish(func(*State) {})
	now = now.Add(time.Minute)
	expect("an iterator over an earlier state", time.Minute)
	first, second := s.Points.Register(), s.Points.Register()
	now = now.Add(time.Hour)
	expect("and snapshots", time.Hour+time.Minute)
	s.Drop(iterator)
	expect("snapshots", time.Hour)
	s.Points.Release(first)
	now = now.Add(time.Second)
	expect("the second snapshot", time.Hour+time.Second)
	s.Points.Release(second)
	expect("nothing is open any more", 0)
}
