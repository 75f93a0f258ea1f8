package siltstone

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

func manyFields(n int) (fields []typed.Field) {
	for i := range n {
		fields = append(fields, typed.Field{Name: fmt.Sprint("field", i), Value: []byte("value")})
	}
	return fields
}

func TestNoSpaceBeforeASequenceIsTakenIsDefinite(t *testing.T) {
	big := []byte(strings.Repeat("v", 100_000))
	for name, write := range map[string]func(db *DB) error{
		"a log to extend": func(db *DB) error {
			for range 100 {
				if err := db.Put([]byte("k"), big[:900]); err != nil {
					return err
				}
			}
			return nil
		},
		"logs of a large batch": func(db *DB) error { return db.Put([]byte("k"), big) },
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			db := mustOpen(t, mem, newHandClock(), func(o *Options) { o.MemtableBytes = 200 << 10 })
			putAt(t, db, Sync, "before", "1")
			mem.SetCapacity(1)
			seq := db.section.Visible()
			var err error
			for err == nil {
				seq = db.section.Visible()
				err = write(db)
			}
			if !errors.Is(err, ErrNoSpace) || errors.Is(err, ErrIndeterminate) || errors.Is(err, ErrPoisoned) {
				t.Fatalf("a write on a full disk: %v", err)
			}
			if now := db.section.Visible(); name == "logs of a large batch" && now != seq {
				t.Errorf("the refused commit took sequences %d to %d", seq, now)
			}
			if db.life.Poisoned() {
				t.Error("the refused commit poisoned the store")
			}
			mem.SetCapacity(0)
			if err := db.Put([]byte("after"), nil); err != nil {
				t.Errorf("a write once there is space again: %v", err)
			}
			mustClose(t, db)
			again := mustOpen(t, mem, newHandClock())
			if _, err := again.Get([]byte("after")); err != nil {
				t.Error(err)
			}
			mustClose(t, again)
		})
	}
}

func TestFailedManifestAppendDeletesNothing(t *testing.T) {
	for _, effect := range []vfstest.Effect{vfstest.NotDone, vfstest.Done, vfstest.Forgotten, vfstest.Reverted} {
		t.Run(fmt.Sprint(effect), func(t *testing.T) {
			disk := vfstest.NewDisk(2)
			faults := vfstest.NewFaults(disk)
			db := mustOpen(t, faults, newHandClock())
			for i := range 6 {
				putAt(t, db, Sync, "k", fmt.Sprint(i))
				putAt(t, db, Sync, fmt.Sprint("other", i), fmt.Sprint(i))
				if err := db.Flush(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			before := filesLike(t, disk, ".sst")
			faults.Inject(vfstest.Fault{Match: vfstest.OnName("MANIFEST", vfstest.Sync), Effect: effect})
			did, err := db.work.CompactStep(context.Background(), nil)
			if did || !errors.Is(err, vfstest.ErrInjected) {
				t.Fatalf("the compaction whose edit fails: %v, %v", did, err)
			}
			db.keepStep()
			after := filesLike(t, disk, ".sst")
			for _, name := range before {
				if !slices.Contains(after, name) {
					t.Errorf("input %s was deleted", name)
				}
			}
			if len(after) <= len(before) {
				t.Errorf("the outputs were deleted: %v before, %v after", before, after)
			}
			if err := db.Close(); !errors.Is(err, ErrPoisoned) {
				t.Errorf("Close: %v", err)
			}
			rng := seeded(2)
			images := []*vfstest.Disk{disk}
			for _, p := range []vfstest.Profile{vfstest.P1, vfstest.P3} {
				images = slices.AppendSeq(images, disk.Images(p, 4, rng))
			}
			for _, image := range slices.Backward(images) {
				again := mustOpen(t, image, newHandClock())
				if v, err := again.Get([]byte("k")); err != nil || string(v) != "5" {
					t.Errorf("opened again: %q, %v", v, err)
				}
				if err := again.Check(context.Background()); err != nil {
					t.Error(err)
				}
				mustClose(t, again)
			}
		})
	}
}

// A sync that fails may leave its bytes in the page cache, where the next
// process reads them, while the disk will never have them.
func TestNothingIsAppendedBehindAnEditThatWasNeverDurable(t *testing.T) {
	for _, dirty := range []bool{false, true} {
		disk := vfstest.NewDisk(3)
		faults := vfstest.NewFaults(disk)
		db := mustOpen(t, faults, newHandClock())
		putAt(t, db, Sync, "a", "1")
		if !dirty {
			if err := db.Flush(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		// The last sync of the manifest is that of the edit that calls it clean.
		syncs := int64(1)
		if dirty {
			syncs = 2 // behind that of the last flush
		}
		faults.Inject(vfstest.Fault{Match: vfstest.OnName("MANIFEST", vfstest.Sync), Nth: syncs, Effect: vfstest.Forgotten})
		if err := db.Close(); !errors.Is(err, vfstest.ErrInjected) {
			t.Fatalf("Close: %v", err)
		}
		again := mustOpen(t, disk, newHandClock())
		putAt(t, again, Sync, "b", "1")
		if err := again.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		cut := mustOpen(t, disk.Image(vfstest.P1, nil), newHandClock())
		if keys := fmt.Sprint(keysOf(t, cut)); keys != "[a b]" {
			t.Errorf("after the power cut the store holds %s", keys)
		}
		mustClose(t, cut)
		mustClose(t, again)
	}
}

func TestFailedOpenLeavesNothingOpenAndTheStoreAsItWas(t *testing.T) {
	disk := vfstest.NewDisk(5)
	db := mustOpen(t, disk, newHandClock())
	for i := range 60 {
		putAt(t, db, Sync, fmt.Sprint("key", i), strings.Repeat("v", 100))
	}
	killed := disk.Image(vfstest.P0, nil)
	mustClose(t, db)
	counting := vfstest.NewFaults(killed.Image(vfstest.P0, nil))
	mustClose(t, mustOpen(t, counting, newHandClock()))
	for n := int64(1); n <= counting.Ops(); n++ {
		image := killed.Image(vfstest.P0, nil)
		faults := vfstest.NewFaults(image)
		faults.Inject(vfstest.Fault{Nth: n, Times: vfstest.Forever})
		o := denseOptions(faults, newHandClock())
		if db, err := Open("db", &o); err == nil {
			_ = db.Close()
		} else if !errors.Is(err, vfstest.ErrInjected) {
			t.Fatalf("call %d fails, and Open says: %v", n, err)
		}
		if open := image.OpenFiles(); len(open) > 0 {
			t.Fatalf("call %d fails: left open: %v", n, open)
		}
		again := mustOpen(t, image, newHandClock())
		if keys := keysOf(t, again); len(keys) != 60 {
			t.Fatalf("call %d failed: %d keys are left", n, len(keys))
		}
		mustClose(t, again)
	}
}
