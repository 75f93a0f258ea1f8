package rows

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/rangedel"
)

// tombstones are the range tombstones an Iter looks at, in a few lists: a
// transaction's own, the memtable's, and all others in one. They are not joined,
// since the first two may have got another one since the last iterator. Around
// the key asked for last the answer is kept. Not safe for concurrent use.
type tombstones struct {
	lists []*rangedel.List

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
	older, err := v.State.OlderDeletes()
	if err == nil && !older.Empty() {
		d.lists = append(d.lists, older)
	}
	return err
}

// forget lets go of the lists.
func (d *tombstones) forget() {
	clear(d.lists)
	*d = tombstones{lists: d.lists[:0]}
}

func (d *tombstones) any() bool { return len(d.lists) > 0 }

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
		f, below, above, ok := l.At(key)
		if ok {
			d.covered = max(d.covered, v.newest(f))
		}
		if below != nil && (d.lo == nil || bytes.Compare(below, d.lo) > 0) {
			d.lo = below
		}
		if above != nil && (d.hi == nil || bytes.Compare(above, d.hi) < 0) {
			d.hi = above
		}
	}
}

// leaves reports whether no tombstone that v sees has a say between first and
// last, both included.
func (d *tombstones) leaves(v *View, first, last []byte) bool {
	return !d.any() || d.cover(v, first) == 0 && (d.hi == nil || bytes.Compare(last, d.hi) < 0)
}

// newest returns the fragment's newest visible sequence; 0 if none is.
func (v *View) newest(f rangedel.Fragment) base.SeqNum {
	for _, s := range f.Seqs {
		if v.visible(s) {
			return s
		}
	}
	return 0
}
