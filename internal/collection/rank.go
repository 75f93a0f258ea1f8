package collection

import (
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
)

// How a large sorted set counts its score order: by a tree, which finds a position
// without a walk from either end. An entry of a page of level 1 counts the members
// of a bucket, a stretch of the order from the entry's boundary up to the next
// one's; an entry of level n counts those of a page of level n−1. How many levels
// there are stands in the metadata, see record.Ranks.
//
// A page is a row, found by its level and the boundary of its first entry; the
// one page of the highest level has the empty boundary, as every first one:
//
//	02·id·bucket·level(1)·boundary → entries, see record.Ranks
//
// Boundaries are as short as they can be, but as long as what neighbours share. A page
// has what they share once, and is cut by bytes where they share little: rank_cut.go.
//
// Members that are due count until they are purged. Pages are read by point and
// never scanned, because the ones far up are written by nearly every call: a scan
// would meet all the versions that are in memory.

// errBucket says that pages and members contradict each other.
var errBucket = errors.New("buckets and members contradict each other")

// RankShape says when an order is counted and how large its parts get.
type RankShape struct {
	Build, Drop uint64 // count above that, stop below this many members
	Bucket, Fan int    // members of a bucket, entries of a page: at most
	Bytes       int    // of boundaries of a page, beside what they share: see crowded
	Near        int64  // rows that a walk passes at the cost of a look-up
}

// Shape is the shape in force. A set of few members is walked as fast as counted. A
// page is written whole for each member that comes or goes, so it is kept small; a
// bucket is walked by every look-up. It is not in the format. Only tests change it,
// through typedtest, and only while no call on a sorted set runs.
var Shape = RankShape{Build: 256, Drop: 64, Bucket: 128, Fan: 32, Bytes: 4 << 10, Near: 128}

// pageRow returns the row key of a page of the counted order; good until the next
// row.
func (c *Collection) pageRow(t Txn, level uint8, boundary []byte) []byte {
	sc := t.Scratch()
	sc.row = keyenc.AppendElementRow(sc.row[:0], t.Prefix(), c.meta.ID, keyenc.TagBucket, "")
	sc.row = append(append(sc.row, level), boundary...)
	return sc.row
}

// readPage returns the entries of a page, in scratch.
func (c *Collection) readPage(t Txn, level uint8, boundary []byte) ([]byte, error) {
	sc := t.Scratch()
	row := c.pageRow(t, level, boundary) // boundary may lie in what is overwritten
	value, _, err := t.Get(sc.Val[:0], row)
	if errors.Is(err, base.ErrNotFound) || err == nil && len(value) == 0 {
		err = corrupt(c.name, errBucket)
	}
	if err != nil {
		return nil, err
	}
	sc.Val = value[:0]
	return value, nil
}

// rankOf returns how many rows of the order stand before key, which need not be
// there. Cost: a page per level and a walk in a bucket.
func (c *Collection) rankOf(t Txn, key []byte) (rank uint64, err error) {
	boundary, before, err := c.descend(t, func(page []byte) (rankCount, bool) { return findKey(page, key) })
	if err != nil || string(boundary) == string(key) {
		return before, err
	}
	cur, err := c.scanOrder(t, boundary, key)
	if err != nil {
		return 0, err
	}
	defer cur.Close()
	for rank = before; cur.Next(); {
		rank++
	}
	return rank, cur.Err()
}

// rankedAt returns the row of the order with so many before it; it is in scratch.
// The cost is that of rankOf.
func (c *Collection) rankedAt(t Txn, rank uint64) ([]byte, error) {
	boundary, _, err := c.descend(t, func(page []byte) (rankCount, bool) {
		e, ok := findRank(page, rank)
		rank -= min(rank, e.before)
		return e, ok
	})
	if err != nil {
		return nil, err
	}
	cur, err := c.scanOrder(t, boundary, nil)
	if err != nil {
		return nil, err
	}
	defer cur.Close()
	for cur.Next() {
		if rank == 0 {
			sc := t.Scratch()
			sc.row = append(sc.row[:0], cur.Key()...)
			return sc.row, nil
		}
		rank--
	}
	return nil, c.orCorrupt(cur.Err())
}

// descend goes from the root to a bucket, by the entry that find chooses of each page.
// It returns the bucket's boundary, in scratch, and how many members stand before it.
func (c *Collection) descend(t Txn, find func(page []byte) (rankCount, bool)) (boundary []byte, before uint64, err error) {
	sc := t.Scratch()
	for level := c.ranks.Levels; level > 0; level-- {
		page, err := c.readPage(t, level, boundary)
		if err != nil {
			return nil, 0, err
		}
		e, ok := find(page)
		if !ok {
			return nil, 0, corrupt(c.name, errBucket)
		}
		sc.bound = e.appendBoundary(sc.bound[:0], boundary)
		boundary, before = sc.bound, before+e.before
	}
	return boundary, before, nil
}

func (c *Collection) orCorrupt(err error) error {
	if err == nil {
		err = corrupt(c.name, errBucket)
	}
	return err
}

// scanOrder walks the rows of the score order from one key up to another; nil is
// the end.
func (c *Collection) scanOrder(t Txn, from, to []byte) (Cursor, error) {
	sc := t.Scratch()
	sc.Lo, sc.Hi = c.OrderBounds(t)
	if to != nil {
		sc.Hi = append(append(sc.Hi[:0], sc.Lo...), to...)
	}
	sc.Lo = append(sc.Lo, from...)
	return c.ScanRows(t, sc.Lo, sc.Hi, ScanOptions{KeysOnly: true})
}
