package siltstone

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/rangedel"
)

// coverage is the range tombstones a rowIter looks at: a transaction's own and the
// memtable's in a few lists each, and those of all other sources, which belong to
// the state. They are not joined, for another one may come at any time. Around the
// key asked for last the answer is kept. Not safe for concurrent use.
type coverage struct {
	lists []*rangedel.List
	older []rangedel.Run

	known   bool
	lo, hi  []byte // between them the answer is the same; nil is open
	covered base.SeqNum
}

// gather finds the tombstones of a view.
func (d *coverage) gather(v *readView) error {
	d.forget()
	if v.mine != nil {
		d.lists = v.mine.AppendRangeDeletes(d.lists)
	}
	d.lists = v.rs.mem.AppendRangeDeletes(d.lists)
	var err error
	d.older, err = v.rs.olderDeletes()
	return err
}

// forget lets go of the lists.
func (d *coverage) forget() {
	clear(d.lists)
	*d = coverage{lists: d.lists[:0]}
}

func (d *coverage) any() bool { return len(d.lists)+len(d.older) > 0 }

// cover returns the newest tombstone over key that v sees; 0 if there is none.
func (d *coverage) cover(v *readView, key []byte) base.SeqNum {
	if !d.known || d.lo != nil && bytes.Compare(key, d.lo) < 0 || d.hi != nil && bytes.Compare(key, d.hi) >= 0 {
		d.look(v, key)
	}
	return d.covered
}

// look finds the answer for key, and how far it holds.
func (d *coverage) look(v *readView, key []byte) {
	d.known, d.lo, d.hi, d.covered = true, nil, nil, 0
	for _, l := range d.lists {
		limit := v.seq
		if l.MaxSeq() > ownBase {
			limit = v.own
		}
		d.join(l.At(key, limit))
	}
	for _, r := range d.older {
		d.join(r.At(key, v.seq))
	}
}

// join takes one source's answer: its newest tombstone, and between which keys
// it is that.
func (d *coverage) join(seq base.SeqNum, below, above []byte) {
	d.covered = max(d.covered, seq)
	if below != nil && (d.lo == nil || bytes.Compare(below, d.lo) > 0) {
		d.lo = below
	}
	if above != nil && (d.hi == nil || bytes.Compare(above, d.hi) < 0) {
		d.hi = above
	}
}

// leaves reports whether no tombstone that v sees has a say between first and
// last, both included.
func (d *coverage) leaves(v *readView, first, last []byte) bool {
	return !d.any() || d.cover(v, first) == 0 && (d.hi == nil || bytes.Compare(last, d.hi) < 0)
}
