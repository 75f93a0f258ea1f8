package collection

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"github.com/siltstonedb/siltstone/internal/keyenc"
)

// OrderBounds returns the bounds of the score order, in scratch.
func (c *Collection) OrderBounds(t Txn) (lo, hi []byte) {
	sc := t.Scratch()
	sc.Lo = keyenc.AppendElementRow(sc.Lo[:0], t.Prefix(), c.meta.ID, keyenc.TagScore, "")
	sc.Hi = AppendSuccessor(sc.Hi[:0], sc.Lo)
	return sc.Lo, sc.Hi
}

// ScoreBounds returns the bounds of the rows of the order with scores from first up
// to end, in the form that is ordered; in scratch.
func (c *Collection) ScoreBounds(t Txn, first, end uint64) (lo, hi []byte) {
	sc := t.Scratch()
	sc.Lo = keyenc.AppendScoreRow(sc.Lo[:0], t.Prefix(), c.meta.ID, first, "")
	sc.Hi = keyenc.AppendScoreRow(sc.Hi[:0], t.Prefix(), c.meta.ID, end, "")
	return sc.Lo, sc.Hi
}

// Past narrows the bounds that ScoreBounds has left in scratch to the rows that a walk
// meets after that of a member, which need not be there.
func (c *Collection) Past(t Txn, score float64, member string, reverse bool) (lo, hi []byte) {
	sc := t.Scratch()
	row := c.ranked(t, score, member)
	switch {
	case reverse && bytes.Compare(row, sc.Hi) < 0:
		sc.Hi = append(sc.Hi[:0], row...)
	case !reverse && bytes.Compare(row, sc.Lo) >= 0:
		sc.Lo = append(append(sc.Lo[:0], row...), 0)
	}
	return sc.Lo, sc.Hi
}

// Rank returns how many members that are not due stand below one that is in the
// set.
func (c *Collection) Rank(t Txn, member string, score float64) (n int64, err error) {
	if c.ranks.Levels == 0 {
		n, err = c.countBelow(t, member, score)
	} else {
		var below uint64
		below, err = c.rankOf(t, c.place(t, score, member))
		n = int64(below)
	}
	if err != nil || !c.MayBeDue(t) {
		return n, err
	}
	due, err := c.duePlaces(t)
	return n - below(due, string(appendPlace(nil, score, member))), err
}

// countBelow returns how many rows of the score order stand below that of
// a member that is in the set.
func (c *Collection) countBelow(t Txn, member string, score float64) (int64, error) {
	sc := t.Scratch()
	o := ScanOptions{KeysOnly: true}
	// Below the member: from the bottom up to its row.
	sc.Lo, sc.Hi = c.OrderBounds(t)
	sc.Hi = append(sc.Hi[:0], c.ranked(t, score, member)...)
	below, err := c.ScanRows(t, sc.Lo, sc.Hi, o)
	if err != nil {
		return 0, err
	}
	defer below.Close()
	// Above it: from the top down to behind its row.
	o.Reverse = true
	sc.Lo, sc.Hi = c.OrderBounds(t)
	sc.Lo = append(append(sc.Lo[:0], sc.row...), 0)
	above, err := c.ScanRows(t, sc.Lo, sc.Hi, o)
	if err != nil {
		return 0, err
	}
	defer above.Close()
	for n := int64(0); ; n++ {
		if !below.Next() {
			return n, below.Err()
		}
		if !above.Next() {
			return int64(c.meta.Count) - 1 - n, above.Err()
		}
	}
}

// duePlaces returns the keys in the score order of the members that are due, in
// order.
func (c *Collection) duePlaces(t Txn) (places []string, err error) {
	_, err = c.eachDue(t, func(member []byte, _ int64) (bool, error) {
		score, err := c.dueScore(t, string(member))
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

// Nth returns the row of the score order n rows from one end, in scratch.
func (c *Collection) Nth(t Txn, n int64, reverse bool) ([]byte, error) {
	lo, hi := c.OrderBounds(t)
	cur, err := c.ScanRows(t, lo, hi, ScanOptions{Reverse: reverse, KeysOnly: true})
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
	return nil, corrupt(c.name, errLostElement)
}

// RowAt returns the row of the member that has so many before it, in scratch.
// Among a few members that are due it finds its way; with many, the row is nil and
// a walk has to leave them out.
func (c *Collection) RowAt(t Txn, rank int64) ([]byte, error) {
	if !c.MayBeDue(t) {
		return c.rankedAt(t, uint64(rank))
	}
	due, err := c.duePlaces(t)
	if err != nil || int64(len(due)) > Shape.Near {
		return nil, err
	}
	for _, place := range due {
		n, err := c.rankOf(t, []byte(place))
		if err != nil {
			return nil, err
		}
		if int64(n) > rank {
			break
		}
		rank++
	}
	return c.rankedAt(t, uint64(rank))
}

// OneScore reports whether all members have the same score, and which, in the
// form that is ordered.
func (c *Collection) OneScore(t Txn) (score uint64, same bool, err error) {
	head := keyenc.CollectionHeaderLen(t.Prefix())
	var ends [2]uint64
	for i := range ends {
		row, err := c.Nth(t, 0, i == 1)
		if err != nil {
			return 0, false, err
		}
		if len(row) < head+keyenc.ScoreLen {
			return 0, false, corrupt(c.name, errScore)
		}
		ends[i] = binary.BigEndian.Uint64(row[head:])
	}
	return ends[0], ends[0] == ends[1], nil
}

// CountBetween counts the members that are not due and lie between two keys of the
// counted order.
func (c *Collection) CountBetween(t Txn, lo, hi []byte) (int64, error) {
	first, err := c.rankOf(t, lo)
	if err != nil {
		return 0, err
	}
	end, err := c.rankOf(t, hi)
	if err != nil {
		return 0, err
	}
	n := int64(end) - int64(first)
	if c.MayBeDue(t) {
		from, to := string(lo), string(hi)
		due, err := c.duePlaces(t)
		if err != nil {
			return 0, err
		}
		n -= below(due, to) - below(due, from)
	}
	return n, nil
}

// LookUpCost is how many rows of the order a walk passes at the cost of a look-up
// by rank: any number if the order is not counted.
func (c *Collection) LookUpCost() int64 {
	if c.ranks.Levels == 0 {
		return math.MaxInt64
	}
	return Shape.Near
}
