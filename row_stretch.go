package siltstone

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/memtable"
	"github.com/siltstonedb/siltstone/sstable"
)

// stretch is a part of a block that nothing else has a say in: no other source
// has a key there, no range tombstone a boundary, and every record is the only
// version of its key, visible and does not expire. It is walked on the table's
// iterator itself, without a comparison. In it, merge stands on the row in both
// directions.
//
// It may also be the rest of a memtable's leaf, whose iterator has one version of
// each key: there dead rows are passed over.
type stretch struct {
	table *sstable.Iter
	mem   *memtable.Iter // in place of table
	left  int            // moves in the direction of travel; of mem, 1 until its end
	flat  bool           // keys change in place, trailers but for their sequence not at all
	key   bool           // and the row's key is the table's
	on    bool           // backward: the row is of a stretch, merge stands on it
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
	switch {
	case s.mem != nil:
		return it.strideMemory(d)
	case d > 0:
		return it.stride(s.table.Next())
	}
	return it.stride(s.table.Prev())
}

// strideMemory moves to the next row of a memtable's leaf, and in the ordinary
// way if that has none.
func (it *rowIter) strideMemory(d int) bool {
	mem := it.stretch.mem
	for e := mem.Stride(d); e != nil; e = mem.Stride(d) {
		if e.Attr.Kind() == base.KindPut && !e.Expired(it.now) {
			it.key, it.value, it.trailer = e.Key, e.Value, e.Trailer
			it.noteStride()
			return true
		}
	}
	it.stretch.left = 0
	if d > 0 {
		return it.next()
	}
	return it.prev()
}

// rowTrailer returns the trailer of the row the iterator stands on.
func (it *rowIter) rowTrailer() base.Trailer {
	t := it.trailer
	if it.stretch.key {
		t.Seq = it.stretch.table.Seq()
	}
	return t
}

// leaveStretch makes the last row of a stretch an ordinary one, before merge or
// the table move on: older versions of its key may follow in the next block. It
// reports whether merge stands on the row.
func (it *rowIter) leaveStretch() (on bool) {
	if it.stretch.table != nil || it.stretch.mem != nil {
		on = it.stretch.on
		it.setKey(it.key)
		it.stretch = stretch{}
	}
	return on
}

const (
	// leastStretch is how many moves make it worth asking for a stretch.
	leastStretch = 4
	// soleRefused is how many rows a memtable is not asked for a stretch again.
	soleRefused = 16
)

// enterStretch looks whether e, the entry merge stands on, lies in a stretch, and
// if so lets next or prev walk it. In the direction of travel the last record of
// a block is left to the ordinary way.
func (it *rowIter) enterStretch(e *iterator.Entry) bool {
	if it.refused > 0 {
		it.refused--
		return false
	}
	if e.Sole {
		it.noteStep()
		it.sole++
		return it.sole > leastStretch && it.enterMemory(e)
	}
	it.sole = 0
	n := it.merge.Stretch()
	if n == 0 {
		it.noteStep()
	}
	if n < leastStretch || it.reads != nil {
		return false
	}
	r, ok := it.merge.Run()
	return it.takeStretch(&r, ok, n)
}

// lookAhead is enterStretch right behind a seek.
func (it *rowIter) lookAhead() bool {
	if it.reads != nil {
		return false
	}
	r, ok := it.merge.Look()
	n := it.merge.Stretch()
	return n >= leastStretch && it.takeStretch(&r, ok, n)
}

// takeStretch enters the stretch r of n moves, if nothing speaks against it.
func (it *rowIter) takeStretch(r *iterator.Run, ok bool, n int) bool {
	if !ok || !r.Plain || r.MaxSeq > it.seq || !it.within(r) {
		it.refused = n // rows of the block: asking again would get the same answer
		return false
	}
	n--
	kid := it.merge.Lend(n)
	table := it.runs[kid-it.firstRun].Table
	it.stretch = stretch{table: table, left: n, on: it.backward, flat: table.Flat()}
	return true
}

// enterMemory is enterStretch for an entry of a memtable.
func (it *rowIter) enterMemory(e *iterator.Entry) bool {
	kid, rival := it.merge.Lead()
	mem, ok := it.children[kid].(*memtable.Iter)
	if !ok || it.reads != nil || e.Attr.Kind() != base.KindPut || e.Expired(it.now) {
		return false
	}
	r := iterator.Run{First: e.Key, Last: mem.Edge(1)}
	clear := rival == nil || bytes.Compare(r.Last, rival) < 0
	if it.backward {
		r = iterator.Run{First: mem.Edge(-1), Last: e.Key}
		clear = rival == nil || bytes.Compare(r.First, rival) > 0
	}
	if !clear || !it.within(&r) {
		it.refused = soleRefused
		return false
	}
	it.stretch = stretch{mem: mem, left: 1, on: it.backward}
	return true
}

// within reports whether bounds and range tombstones leave the block alone.
func (it *rowIter) within(r *iterator.Run) bool {
	if it.upper != nil && bytes.Compare(r.Last, it.upper) >= 0 || bytes.Compare(r.First, it.lower) < 0 {
		return false
	}
	return it.deletes.leaves(&it.readView, r.First, r.Last)
}
