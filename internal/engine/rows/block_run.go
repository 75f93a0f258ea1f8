package rows

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/memtable"
	"github.com/siltstonedb/siltstone/sstable"
)

// blockRun is a part of a block in which no other source has a say: no other source
// has a key there, no range tombstone a boundary, and every record is the only
// version of its key, visible and does not expire. It is walked on the table's
// iterator itself, without a comparison. In it, merge stands on the row in both
// directions.
//
// It may also be the rest of a memtable's leaf, whose iterator has one version of
// each key: there dead rows are passed over.
type blockRun struct {
	Table *sstable.Iter
	mem   *memtable.Iter // in place of table
	bound []byte         // of the walk, if the leaf goes beyond it; of mem only
	left  int            // moves in the direction of travel; of mem, 1 until its end
	flat  bool           // keys change in place, trailers but for their sequence not at all
	Key   bool           // and the row's key is the table's
	on    bool           // backward: the row is of the run, merge stands on it
}

// takeFromBlock takes the row of an entry of the block run.
func (it *Iter) takeFromBlock(e *iterator.Entry) bool {
	it.block.left--
	if e == nil { // the block is shorter than it said
		it.valid, it.block = false, blockRun{}
		it.entry = nil
		return it.ended()
	}
	it.key, it.value, it.trailer = e.Key, e.Value, e.Trailer
	it.block.Key = it.block.flat
	return true
}

// InBlock reports whether the next move in a direction is one within a block run.
// It is small enough to be inlined.
func (it *Iter) InBlock(backward bool) bool { return it.block.left > 0 && it.backward == backward }

// StepInBlock moves within a block run; d is 1 or −1, the direction of travel.
func (it *Iter) StepInBlock(d int) bool {
	s := &it.block
	if s.Key {
		s.left--
		it.value = s.Table.Stride(d)
		return true
	}
	switch {
	case s.mem != nil:
		return it.stepInMemory(d)
	case d > 0:
		return it.takeFromBlock(s.Table.Next())
	}
	return it.takeFromBlock(s.Table.Prev())
}

// stepInMemory moves to the next row of a memtable's leaf, and in the ordinary
// way if that has none.
func (it *Iter) stepInMemory(d int) bool {
	mem := it.block.mem
	for e := mem.Stride(d); e != nil; e = mem.Stride(d) {
		if bound := it.block.bound; bound != nil && (bytes.Compare(e.Key, bound) < 0) != (d > 0) {
			break // the ordinary way meets the bound, too
		}
		if e.Attr.Kind() == base.KindPut && !e.Expired(it.Now) {
			it.key, it.value, it.trailer = e.Key, e.Value, e.Trailer
			it.noteMemoryStep()
			return true
		}
	}
	it.block.left = 0
	if d > 0 {
		return it.Next()
	}
	return it.Prev()
}

// Trailer returns the trailer of the row the iterator stands on.
func (it *Iter) Trailer() base.Trailer {
	t := it.trailer
	if it.block.Key {
		t.Seq = it.block.Table.Seq()
	}
	return t
}

// leaveBlock makes the last row of a block run an ordinary one, before merge or
// the table move on: older versions of its key may follow in the next block. It
// reports whether merge stands on the row.
func (it *Iter) leaveBlock() (on bool) {
	if it.block.Table != nil || it.block.mem != nil {
		on = it.block.on
		it.setKey(it.key)
		it.block = blockRun{}
	}
	return on
}

const (
	// minBlockMoves is how many moves make it worth asking for a block run.
	minBlockMoves = 4
	// refuseSole is for how many rows a memtable is not asked for a run again.
	refuseSole = 16
)

// enterBlock looks whether e, the entry merge stands on, lies in a block run, and
// if so lets next or prev walk it. In the direction of travel the last record of
// a block is left to the ordinary way.
func (it *Iter) enterBlock(e *iterator.Entry) bool {
	if it.refused > 0 {
		it.refused--
		return false
	}
	if e.Sole {
		it.noteStep()
		it.sole++
		return it.sole > minBlockMoves && it.enterMemory(e)
	}
	it.sole = 0
	n := it.merge.Stretch()
	if n == 0 {
		it.noteStep()
	}
	if n < minBlockMoves || it.Reads != nil {
		return false
	}
	r, ok := it.merge.Block()
	return it.takeBlock(&r, ok, n)
}

// enterAfterSeek is enterBlock for the first move after a seek.
func (it *Iter) enterAfterSeek() bool {
	if it.Reads != nil {
		return false
	}
	r, ok := it.merge.Look()
	n := it.merge.Stretch()
	return n >= minBlockMoves && it.takeBlock(&r, ok, n)
}

// takeBlock enters the run of n moves in block r, or of those of them that stay within the
// bounds, unless a newer record or a range tombstone has a say in it.
func (it *Iter) takeBlock(r *iterator.Block, ok bool, n int) bool {
	if !ok || !r.Plain || r.MaxSeq > it.Seq || !it.deletes.leaves(&it.View, r.First, r.Last) {
		it.refused = n // rows of the block: asking again would get the same answer
		return false
	}
	kid, _ := it.merge.Lead()
	table, moves := it.runs[kid-it.firstRun].Table(), n-1
	if bound, cut := it.cuts(r); cut {
		moves = min(moves, table.Within(bound, it.backward))
	}
	if moves < minBlockMoves-1 {
		it.refused = n
		return false
	}
	it.merge.Lend(moves)
	it.block = blockRun{Table: table, left: moves, on: it.backward, flat: table.Flat()}
	return true
}

// cuts returns the bound that the walk will meet within the block or leaf, if there is one.
func (it *Iter) cuts(r *iterator.Block) (bound []byte, ok bool) {
	if it.backward {
		return it.lower, bytes.Compare(r.First, it.lower) < 0
	}
	return it.upper, it.upper != nil && bytes.Compare(r.Last, it.upper) >= 0
}

// enterMemory is enterBlock for an entry of a memtable.
func (it *Iter) enterMemory(e *iterator.Entry) bool {
	kid, rival := it.merge.Lead()
	mem, ok := it.children[kid].(*memtable.Iter)
	if !ok || it.Reads != nil || e.Attr.Kind() != base.KindPut || e.Expired(it.Now) {
		return false
	}
	r := iterator.Block{First: e.Key, Last: mem.Edge(1)}
	clear := rival == nil || bytes.Compare(r.Last, rival) < 0
	if it.backward {
		r = iterator.Block{First: mem.Edge(-1), Last: e.Key}
		clear = rival == nil || bytes.Compare(r.First, rival) > 0
	}
	if !clear || !it.deletes.leaves(&it.View, r.First, r.Last) {
		it.refused = refuseSole
		return false
	}
	it.block = blockRun{mem: mem, left: 1, on: it.backward}
	if bound, cut := it.cuts(&r); cut {
		it.block.bound = bound
	}
	return true
}
