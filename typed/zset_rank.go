package typed

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/siltstonedb/siltstone/internal/keyenc"
)

// Positions in a small set are counted by walking the score order from the end
// that is nearer; a large set has its order counted: rank.go.

// Rank returns how many members stand before this one, from the lowest score on,
// or ErrNotFound. The cost grows with the logarithm of the number of members.
// [ZRANK]
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
		below, err := rankOf(t, &set, member, score)
		if err != nil || !reverse {
			return below, err
		}
		live, err := set.live(t)
		return int64(live) - 1 - below, err
	})
}

// rankOf returns how many members that are not due stand below one that is in the
// set.
func rankOf(t Txn, set *collection, member string, score float64) (n int64, err error) {
	if set.ranks.levels == 0 {
		n, err = countBelow(t, set, member, score)
	} else {
		var below uint64
		below, err = set.rankOf(t, set.place(t, score, member))
		n = int64(below)
	}
	if err != nil || !set.mayBeDue(t) {
		return n, err
	}
	due, err := duePlaces(t, set)
	return n - below(due, string(appendPlace(nil, score, member))), err
}

// duePlaces returns the keys in the score order of the members that are due, in
// order.
func duePlaces(t Txn, set *collection) (places []string, err error) {
	_, err = set.eachDue(t, func(member []byte, _ int64) (bool, error) {
		score, err := dueScore(t, set, string(member))
		places = append(places, string(appendPlace(nil, score, string(member))))
		return true, err
	})
	slices.Sort(places)
	return places, err
}

// below returns how many of the sorted places stand below one.
func below(places []string, place string) int64 {
	i, _ := slices.BinarySearch(places, place)
	return int64(i)
}

// countBelow returns how many rows of the score order stand below that of
// a member that is in the set.
func countBelow(t Txn, set *collection, member string, score float64) (int64, error) {
	sc := t.Scratch()
	o := ScanOptions{KeysOnly: true}
	// Below the member: from the bottom up to its row.
	sc.lo, sc.hi = rankedBounds(t, set)
	sc.hi = append(sc.hi[:0], set.ranked(t, score, member)...)
	below, err := set.scanRows(t, sc.lo, sc.hi, o)
	if err != nil {
		return 0, err
	}
	defer below.Close()
	// Above it: from the top down to behind its row.
	o.Reverse = true
	sc.lo, sc.hi = rankedBounds(t, set)
	sc.lo = append(append(sc.lo[:0], sc.row...), 0)
	above, err := set.scanRows(t, sc.lo, sc.hi, o)
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

// resolveRank turns positions into a scan from the row that is first. That is
// looked up in a counted order, or, if it lies in the far half of the walk, found
// by another walk from the far end.
func resolveRank(t Txn, set *collection, r *ZRange) (s zspan, err error) {
	live, err := set.live(t)
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
	case set.ranks.levels > 0 && min(s.skip, far) > shape.near:
		row, err = rowAt(t, set, either(r.reverse, far, s.skip))
	case live == set.meta.Count && s.skip > count/2:
		row, err = nth(t, set, far, !r.reverse)
	}
	if err != nil {
		return s, err
	}
	s.lo, s.hi = rankedBounds(t, set)
	if row == nil {
		return s, nil
	}
	sc := t.Scratch()
	if s.skip = 0; r.reverse {
		sc.hi = append(append(sc.hi[:0], row...), 0)
	} else {
		sc.lo = append(sc.lo[:0], row...)
	}
	s.lo, s.hi = sc.lo, sc.hi
	return s, nil
}

// rowAt returns the row of the member that has so many before it, in scratch.
// Among a few members that are due it finds its way; with many, the row is nil and
// a walk has to leave them out.
func rowAt(t Txn, set *collection, rank int64) ([]byte, error) {
	if !set.mayBeDue(t) {
		return set.rankedAt(t, uint64(rank))
	}
	due, err := duePlaces(t, set)
	if err != nil || int64(len(due)) > shape.near {
		return nil, err
	}
	for _, place := range due {
		n, err := set.rankOf(t, []byte(place))
		if err != nil {
			return nil, err
		}
		if int64(n) > rank {
			break
		}
		rank++
	}
	return set.rankedAt(t, uint64(rank))
}

func either(cond bool, yes, no int64) int64 {
	if cond {
		return yes
	}
	return no
}

// nth returns the row of the score order n rows from one end, in scratch.
func nth(t Txn, set *collection, n int64, reverse bool) ([]byte, error) {
	lo, hi := rankedBounds(t, set)
	cur, err := set.scanRows(t, lo, hi, ScanOptions{Reverse: reverse, KeysOnly: true})
	if err != nil {
		return nil, err
	}
	defer cur.Close()
	for cur.Next() {
		if n == 0 {
			sc := t.Scratch()
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

// countRange counts the members that r chooses: by a walk if they are few or the
// order is not counted, else as the difference of two ranks.
func countRange(t Txn, set *collection, r *ZRange) (n int64, err error) {
	most := shape.near
	if set.ranks.levels == 0 {
		most = math.MaxInt64
	}
	walk := func() error {
		n = 0
		return eachMember(t, set, *r, func([]byte, memberValue) (bool, error) {
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
func countBetween(t Txn, set *collection, r *ZRange, lo, hi []byte) (int64, error) {
	first, err := set.rankOf(t, lo)
	if err != nil {
		return 0, err
	}
	end, err := set.rankOf(t, hi)
	if err != nil {
		return 0, err
	}
	n := int64(end) - int64(first)
	if set.mayBeDue(t) {
		from, to := string(lo), string(hi)
		due, err := duePlaces(t, set)
		if err != nil {
			return 0, err
		}
		n -= below(due, to) - below(due, from)
	}
	if !r.limited {
		return n, nil
	}
	n = max(n-r.skip, 0)
	if r.limit >= 0 {
		n = min(n, r.limit)
	}
	return n, nil
}

// orderBounds returns the keys of the score order that r lies between. A range
// by name has such only if all members have one score.
func orderBounds(t Txn, set *collection, r *ZRange) (lo, hi []byte, ok bool, err error) {
	sc := t.Scratch()
	head := keyenc.CollectionHeaderLen(t.Prefix())
	if r.by == byScore {
		lo, hi = scoreBounds(t, set, r)
		sc.place = append(sc.place[:0], lo[head:]...)
		sc.place2 = append(sc.place2[:0], hi[head:]...)
		return sc.place, sc.place2, true, nil
	}
	score, same, err := oneScore(t, set)
	if err != nil || !same {
		return nil, nil, false, err
	}
	lo, hi = lexBounds(t, set, r)
	sc.place = append(binary.BigEndian.AppendUint64(sc.place[:0], score), lo[head:]...)
	if r.noMax {
		sc.place2 = binary.BigEndian.AppendUint64(sc.place2[:0], score+1)
	} else {
		sc.place2 = append(binary.BigEndian.AppendUint64(sc.place2[:0], score), hi[head:]...)
	}
	return sc.place, sc.place2, true, nil
}

// oneScore reports whether all members have the same score, and which, in the
// form that is ordered.
func oneScore(t Txn, set *collection) (score uint64, same bool, err error) {
	head := keyenc.CollectionHeaderLen(t.Prefix())
	var ends [2]uint64
	for i := range ends {
		row, err := nth(t, set, 0, i == 1)
		if err != nil {
			return 0, false, err
		}
		if len(row) < head+keyenc.ScoreLen {
			return 0, false, corrupt(set.name, errScore)
		}
		ends[i] = binary.BigEndian.Uint64(row[head:])
	}
	return ends[0], ends[0] == ends[1], nil
}
