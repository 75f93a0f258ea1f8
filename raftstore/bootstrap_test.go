package raftstore

import (
	"math/rand/v2"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// TestAPowerCutLeavesAClusterBegunOrNot: a replica with a term and without members would
// never be a candidate, and none could begin it again.
func TestAPowerCutLeavesAClusterBegunOrNot(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	disk := vfstest.NewDisk(1)
	open := func(d *vfstest.Disk) *LogStore {
		s, err := OpenLogStore("log", &siltstone.Options{MemoryLimit: 8 << 20, FS: d})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open(disk)
	var images []*vfstest.Disk
	keep := func() {
		for _, p := range []vfstest.Profile{vfstest.P1, vfstest.P3, vfstest.P4, vfstest.P5} {
			images = append(images, disk.Image(p, rng))
		}
	}
	disk.OnOp(func(vfstest.Op) { keep() })
	c := raft.DefaultConfig()
	c.LocalID = "n0"
	_, transport := raft.NewInmemTransport("n0")
	taken := raft.NewInmemSnapshotStore()
	members := []Member{{ID: "n0", Addr: "n0"}}
	begun := func(s *LogStore) bool {
		t.Helper()
		has, err := raft.HasExistingState(s, s, taken)
		if err != nil {
			t.Fatal(err)
		}
		if last, _ := s.LastIndex(); has != (last == 1) {
			t.Errorf("there is a past: %v, and the last entry is %d", has, last)
		}
		return has
	}
	for range 2 { // the second finds it done
		if err := bootstrap(c, s, taken, transport, members); err != nil || !begun(s) {
			t.Fatal(err)
		}
	}
	keep()
	disk.OnOp(nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	was := map[bool]int{}
	for _, image := range images {
		s := open(image)
		was[begun(s)]++
		if err := bootstrap(c, s, taken, transport, members); err != nil || !begun(s) {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if was[false] == 0 || was[true] == 0 {
		t.Errorf("%d images before it and %d after it", was[false], was[true])
	}
}
