// Package rangedel holds range tombstones: immutable sets of them, searchable by
// key and sequence.
package rangedel

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Tombstone deletes every record with Start ≤ key < End and a sequence below
// Seq.
type Tombstone struct {
	Start, End []byte // End is exclusive
	Seq        base.SeqNum
}

// Compare orders tombstones by start, and of one start the newer one first.
func Compare(a, b Tombstone) int {
	return cmp.Or(bytes.Compare(a.Start, b.Start), cmp.Compare(b.Seq, a.Seq))
}

// List is a set of range tombstones. It keeps each tombstone once, however many
// of them overlap, and beside them the picture that the newest ones give: what a
// reader of the present sees.
//
//	given    [a──────────e)#9      [g──k)#4
//	             [c──────────h)#7
//	picture  [a──────────e)#9 [e───h)#7 [h─k)#4
//
// A reader whose sequence is below the picture's at its key asks the layers
// below. Those are built when the first such reader comes. A List is immutable
// and safe for concurrent use; a nil *List is empty.
type List struct {
	newest  picture
	all     []Tombstone // in no order; newest itself if no tombstone lies below another
	layered bool        // some tombstone lies below another
	maxSeq  base.SeqNum

	below atomic.Pointer[layers]
}

// New builds the list of the given tombstones, which it keeps and may reorder.
// Empty ranges are left out. The cost is n log n, the memory n.
func New(ts []Tombstone) *List {
	ts = slices.DeleteFunc(ts, func(t Tombstone) bool { return bytes.Compare(t.Start, t.End) >= 0 })
	if len(ts) == 0 {
		return nil
	}
	slices.SortFunc(ts, Compare)
	newest, layered := paint(ts)
	return makeList(newest, ts, layered)
}

func makeList(newest picture, all []Tombstone, layered bool) *List {
	l := &List{newest: newest, all: all, layered: layered}
	if !layered {
		l.all = newest
	}
	for _, t := range newest {
		l.maxSeq = max(l.maxSeq, t.Seq)
	}
	return l
}

// Merge returns the list of every tombstone of the given lists; nil lists are
// fine. The cost is the number of tombstones times the logarithm of the number
// of lists.
func Merge(lists ...*List) *List {
	switch len(lists) {
	case 0:
		return nil
	case 1:
		return lists[0]
	}
	half := len(lists) / 2
	a, b := Merge(lists[:half]...), Merge(lists[half:]...)
	if a.Empty() {
		return b
	}
	if b.Empty() {
		return a
	}
	newest, crossed := overlay(a.newest, b.newest)
	layered := crossed || a.layered || b.layered
	var all []Tombstone
	if layered {
		all = slices.Concat(a.all, b.all)
	}
	return makeList(newest, all, layered)
}

// Empty reports whether the list has no tombstone.
func (l *List) Empty() bool { return l == nil || len(l.newest) == 0 }

// Layered reports whether some tombstone lies below another, so that Newest is
// not the whole list.
func (l *List) Layered() bool { return l != nil && l.layered }

// Newest returns the newest tombstone over each key: stretches in key order that
// do not overlap. Those that touch differ in sequence. They belong to the list.
func (l *List) Newest() []Tombstone {
	if l == nil {
		return nil
	}
	return l.newest
}

// NewestFrom returns the part of Newest that ends behind key.
func (l *List) NewestFrom(key []byte) []Tombstone {
	if l == nil {
		return nil
	}
	return l.newest[l.newest.search(key):]
}

// Tombstones returns every tombstone, in no order. They belong to the list.
func (l *List) Tombstones() []Tombstone {
	if l == nil {
		return nil
	}
	return l.all
}

// MaxSeq returns the largest sequence of any tombstone.
func (l *List) MaxSeq() base.SeqNum {
	if l == nil {
		return 0
	}
	return l.maxSeq
}

// Cover returns the largest sequence, at most limit, of a tombstone that covers
// key; 0 if none does. A record of key is deleted at limit if its sequence is
// below the result. It allocates nothing, but for the first reader who stands
// below a newer tombstone over its key: that one builds the layers.
func (l *List) Cover(key []byte, limit base.SeqNum) base.SeqNum {
	seq, _, _ := l.At(key, limit)
	return seq
}

// At returns what Cover does, and the nearest boundaries at or below key and
// above it where that may change; nil where there is none. Between the two every
// key has the same answer.
func (l *List) At(key []byte, limit base.SeqNum) (seq base.SeqNum, below, above []byte) {
	if l.Empty() {
		return 0, nil, nil
	}
	i := l.newest.search(key)
	if i < len(l.newest) && bytes.Compare(l.newest[i].Start, key) <= 0 {
		t := &l.newest[i]
		switch {
		case t.Seq <= limit:
			return t.Seq, t.Start, t.End
		case !l.layered:
			return 0, t.Start, t.End
		}
		return l.layers().at(key, limit)
	}
	if i > 0 {
		below = l.newest[i-1].End
	}
	if i < len(l.newest) {
		above = l.newest[i].Start
	}
	return 0, below, above
}

// Above returns the smallest sequence above seq of a tombstone that covers key; 0
// if there is none.
func (l *List) Above(key []byte, seq base.SeqNum) base.SeqNum {
	newest := l.Cover(key, base.SeqMax)
	switch {
	case newest <= seq:
		return 0
	case !l.layered:
		return newest
	}
	return l.layers().above(key, seq)
}

// layers returns the search tree over all tombstones.
func (l *List) layers() *layers {
	if ls := l.below.Load(); ls != nil {
		return ls
	}
	ls := newLayers(l.all)
	l.below.Store(ls) // of two that were built at once either will do
	return ls
}

// Overlaps reports whether a tombstone with a sequence above since covers any
// key in [lo, hi). A nil hi is the end of all keys.
func (l *List) Overlaps(lo, hi []byte, since base.SeqNum) bool {
	if l.Empty() || l.maxSeq <= since || hi != nil && bytes.Compare(lo, hi) >= 0 {
		return false
	}
	for _, t := range l.NewestFrom(lo) {
		if hi != nil && bytes.Compare(t.Start, hi) >= 0 {
			return false
		}
		if t.Seq > since {
			return true
		}
	}
	return false
}

// Covering returns the sequences, at most limit, of all tombstones over key,
// newest first. It looks at every tombstone.
func (l *List) Covering(key []byte, limit base.SeqNum) (seqs []base.SeqNum) {
	for _, t := range l.Tombstones() {
		if t.Seq <= limit && bytes.Compare(t.Start, key) <= 0 && bytes.Compare(key, t.End) < 0 {
			seqs = append(seqs, t.Seq)
		}
	}
	slices.Sort(seqs)
	seqs = slices.Compact(seqs)
	slices.Reverse(seqs)
	return seqs
}

// Shift returns the list with by added to every sequence. It shares the keys with
// l.
func (l *List) Shift(by base.SeqNum) *List {
	if l.Empty() {
		return nil
	}
	move := func(ts []Tombstone) []Tombstone {
		ts = slices.Clone(ts)
		for i := range ts {
			ts[i].Seq += by
		}
		return ts
	}
	moved := &List{newest: move(l.newest), layered: l.layered, maxSeq: l.maxSeq + by}
	moved.all = moved.newest
	if l.layered {
		moved.all = move(l.all)
	}
	return moved
}

// String draws the tombstones in order: "[a-e)#9 [c-h)#7".
func (l *List) String() string {
	var b strings.Builder
	ts := slices.Clone(l.Tombstones())
	slices.SortFunc(ts, Compare)
	for i, t := range ts {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "[%s-%s)#%d", t.Start, t.End, uint64(t.Seq))
	}
	return b.String()
}
