// Package rangedel holds range tombstones: fragmented, immutable, searchable.
package rangedel

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Tombstone deletes every record with Start ≤ key < End and a sequence below
// Seq.
type Tombstone struct {
	Start, End []byte // End is exclusive
	Seq        base.SeqNum
}

// Fragment is a stretch of keys that one set of tombstones covers. Neighbours that
// touch differ in their sequences.
type Fragment struct {
	Start, End []byte
	Seqs       []base.SeqNum // descending, distinct, not empty
}

// List is a set of range tombstones cut into fragments that do not overlap, in
// key order. It is immutable and safe for concurrent use; a nil *List is empty.
//
//	given      [a──────────e)#9      [g──k)#4
//	               [c──────────h)#7
//	fragments  [a──c)9 [c──e)9,7 [e──g)7 [g──h)7,4 [h──k)4
type List struct {
	fragments []Fragment
	maxSeq    base.SeqNum
}

// New builds the list of the given tombstones, which it may reorder. Empty
// ranges are left out. The result points into the tombstones' keys.
// Its cost is n log n plus the number of fragments times the tombstones that
// cover each.
func New(ts []Tombstone) *List {
	ts = slices.DeleteFunc(ts, func(t Tombstone) bool { return bytes.Compare(t.Start, t.End) >= 0 })
	if len(ts) == 0 {
		return nil
	}
	slices.SortFunc(ts, func(a, b Tombstone) int {
		return cmp.Or(bytes.Compare(a.Start, b.Start), cmp.Compare(b.Seq, a.Seq))
	})
	bounds := make([][]byte, 0, 2*len(ts))
	for _, t := range ts {
		bounds = append(bounds, t.Start, t.End)
	}
	slices.SortFunc(bounds, bytes.Compare)
	bounds = slices.CompactFunc(bounds, bytes.Equal)

	l := &List{}
	var open []Tombstone // those that cover bounds[i], by descending sequence
	next := 0
	for i, start := range bounds[:len(bounds)-1] {
		open = slices.DeleteFunc(open, func(t Tombstone) bool { return bytes.Compare(t.End, start) <= 0 })
		for ; next < len(ts) && bytes.Equal(ts[next].Start, start); next++ {
			at, _ := slices.BinarySearchFunc(open, ts[next].Seq, func(t Tombstone, s base.SeqNum) int { return cmp.Compare(s, t.Seq) })
			open = slices.Insert(open, at, ts[next])
		}
		if len(open) > 0 {
			l.append(fragment(start, bounds[i+1], open))
		}
	}
	return l
}

// append puts f behind the last fragment, or joins the two if they touch and
// say the same: what files clipped is whole again once they are merged.
func (l *List) append(f Fragment) {
	if n := len(l.fragments); n > 0 {
		last := &l.fragments[n-1]
		if bytes.Equal(last.End, f.Start) && slices.Equal(last.Seqs, f.Seqs) {
			last.End = f.End
			return
		}
	}
	l.fragments = append(l.fragments, f)
	l.maxSeq = max(l.maxSeq, f.Seqs[0])
}

// fragment makes the fragment [start, end) of the tombstones that cover it.
func fragment(start, end []byte, open []Tombstone) Fragment {
	seqs := make([]base.SeqNum, 0, len(open))
	for _, t := range open {
		if len(seqs) == 0 || seqs[len(seqs)-1] != t.Seq {
			seqs = append(seqs, t.Seq)
		}
	}
	return Fragment{Start: start, End: end, Seqs: seqs}
}

// Merge returns the list of every tombstone of the given lists; nil lists are
// fine.
func Merge(lists ...*List) *List {
	var ts []Tombstone
	var only *List
	n := 0
	for _, l := range lists {
		if l.Empty() {
			continue
		}
		only = l
		n++
		ts = l.AppendTombstones(ts)
	}
	if n <= 1 {
		return only
	}
	return New(ts)
}

// Empty reports whether the list has no tombstone.
func (l *List) Empty() bool { return l == nil || len(l.fragments) == 0 }

// Fragments returns the fragments in key order. They belong to the list.
func (l *List) Fragments() []Fragment {
	if l == nil {
		return nil
	}
	return l.fragments
}

// MaxSeq returns the largest sequence of any tombstone.
func (l *List) MaxSeq() base.SeqNum {
	if l == nil {
		return 0
	}
	return l.maxSeq
}

// AppendTombstones appends one tombstone for each fragment and sequence.
func (l *List) AppendTombstones(dst []Tombstone) []Tombstone {
	for _, f := range l.Fragments() {
		for _, s := range f.Seqs {
			dst = append(dst, Tombstone{Start: f.Start, End: f.End, Seq: s})
		}
	}
	return dst
}

// search returns the index of the first fragment that ends behind key.
func (l *List) search(key []byte) int {
	lo, hi := 0, len(l.fragments)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if bytes.Compare(l.fragments[m].End, key) <= 0 {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// Cover returns the largest sequence, at most limit, of a tombstone that covers
// key; 0 if none does. A record of key is deleted at limit if its sequence is
// below the result.
func (l *List) Cover(key []byte, limit base.SeqNum) base.SeqNum {
	if l.Empty() {
		return 0
	}
	i := l.search(key)
	if i == len(l.fragments) || bytes.Compare(l.fragments[i].Start, key) > 0 {
		return 0
	}
	return l.fragments[i].Newest(limit)
}

// Newest returns the fragment's largest sequence at most limit; 0 if none is.
func (f Fragment) Newest(limit base.SeqNum) base.SeqNum {
	for _, s := range f.Seqs {
		if s <= limit {
			return s
		}
	}
	return 0
}

// Overlaps reports whether a tombstone with a sequence above since covers any
// key in [lo, hi). A nil hi is the end of all keys.
func (l *List) Overlaps(lo, hi []byte, since base.SeqNum) bool {
	if l.Empty() || l.maxSeq <= since || hi != nil && bytes.Compare(lo, hi) >= 0 {
		return false
	}
	for _, f := range l.fragments[l.search(lo):] {
		if hi != nil && bytes.Compare(f.Start, hi) >= 0 {
			return false
		}
		if f.Seqs[0] > since {
			return true
		}
	}
	return false
}

// At returns the fragment that covers key (ok false if none does) and, either
// way, the next boundary above key and the nearest boundary at or below it
// where cover may change; nil where there is none. Between the two boundaries
// every key has the same answer.
func (l *List) At(key []byte) (f Fragment, below, above []byte, ok bool) {
	if l.Empty() {
		return f, nil, nil, false
	}
	i := l.search(key)
	if i < len(l.fragments) && bytes.Compare(l.fragments[i].Start, key) <= 0 {
		f = l.fragments[i]
		return f, f.Start, f.End, true
	}
	if i > 0 {
		below = l.fragments[i-1].End
	}
	if i < len(l.fragments) {
		above = l.fragments[i].Start
	}
	return f, below, above, false
}

// Clip returns the list's part inside [lo, hi); a nil hi is the end of all keys.
func (l *List) Clip(lo, hi []byte) *List {
	if l.Empty() || hi != nil && bytes.Compare(lo, hi) >= 0 {
		return nil
	}
	out := &List{}
	for _, f := range l.fragments[l.search(lo):] {
		if hi != nil && bytes.Compare(f.Start, hi) >= 0 {
			break
		}
		if bytes.Compare(f.Start, lo) < 0 {
			f.Start = lo
		}
		if hi != nil && bytes.Compare(f.End, hi) > 0 {
			f.End = hi
		}
		out.fragments = append(out.fragments, f)
		out.maxSeq = max(out.maxSeq, f.Seqs[0])
	}
	if len(out.fragments) == 0 {
		return nil
	}
	return out
}

// String draws the fragments: "[a-c)#9,7 [c-e)#4".
func (l *List) String() string {
	var b strings.Builder
	for i, f := range l.Fragments() {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "[%s-%s)#", f.Start, f.End)
		for j, s := range f.Seqs {
			if j > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "%d", uint64(s))
		}
	}
	return b.String()
}
