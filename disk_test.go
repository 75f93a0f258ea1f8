package siltstone

import (
	"errors"
	"fmt"
	"testing"

	"github.com/siltstonedb/siltstone/vfs"
)

// fillUp puts numbered keys until one is refused and returns how many there are.
func fillUp(t *testing.T, db *DB, value []byte) int {
	t.Helper()
	for i := range 1_000_000 {
		seq := db.section.Visible()
		err := db.Put(fmt.Appendf(nil, "key%06d", i), value)
		if errors.Is(err, ErrNoSpace) {
			if db.section.Visible() != seq || db.life.Poisoned() {
				t.Fatal("what was refused changed something")
			}
			return i
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("no write was refused")
	return 0
}

// checkFull holds a full store to what it promises, then has deletes bring the
// space back and writes again, without opening it anew.
func checkFull(t *testing.T, db *DB, n int, value []byte, whole bool) {
	t.Helper()
	// A flush may have ended meanwhile and made some room.
	if _, err := db.Hash("h").Set("f", value); err != nil && !errors.Is(err, ErrNoSpace) {
		t.Fatalf("a typed write to a full store: %v", err)
	}
	if got, err := db.Get([]byte("key000000")); err != nil || len(got) != len(value) {
		t.Fatalf("a read from a full store: %d bytes, %v", len(got), err)
	}
	if whole {
		if err := db.DeleteRange(Range{}); err != nil {
			t.Fatalf("deleting everything from a full store: %v", err)
		}
	}
	for i := 0; i < n && !whole; i++ {
		if i%8 != 0 {
			if err := db.Delete(fmt.Appendf(nil, "key%06d", i)); err != nil {
				t.Fatalf("delete %d of %d from a full store: %v", i, n, err)
			}
		}
	}
	for i := range n / 4 {
		if !Within(func() bool {
			err := db.Put(fmt.Appendf(nil, "new%06d", i), value)
			if err != nil && !errors.Is(err, ErrNoSpace) {
				t.Fatal(err)
			}
			return err == nil
		}) {
			t.Fatalf("the space for write %d has not come back", i)
		}
	}
}

func TestDiskLimitRefusesWritesUntilDeletesBringSpaceBack(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for many merges")
	}
	for _, whole := range []bool{false, true} {
		t.Run(fmt.Sprintf("whole=%v", whole), func(t *testing.T) {
			events := make(chan Event, 1000)
			db, err := Open("db", &Options{FS: vfs.NewMem(), MaxDiskBytes: 12 << 20, MemtableBytes: 256 << 10, Durability: Buffered, Compression: None, OnEvent: func(e Event) {
				if _, ok := e.(NoSpace); ok {
					events <- e
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			value := make([]byte, 1000)
			n := fillUp(t, db, value)
			if n < 4_000 {
				t.Errorf("the limit of 12 MiB was reached with %d values of 1000 bytes", n)
			}
			checkFull(t, db, n, value, whole)
			if len(events) == 0 {
				t.Error("no event says that writes are refused")
			}
			mustClose(t, db)
		})
	}
}

func TestFullDiskRefusesWritesUntilDeletesBringSpaceBack(t *testing.T) {
	for _, whole := range []bool{false, true} {
		t.Run(fmt.Sprintf("whole=%v", whole), func(t *testing.T) {
			mem := vfs.NewMem()
			mem.SetCapacity(16 << 20)
			db, err := Open("db", &Options{FS: mem, MemtableBytes: 256 << 10, Durability: Buffered, Compression: None})
			if err != nil {
				t.Fatal(err)
			}
			value := make([]byte, 1000)
			n := fillUp(t, db, value)
			if n < 4_000 {
				t.Errorf("the disk of 16 MiB was full with %d values of 1000 bytes", n)
			}
			checkFull(t, db, n, value, whole)
			mustClose(t, db)
			again, err := Open("db", &Options{FS: mem})
			if err != nil {
				t.Fatal(err)
			}
			mustClose(t, again)
		})
	}
}
