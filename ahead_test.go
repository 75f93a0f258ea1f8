package siltstone

import (
	"fmt"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/vfs"
)

func TestMemtableHasAChunkReadyBesideTheWriter(t *testing.T) {
	bytes := func(manual bool) func() int64 {
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
		return db.currentMem().Bytes
	}
	alone, beside := bytes(true), bytes(false)
	for deadline := time.Now().Add(20 * time.Second); beside() != alone()+1<<20; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the memtable holds %d bytes, without workers %d", beside(), alone())
		}
	}
}
