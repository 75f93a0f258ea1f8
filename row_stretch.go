package siltstone

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/sstable"
)

// stretch is a part of a block that nothing else has a say in: no other source
// has a key there, no range tombstone a boundary, and every record is the only
// version of its key, visible and does not expire. It is walked on the table's
// iterator itself, without a comparison. In it, merge stands on the row in both
// directions.
type stretch struct {
	table *sstable.Iter
	left  int  // moves in the direction of travel
	flat  bool // keys change in place, trailers not at all
	key   bool // and the row's key is the table's
	on    bool // backward: the row is of a stretch, merge stands on it
}

// stride takes a row of the stretch.
func (it *rowIter) stride(e *iterator.Entry) bool {
	it.stretch.left--
	if e == nil { // the block is shorter than it said
		it.valid, it.stretch = false, stretch{}
		it.entry = nil
		return it.ended()
	}
	it.key, it.value, it.trailer = e.Key, e.Value, e.Trailer
	it.stretch.key = it.stretch.flat
	return true
}

// strideOn moves within a stretch, d is 1 or −1, the direction of travel.
func (it *rowIter) strideOn(d int) bool {
	s := &it.stretch
	if s.key {
		s.left--
		it.value = s.table.Stride(d)
		return true
	}
	if d > 0 {
		return it.stride(s.table.Next())
	}
	return it.stride(s.table.Prev())
}

// leaveStretch makes the last row of a stretch an ordinary one, before merge or
// the table move on: older versions of its key may follow in the next block. It
// reports whether merge stands on the row.
func (it *rowIter) leaveStretch() (on bool) {
	if it.stretch.table != nil {
		on = it.stretch.on
		it.setKey(it.key)
		it.stretch = stretch{}
	}
	return on
}

// leastStretch is how many moves make it worth asking for a stretch.
const leastStretch = 4

// enterStretch looks whether the entry merge stands on lies in a stretch, and if
// so lets next or prev walk it. In the direction of travel the last record of a
// block is left to the ordinary way.
func (it *rowIter) enterStretch() bool {
	if it.refused > 0 {
		it.refused--
		return false
	}
	n := it.merge.Stretch()
	if n == 0 {
		it.noteStep()
	}
	if n < leastStretch || it.reads != nil {
		return false
	}
	r, ok := it.merge.Run()
	if !ok || !r.Plain || r.MaxSeq > it.seq || !it.within(&r) {
		it.refused = n // rows of the block: asking again would get the same answer
		return false
	}
	n--
	kid := it.merge.Lend(n)
	table := it.runs[kid-it.firstRun].table
	it.stretch = stretch{table: table, left: n, on: it.backward, flat: table.Flat()}
	return true
}

// within reports whether bounds and range tombstones leave the block alone.
func (it *rowIter) within(r *iterator.Run) bool {
	if it.upper != nil && bytes.Compare(r.Last, it.upper) >= 0 || bytes.Compare(r.First, it.lower) < 0 {
		return false
	}
	return it.deletes.leaves(&it.readView, r.First, r.Last)
}
