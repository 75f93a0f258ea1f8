package rangedel

import (
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Shift returns the list with by added to every sequence; it shares the bounds
// of the fragments with l.
func (l *List) Shift(by base.SeqNum) *List {
	if l.Empty() {
		return nil
	}
	moved := &List{fragments: slices.Clone(l.fragments), maxSeq: l.maxSeq + by}
	for i := range moved.fragments {
		seqs := slices.Clone(moved.fragments[i].Seqs)
		for j := range seqs {
			seqs[j] += by
		}
		moved.fragments[i].Seqs = seqs
	}
	return moved
}
