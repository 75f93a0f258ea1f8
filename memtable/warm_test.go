package memtable

import (
	"math"
	"testing"
)

func TestWarmLoadsTheNodesOfKeysThereAre(t *testing.T) {
	table := New(1 << 20)
	hashes := []uint64{0, 1 << 32, math.MaxUint64, 0x8000_0000_0000_0000} // both ends of the index
	h := table.index.table.Load()
	for i, hash := range hashes {
		if node := h.guess(uint32(hash >> 32)); node != 0 {
			t.Errorf("hash %x: node %d of an empty table", hash, node)
		}
		key := []byte{byte(i)}
		table.Add(hash, key, put(0), nil)
		if node := h.guess(uint32(hash >> 32)); node == 0 || node != table.find(hash, key) {
			t.Errorf("hash %x: node %d", hash, node)
		}
	}
	if n := testing.AllocsPerRun(10, func() { table.Warm(hashes) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	checkRow(t, table)
}
