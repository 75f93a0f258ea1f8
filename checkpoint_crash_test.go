package siltstone

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

func TestAPowerCutInACheckpointLeavesAWholeCopyOrNone(t *testing.T) {
	for _, links := range []bool{true, false} {
		disk, clock := vfstest.NewDisk(3), newHandClock()
		var f vfs.FS = disk
		if !links {
			f = unlinkable{disk}
		}
		db := copyable(t, f, clock)
		rng, cuts, whole := seeded(3), 0, 0
		judge := func(op vfstest.Op) {
			for _, p := range vfstest.Profiles() {
				for image := range disk.Images(p, 2, rng) {
					cuts++
					names, err := image.List(".")
					if err != nil {
						t.Fatal(err)
					}
					for _, name := range names {
						if name != "db" && name != "copy" && !strings.HasSuffix(name, ".partial") {
							t.Fatalf("cut %v before %v: left %q", p, op, name)
						}
					}
					if !slices.Contains(names, "copy") {
						continue
					}
					whole++
					again := openCopy(t, image, clock.copy())
					if n := checkNumbered(t, again); n != 70 {
						t.Fatalf("cut %v before %v: the copy holds the state after commit %d", p, op, n)
					}
					mustClose(t, again)
				}
			}
		}
		disk.OnOp(judge)
		if err := db.Checkpoint(bg, "copy"); err != nil {
			t.Fatal(err)
		}
		disk.OnOp(nil)
		for image := range disk.Images(vfstest.P1, 1, rng) {
			mustClose(t, openCopy(t, image, clock.copy())) // it is durable on return
		}
		if whole == 0 || whole == cuts {
			t.Errorf("%d of %d cuts left a copy: nothing was shown", whole, cuts)
		}
		t.Logf("links=%v: %d cuts, %d left a copy, each whole", links, cuts, whole)
		mustClose(t, db)
	}
}

func TestACheckpointThatFailsOrIsCancelledLeavesNothing(t *testing.T) {
	counting := vfstest.NewDisk(4)
	db := copyable(t, counting, newHandClock())
	if err := db.Flush(bg); err != nil {
		t.Fatal(err)
	}
	begin := counting.Ops()
	if err := db.Checkpoint(bg, "copy"); err != nil {
		t.Fatal(err)
	}
	ops := counting.Ops() - begin
	mustClose(t, db)
	for k := int64(1); k <= ops; k++ {
		for _, cancelled := range []bool{true, false} {
			disk := vfstest.NewDisk(4)
			faults := vfstest.NewFaults(disk)
			db := copyable(t, faults, newHandClock())
			if err := db.Flush(bg); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(bg)
			want := vfstest.ErrInjected
			if cancelled {
				want = context.Canceled
				first := disk.Ops()
				disk.OnOp(func(op vfstest.Op) {
					if op.N == first+k {
						cancel()
					}
				})
			} else {
				faults.Inject(vfstest.Fault{Match: vfstest.On(changing...), Nth: k})
			}
			err := db.Checkpoint(ctx, "copy")
			disk.OnOp(nil)
			faults.Clear()
			cancel()
			names, lerr := disk.List(".")
			if lerr != nil {
				t.Fatal(lerr)
			}
			switch {
			case err == nil && slices.Contains(names, "copy"): // too late
			case !errors.Is(err, want), len(names) != 1:
				t.Errorf("operation %d of %d, cancelled %v: %v, left %v", k, ops, cancelled, err, names)
			}
			if n := checkNumbered(t, db); n != 70 {
				t.Errorf("the store holds the state after commit %d", n)
			}
			mustClose(t, db)
			if open := disk.OpenFiles(); len(open) > 0 {
				t.Errorf("left open: %v", open)
			}
		}
	}
}

// linking calls before in front of each Link.
type linking struct {
	vfs.FS
	before func()
}

func (l linking) Link(from, to string) error {
	l.before()
	return l.FS.Link(from, to)
}

func TestTablesMergedAwayMeanwhileAreStillLinked(t *testing.T) {
	disk, clock := vfstest.NewDisk(9), newHandClock()
	var db *DB
	db = copyable(t, linking{disk, func() {
		if err := db.CompactTables(); err != nil {
			t.Fatal(err)
		}
		db.keepStep()
	}}, clock)
	runs := len(db.set.State().Version.Runs)
	if err := db.Checkpoint(bg, "copy"); err != nil {
		t.Fatal(err)
	}
	if runs < 2 || len(db.set.State().Version.Runs) != 1 {
		t.Fatal("nothing was merged: nothing is shown")
	}
	again := openCopy(t, disk, clock)
	if n := checkNumbered(t, again); n != 70 {
		t.Errorf("the copy holds the state after commit %d", n)
	}
	mustClose(t, again)
	mustClose(t, db)
}

// The copy's clock goes on from the parent's, also if the wall shows less by then
// and the parent had nothing to write since it advanced.
func TestTheClockOfACopyGoesOnFromItsParents(t *testing.T) {
	mem, clock := vfs.NewMem(), newHandClock()
	db := mustOpen(t, mem, clock)
	putAt(t, db, Sync, "k", "v")
	if err := db.Flush(bg); err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Hour)
	was := db.clock.Now()
	if err := db.Checkpoint(bg, "copy"); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	again := openCopy(t, mem, newHandClock())
	if now := again.clock.Now(); now < was {
		t.Errorf("the copy shows %d, its parent had shown %d", now, was)
	}
	mustClose(t, again)
}
