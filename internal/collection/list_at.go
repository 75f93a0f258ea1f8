package collection

import (
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// item returns the row key of the item with the given index; good until the next
// row.
func (c *Collection) item(t Txn, index uint64) []byte {
	sc := t.Scratch()
	sc.row = keyenc.AppendItemRow(sc.row[:0], t.Prefix(), c.meta.ID, index)
	return sc.row
}

// ItemAt returns the value at position i, which is in the list. It is the user's.
func (c *Collection) ItemAt(t Txn, i int64) ([]byte, error) {
	index, err := c.locate(t, i)
	if err != nil {
		return nil, err
	}
	v, _, err := c.getRow(t, nil, c.item(t, index))
	return Owned(v), c.lost(err)
}

// SetItem replaces the value at position i, which is in the list, and keeps.
func (c *Collection) SetItem(t Txn, i int64, value []byte) error {
	index, err := c.locate(t, i)
	if err != nil {
		return err
	}
	if err := c.putRow(t, c.item(t, index), record.TypeNone, value); err != nil {
		return err
	}
	return c.Keep(t)
}

// ItemsFrom walks the n items from position i on, and may walk on behind them.
func (c *Collection) ItemsFrom(t Txn, i, n int64) (itemCursor, error) {
	lo, err := c.boundary(t, i)
	if err != nil {
		return itemCursor{}, err
	}
	hi := c.list.End
	if !c.list.Gaps {
		hi = lo + uint64(n)*stride
	}
	return c.items(t, lo, hi, ScanOptions{})
}

// Trim keeps the n items from position i on, at least one, and saves.
func (c *Collection) Trim(t Txn, i, n int64) error {
	count := int64(c.meta.Count)
	lo, err := c.boundary(t, i)
	if err != nil {
		return err
	}
	hi, err := c.boundary(t, i+n)
	if err != nil {
		return err
	}
	if err := c.deleteItems(t, c.list.First, lo, i); err != nil {
		return err
	}
	if err := c.deleteItems(t, hi, c.list.End, count-i-n); err != nil {
		return err
	}
	c.list.First, c.list.End = lo, hi
	c.Shrank(uint64(count - n))
	return c.saveItems(t)
}

// trimByRow is up to how many items are deleted one by one: a list that is capped
// after every push would else gather a range tombstone per push.
const trimByRow = 64

// deleteItems deletes the n items with indexes in [lo, hi).
func (c *Collection) deleteItems(t Txn, lo, hi uint64, n int64) error {
	if n == 0 {
		return nil
	}
	if c.isInline() {
		return c.cutInline(t, lo, n)
	}
	if n > trimByRow {
		sc := t.Scratch()
		sc.Lo = keyenc.AppendItemRow(sc.Lo[:0], t.Prefix(), c.meta.ID, lo)
		sc.Hi = keyenc.AppendItemRow(sc.Hi[:0], t.Prefix(), c.meta.ID, hi)
		return t.DeleteRange(sc.Lo, sc.Hi)
	}
	if !c.list.Gaps {
		for ; lo < hi; lo += stride {
			if err := t.Delete(c.item(t, lo)); err != nil {
				return err
			}
		}
		return nil
	}
	cur, err := c.items(t, lo, hi, ScanOptions{KeysOnly: true})
	if err != nil {
		return err
	}
	defer cur.Close()
	for cur.Next() {
		if err := t.Delete(cur.Key()); err != nil {
			return err
		}
	}
	return cur.Err()
}
