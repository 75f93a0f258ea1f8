package check

import (
	"bytes"
	"errors"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// rankCount is a stretch of a counted order: from its boundary up to the next.
type rankCount struct {
	boundary []byte
	members  uint64
}

// ranks compares the counted order of a sorted set, if it has one, with its score
// rows: every entry of a bucket page counts the members between its boundary and the
// next, and every entry above it the members of the page below. It costs another walk
// of the order. Pages that the body does not name are no fault: a version that does
// not know them leaves them behind, and the next call that counts deletes them.
func (c *checker) ranks(e *elementCount, m record.Meta) error {
	r, err := record.DecodeRanks(m.Body)
	if errors.Is(err, base.ErrFormatTooNew) || err == nil && r.Levels == 0 {
		return nil // by a later version, which typed calls refuse; or not counted
	}
	if err != nil {
		return e.fault("sorted set %q says %x of its counted order", e.owner, m.Body)
	}
	below, err := c.buckets(e)
	if err != nil {
		return err
	}
	for level := byte(2); level <= r.Levels; level++ {
		var counts, sums []rankCount
		err := c.pages(e, level, func(page []rankCount) error {
			counts = append(counts, page...)
			sums = append(sums, sumOf(page))
			return nil
		})
		if err != nil {
			return err
		}
		if !slices.EqualFunc(counts, below, sameCount) {
			return e.fault("sorted set %q has pages of level %d that do not count those below", e.owner, level)
		}
		below = sums
	}
	if len(below) != 1 || len(below[0].boundary) != 0 || below[0].members != m.Count {
		return e.fault("sorted set %q has %d members, and its counted order no root that says so", e.owner, m.Count)
	}
	return nil
}

// buckets compares the pages of level 1 with the score rows, and returns what
// each of them counts.
func (c *checker) buckets(e *elementCount) (sums []rankCount, err error) {
	lo, hi := tagRange(e, keyenc.TagScore, nil)
	it, err := rows.New(c.Rows, c.View, lo, hi, true)
	if err != nil {
		return nil, err
	}
	defer it.Release()
	more := it.First()
	// passed says how many rows are left before the boundary, nil being the end.
	passed := func(boundary []byte) (n uint64, err error) {
		for ; more && (boundary == nil || bytes.Compare(it.Key()[len(lo):], boundary) < 0); more = it.Next() {
			if err := c.tick(); err != nil {
				return 0, err
			}
			n++
		}
		return n, it.Err()
	}
	var last *rankCount
	settle := func(next []byte) error {
		n, err := passed(next)
		switch {
		case err != nil:
			return err
		case last == nil && n > 0, last != nil && n != last.members:
			return e.fault("sorted set %q has a bucket that does not count %d members in it", e.owner, n)
		}
		return nil
	}
	err = c.pages(e, 1, func(page []rankCount) error {
		sums = append(sums, sumOf(page))
		for i := range page {
			if err := settle(append([]byte{}, page[i].boundary...)); err != nil {
				return err
			}
			last = &page[i]
		}
		return nil
	})
	if err == nil {
		err = settle(nil)
	}
	return sums, err
}

// pages calls f for every page of a level, in the order of their boundaries.
func (c *checker) pages(e *elementCount, level byte, f func(page []rankCount) error) error {
	lo, hi := tagRange(e, keyenc.TagBucket, []byte{level})
	it, err := rows.New(c.Rows, c.View, lo, hi, false)
	if err != nil {
		return err
	}
	defer it.Release()
	for ok := it.First(); ok; ok = it.Next() {
		page, ok := decodeRankPage(it.Value(), it.Key()[len(lo):])
		if !ok {
			return e.fault("sorted set %q has the malformed row %q", e.owner, it.Key())
		}
		if err := f(page); err != nil {
			return err
		}
	}
	return it.Err()
}

// tagRange returns the bounds of the rows of a tag that go on with rest.
func tagRange(e *elementCount, tag byte, rest []byte) (lo, hi []byte) {
	lo = keyenc.AppendElementRow(nil, e.prefix, e.id, tag, string(rest))
	hi = bytes.Clone(lo)
	hi[len(hi)-1]++ // tags and levels are far below 255
	return lo, hi
}

// decodeRankPage takes a page apart that has the given boundary. The entries own their
// boundaries, which ascend.
func decodeRankPage(value, boundary []byte) (page []rankCount, ok bool) {
	start, left, ok := record.CutRankStart(value)
	for ok && len(left) > 0 {
		rest, members, others, good := record.NextRankEntry(left)
		at := slices.Concat(start, rest)
		if k := len(page); k == 0 {
			at, good = bytes.Clone(boundary), good && len(rest) == 0
		} else {
			good = good && bytes.Compare(page[k-1].boundary, at) < 0
		}
		page, left, ok = append(page, rankCount{at, members}), others, good
	}
	return page, ok && len(page) > 0
}

func sumOf(page []rankCount) rankCount {
	sum := rankCount{boundary: page[0].boundary}
	for _, e := range page {
		sum.members += e.members
	}
	return sum
}

func sameCount(a, b rankCount) bool {
	return bytes.Equal(a.boundary, b.boundary) && a.members == b.members
}
