package memtable

import (
	"sync/atomic"

	"github.com/siltstonedb/siltstone/internal/base"
)

// A leaf holds the nodes of up to pageCap keys: those from its fence up to, and
// not including, the next leaf's. Fences never change and leaves are never
// removed; a split only puts a new leaf behind.
//
// maxSeq is atomic; everything else is guarded by order.mu.
type leaf struct {
	lo         []byte // fence; empty for the first leaf
	next, prev *leaf

	maxSeq atomic.Uint64 // no version of any key in the leaf is newer

	number uint32 // index in order.leaves
	page
}

// clear makes a leaf that nobody sees any more a new one.
func (l *leaf) clear() {
	l.lo, l.next, l.prev = nil, nil, nil
	l.maxSeq.Store(0)
	l.number, l.page = 0, page{}
}

// hi returns the upper fence, nil if there is none.
func (l *leaf) hi() []byte {
	if l.next == nil {
		return nil
	}
	return l.next.lo
}

// raise notes that a key of the leaf has a version of the given sequence. Writer
// only; mu is not needed.
func (l *leaf) raise(seq base.SeqNum) {
	if uint64(seq) > l.maxSeq.Load() {
		l.maxSeq.Store(uint64(seq))
	}
}

// split makes room in the full leaf for a key that belongs at index i. Its upper
// part goes to right, a new leaf, or, if a stream of keys is rising at its end,
// nothing does and right begins with that key. It returns the node right's fence
// is the key of, and which leaf the key now belongs into, and where.
func (l *leaf) split(a *arena, i int, node uint32, right *leaf) (fence uint32, to *leaf, at int) {
	right.maxSeq.Store(l.maxSeq.Load())
	if i == pageCap && (l.stream() || l.next == nil) {
		fence, to, at = node, right, 0
	} else {
		half := pageCap / 2
		if l.stream() {
			half = i
		}
		l.moveUpper(half, &right.page)
		for _, moved := range right.ref[:right.n] {
			*a.word(moved, nodeLeaf) = right.number
		}
		fence, to, at = right.ref[0], l, i
		if i > half {
			to, at = right, i-half
		}
	}
	right.lo = a.key(fence)
	right.prev, right.next = l, l.next
	if l.next != nil {
		l.next.prev = right
	}
	l.next = right
	if right.n > 0 { // otherwise what it skips is still right between narrower fences
		l.fit(a, l.lo, right.lo)
	}
	right.fit(a, right.lo, right.hi())
	return fence, to, at
}
