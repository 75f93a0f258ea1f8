package memtable

import (
	"bytes"
	"math/bits"
	"sync/atomic"
	"unsafe"

	"github.com/siltstonedb/siltstone/internal/prefetch"
)

// hashIndex finds the node of a key by its hash: open addressing in lines of
// eight slots, so that a miss costs one cache line. The writer fills slots and
// doubles the table by copying it and swapping the pointer; readers load the
// pointer once per look-up and need no lock.
//
//	slot   ┌── 32 bits ──┬── 32 bits ──┐
//	       │ tag         │ node        │    0: free
//	       └─────────────┴─────────────┘
//
// The tag is the upper half of the hash. Its leading bits choose the line at
// which a search begins, so that doubling needs nothing but the slots and runs
// through both tables from one end to the other.
//
// A search looks at no more than maxProbe slots. A key that finds them all taken
// is left out: only the ordered index has it (keys that are made to collide cost
// a search there, not a walk through each other).
type hashIndex struct {
	table  atomic.Pointer[hashTable] // for readers
	ahead  atomic.Pointer[hashTable] // an empty one to grow into; nil: none
	wanted atomic.Bool               // ahead should be made

	// Writer only.
	wanting bool     // so, and Wants has not told
	count   int      // slots taken
	leftOut []uint64 // what would stand in the slots of the keys left out
}

type hashTable struct {
	slots []atomic.Uint64
	mask  uint32 // len(slots) − 1
	shift uint8  // of a tag to its line
	// leaves is set before the first key that is left out of this table is
	// published; without it, a search that found no free slot has found that the
	// key is absent.
	leaves atomic.Bool
}

const (
	lineSlots  = 8
	maxProbe   = 64
	firstSlots = 256
)

// newHashTable returns a table of n slots, a power of two and at least maxProbe.
func newHashTable(n int) *hashTable {
	lines := bits.Len(uint(n/lineSlots)) - 1
	return &hashTable{slots: make([]atomic.Uint64, n), mask: uint32(n - 1), shift: uint8(32 - lines)}
}

// home returns the slot at which the search for a tag begins.
func (h *hashTable) home(tag uint32) uint32 { return tag >> h.shift * lineSlots }

// fetch asks for the line at which the search for a hash begins.
func (h *hashTable) fetch(hash uint64) {
	prefetch.Line(unsafe.Pointer(&h.slots[h.home(uint32(hash>>32))&h.mask]))
}

// find returns the node of key. If it has none, free is the slot to put it into,
// −1 if the search ended without one.
func (h *hashTable) find(a *arena, hash uint64, key []byte) (node uint32, free int) {
	tag := uint32(hash >> 32)
	at := h.home(tag)
	for range maxProbe {
		v := h.slots[at&h.mask].Load()
		if v == 0 {
			return 0, int(at & h.mask)
		}
		if uint32(v>>32) == tag && bytes.Equal(a.key(uint32(v)), key) {
			return uint32(v), 0
		}
		at++
	}
	return 0, -1
}

// insert puts the node of a new key into the free slot that find named.
func (x *hashIndex) insert(free int, hash uint64, node uint32) {
	h := x.table.Load()
	v := hash>>32<<32 | uint64(node)
	if free < 0 {
		x.leftOut = append(x.leftOut, v)
		h.leaves.Store(true)
		return
	}
	h.slots[free].Store(v)
	x.count++
	if x.count == len(h.slots)/16*9 && len(h.slots) >= leastAhead {
		x.want() // nine tenths of the way
	}
	if x.count > len(h.slots)/8*5 {
		x.resize(len(h.slots) * 2)
	}
}

// reset empties the index. It keeps its size unless less than a sixteenth was
// used.
func (x *hashIndex) reset() {
	h := x.table.Load()
	if n := len(h.slots); n > firstSlots && x.count < n/16 {
		x.table.Store(newHashTable(n / 2))
	} else {
		clear(h.slots)
		h.leaves.Store(false)
	}
	x.count, x.leftOut, x.wanting = 0, nil, false
	x.wanted.Store(false)
	x.ahead.Store(nil)
}

// resize copies the table into a larger one of n slots. What was left out is
// tried again: a search in the new table may find a free slot where the old one
// had none, and must be right to stop there.
func (x *hashIndex) resize(n int) {
	old, bigger := x.table.Load(), x.fresh(n)
	again := x.leftOut
	x.count, x.leftOut = 0, nil
	for i := range old.slots {
		if v := old.slots[i].Load(); v != 0 {
			x.place(bigger, v)
		}
	}
	for _, v := range again {
		x.place(bigger, v)
	}
	bigger.leaves.Store(len(x.leftOut) > 0)
	x.table.Store(bigger)
}

// fill puts the nodes of a run, each of another key, into the index, which is
// empty, and returns how many bytes it grew by. Nobody reads it yet.
func (x *hashIndex) fill(run []runRecord) (grown int64) {
	before := len(x.table.Load().slots)
	n := before
	for n/8*5 < len(run) {
		n *= 2
	}
	if n > before {
		x.table.Store(newHashTable(n))
	}
	h := x.table.Load()
	for _, r := range run {
		x.place(h, uint64(r.tag)<<32|uint64(r.node))
	}
	h.leaves.Store(len(x.leftOut) > 0)
	return int64(n-before) * 8
}

// place puts a slot's value where a search for it will pass, or leaves it out if
// there is no room. The table is not published yet.
func (x *hashIndex) place(h *hashTable, v uint64) {
	at := h.home(uint32(v >> 32))
	for range maxProbe {
		if s := &h.slots[at&h.mask]; s.Load() == 0 {
			s.Store(v)
			x.count++
			return
		}
		at++
	}
	x.leftOut = append(x.leftOut, v)
}
