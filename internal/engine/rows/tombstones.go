package rows

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/rangedel"
)

// tombstones are the range tombstones an Iter looks at: a transaction's own and the
// memtable's in a few lists each, and those of all other sources, which belong to
// the state. They are not joined, for another one may come at any time. Around the
// key asked for last the answer is kept. Not safe for concurrent use.
type tombstones struct {
	lists []*rangedel.List
	older []rangedel.Run

	known   bool
	lo, hi  []byte // between them the answer is the same; nil is open
	covered base.SeqNum
}

// gather finds the tombstones of a view.
func (d *tombstones) gather(v *View) error {
	d.forget()
	if v.Own != nil {
		d.lists = v.Own.AppendRangeDeletes(d.lists)
	}
	d.lists = v.State.Mem.AppendRangeDeletes(d.lists)
	var err error
	d.older, err = v.State.OlderDeletes()
	return err
}

// forget lets go of the lists.
func (d *tombstones) forget() {
	clear(d.lists)
	*d = tombstones{lists: d.lists[:0]}
}

func (d *tombstones) any() bool { return len(d.lists)+len(d.older) > 0 }

// cover returns the newest tombstone over key that v sees; 0 if there is none.
func (d *tombstones) cover(v *View, key []byte) base.SeqNum {
	if !d.known || d.lo != nil && bytes.Compare(key, d.lo) < 0 || d.hi != nil && bytes.Compare(key, d.hi) >= 0 {
		d.look(v, key)
	}
	return d.covered
}

// look finds the answer for key, and how far it holds.
func (d *tombstones) look(v *View, key []byte) {
	d.known, d.lo, d.hi, d.covered = true, nil, nil, 0
	for _, l := range d.lists {
		limit := v.Seq
		if l.MaxSeq() > OwnBase {
			limit = v.OwnSeq
		}
		d.join(l.At(key, limit))
	}
	for _, r := range d.older {
		d.join(r.At(key, v.Seq))
	}
}

// join takes one source's answer: its newest tombstone, and between which keys
// it is that.
func (d *tombstones) join(seq base.SeqNum, below, above []byte) {
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
func (d *tombstones) leaves(v *View, first, last []byte) bool {
	return !d.any() || d.cover(v, first) == 0 && (d.hi == nil || bytes.Compare(last, d.hi) < 0)
}
