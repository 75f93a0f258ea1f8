package readset

import (
	"bytes"
	"cmp"
	"slices"
)

// Index finds what a record touches in a Set of many reads, at the cost of a look-up
// and whatever the number of reads. The Set must not change meanwhile. It is not
// safe for concurrent use.
type Index struct {
	points []Point
	slots  []uint32 // number of a point plus one, from its hash on; 0: empty
	spans  []span   // of the intervals: in order, none touching another
	order  []uint32 // the points by row, once Order was called
}

// span is the rows [lo, hi); a nil hi is the end of all rows.
type span struct{ lo, hi []byte }

// NewIndex returns the index of s.
func NewIndex(s *Set) *Index {
	size := 1024
	for size < 2*len(s.points) {
		size *= 2
	}
	x := &Index{points: s.points, slots: make([]uint32, size)}
	for n := range s.points {
		at := s.points[n].Hash & uint64(size-1)
		for x.slots[at] != 0 {
			at = (at + 1) & uint64(size-1)
		}
		x.slots[at] = uint32(n) + 1
	}
	for i := range s.intervals {
		x.spans = append(x.spans, span{s.intervals[i].Lo, s.intervals[i].Upper()})
	}
	slices.SortFunc(x.spans, func(a, b span) int { return bytes.Compare(a.lo, b.lo) })
	x.join()
	return x
}

// join makes one span of those that touch.
func (x *Index) join() {
	joined := x.spans[:0]
	for _, s := range x.spans {
		if n := len(joined); n > 0 && !below(joined[n-1].hi, s.lo) {
			if last := &joined[n-1]; last.hi != nil && (s.hi == nil || bytes.Compare(last.hi, s.hi) < 0) {
				last.hi = s.hi
			}
			continue
		}
		joined = append(joined, s)
	}
	x.spans = joined
}

// below reports whether a span that ends at hi ends before row.
func below(hi, row []byte) bool { return hi != nil && bytes.Compare(hi, row) < 0 }

// Has reports whether row was read, with others or alone.
func (x *Index) Has(hash uint64, row []byte) bool {
	mask := uint64(len(x.slots) - 1)
	for at := hash & mask; x.slots[at] != 0; at = (at + 1) & mask {
		if p := &x.points[x.slots[at]-1]; p.Hash == hash && bytes.Equal(p.Row, row) {
			return true
		}
	}
	i := x.spanAt(row)
	return i < len(x.spans) && bytes.Compare(x.spans[i].lo, row) <= 0
}

// spanAt returns the number of the first span that ends behind row.
func (x *Index) spanAt(row []byte) int {
	i, _ := slices.BinarySearchFunc(x.spans, row, func(s span, row []byte) int {
		if s.hi == nil || bytes.Compare(s.hi, row) > 0 {
			return 1
		}
		return -1
	})
	return i
}

// Ordered reports whether Order was called.
func (x *Index) Ordered() bool { return x.order != nil || len(x.points) == 0 }

// Order makes Overlaps cheap. It takes as long as sorting the points does.
func (x *Index) Order() {
	if x.Ordered() {
		return
	}
	x.order = make([]uint32, len(x.points))
	for n := range x.order {
		x.order[n] = uint32(n)
	}
	slices.SortFunc(x.order, func(a, b uint32) int { return bytes.Compare(x.points[a].Row, x.points[b].Row) })
}

// Overlaps reports whether any row of [lo, hi), which is not empty, was read. Order
// must have been called.
func (x *Index) Overlaps(lo, hi []byte) bool {
	i, _ := slices.BinarySearchFunc(x.order, lo, func(n uint32, lo []byte) int {
		return cmp.Or(bytes.Compare(x.points[n].Row, lo), 1) // the first of equals
	})
	if i < len(x.order) && bytes.Compare(x.points[x.order[i]].Row, hi) < 0 {
		return true
	}
	i = x.spanAt(lo)
	return i < len(x.spans) && bytes.Compare(x.spans[i].lo, hi) < 0
}
