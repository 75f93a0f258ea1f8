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

// cuts keeps images of a disk, each operation as likely as any other to be the one before
// which its power went.
type cuts struct {
	images []*vfstest.Disk
	ops    int
}

// watch keeps at most so many images of what happens on disk from now on.
func (c *cuts) watch(disk *vfstest.Disk, draws *rand.Rand, most int) {
	profiles := []vfstest.Profile{vfstest.P1, vfstest.P3, vfstest.P4, vfstest.P5}
	disk.OnOp(func(vfstest.Op) { // it is called by one at a time
		c.ops++
		at := draws.IntN(c.ops)
		if len(c.images) < most {
			at = len(c.images)
			c.images = append(c.images, nil)
		}
		if at < most {
			c.images[at] = disk.Image(profiles[draws.IntN(len(profiles))], draws)
		}
	})
}

// TestAPowerCutWhileASnapshotIsInstalled leaves a replica that goes on.
func TestAPowerCutWhileASnapshotIsInstalled(t *testing.T) {
	t.Parallel()
	n := seed.New(t)
	draws := rand.New(rand.NewPCG(n, 3))
	most := 8
	if *long {
		most = 200
	}
	c := newCluster(t, 1, seldom)
	c.forget(20)
	l := listener(t)
	disk := vfstest.NewDisk(n)
	m := Member{ID: "n1", Addr: l.Addr().String()}
	at := c.add(m, nil, l)
	c.stop(at)
	at.opts.Store = &siltstone.Options{MemoryLimit: 8 << 20, FS: disk}
	var joining, back cuts
	joining.watch(disk, draws, most)
	c.start(at, nil)
	if err := c.leader().store().AddReader(m.ID, m.Addr); err != nil {
		t.Fatal(err)
	}
	c.equal()
	disk.OnOp(nil)
	for range 3 {
		c.stop(at)
		c.forget(20)
		back.watch(disk, draws, most)
		c.start(at, nil)
		c.equal()
		disk.OnOp(nil)
	}
	c.stop(at)
	for i, image := range append(joining.images, back.images...) {
		at.opts.Store.FS = image
		c.start(at, nil)
		if _, err := tagCommand.Do(bg, at.store(), tagArg{"cut", fmt.Sprint(i)}); err != nil {
			t.Fatalf("cut %d of seed %d: %v", i, n, err)
		}
		c.equal()
		c.stop(at)
	}
	c.nodes = c.nodes[:1]
	t.Logf("%d and %d operations", joining.ops, back.ops)
}

// TestADirectoryOfAReplicaIsDurableWithThoseAboveIt.
func TestADirectoryOfAReplicaIsDurableWithThoseAboveIt(t *testing.T) {
	disk := vfstest.NewDisk(1)
	if err := (files{disk}).makeDir("data/cluster/n0"); err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Image(vfstest.P1, rand.New(rand.NewPCG(1, 1))).Stat("data/cluster/n0"); err != nil {
		t.Error(err)
	}
}

// TestARestoreThatFailedIsMadeAgain, though its directory has its name already.
func TestARestoreThatFailedIsMadeAgain(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, seldom)
	c.forget(20)
	away := c.joinBy("n1", (*Store).AddReader)
	c.equal()
	c.stop(away)
	c.forget(20)
	disk := vfstest.NewFaults(vfs.OS)
	disk.Inject(vfstest.Fault{Match: vfstest.OnName(restoring, vfstest.Rename), Effect: vfstest.Done})
	away.opts.Store = &siltstone.Options{MemoryLimit: 8 << 20, FS: disk}
	c.start(away, nil)
	c.equal()
	if disk.Injected() != 1 {
		t.Errorf("%d faults were met", disk.Injected())
	}
	c.stop(away)
	c.start(away, nil)
	c.equal()
}

// TestAPowerCutWhileAReplicaIsMade leaves one that is opened, leads and goes on.
func TestAPowerCutWhileAReplicaIsMade(t *testing.T) {
	t.Parallel()
	n := seed.New(t)
	draws := rand.New(rand.NewPCG(n, 4))
	most := 12
	if *long {
		most = 300
	}
	disk := vfstest.NewDisk(n)
	var c cuts
	c.watch(disk, draws, most)
	s := openAlone(t, disk)
	if _, err := tagCommand.Do(bg, s, tagArg{"tags", "first"}); err != nil {
		t.Fatal(err)
	}
	disk.OnOp(nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for i, image := range c.images {
		for again := range int64(2) { // and once more, from what that has made
			o := openAlone(t, image)
			if n, err := tagCommand.Do(bg, o, tagArg{"tags", "again"}); err != nil || n < 1+again {
				t.Errorf("cut %d: %d tags, %v", i, n, err)
			}
			if err := o.Close(); err != nil {
				t.Errorf("cut %d: %v", i, err)
			}
		}
	}
	t.Logf("%d operations", c.ops)
}
