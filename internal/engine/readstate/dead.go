package readstate

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/rangedel"
)

// CoveredElements returns about how many bytes of tables the element rows, and the
// rows of dropped keyspaces, take that range tombstones cover.
func (rs *State) CoveredElements() (sum int64) {
	older, err := rs.OlderDeletes()
	if err != nil {
		return 0 // the next read of the damaged table tells
	}
	lists := []*rangedel.List{rs.Mem.RangeDeletes()}
	for _, run := range older {
		lists = append(lists, run...)
	}
	for _, d := range rangedel.Merge(lists...).Newest() {
		if from, ok := deadPart(d.Start, d.End); ok {
			sum += rs.BytesBelow(from, d.End, d.Seq)
		}
	}
	return sum
}

// deadPart returns where, in what a range tombstone covers, begins what counts as
// dead: elements of collections, and all rows of a keyspace that was dropped.
func deadPart(lo, hi []byte) (from []byte, ok bool) {
	prefix, rest, in := keyenc.KeyspaceOf(lo)
	switch {
	case !in: // a bare prefix, as a drop begins with
		return lo, len(lo) > 0 && lo[0] == keyenc.SpaceNamed
	case rest[0] == keyenc.SpaceElements:
		return lo, true
	case len(prefix) > 0 && bytes.Compare(hi, base.Successor(prefix)) >= 0: // the rest of a drop
		return lo, true
	}
	elements := append(bytes.Clone(prefix), keyenc.SpaceElements)
	return elements, bytes.Compare(hi, elements) > 0
}

// BytesBelow returns about how many bytes the rows of [lo, hi) take in tables
// that hold something older than seq.
func (rs *State) BytesBelow(lo, hi []byte, seq base.SeqNum) (sum int64) {
	for i := range rs.Runs {
		for _, t := range rs.Runs[i].Tables {
			if t.MinSeq >= seq || bytes.Compare(t.Smallest, hi) >= 0 || t.EndsBefore(lo) || t.Records() == 0 {
				continue
			}
			if r, err := t.Get(); err == nil {
				sum += r.ApproximateSize(lo, hi)
			}
		}
	}
	return sum
}
