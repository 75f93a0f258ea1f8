package siltstone

import (
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"github.com/siltstonedb/siltstone/vfs"
)

func TestCollectingIsWorthItOnlyAboveTheLimitInASmallProcess(t *testing.T) {
	const limit = 64 << 20
	for _, c := range []struct {
		what  string
		h     heap
		waste int64
		want  bool
	}{
		{"much waste, heap above the limit", heap{live: 60 << 20, objects: 80 << 20}, 16 << 20, true},
		{"heap below the limit", heap{live: 20 << 20, objects: 50 << 20}, 16 << 20, false},
		{"little waste", heap{live: 60 << 20, objects: 80 << 20}, 1 << 20, false},
		{"a large process", heap{live: 1 << 30, objects: 2 << 30}, 16 << 20, false},
		{"a process of twice the limit", heap{live: 128 << 20, objects: 200 << 20}, 16 << 20, true},
		{"a larger one", heap{live: 129 << 20, objects: 200 << 20}, 16 << 20, false},
	} {
		if got := worthCollecting(c.h, c.waste, limit); got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}

func TestCollectionEndsWaste(t *testing.T) {
	db, err := Open("db", &Options{FS: vfs.NewMem(), manualWork: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	cycles := readHeap().cycles
	db.blocks.Waste(1 << 30)
	runtime.GC()
	if now := db.collect(cycles); now == cycles || db.blocks.Waste(0) != 0 {
		t.Errorf("%d collections, then %d; %d bytes of waste", cycles, now, db.blocks.Waste(0))
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
			m := db.blocks.Metrics()
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
	base := db.blocks.Metrics().Reserved
	if held := db.section.reserved; held > room/2 {
		t.Errorf("%d bytes are reserved for an empty memtable of %d", held, room)
	}
	v := make([]byte, 1000)
	first := db.currentMem()
	for i := 0; db.currentMem() == first; i++ {
		if err := db.Put(binary.BigEndian.AppendUint64(nil, uint64(i)*0x9E3779B97F4A7C15), v); err != nil {
			t.Fatal(err)
		}
		if held := first.Bytes(); held <= room && held > db.section.reserved {
			t.Fatalf("a memtable of %d bytes has %d reserved", held, db.section.reserved)
		}
	}
	if held := db.section.reserved; held != room {
		t.Errorf("%d bytes are reserved for a memtable that was full, of %d", held, room)
	}
	if grown := db.blocks.Metrics().Reserved - base; grown < room/2 {
		t.Errorf("the budget counts %d bytes more", grown)
	}
}
