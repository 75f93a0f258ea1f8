package typed

import (
	"bytes"
	"math"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
)

// InsertBefore puts the value in front of the first one that equals pivot, and
// reports whether there is such a one. Cost: the walk to it from the front; to
// make room it writes a few rows, in the long run a number that grows with the
// logarithm of the length at worst, and never numbers the whole of a long list
// anew. [LINSERT BEFORE]
func (l List) InsertBefore(pivot, value []byte) (inserted bool, err error) {
	return l.insert(pivot, value, true)
}

// InsertAfter is InsertBefore, but behind the pivot. [LINSERT AFTER]
func (l List) InsertAfter(pivot, value []byte) (inserted bool, err error) {
	return l.insert(pivot, value, false)
}

func (l List) insert(pivot, value []byte, before bool) (bool, error) {
	return collection.Update(l.src, l.name, func(t collection.Txn) (bool, error) {
		if err := collection.CheckValue(value); err != nil {
			return false, err
		}
		c, found, err := l.openOld(t)
		if !found {
			return false, err
		}
		return c.InsertItem(t, pivot, value, before)
	})
}

// Remove removes the values that equal value: the first count of them, with a
// negative count the last −count, with 0 all. It returns how many it removed;
// without values left the key is gone. Cost: a walk, up to the last one removed.
// Drop removes the whole list with the key; Delete of a store does so without a
// report. [LREM]
func (l List) Remove(count int, value []byte) (removed int, err error) {
	return collection.Update(l.src, l.name, func(t collection.Txn) (int, error) {
		c, found, err := l.openOld(t)
		if !found {
			return 0, err
		}
		return c.RemoveItem(t, count, value)
	})
}

// PosOptions choose among the positions of a value. The zero value chooses all.
type PosOptions struct {
	Rank   int64 // start with this match: 2 the second, −1 the last and then forwards; 0 is 1
	Count  int   // at most so many; 0: all
	MaxLen int64 // compare with so many values only; 0: all
}

// Pos returns the position of the first value that equals value, or ErrNotFound.
// Cost: the walk to it. [LPOS]
func (l List) Pos(value []byte) (int64, error) {
	return collection.View(l.src, func(t collection.Txn) (int64, error) {
		at, err := l.positions(t, value, PosOptions{Count: 1})
		if err != nil {
			return 0, err
		}
		if len(at) == 0 {
			return 0, base.ErrNotFound
		}
		return at[0], nil
	})
}

// PosMany returns the positions of the values that equal value and that o chooses,
// in the order in which it looks at them: with a negative Rank from the back. A
// negative Count or MaxLen is ErrBadOption. Cost: a walk as long as o allows.
// [LPOS RANK COUNT MAXLEN]
func (l List) PosMany(value []byte, o PosOptions) ([]int64, error) {
	return collection.View(l.src, func(t collection.Txn) ([]int64, error) { return l.positions(t, value, o) })
}

func (l List) positions(t collection.Txn, value []byte, o PosOptions) (at []int64, err error) {
	switch {
	case o.Count < 0:
		return nil, badCount("PosOptions: Count", o.Count)
	case o.MaxLen < 0:
		return nil, badCount("PosOptions: MaxLen", o.MaxLen)
	case o.Rank == math.MinInt64:
		return nil, badCount("PosOptions: Rank", o.Rank)
	}
	c, found, err := l.openOld(t)
	if !found {
		return nil, err
	}
	skip, i, step := o.Rank-1, int64(0), int64(1)
	if o.Rank < 0 {
		skip, i, step = -o.Rank-1, int64(c.Count())-1, -1
	}
	cur, err := c.AllItems(t, collection.ScanOptions{Reverse: step < 0})
	if err != nil {
		return nil, err
	}
	defer cur.Close()
	for met := int64(0); (o.MaxLen == 0 || met < o.MaxLen) && cur.Next(); met++ {
		if bytes.Equal(cur.Value(), value) {
			if skip--; skip < 0 {
				at = append(at, i)
			}
			if len(at) == o.Count && o.Count > 0 {
				break
			}
		}
		i += step
	}
	return at, cur.Err()
}
