package typed

import (
	"bytes"
	"math"

	"github.com/siltstonedb/siltstone/internal/base"
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
	return update(l.src, l.name, func(t Txn) (bool, error) {
		if err := checkValue(value); err != nil {
			return false, err
		}
		c, found, err := l.openOld(t)
		if !found {
			return false, err
		}
		if inserted, done, err := c.insertInline(t, pivot, value, before); done || err != nil {
			return inserted, err
		}
		g, found, err := c.gapBeside(t, pivot, before)
		if !found {
			return false, err
		}
		index, err := c.indexIn(t, g)
		if err != nil {
			return false, err
		}
		if err := c.putItem(t, index, value); err != nil {
			return false, err
		}
		return true, c.save(t)
	})
}

// gapBeside finds the first item that equals pivot and returns the gap on one
// side of it.
func (c *collection) gapBeside(t Txn, pivot []byte, before bool) (g listGap, found bool, err error) {
	cur, err := c.items(t, c.list.first, c.list.end, ScanOptions{})
	if err != nil {
		return g, false, err
	}
	defer cur.Close()
	for cur.Next() {
		met := bytes.Equal(cur.Value(), pivot)
		if met && before {
			g.hi, g.above = cur.index, true
			return g, true, nil
		}
		g.lo, g.below = cur.index, true
		if met {
			if g.above = cur.Next(); g.above {
				g.hi = cur.index
			}
			return g, cur.Err() == nil, cur.Err()
		}
	}
	return g, false, cur.Err()
}

// Remove removes the values that equal value: the first count of them, with a
// negative count the last −count, with 0 all. It returns how many it removed;
// without values left the key is gone. Cost: a walk, up to the last one removed.
// [LREM]
func (l List) Remove(count int, value []byte) (removed int, err error) {
	return update(l.src, l.name, func(t Txn) (int, error) {
		c, found, err := l.openOld(t)
		if !found {
			return 0, err
		}
		if c.isInline() {
			return c.removeInline(t, count, value)
		}
		n, err := c.removeItems(t, count, value)
		if err != nil || n == 0 {
			return 0, err
		}
		c.shrank(uint64(n))
		return n, c.saveItems(t)
	})
}

// removeItems deletes the rows that Remove is to remove. Items removed at an end
// are cut off; those in between leave gaps.
func (c *collection) removeItems(t Txn, count int, value []byte) (n int, err error) {
	near, far, limit := Front, Back, count
	if count < 0 {
		near, far, limit = Back, Front, -count
	}
	if limit <= 0 { // all, or −count does not fit
		limit = math.MaxInt
	}
	cur, err := c.items(t, c.list.first, c.list.end, ScanOptions{Reverse: near == Back})
	if err != nil {
		return 0, err
	}
	defer cur.Close()
	outermost := true // every item so far was removed
	running := false  // the item before was, and is not outermost
	var run uint64    // index where that began
	for n < limit && cur.Next() {
		if !bytes.Equal(cur.Value(), value) {
			c.list.gaps = c.list.gaps || running
			outermost, running = false, false
			continue
		}
		if err := c.deleteRow(t, cur.Key()); err != nil {
			return 0, err
		}
		n++
		if outermost {
			c.list.cut(cur.index, near)
		} else if !running {
			run, running = cur.index, true
		}
	}
	if running && n == limit && cur.Next() { // others follow
		c.list.gaps = true
	} else if running {
		c.list.cut(run, far)
	}
	return n, cur.Err()
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
	return view(l.src, func(t Txn) (int64, error) {
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
// negative Count or MaxLen is ErrOutOfRange. Cost: a walk as long as o allows.
// [LPOS RANK COUNT MAXLEN]
func (l List) PosMany(value []byte, o PosOptions) ([]int64, error) {
	return view(l.src, func(t Txn) ([]int64, error) { return l.positions(t, value, o) })
}

func (l List) positions(t Txn, value []byte, o PosOptions) (at []int64, err error) {
	if o.Count < 0 || o.MaxLen < 0 || o.Rank == math.MinInt64 {
		return nil, base.ErrOutOfRange
	}
	c, found, err := l.openOld(t)
	if !found {
		return nil, err
	}
	skip, i, step := o.Rank-1, int64(0), int64(1)
	if o.Rank < 0 {
		skip, i, step = -o.Rank-1, int64(c.meta.Count)-1, -1
	}
	cur, err := c.items(t, c.list.first, c.list.end, ScanOptions{Reverse: step < 0})
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
