package typed

import (
	"iter"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Len returns how many values there are, at the same cost for any number. [LLEN]
func (l List) Len() (int64, error) { return length(l.Key, record.TypeList) }

// At returns the value at position i, which is yours, or ErrNotFound if the list
// does not reach so far. The cost is the same for any i, unless there are gaps (see
// List). [LINDEX]
func (l List) At(i int64) ([]byte, error) {
	return collection.View(l.src, func(t collection.Txn) ([]byte, error) {
		c, found, err := l.openOld(t)
		if err != nil {
			return nil, err
		}
		at, inside := within(i, c.Count())
		if !found || !inside {
			return nil, base.ErrNotFound
		}
		return c.ItemAt(t, at)
	})
}

// SetAt replaces the value at position i. ErrNotFound if there is no list,
// ErrOutOfRange if it does not reach so far. It costs what At does. [LSET]
func (l List) SetAt(i int64, value []byte) error {
	_, err := collection.Update(l.src, l.name, func(t collection.Txn) (bool, error) {
		if err := collection.CheckValue(value); err != nil {
			return false, err
		}
		c, found, err := l.openOld(t)
		if err != nil {
			return false, err
		}
		if !found {
			return false, base.ErrNotFound
		}
		at, inside := within(i, c.Count())
		if !inside {
			return false, base.Errorf(base.ErrOutOfRange, "list %s has %d items, none at %d", base.Quote(l.name), c.Count(), i)
		}
		return true, c.SetItem(t, at, value)
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
		collection.Stream(l.src, yield, func(t collection.Txn, each func([]byte) bool) error {
			c, found, err := l.openOld(t)
			if !found {
				return err
			}
			i, n := span(start, stop, int64(c.Count()))
			if n == 0 {
				return nil
			}
			cur, err := c.ItemsFrom(t, i, n)
			if err != nil {
				return err
			}
			defer cur.Close()
			for range n {
				if !cur.Next() {
					return cur.Missing()
				}
				if !each(collection.Owned(cur.Value())) {
					return nil
				}
			}
			return nil
		})
	}
}

// Item is an item of a list with its index: items are in the order of their indexes,
// which are no positions and leave gaps.
type Item struct {
	Index uint64
	Value []byte
}

// Items yields the items with the indexes by which a change feed tells of them. So a
// follower learns of each list of the state that it begins with. A call that changes the
// list may move items to other indexes, and a small list begins anew with each change.
// A value is borrowed: copy what you keep beyond the loop's next step.
func (l List) Items() iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		collection.Stream(l.src, yield, func(t collection.Txn, each func(Item) bool) error {
			c, found, err := l.openOld(t)
			if !found {
				return err
			}
			cur, err := c.AllItems(t, collection.ScanOptions{})
			if err != nil {
				return err
			}
			defer cur.Close()
			for cur.Next() {
				if !each(Item{cur.Index(), collection.Owned(cur.Value())}) {
					return nil
				}
			}
			return cur.Err()
		})
	}
}

// Trim keeps the values from position start to stop, both included, and removes
// the others; if none is left the key is gone. [LTRIM]
func (l List) Trim(start, stop int64) error {
	_, err := collection.Update(l.src, l.name, func(t collection.Txn) (bool, error) {
		c, found, err := l.openOld(t)
		if !found {
			return false, err
		}
		count := int64(c.Count())
		i, n := span(start, stop, count)
		if n == count {
			return true, nil
		}
		if n == 0 {
			return true, c.Drop(t)
		}
		return true, c.Trim(t, i, n)
	})
	return err
}
