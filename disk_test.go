package siltstone

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
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

// takeAll fills what is left of the disk, to the last byte, and returns what gives
// it back.
func takeAll(t *testing.T, mem *vfs.Mem) (giveBack func()) {
	t.Helper()
	f, err := mem.Create("other")
	if err != nil {
		t.Fatal(err)
	}
	for n := 1 << 20; n > 0; {
		if _, err := f.Write(make([]byte, n)); err != nil {
			n /= 2
		}
	}
	if free := mem.Free("."); free != 0 {
		t.Fatalf("%d bytes are free", free)
	}
	return func() {
		t.Helper()
		if err := errors.Join(f.Truncate(0), f.Close(), mem.Remove("other")); err != nil {
			t.Fatal(err)
		}
	}
}

// Another program fills the disk to the last byte. The manifest, too, is met by
// what the store writes then: file numbers and ids for new collections.
func TestDiskFilledByOthersIsNeverFinal(t *testing.T) {
	mem := vfs.NewMem()
	mem.SetCapacity(64 << 20)
	db, err := Open("db", &Options{FS: mem, MemtableBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 1000)
	for i := range 1000 {
		if err := db.Put(fmt.Appendf(nil, "k%06d", i), value); err != nil {
			t.Fatal(err)
		}
	}
	giveBack := takeAll(t, mem)
	refused := 0
	for i := range 3000 {
		_, hashErr := db.Hash(fmt.Sprintf("h%d", i)).Set("f", value)
		putErr := db.Put(fmt.Appendf(nil, "k%06d", i), value)
		for _, err := range []error{hashErr, putErr} {
			if err != nil && !errors.Is(err, ErrNoSpace) || db.life.Poisoned() {
				t.Fatalf("write %d is refused with %v", i, err)
			}
			if err != nil {
				refused++
			}
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
	giveBack()
	if !Within(func() bool { return db.Put([]byte("again"), value) == nil }) {
		t.Errorf("with %d bytes free again: %v", mem.Free("db"), db.Put([]byte("again"), value))
	}
	if err := db.Check(t.Context()); err != nil {
		t.Error(err)
	}
	mustClose(t, db)
}

func TestRefusalForWantOfFlushesIsErrNoSpace(t *testing.T) {
	f := vfstest.NewFaults(vfs.NewMem())
	var events atomic.Int64
	db, err := Open("db", &Options{FS: f, MemtableBytes: 64 << 10, OnEvent: func(e Event) {
		if _, ok := e.(NoSpace); ok {
			events.Add(1)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	f.Inject(vfstest.Fault{Match: vfstest.OnName(".sst", vfstest.Write), Times: vfstest.Forever, Err: vfs.ErrNoSpace})
	for i := range 10000 {
		if err = db.Put(fmt.Appendf(nil, "k%06d", i), make([]byte, 1000)); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrNoSpace) || events.Load() == 0 {
		t.Errorf("%d events, refused with %v", events.Load(), err)
	}
	f.Clear()
	mustClose(t, db)
}

// A store that cannot be opened for want of space says so, and what it needs. It
// loses nothing, and can be read meanwhile.
func TestOpenOnAFullDiskIsErrNoSpaceAndLosesNothing(t *testing.T) {
	for _, name := range []string{"new", "closed", "killed"} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			mem.SetCapacity(16 << 20)
			o := &Options{FS: mem, MemtableBytes: 256 << 10, manualWork: true}
			var killed *DB
			if name != "new" {
				db, err := Open("db", o)
				if err != nil {
					t.Fatal(err)
				}
				for i := range 500 {
					if err := db.Put(fmt.Appendf(nil, "k%06d", i), make([]byte, 1000)); err != nil {
						t.Fatal(err)
					}
				}
				if name == "closed" {
					mustClose(t, db)
				} else if err := db.lock.Close(); err != nil {
					t.Fatal(err)
				} else {
					db.lock, killed = nil, db
				}
			}
			giveBack := takeAll(t, mem)
			for range 3 {
				if _, err := Open("db", o); !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), "free disk space") {
					t.Fatalf("with no byte free: %v", err)
				}
			}
			if name != "new" {
				db, err := Open("db", &Options{FS: mem, ReadOnly: true})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := db.Get([]byte("k000499")); err != nil {
					t.Error(err)
				}
				mustClose(t, db)
			}
			giveBack()
			db, err := Open("db", o)
			if err != nil {
				t.Fatal(err)
			}
			if has, err := db.Has([]byte("k000499")); has != (name != "new") || err != nil {
				t.Error(has, err)
			}
			if err := db.Check(t.Context()); err != nil {
				t.Error(err)
			}
			mustClose(t, db)
			if killed != nil {
				killed.abandon()
			}
		})
	}
}
