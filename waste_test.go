package siltstone

import (
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"github.com/siltstonedb/siltstone/vfs"
)

func TestGarbageIsCountedInTheBudgetUntilACollection(t *testing.T) {
	db, err := Open("db", &Options{FS: vfs.NewMem(), manualWork: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	budget := db.states.Tables.Cache()
	runtime.GC()
	db.work.CountWaste() // knows of that collection
	before := budget.Metrics().Reserved
	budget.Waste(1 << 20)
	db.work.CountWaste()
	if more := budget.Metrics().Reserved - before; more != 1<<20 && more != 0 { // 0: the runtime has just collected
		t.Errorf("a MiB of garbage takes %d bytes of the budget", more)
	}
	budget.Waste(1 << 40)
	db.work.CountWaste()
	if more := budget.Metrics().Reserved - before; more > db.opts.MemoryLimit/4 {
		t.Errorf("garbage takes %d bytes of the budget of %d", more, db.opts.MemoryLimit)
	}
	runtime.GC()
	db.work.CountWaste()
	if more := budget.Metrics().Reserved - before; more != 0 || budget.Waste(0) != 0 {
		t.Errorf("after a collection garbage takes %d bytes, %d more are counted", more, budget.Waste(0))
	}
}

// What the budget counts stays inside it while a store many times as large is
// loaded and read. go run ./harness/budget measures the heap.
func TestBudgetHoldsWhileAStoreManyTimesAsLargeIsLoadedAndRead(t *testing.T) {
	keys := tier(50_000, 200_000, 200_000)
	db, err := Open("db", &Options{FS: vfs.NewMem(), MemoryLimit: leastMemory, Durability: Buffered})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	most := int64(0)
	look := func(i int) {
		if i%1000 == 0 {
			m := db.states.Tables.Cache().Metrics()
			most = max(most, m.Reserved+m.Bytes)
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
	if most > leastMemory {
		t.Errorf("the budget of %d bytes counted %d", leastMemory, most)
	}
}

// The mutable memtable's room is the cache's until it is written to, and never more
// than is reserved for it.
func TestRoomOfAnEmptyMemtableIsTheCaches(t *testing.T) {
	const room = 4 << 20
	db, err := Open("db", &Options{FS: vfs.NewMem(), MemtableBytes: room, Durability: Buffered, manualWork: true})
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
