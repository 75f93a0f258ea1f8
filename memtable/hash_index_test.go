package memtable

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
)

func TestFloodedHashFallsBackToTheOrderedIndex(t *testing.T) {
	const n, hash = 2000, 0xFEEDFEEDFEEDFEED
	table := New(8 << 20)
	key := func(i int) []byte { return []byte(fmt.Sprintf("flood%05d", i)) }
	for round := range 2 {
		for i := range n {
			table.Add(hash, key(i), put(base.SeqNum(round*n+i+1)), key(i))
		}
	}
	for i := range 3 * n { // lets the hash index double several times
		set(table, fmt.Sprintf("other%05d", i), base.SeqNum(2*n+i+1), "")
	}
	if got := len(table.index.leftOut); got < n-maxProbe {
		t.Fatalf("%d keys left out of the hash index, want at least %d", got, n-maxProbe)
	}
	if table.Len() != 5*n {
		t.Fatalf("Len %d", table.Len())
	}
	for i := range n {
		for round := range 2 {
			seq := base.SeqNum(round*n + i + 1)
			if v, tr, ok := table.Get(hash, key(i), seq); !ok || tr.Seq != seq || !bytes.Equal(v, key(i)) {
				t.Fatalf("Get(%q, %d) = %q#%d, %v", key(i), seq, v, tr.Seq, ok)
			}
		}
		if _, _, ok := table.Get(hash, append(key(i), 0), base.SeqMax); ok {
			t.Fatal("found an absent key")
		}
		if _, ok := get(table, fmt.Sprintf("other%05d", i), base.SeqMax); !ok {
			t.Fatal("an ordinary key is lost")
		}
	}
	checkRow(t, table)
}

func TestKeyLeftOutIsFoundWhenTheHashIndexHasGrown(t *testing.T) {
	// Full lines whose keys part when the table doubles: after that the search
	// for a key that was left out ends early at a free slot.
	table := New(8 << 20)
	hash := func(i int) uint64 { return uint64(i%4)<<55 | uint64(i)<<32 } // the line is the same in a small table
	for i := range 100 {
		table.Add(hash(i), []byte(fmt.Sprint("key", i)), put(base.SeqNum(i+1)), nil)
	}
	if len(table.index.leftOut) == 0 {
		t.Fatal("nothing was left out")
	}
	for i := range 2000 {
		set(table, fmt.Sprint("other", i), base.SeqNum(101+i), "")
		for j := range 100 {
			if _, _, ok := table.Get(hash(j), []byte(fmt.Sprint("key", j)), base.SeqMax); !ok {
				t.Fatalf("key%d is lost after %d more", j, i)
			}
		}
	}
}

func TestHashIndexGrowsWithItsKeys(t *testing.T) {
	for _, reserved := range []int{0, 20_000} {
		table := New(8 << 20)
		table.Reserve(reserved)
		before := table.index.table.Load()
		for i := range 20_000 {
			set(table, fmt.Sprint(i), base.SeqNum(i+1), "")
		}
		h := table.index.table.Load()
		if table.index.count+len(table.index.leftOut) != 20_000 || table.index.count > len(h.slots)*5/8+1 {
			t.Errorf("%d of %d slots taken, %d left out", table.index.count, len(h.slots), len(table.index.leftOut))
		}
		if len(table.index.leftOut) > 20 {
			t.Errorf("%d keys left out", len(table.index.leftOut))
		}
		if (h == before) != (reserved > 0) {
			t.Errorf("reserved %d: grown from %d to %d slots", reserved, len(before.slots), len(h.slots))
		}
	}
}

func TestTableReservedForTheCapacityOfAnotherDoesNotGrow(t *testing.T) {
	full := New(8 << 20)
	fillSmall(full, 0, 30_000, nil)
	table := New(8 << 20)
	table.Reserve(full.Capacity())
	if got := table.Capacity(); got != full.Capacity() || got < 30_000 {
		t.Fatalf("room for %d keys, want %d", got, full.Capacity())
	}
	fillSmall(table, 0, 30_000, nil)
	if got := table.Capacity(); got != full.Capacity() {
		t.Errorf("it grew to %d", got)
	}
}
