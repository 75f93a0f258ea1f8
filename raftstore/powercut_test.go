package raftstore

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/seed"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// openAlone opens a replica that is a cluster by itself, on a file system.
func openAlone(t *testing.T, fsys vfs.FS) *Store {
	t.Helper()
	l := listener(t)
	s, err := Open(Options{
		ID: "n0", Addr: "n0", Dir: "replica", Commands: &testCommands, Keyspaces: []string{"registers"}, Bootstrap: []Member{{ID: "n0", Addr: "n0"}},
		Store: &siltstone.Options{MemoryLimit: 8 << 20, FS: fsys}, Tick: 20 * time.Millisecond, Listener: l, Raft: often,
	})
	if err != nil {
		l.Close()
		t.Fatal(err)
	}
	return s
}

// TestAPowerCutLosesNoCommand cuts the power of a replica that takes snapshots all the
// time, and opens what is left: every command that had returned is there once, in order.
func TestAPowerCutLosesNoCommand(t *testing.T) {
	t.Parallel()
	n := seed.New(t)
	disk := vfstest.NewDisk(n)
	type cut struct {
		disk         *vfstest.Disk
		acknowledged int64
	}
	var cuts []cut
	var acknowledged atomic.Int64
	draws := rand.New(rand.NewPCG(n, 2)) // of the hook, which is called by one at a time
	most := 8
	if *long {
		most = 100
	}
	ops := 0
	disk.OnOp(func(vfstest.Op) { // keeps so many, each operation as likely as any other
		ops++
		at := draws.IntN(ops)
		if at >= most {
			return
		}
		before := acknowledged.Load()
		now := cut{disk.Image(vfstest.P5, draws), before}
		if len(cuts) < most {
			cuts = append(cuts, now)
		} else {
			cuts[at] = now
		}
	})
	s := openAlone(t, disk)
	for i := range 20 * min(most, 25) {
		if _, err := tagCommand.Do(bg, s, tagArg{"tags", fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
		acknowledged.Add(1)
		if i%25 == 24 {
			if err := s.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	disk.OnOp(nil)
	for i, cut := range cuts {
		o := openAlone(t, cut.disk)
		tags, err := direct{o}.tags(bg)
		if err != nil || int64(len(tags)) < cut.acknowledged {
			t.Errorf("cut %d: %d tags of %d acknowledged, %v", i, len(tags), cut.acknowledged, err)
		}
		for j, tag := range tags {
			if tag != fmt.Sprint(j) {
				t.Errorf("cut %d: tag %d is %s", i, j, tag)
				break
			}
		}
		if err := o.Close(); err != nil {
			t.Errorf("cut %d: %v", i, err)
		}
	}
	t.Logf("%d cuts", len(cuts))
}
