package typed

import (
	"iter"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Len returns how many values there are, at the same cost for any number. [LLEN]
func (l List) Len() (int64, error) { return length(l.Key, record.TypeList) }

// At returns the value at position i, which is yours, or ErrNotFound if the list
// does not reach so far. The cost is the same for any i, unless there are gaps (see
// List). [LINDEX]
func (l List) At(i int64) ([]byte, error) {
	return view(l.src, func(t Txn) ([]byte, error) {
		c, found, err := l.openOld(t)
		if err != nil {
			return nil, err
		}
		at, inside := within(i, c.meta.Count)
		if !found || !inside {
			return nil, base.ErrNotFound
		}
		index, err := c.locate(t, at)
		if err != nil {
			return nil, err
		}
		v, _, err := c.getRow(t, nil, c.item(t, index))
		return owned(v), c.lost(err)
	})
}

// SetAt replaces the value at position i. ErrNotFound if there is no list,
// ErrOutOfRange if it does not reach so far. It costs what At does. [LSET]
func (l List) SetAt(i int64, value []byte) error {
	_, err := update(l.src, l.name, func(t Txn) (bool, error) {
		if err := checkValue(value); err != nil {
			return false, err
		}
		c, found, err := l.openOld(t)
		if err != nil {
			return false, err
		}
		if !found {
			return false, base.ErrNotFound
		}
		at, inside := within(i, c.meta.Count)
		if !inside {
			return false, base.ErrOutOfRange
		}
		index, err := c.locate(t, at)
		if err != nil {
			return false, err
		}
		if err := c.putRow(t, c.item(t, index), record.TypeNone, value); err != nil {
			return false, err
		}
		return true, c.keep(t)
	})
	return err
}

// within resolves position i of count items.
func within(i int64, count uint64) (int64, bool) {
	if i < 0 {
		i += int64(count)
	}
	return i, i >= 0 && i < int64(count)
}

// Range yields the values from position start to stop, both included. It cuts off
// what lies outside the list. A value is borrowed: copy what you keep beyond the
// loop's next step. [LRANGE]
func (l List) Range(start, stop int64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		stream(l.src, yield, func(t Txn, each func([]byte) bool) error {
			c, found, err := l.openOld(t)
			if !found {
				return err
			}
			i, n := span(start, stop, int64(c.meta.Count))
			if n == 0 {
				return nil
			}
			cur, err := c.itemsFrom(t, i, n)
			if err != nil {
				return err
			}
			defer cur.Close()
			for range n {
				if !cur.Next() {
					return cur.missing()
				}
				if !each(owned(cur.Value())) {
					return nil
				}
			}
			return nil
		})
	}
}

// itemsFrom walks the n items from position i on, and may walk on behind them.
func (c *collection) itemsFrom(t Txn, i, n int64) (itemCursor, error) {
	lo, err := c.boundary(t, i)
	if err != nil {
		return itemCursor{}, err
	}
	hi := c.list.end
	if !c.list.gaps {
		hi = lo + uint64(n)*stride
	}
	return c.items(t, lo, hi, ScanOptions{})
}

// Trim keeps the values from position start to stop, both included, and removes
// the others; if none is left the key is gone. [LTRIM]
func (l List) Trim(start, stop int64) error {
	_, err := update(l.src, l.name, func(t Txn) (bool, error) {
		c, found, err := l.openOld(t)
		if !found {
			return false, err
		}
		count := int64(c.meta.Count)
		i, n := span(start, stop, count)
		if n == count {
			return true, nil
		}
		if n == 0 {
			return true, c.drop(t)
		}
		return true, c.trim(t, i, n)
	})
	return err
}

// trim keeps the n items from position i on, at least one, and saves.
func (c *collection) trim(t Txn, i, n int64) error {
	count := int64(c.meta.Count)
	lo, err := c.boundary(t, i)
	if err != nil {
		return err
	}
	hi, err := c.boundary(t, i+n)
	if err != nil {
		return err
	}
	if err := c.deleteItems(t, c.list.first, lo, i); err != nil {
		return err
	}
	if err := c.deleteItems(t, hi, c.list.end, count-i-n); err != nil {
		return err
	}
	c.list.first, c.list.end = lo, hi
	c.shrank(uint64(count - n))
	return c.saveItems(t)
}

// trimByRow is up to how many items are deleted one by one: a list that is capped
// after every push would else gather a range tombstone per push.
const trimByRow = 64

// deleteItems deletes the n items with indexes in [lo, hi).
func (c *collection) deleteItems(t Txn, lo, hi uint64, n int64) error {
	if n == 0 {
		return nil
	}
	if c.isInline() {
		return c.cutInline(t, lo, n)
	}
	if n > trimByRow {
		sc := t.Scratch()
		sc.lo = keyenc.AppendItemRow(sc.lo[:0], t.Prefix(), c.meta.ID, lo)
		sc.hi = keyenc.AppendItemRow(sc.hi[:0], t.Prefix(), c.meta.ID, hi)
		return t.DeleteRange(sc.lo, sc.hi)
	}
	if !c.list.gaps {
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
