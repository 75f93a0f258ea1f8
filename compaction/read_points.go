package compaction

import (
	"math"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
)

// infinity stands for the sequence of a newer record that does not exist.
const infinity base.SeqNum = math.MaxUint64

// horizon is what the read points allow a merge to do. Beside the registered
// points there is always (∞, now). It is immutable.
type horizon struct {
	seqs   []base.SeqNum // of the registered points, ascending, distinct
	oldest base.SeqNum   // smallest registered sequence; infinity if there is none
	clock  int64         // smallest of now and the registered clocks
}

func newHorizon(points []base.ReadPoint, now int64) horizon {
	h := horizon{oldest: infinity, clock: now}
	for _, p := range points {
		h.seqs = append(h.seqs, p.Seq)
		h.clock = min(h.clock, p.Clock)
	}
	slices.Sort(h.seqs)
	h.seqs = slices.Compact(h.seqs)
	if len(h.seqs) > 0 {
		h.oldest = h.seqs[0]
	}
	return h
}

// reads reports whether a read point lies in [from, to), that is, whether
// somebody sees a record of sequence from whose next newer one is to.
func (h *horizon) reads(from, to base.SeqNum) bool {
	if to == infinity {
		return true // (∞, now)
	}
	if to <= h.oldest {
		return false
	}
	i, _ := slices.BinarySearch(h.seqs, from)
	return i < len(h.seqs) && h.seqs[i] < to
}
