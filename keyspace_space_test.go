package siltstone_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
)

// TestDroppedKeyspaceGivesItsDiskBack leaves everything to the workers, while a
// snapshot reads the keyspace to the end, and beside one that stays.
func TestDroppedKeyspaceGivesItsDiskBack(t *testing.T) {
	t.Parallel() // it waits most of the time
	if testing.Short() {
		t.Skip("waits for the store to be idle")
	}
	for name, drop := range map[string]func(s *testStore) error{
		"DropKeyspace": func(s *testStore) error { return s.DropKeyspace("big") },
		"DropAll":      func(s *testStore) error { return s.DropAll() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t, func(o *siltstone.Options) {
				o.MemtableBytes, o.MemoryLimit, o.Clock = 1<<20, 16<<20, nil
				o.Extreme(siltstone.Extremes{})
			})
			before, big, behind := s.keyspace("before"), s.keyspace("big"), s.keyspace("behind")
			putAll(t, before, "k", "1")
			putAll(t, behind, "k", "2")
			n := keysToDrop()
			fillKeys(t, s, big, n)
			fillFields(t, big.Hash("hash"), min(n, 100_000))
			s.flush()
			full := s.diskBytes()
			snap, err := s.NewSnapshot()
			ok(t, err)
			begin := time.Now()
			ok(t, drop(s))
			seen := 0
			for _, err := range snap.In(big).Scan(siltstone.Range{}) {
				ok(t, err)
				seen++
			}
			if seen != n+1 {
				t.Errorf("the snapshot shows %d of %d keys", seen, n+1)
			}
			snap.Close()
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for s.diskBytes() > full/50 && time.Since(begin) < time.Minute {
				<-tick.C
			}
			t.Logf("%d bytes of %d after %v", s.diskBytes(), full, time.Since(begin).Round(time.Millisecond))
			if left := s.diskBytes(); left > full/50 {
				t.Errorf("%d of %d bytes are on disk after a minute", left, full)
			}
			if name == "DropKeyspace" {
				wantText(t, get(before, "k")+get(behind, "k"), "12")
			}
			s.check()
		})
	}
}

func TestManyDroppedKeyspacesLeaveNothing(t *testing.T) {
	s := newStore(t, small)
	for round := range 3 {
		for i := range 30 {
			ks := s.keyspace(fmt.Sprint("ks", i))
			putAll(t, ks, "a", "1", "b", "2")
			_, err := ks.ZSet("z").Add("m", 1)
			ok(t, err)
			if i%4 == 0 {
				s.flush()
			}
			if i%3 == 0 {
				ok(t, s.DropKeyspace(ks.Name()))
			}
		}
		s.step()
		s.check()
		if round == 1 {
			s.reopen()
		}
		names, err := s.Keyspaces()
		ok(t, err)
		if len(names) != 20 {
			t.Errorf("%d keyspaces: %q", len(names), names)
		}
	}
	ok(t, s.DropAll())
	s.compact()
	s.step()
	s.flush()
	s.compact()
	if size := s.diskBytes(); size != 0 {
		t.Errorf("%d bytes of tables in an empty store", size)
	}
	s.check()
}
