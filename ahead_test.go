package siltstone

import (
	"fmt"
	"testing"

	"github.com/siltstonedb/siltstone/vfs"
)

func TestMemtableHasAChunkReadyBesideTheWriter(t *testing.T) {
	ready := func(manual bool) func() int64 {
		db, err := Open("db", &Options{FS: vfs.NewMem(), MemoryLimit: 256 << 20, Durability: Buffered, manualWork: manual})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		for i := range 3000 {
			if err := db.Put(fmt.Appendf(nil, "key %d", i), make([]byte, 1<<10)); err != nil {
				t.Fatal(err)
			}
		}
		return db.spare.chunks.Bytes
	}
	alone, beside := ready(true), ready(false)
	if !Within(func() bool { return beside() == 1<<20 && alone() == 0 }) {
		t.Fatalf("%d bytes are ready, without workers %d", beside(), alone())
	}
}
