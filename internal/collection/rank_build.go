package collection

import (
	"slices"

	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// fitRanks has the order counted if the set got large, and no more if it got
// small. A large set that a version without counted orders wrote is counted by
// the first call that writes to it: a walk of it all, once.
func (c *Collection) fitRanks(t Txn) error {
	switch {
	case c.meta.Count == 0:
		c.forgetPages(t) // all rows go
	case c.ranks.Levels == 0 && c.meta.Count > Shape.Build:
		return c.buildRanks(t)
	case c.ranks.Levels > 0 && c.meta.Count < Shape.Drop:
		c.ranks = record.Ranks{}
		return c.deletePages(t)
	}
	return nil
}

// buildRanks counts the whole order.
func (c *Collection) buildRanks(t Txn) error {
	// A version that does not know pages may have left some behind.
	if err := c.deletePages(t); err != nil {
		return err
	}
	entries, err := c.buckets(t)
	if err != nil {
		return err
	}
	for level := uint8(1); level <= record.MaxRankLevels; level++ {
		var above []rankEntry
		for chunk := range slices.Chunk(entries, Shape.Fan*3/4) {
			for _, part := range cutPage(chunk) {
				p := c.newPage(t, level, []byte(part[0].boundary))
				p.entries = part
				above = append(above, p.entry())
				p.putTogether()
			}
		}
		c.ranks.Levels = level
		if entries = above; len(above) == 1 {
			break
		}
	}
	return nil
}

// buckets walks the order and cuts it into buckets.
func (c *Collection) buckets(t Txn) ([]rankEntry, error) {
	cur, err := c.scanOrder(t, nil, nil)
	if err != nil {
		return nil, err
	}
	defer cur.Close()
	head := keyenc.CollectionHeaderLen(t.Prefix())
	entries := []rankEntry{{}}
	var last []byte
	for cur.Next() {
		key := cur.Key()[head:]
		if entries[len(entries)-1].members == uint64(Shape.Bucket*3/4) {
			entries = append(entries, rankEntry{boundary: separate(last, key)})
		}
		entries[len(entries)-1].members++
		last = append(last[:0], key...)
	}
	return entries, cur.Err()
}

// deletePages deletes every page.
func (c *Collection) deletePages(t Txn) error {
	c.forgetPages(t)
	sc := t.Scratch()
	sc.Lo = keyenc.AppendElementRow(sc.Lo[:0], t.Prefix(), c.meta.ID, keyenc.TagBucket, "")
	sc.Hi = AppendSuccessor(sc.Hi[:0], sc.Lo)
	cur, err := t.Scan(sc.Lo, sc.Hi, ScanOptions{KeysOnly: true})
	if err != nil {
		return err
	}
	defer cur.Close()
	for cur.Next() {
		sc.row = append(sc.row[:0], cur.Key()...)
		if err := t.Delete(sc.row); err != nil {
			return err
		}
	}
	return cur.Err()
}
