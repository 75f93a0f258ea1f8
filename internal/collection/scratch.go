package collection

import "github.com/siltstonedb/siltstone/internal/invariants"

// Scratch is the working memory of the calls of a transaction: row keys and
// values on their way in and out. A Txn owns one and keeps it when it is pooled.
// The zero Scratch is ready. A call may use it until it returns; a loop does not
// hold it while the user's body runs.
type Scratch struct {
	Key    []byte // row key of a string or of metadata
	row    []byte // row key of an element
	Lo, Hi []byte // bounds of a scan
	Val    []byte // a value read
	Out    []byte // a value to be written
	vol    []byte // a volatile row's value, read or to be written
	Place  []byte // a key of the score order
	Place2 []byte // another
	bound  []byte // the boundary of a page of a counted order

	pages  *rankPages    // of counted orders, while no collection has them in hand
	inline inlineScratch // inline collections that are open
	entry  []byte        // an element on its way into one
}

// scratchMax is how much of a buffer a pooled transaction keeps.
const scratchMax = 64 << 10

// Poison spoils what a call that has returned may not use any more.
func (s *Scratch) Poison() {
	for _, b := range [][]byte{s.Key, s.row, s.Lo, s.Hi, s.Val, s.Out, s.vol, s.Place, s.Place2, s.bound, s.entry} {
		invariants.Poison(b)
	}
}

func (s *Scratch) shrink() {
	if cap(s.Val) > scratchMax {
		s.Val = nil
	}
	if cap(s.Out) > scratchMax {
		s.Out = nil
	}
	if cap(s.vol) > scratchMax {
		s.vol = nil
	}
	if cap(s.bound) > scratchMax {
		s.bound = nil
	}
	if cap(s.entry) > scratchMax {
		s.entry = nil
	}
	s.inline.shrink()
}
