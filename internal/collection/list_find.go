package collection

import (
	"bytes"
	"math"
)

// InsertItem puts the value beside the first one that equals pivot and saves; it
// reports whether there is such a one.
func (c *Collection) InsertItem(t Txn, pivot, value []byte, before bool) (bool, error) {
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
}

// gapBeside finds the first item that equals pivot and returns the gap on one
// side of it.
func (c *Collection) gapBeside(t Txn, pivot []byte, before bool) (g listGap, found bool, err error) {
	cur, err := c.items(t, c.list.First, c.list.End, ScanOptions{})
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

// RemoveItem removes the values that equal value, the first count of them, with
// a negative count the last −count, with 0 all, and saves. It returns how many.
func (c *Collection) RemoveItem(t Txn, count int, value []byte) (int, error) {
	if c.isInline() {
		return c.removeInline(t, count, value)
	}
	n, err := c.removeItems(t, count, value)
	if err != nil || n == 0 {
		return 0, err
	}
	c.Shrank(uint64(n))
	return n, c.saveItems(t)
}

// removeItems deletes the rows that Remove is to remove. Items removed at an end
// are cut off; those in between leave gaps.
func (c *Collection) removeItems(t Txn, count int, value []byte) (n int, err error) {
	near, far, limit := front, back, count
	if count < 0 {
		near, far, limit = back, front, -count
	}
	if limit <= 0 { // all, or −count does not fit
		limit = math.MaxInt
	}
	cur, err := c.items(t, c.list.First, c.list.End, ScanOptions{Reverse: near == back})
	if err != nil {
		return 0, err
	}
	defer cur.Close()
	outermost := true // every item so far was removed
	running := false  // the item before was, and is not outermost
	var run uint64    // index where that began
	for n < limit && cur.Next() {
		if !bytes.Equal(cur.Value(), value) {
			c.list.Gaps = c.list.Gaps || running
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
		c.list.Gaps = true
	} else if running {
		c.list.cut(run, far)
	}
	return n, cur.Err()
}
