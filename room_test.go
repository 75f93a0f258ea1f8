package siltstone

import (
	"fmt"
	"testing"

	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// fillDisk leaves not a byte of the disk free.
func fillDisk(disk *vfstest.Disk) {
	disk.SetCapacity(1 << 40)
	disk.SetCapacity(1<<40 - disk.Free("."))
}

// The disk is full to the last byte when the store is opened: deletes work. That of all
// brings the space back by itself; to merge what is left of a part takes room.
func TestStoreOpensForWritingOnADiskWithoutAByteFree(t *testing.T) {
	end := map[string]func(db *DB, disk *vfstest.Disk) *vfstest.Disk{
		"closed": func(db *DB, disk *vfstest.Disk) *vfstest.Disk {
			fillDisk(disk)
			mustClose(t, db)
			fillDisk(disk)
			return disk
		},
		"killed": func(db *DB, disk *vfstest.Disk) *vfstest.Disk { return disk.Image(vfstest.P0, nil) },
		"cut":    func(db *DB, disk *vfstest.Disk) *vfstest.Disk { return disk.Image(vfstest.P1, nil) },
	}
	const n = 6000
	value := make([]byte, 1000)
	for name, end := range end {
		for _, whole := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/whole=%v", name, whole), func(t *testing.T) {
				disk := vfstest.NewDisk(1)
				disk.SetCapacity(64 << 20)
				o := &Options{FS: disk, MemtableBytes: 256 << 10, Compression: None, Durability: OS}
				db, err := Open("db", o)
				if err != nil {
					t.Fatal(err)
				}
				for i := range n {
					if err := db.Put(fmt.Appendf(nil, "key%06d", i), value); err != nil {
						t.Fatal(err)
					}
				}
				if err := db.Sync(); err != nil {
					t.Fatal(err)
				}
				full := end(db, disk)
				fillDisk(full)
				o = &Options{FS: full, MemtableBytes: 256 << 10, Compression: None, Durability: OS}
				again, err := Open("db", o)
				if err != nil {
					t.Fatalf("with %d bytes free: %v", full.Free("db"), err)
				}
				if !whole {
					for i := range n / 2 {
						if err := again.Delete(fmt.Appendf(nil, "key%06d", i+1)); err != nil {
							t.Fatalf("delete %d: %v", i, err)
						}
					}
					full.SetCapacity(64 << 20)
				}
				checkFull(t, again, n, value, true)
				if err := again.Check(t.Context()); err != nil {
					t.Error(err)
				}
				mustClose(t, again)
				if full != disk {
					mustClose(t, db)
				}
			})
		}
	}
}

// A start on a full disk uses the space that the store kept for it. When the power is
// cut meanwhile the next start finds that space in what this one has left.
func TestPowerCutInAStartOnAFullDiskOpensOnTheFullDisk(t *testing.T) {
	disk, rng, cuts, ops := vfstest.NewDisk(1), seeded(1), 0, 0
	disk.SetCapacity(64 << 20)
	large := func(o *Options) { o.MemtableBytes = 2 << 20 } // the tables of the log outweigh the rest
	db := mustOpen(t, disk, newHandClock(), large)
	for i := range 40 {
		putAt(t, db, Sync, fmt.Sprint("key", i), string(make([]byte, 20_000)))
		db.keepStep()
	}
	full := disk.Image(vfstest.P0, nil)
	mustClose(t, db)
	fillDisk(full)
	full.SetCapacity(1 << 40)
	size := 1<<40 - full.Free(".")
	full.SetCapacity(size)
	full.OnOp(func(op vfstest.Op) {
		if ops++; ops%tier(7, 1, 1) != 0 {
			return
		}
		for _, p := range vfstest.Profiles() {
			for image := range full.Images(p, tier(1, 4, 10), rng) {
				image.SetCapacity(size)
				cuts++
				o := denseOptions(image, newHandClock())
				large(&o)
				o.Compression = None
				again, err := Open("db", &o)
				if err != nil {
					t.Fatalf("%v before %v: %v", p, op, err)
				}
				if keys := keysOf(t, again); len(keys) != 40 {
					t.Fatalf("%v before %v: %d keys are left", p, op, len(keys))
				}
				mustClose(t, again)
			}
		}
	})
	again := mustOpen(t, full, newHandClock(), large, func(o *Options) { o.Compression = None })
	full.OnOp(nil)
	if cuts < 50 {
		t.Errorf("only %d cuts", cuts)
	}
	mustClose(t, again)
}
