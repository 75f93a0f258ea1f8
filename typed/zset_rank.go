package typed

import (
	"encoding/binary"
	"math"

	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/keyenc"
)

// Positions in a small set are counted by walking the score order from the end
// that is nearer; a large set has its order counted.

// Rank returns how many members stand before this one, from the lowest score on,
// or ErrNotFound. The cost grows with the logarithm of the number of members.
// [ZRANK]
func (z ZSet) Rank(member string) (int64, error) { return z.rank(member, false) }

// RevRank returns how many members stand before this one, from the highest score
// on, or ErrNotFound. [ZREVRANK]
func (z ZSet) RevRank(member string) (int64, error) { return z.rank(member, true) }

func (z ZSet) rank(member string, reverse bool) (int64, error) {
	return collection.View(z.src, func(t collection.Txn) (int64, error) {
		set, score, err := z.find(t, member)
		if err != nil {
			return 0, err
		}
		below, err := set.Rank(t, member, score)
		if err != nil || !reverse {
			return below, err
		}
		live, err := set.Live(t)
		return int64(live) - 1 - below, err
	})
}

// resolveRank turns positions into a scan from the row that is first. That is
// looked up in a counted order, or, if it lies in the far half of the walk, found
// by another walk from the far end.
func resolveRank(t collection.Txn, set *collection.Collection, r *ZRange) (s zspan, err error) {
	live, err := set.Live(t)
	if err != nil {
		return s, err
	}
	count := int64(live)
	s.reverse = r.reverse
	if s.skip, s.n = span(r.start, r.stop, count); s.n == 0 {
		return s, nil
	}
	var row []byte
	switch far := count - 1 - s.skip; {
	case min(s.skip, far) > set.LookUpCost():
		row, err = set.RowAt(t, either(r.reverse, far, s.skip))
	case live == set.Count() && s.skip > count/2:
		row, err = set.Nth(t, far, !r.reverse)
	}
	if err != nil {
		return s, err
	}
	s.lo, s.hi = set.OrderBounds(t)
	if row == nil {
		return s, nil
	}
	sc := t.Scratch()
	if s.skip = 0; r.reverse {
		sc.Hi = append(append(sc.Hi[:0], row...), 0)
	} else {
		sc.Lo = append(sc.Lo[:0], row...)
	}
	s.lo, s.hi = sc.Lo, sc.Hi
	return s, nil
}

func either(cond bool, yes, no int64) int64 {
	if cond {
		return yes
	}
	return no
}

// countRange counts the members that r chooses: by a walk if they are few or the
// order is not counted, else as the difference of two ranks.
func countRange(t collection.Txn, set *collection.Collection, r *ZRange) (n int64, err error) {
	most := set.LookUpCost()
	walk := func() error {
		n = 0
		return eachMember(t, set, *r, func([]byte, collection.MemberValue) (bool, error) {
			n++
			return n < most, nil
		})
	}
	if err := walk(); err != nil || n < most {
		return n, err
	}
	lo, hi, ok, err := orderBounds(t, set, r)
	if err != nil {
		return 0, err
	}
	if !ok {
		most = math.MaxInt64
		err = walk()
		return n, err
	}
	return countBetween(t, set, r, lo, hi)
}

// countBetween counts the members that r chooses, which lie between two keys of
// the counted order.
func countBetween(t collection.Txn, set *collection.Collection, r *ZRange, lo, hi []byte) (int64, error) {
	n, err := set.CountBetween(t, lo, hi)
	if err != nil || !r.limited {
		return n, err
	}
	n = max(n-r.skip, 0)
	if r.limit >= 0 {
		n = min(n, r.limit)
	}
	return n, nil
}

// orderBounds returns the keys of the score order that r lies between. A range
// by name has such only if all members have one score.
func orderBounds(t collection.Txn, set *collection.Collection, r *ZRange) (lo, hi []byte, ok bool, err error) {
	sc := t.Scratch()
	head := keyenc.CollectionHeaderLen(t.Prefix())
	if r.by == byScore {
		lo, hi = scoreBounds(t, set, r)
		sc.Place = append(sc.Place[:0], lo[head:]...)
		sc.Place2 = append(sc.Place2[:0], hi[head:]...)
		return sc.Place, sc.Place2, true, nil
	}
	score, same, err := set.OneScore(t)
	if err != nil || !same {
		return nil, nil, false, err
	}
	lo, hi = lexBounds(t, set, r)
	sc.Place = append(binary.BigEndian.AppendUint64(sc.Place[:0], score), lo[head:]...)
	if r.noMax {
		sc.Place2 = binary.BigEndian.AppendUint64(sc.Place2[:0], score+1)
	} else {
		sc.Place2 = append(binary.BigEndian.AppendUint64(sc.Place2[:0], score), hi[head:]...)
	}
	return sc.Place, sc.Place2, true, nil
}
