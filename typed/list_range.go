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
// does not reach so far. The cost is the same for any i. [LINDEX]
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
		v, _, err := t.Get(nil, c.item(t, c.list.index(at)))
		return owned(v), c.lost(err)
	})
}

// SetAt replaces the value at position i. ErrNotFound if there is no list,
// ErrOutOfRange if it does not reach so far. [LSET]
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
		return true, t.Put(c.item(t, c.list.index(at)), record.TypeNone, 0, value)
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
			cur, err := c.items(t, i, n, false)
			if err != nil {
				return err
			}
			defer cur.Close()
			for ; cur.Next(); n-- {
				if !each(owned(cur.Value())) {
					return nil
				}
			}
			if err := cur.Err(); err != nil {
				return err
			}
			if n != 0 {
				return corrupt(l.name, errLostElement)
			}
			return nil
		})
	}
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
		if err := c.deleteItems(t, 0, i); err != nil {
			return false, err
		}
		if err := c.deleteItems(t, i+n, count-i-n); err != nil {
			return false, err
		}
		c.cut(uint64(count-i-n), false)
		c.cut(uint64(i), true)
		return true, c.save(t)
	})
	return err
}

// trimByRow is up to how many items are deleted one by one: a list that is capped
// after every push would else gather a range tombstone per push.
const trimByRow = 64

func (c *collection) deleteItems(t Txn, i, n int64) error {
	if n <= 0 {
		return nil
	}
	if n > trimByRow {
		sc := t.Scratch()
		sc.lo = keyenc.AppendItemRow(sc.lo[:0], t.Prefix(), c.meta.ID, c.list.index(i))
		sc.hi = keyenc.AppendItemRow(sc.hi[:0], t.Prefix(), c.meta.ID, c.list.index(i+n))
		return t.DeleteRange(sc.lo, sc.hi)
	}
	for end := i + n; i < end; i++ {
		if err := t.Delete(c.item(t, c.list.index(i))); err != nil {
			return err
		}
	}
	return nil
}
