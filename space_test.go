package siltstone

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/siltstonedb/siltstone/event"
	"github.com/siltstonedb/siltstone/internal/engine/background"
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
			events := make(chan event.Event, 1000)
			db, err := Open("db", &Options{FS: vfs.NewMem(), MaxDiskBytes: 12 << 20, MemtableBytes: 256 << 10, Durability: BufferedDurability, Compression: NoCompression, OnEvent: func(e event.Event) {
				if _, ok := e.(event.NoSpace); ok {
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
	t.Parallel()
	for _, whole := range []bool{false, true} {
		t.Run(fmt.Sprintf("whole=%v", whole), func(t *testing.T) {
			t.Parallel()
			mem := vfs.NewMem()
			mem.SetCapacity(16 << 20)
			db, err := Open("db", &Options{FS: mem, MemtableBytes: 256 << 10, Durability: BufferedDurability, Compression: NoCompression})
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
	t.Parallel()
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
	db, err := Open("db", &Options{FS: f, MemtableBytes: 64 << 10, OnEvent: func(e event.Event) {
		if _, ok := e.(event.NoSpace); ok {
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

func TestGarbageIsCountedInTheBudgetUntilACollection(t *testing.T) {
	db, err := Open("db", &Options{FS: vfs.NewMem(), manualWork: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	budget := db.states.Tables.Cache()
	runtime.GC()
	db.countWaste() // knows of that collection
	before := budget.Metrics().Reserved
	budget.Waste(1 << 20)
	db.countWaste()
	if more := budget.Metrics().Reserved - before; more != 1<<20 && more != 0 { // 0: the runtime has just collected
		t.Errorf("a MiB of garbage takes %d bytes of the budget", more)
	}
	budget.Waste(1 << 40)
	db.countWaste()
	if more := budget.Metrics().Reserved - before; more > db.opts.MemoryLimit/4 {
		t.Errorf("garbage takes %d bytes of the budget of %d", more, db.opts.MemoryLimit)
	}
	runtime.GC()
	db.countWaste()
	if more := budget.Metrics().Reserved - before; more != 0 || budget.Waste(0) != 0 {
		t.Errorf("after a collection garbage takes %d bytes, %d more are counted", more, budget.Waste(0))
	}
}

// What a store holds stays inside the budget, less the eighth that is left to garbage,
// while a store many times as large is loaded and read. Garbage comes on top, as
// MemoryLimit says: it is there until the runtime collects it, whatever the cache gives
// up. go run ./harness/budget measures the heap.
func TestBudgetHoldsWhileAStoreManyTimesAsLargeIsLoadedAndRead(t *testing.T) {
	if testing.Short() {
		t.Skip("the full tier")
	}
	keys := 200_000
	db, err := Open("db", &Options{FS: vfs.NewMem(), MemoryLimit: leastMemory, Durability: BufferedDurability})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	most := int64(0)
	look := func(i int) {
		if i%1000 == 0 {
			m := db.states.Tables.Cache().Metrics()
			most = max(most, m.Reserved-m.Waste+m.Bytes)
		}
	}
	var k [16]byte
	v := make([]byte, 400)
	for i := range keys {
		binary.BigEndian.PutUint64(k[:], uint64(i)*0x9E3779B97F4A7C15)
		binary.LittleEndian.PutUint64(v, uint64(i))
		if err := db.Put(k[:], v); err != nil {
			t.Fatal(err)
		}
		look(i)
	}
	its := make([]*Iterator, 16)
	for i := range its {
		if its[i], err = db.NewIter(nil); err != nil {
			t.Fatal(err)
		}
		defer its[i].Close()
		its[i].First()
	}
	for i := range keys / 16 {
		for _, it := range its {
			if !it.Next() && i < keys/16 {
				t.Fatal(errors.Join(it.Err(), errors.New("the walk ended early")))
			}
		}
		look(i)
	}
	for i := range keys {
		binary.BigEndian.PutUint64(k[:], uint64(i*7919%keys)*0x9E3779B97F4A7C15)
		if v, err := db.Get(k[:]); err != nil || binary.LittleEndian.Uint64(v) != uint64(i*7919%keys) {
			t.Fatalf("key %d: %v", i, err)
		}
		look(i)
	}
	if room := int64(leastMemory - leastMemory/background.WasteShare); most > room {
		t.Errorf("the budget of %d bytes counted %d", room, most)
	}
}

// The mutable memtable's room is the cache's until it is written to, and never more
// than is reserved for it.
func TestRoomOfAnEmptyMemtableIsTheCaches(t *testing.T) {
	const room = 4 << 20
	db, err := Open("db", &Options{FS: vfs.NewMem(), MemtableBytes: room, Durability: BufferedDurability, manualWork: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	base := db.states.Tables.Cache().Metrics().Reserved
	if held := db.section.Reserved(); held > room/2 {
		t.Errorf("%d bytes are reserved for an empty memtable of %d", held, room)
	}
	v := make([]byte, 1000)
	first := db.section.Mem()
	for i := 0; db.section.Mem() == first; i++ {
		if err := db.Put(binary.BigEndian.AppendUint64(nil, uint64(i)*0x9E3779B97F4A7C15), v); err != nil {
			t.Fatal(err)
		}
		if held := first.Bytes(); held <= room && held > db.section.Reserved() {
			t.Fatalf("a memtable of %d bytes has %d reserved", held, db.section.Reserved())
		}
	}
	if held := db.section.Reserved(); held != room {
		t.Errorf("%d bytes are reserved for a memtable that was full, of %d", held, room)
	}
	if grown := db.states.Tables.Cache().Metrics().Reserved - base; grown < room/2 {
		t.Errorf("the budget counts %d bytes more", grown)
	}
}

// fillAndSetAside puts some rows, sets the memtable aside and flushes it.
func fillAndSetAside(t *testing.T, db *DB) {
	t.Helper()
	for i := range 100 {
		if err := db.Put(fmt.Append(nil, i), make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.section.Rotate(db.section.Mem()); err != nil {
		t.Fatal(err)
	}
	flushOne(t, db)
}

func flushOne(t *testing.T, db *DB) {
	t.Helper()
	if done, err := db.work.FlushStep(); err != nil || !done {
		t.Fatalf("no memtable was flushed: %v", err)
	}
}

func TestFlushedMemtableIsTheNextOne(t *testing.T) {
	db, err := Open("db", &Options{FS: vfs.NewMem(), manualWork: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	first := db.section.Mem().Table
	reserved := db.states.Tables.Cache().Metrics().Reserved
	fillAndSetAside(t, db)
	if held, more := db.section.Recycler.Bytes(), db.states.Tables.Cache().Metrics().Reserved-reserved; held == 0 || held != more {
		t.Errorf("the spare holds %d bytes, the budget counts %d more", held, more)
	}
	second := db.section.Mem().Table
	fillAndSetAside(t, db)
	if now := db.section.Mem().Table; now != first {
		t.Error("the memtables did not take turns")
	}
	fillAndSetAside(t, db)
	if now := db.section.Mem().Table; now != second {
		t.Error("the memtables did not take turns again")
	}
	if !db.section.Mem().Empty() {
		t.Error("the memtable was not reset")
	}
	db.section.Recycler.Drop()
	if held, more := db.section.Recycler.Bytes(), db.states.Tables.Cache().Metrics().Reserved-reserved; held != 0 || more != 0 {
		t.Errorf("after the drop there are %d bytes, and %d more in the budget", held, more)
	}
}

// A sealed batch has a table that is packed for what it holds and takes no more.
func TestTableOfALargeBatchIsNoSpare(t *testing.T) {
	db, err := Open("db", &Options{FS: vfs.NewMem(), MemtableBytes: 1 << 20, manualWork: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var b Batch
	for i := range 1000 {
		b.Put(fmt.Append(nil, i), make([]byte, 1000))
	}
	if err := db.Apply(&b, BufferedDurability); err != nil {
		t.Fatal(err)
	}
	if n := db.section.Unflushed(); n != 2 {
		t.Fatalf("%d memtables are to be flushed, want the one before the batch and the batch", n)
	}
	flushOne(t, db)
	if db.section.Recycler.Bytes() == 0 {
		t.Error("the memtable before the batch is no spare")
	}
	db.section.Recycler.Drop()
	flushOne(t, db)
	if db.section.Recycler.Bytes() != 0 {
		t.Error("the batch's table is kept as a spare")
	}
}

// TestAMergeThatDoesNotFitGivesWayToOneThatDoes leaves less room on the disk than the
// first merge that is picked needs: only one that takes all tombstones frees enough.
func TestAMergeThatDoesNotFitGivesWayToOneThatDoes(t *testing.T) {
	mem := vfs.NewMem()
	mem.SetCapacity(1 << 30)
	db, err := Open("db", &Options{FS: mem, Compression: NoCompression, Durability: BufferedDurability, manualWork: true})
	if err != nil {
		t.Fatal(err)
	}
	const n = 4000
	value := make([]byte, 1000)
	do := func(err error) {
		if t.Helper(); err != nil {
			t.Fatal(err)
		}
	}
	key := func(i int) []byte { return fmt.Appendf(nil, "key%06d", i) }
	for half := range 2 {
		for i := range n {
			do(db.Put(key(half*n+i), value))
		}
		do(db.Compact(t.Context(), Range{}))
	}
	for i := range n / 4 {
		do(db.Delete(key(4 * i)))
	}
	do(db.Flush(t.Context()))
	do(db.DeleteRange(Range{key(1), key(2*n - 1)})) // neither table is covered whole
	do(db.Flush(t.Context()))
	mem.SetCapacity(1<<30 - mem.Free("db") + n*500)
	for range 20 {
		if err := db.step(); err != nil && !errors.Is(err, ErrNoSpace) {
			t.Fatal(err)
		}
	}
	if m := db.Metrics(); m.Disk.Tables > n*100 || m.Compactions.Failed == 0 {
		t.Errorf("%d bytes of tables, %d merges failed", m.Disk.Tables, m.Compactions.Failed)
	}
	mustClose(t, db)
}

// A state of many tables with long keys is larger than a manifest usually gets.
func TestManifestOfALargeStateIsNotWrittenAnewWithEachEdit(t *testing.T) {
	t.Parallel()
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
		putAt(t, db, BufferedDurability, fmt.Sprintf("%04d", i)+long, "v")
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
		putAt(t, db, BufferedDurability, fmt.Sprint("zz", i), "v")
		if err := db.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if made > edits/10 {
		t.Errorf("%d manifests for %d flushes", made, edits)
	}
	mustClose(t, db)
}
