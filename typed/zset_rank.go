package typed

import (
	"github.com/siltstonedb/siltstone/internal/keyenc"
)

// Positions are counted by walking the score order from the end that is nearer:
// a rank costs time in proportion to its distance from that end.

// Rank returns how many members stand before this one, from the lowest score on,
// or ErrNotFound. It walks from both ends at once and so takes twice the distance
// from the nearer. [ZRANK]
func (z ZSet) Rank(member string) (int64, error) { return z.rank(member, false) }

// RevRank returns how many members stand before this one, from the highest score
// on, or ErrNotFound. [ZREVRANK]
func (z ZSet) RevRank(member string) (int64, error) { return z.rank(member, true) }

func (z ZSet) rank(member string, reverse bool) (int64, error) {
	return view(z.src, func(t Txn) (int64, error) {
		set, score, err := z.find(t, member)
		if err != nil {
			return 0, err
		}
		below, err := countBelow(t, &set, member, score)
		if reverse {
			below = int64(set.meta.Count) - 1 - below
		}
		return below, err
	})
}

// countBelow returns how many members stand below one that is in the set.
func countBelow(t Txn, set *collection, member string, score float64) (int64, error) {
	sc := t.Scratch()
	o := ScanOptions{KeysOnly: true}
	// Below the member: from the bottom up to its row.
	sc.lo, sc.hi = rankedBounds(t, set)
	sc.hi = append(sc.hi[:0], set.ranked(t, score, member)...)
	below, err := t.Scan(sc.lo, sc.hi, o)
	if err != nil {
		return 0, err
	}
	defer below.Close()
	// Above it: from the top down to behind its row.
	o.Reverse = true
	sc.lo, sc.hi = rankedBounds(t, set)
	sc.lo = append(append(sc.lo[:0], sc.row...), 0)
	above, err := t.Scan(sc.lo, sc.hi, o)
	if err != nil {
		return 0, err
	}
	defer above.Close()
	for n := int64(0); ; n++ {
		if !below.Next() {
			return n, below.Err()
		}
		if !above.Next() {
			return int64(set.meta.Count) - 1 - n, above.Err()
		}
	}
}

// rankedBounds returns the bounds of the score order, in scratch.
func rankedBounds(t Txn, set *collection) (lo, hi []byte) {
	sc := t.Scratch()
	sc.lo = keyenc.AppendElementRow(sc.lo[:0], t.Prefix(), set.meta.ID, keyenc.TagScore, "")
	sc.hi = appendSuccessor(sc.hi[:0], sc.lo)
	return sc.lo, sc.hi
}

// resolveRank turns positions into a scan. If they lie in the far half of the
// walk, another walk from the far end finds the row to start at.
func resolveRank(t Txn, set *collection, r *ZRange) (s zspan, err error) {
	count := int64(set.meta.Count)
	s.reverse = r.reverse
	s.skip, s.n = span(r.start, r.stop, count)
	s.lo, s.hi = rankedBounds(t, set)
	if s.n == 0 || s.skip <= count/2 {
		return s, nil
	}
	row, err := nth(t, set, count-1-s.skip, !r.reverse)
	if err != nil {
		return s, err
	}
	// The walk that found it has left the bounds in scratch alone.
	sc := t.Scratch()
	if r.reverse {
		sc.hi = append(append(sc.hi[:0], row...), 0)
	} else {
		sc.lo = append(sc.lo[:0], row...)
	}
	s.lo, s.hi, s.skip = sc.lo, sc.hi, 0
	return s, nil
}

// nth returns the row of the score order n rows from one end; the bounds of the
// order are in scratch. The row is in scratch too.
func nth(t Txn, set *collection, n int64, reverse bool) ([]byte, error) {
	sc := t.Scratch()
	cur, err := t.Scan(sc.lo, sc.hi, ScanOptions{Reverse: reverse, KeysOnly: true})
	if err != nil {
		return nil, err
	}
	defer cur.Close()
	for cur.Next() {
		if n == 0 {
			sc.row = append(sc.row[:0], cur.Key()...)
			return sc.row, nil
		}
		n--
	}
	if err := cur.Err(); err != nil {
		return nil, err
	}
	return nil, corrupt(set.name, errLostElement)
}
