package readstate

import (
	"bytes"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
)

// Dead is a stretch of rows of which all that is older than Seq is dead.
type Dead struct {
	Lo, Hi []byte
	Seq    base.SeqNum
}

// DeadBytes returns about how many bytes of tables the stretches take, and the
// element rows, and rows of dropped keyspaces, that range tombstones cover. A block
// that has dead rows counts whole and once, so that it is never more than there is.
func (rs *State) DeadBytes(dead []Dead) (sum int64) {
	dead = append(rs.covered(), dead...)
	slices.SortFunc(dead, func(a, b Dead) int { return bytes.Compare(a.Lo, b.Lo) })
	for i := range rs.Runs {
		for _, t := range rs.Runs[i].Tables {
			sum += deadIn(t, dead)
		}
	}
	return sum
}

// deadIn returns how many bytes of the table's blocks the stretches, in key order,
// have a part in.
func deadIn(t *Table, dead []Dead) (sum int64) {
	if t.Records() == 0 {
		return 0
	}
	counted := int64(0) // offset up to which blocks were looked at
	for _, d := range dead {
		if t.MinSeq >= d.Seq || bytes.Compare(t.Smallest, d.Hi) >= 0 || t.EndsBefore(d.Lo) {
			continue
		}
		r, err := t.Get()
		if err != nil {
			return sum // the next read of the damaged table tells
		}
		n, end := r.SizeFrom(counted, d.Lo, d.Hi)
		sum, counted = sum+n, end
	}
	return sum
}

// covered returns the stretches of elements, and of dropped keyspaces, that range
// tombstones cover. Stretches of two sources may overlap: to join the lists would cost
// more than to look at a block twice.
func (rs *State) covered() (dead []Dead) {
	older, err := rs.OlderDeletes()
	if err != nil {
		return nil // the next read of the damaged table tells
	}
	lists := rs.Mem.AppendRangeDeletes(nil)
	for _, run := range older {
		lists = append(lists, run...)
	}
	n := 0
	for _, l := range lists {
		n += len(l.Newest())
	}
	dead = make([]Dead, 0, n)
	for _, l := range lists {
		for _, d := range l.Newest() {
			if from, ok := deadPart(d.Start, d.End); ok {
				dead = append(dead, Dead{from, d.End, d.Seq})
			}
		}
	}
	return dead
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
