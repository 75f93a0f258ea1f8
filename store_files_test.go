package siltstone

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

func TestCollectionIDsAreReservedInGrowingBlocksAndNeverReused(t *testing.T) {
	const n = 5 * 4096 // a block, one of twice as many, and some of the next
	disk := vfstest.NewDisk(1)
	syncs := 0
	disk.OnOp(func(op vfstest.Op) {
		if vfstest.OnName("MANIFEST", vfstest.Sync)(op) {
			syncs++
		}
	})
	last := uint64(0)
	for opened := range 3 {
		db := mustOpen(t, disk, newHandClock())
		syncs = 0
		for range n {
			id, err := db.set.NewID()
			if err != nil || id <= last {
				t.Fatalf("open %d: id %d after %d, %v", opened, id, last, err)
			}
			last = id
		}
		if syncs != 3 {
			t.Errorf("open %d: %d syncs of the manifest for %d ids, want 3", opened, syncs, n)
		}
		if limit := db.set.State().IDLimit; limit <= last {
			t.Errorf("open %d: id %d is not below the limit %d", opened, last, limit)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A state of many tables with long keys is larger than a manifest usually gets.
func TestManifestOfALargeStateIsNotWrittenAnewWithEachEdit(t *testing.T) {
	f := vfstest.NewFaults(vfs.NewMem())
	var made int
	f.OnOp(func(op vfstest.Op) {
		if op.Kind == vfstest.Create && strings.Contains(op.Name, "MANIFEST-") {
			made++
		}
	})
	clock := newHandClock()
	o := denseOptions(f, clock)
	o.MemtableBytes, o.blockSize = 1<<20, 1<<10
	db, err := Open("db", &o)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("k", 60<<10)
	for i := range 60 {
		putAt(t, db, Buffered, fmt.Sprintf("%04d", i)+long, "v")
	}
	ctx := context.Background()
	if err := db.Compact(ctx, Range{}); err != nil {
		t.Fatal(err)
	}
	if n := len(db.states.Version().AllTables()); n*120<<10 < 4<<20 {
		t.Fatalf("%d tables are no large state", n)
	}
	made = 0
	const edits = 30
	for i := range edits {
		putAt(t, db, Buffered, fmt.Sprint("zz", i), "v")
		if err := db.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if made > edits/10 {
		t.Errorf("%d manifests for %d flushes", made, edits)
	}
	mustClose(t, db)
}
