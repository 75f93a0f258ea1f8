package siltstone

import (
	"fmt"
	"sync"
	"testing"
)

func TestLogOfBufferedCommitsIsWrittenAndSyncedBehindThem(t *testing.T) {
	db, err := Open(t.TempDir(), &Options{MemoryLimit: 256 << 20, Durability: Buffered})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var group sync.WaitGroup
	for w := range 2 {
		group.Go(func() {
			for i := range 1000 {
				if err := db.Put(fmt.Appendf(nil, "%d/%d", w, i), make([]byte, 16<<10)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if !Within(func() bool { return db.section.Log().Unsynced() <= syncBehind }) {
		t.Fatalf("%d bytes of the log are unsynced", db.section.Log().Unsynced())
	}
	before := db.section.Log().Stats()
	if err := db.Put([]byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	if !Within(func() bool { return db.section.Log().Stats().Groups != before.Groups }) {
		t.Fatal("a commit that nobody waits for is never written")
	}
}
