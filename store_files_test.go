package siltstone

import (
	"testing"

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
