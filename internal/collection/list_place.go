package collection

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/record"
)

// How an item finds an index between two others.
//
// Neighbours begin a stride apart, and an item between them takes the middle; so
// the usual insert writes its own row. Where there is no index left between two,
// the items around are spread evenly over a window of the index space, that
// starts small and doubles until the items in it are few enough:
//
//	indexes   …|   a         b cXd e      f      g|…     X finds no room
//	window               [b cXd e ]                      too dense: double it
//	           [   a         b cXd e      f      g]
//	spread     [ a    b    c    X    d    e    f    g]
//
// A window of 2ᵇ indexes takes 2^(2b/3) items: the larger it is, the sparser it
// must be. After a spread, a window inside has to gather new items in proportion
// to what it takes before it is too dense again, and these pay for the next
// spread. Windows nest, so an insert pays once for each size: O(log n) rows in the
// long run, whatever the order of the inserts. Where nothing was inserted a window
// of 2ᵇ indexes holds 2^(b−16) items, so one that takes more is found inside any
// list of fewer than 2³² items. Beyond the ends of the list, windows are empty;
// there is one that takes all the items of a list of up to 2⁴² items.

// listGap is the room between two neighbours, or beyond the outermost item.
type listGap struct {
	lo, hi       uint64 // their indexes
	below, above bool   // there is an item at lo, at hi
}

// indexIn returns an index in the gap for a new item, which the caller puts there.
func (c *Collection) indexIn(t Txn, g listGap) (uint64, error) {
	switch {
	case !g.below:
		return c.list.extend(front)
	case !g.above:
		return c.list.extend(back)
	}
	c.list.Gaps = true
	if g.hi-g.lo > 1 {
		return g.lo + (g.hi-g.lo)/2, nil
	}
	w, err := c.windowAround(t, g.hi)
	if err != nil {
		return 0, err
	}
	return c.spread(t, w)
}

// listWindow is the aligned window of 2^bits indexes from lo on, that is to hold
// its items and a new one behind the first so many of them.
type listWindow struct {
	lo     uint64
	bits   uint
	before uint64 // items in front of the new one
	items  uint64 // all of them, without the new one
}

// windowTakes is how many items a window may hold after a spread.
func windowTakes(bits uint) uint64 { return 1 << (bits * 2 / 3) }

// last returns the last index of the window.
func (w listWindow) last() uint64 { return w.lo + (1<<w.bits - 1) }

// slots returns the first index of an even spread, and the distance to the next,
// which is at least 2; so the last index of the window is not used, and behind
// every item there is an index that bounds it.
func (w listWindow) slots() (first, step uint64) {
	step = (1 << w.bits) / (w.items + 1)
	return w.lo + (step-1)/2, step
}

// isSlot reports whether an item or the new one gets the index.
func (w listWindow) isSlot(index uint64) bool {
	first, step := w.slots()
	return index >= first && (index-first)%step == 0 && (index-first)/step <= w.items
}

// windowAround returns the smallest window around the item with the index at that
// takes one more item, to be put in front of that one.
func (c *Collection) windowAround(t Txn, at uint64) (w listWindow, err error) {
	down, err := c.items(t, c.list.First, at, ScanOptions{KeysOnly: true, Reverse: true})
	if err != nil {
		return w, err
	}
	defer down.Close()
	up, err := c.items(t, at, c.list.End, ScanOptions{KeysOnly: true})
	if err != nil {
		return w, err
	}
	defer up.Close()
	lower, upper := down.Next(), up.Next()
	for w.bits = 1; w.bits < 64; w.bits++ {
		w.lo = at &^ (1<<w.bits - 1)
		for ; lower && down.index >= w.lo; lower = down.Next() {
			w.before++
			w.items++
		}
		for ; upper && up.index <= w.last(); upper = up.Next() {
			w.items++
		}
		if w.items < windowTakes(w.bits) {
			break
		}
	}
	if err := down.Err(); err != nil {
		return w, err
	}
	if err := up.Err(); err != nil {
		return w, err
	}
	if w.bits == 64 {
		return w, base.Errorf(base.ErrOverflow, "list %s has no place between two of its items", base.Quote(c.name))
	}
	return w, nil
}

// spread numbers the items of the window anew and returns the index it leaves for
// the new one. A row is written only where the index changes, and deleted only if
// nothing is put in its place.
func (c *Collection) spread(t Txn, w listWindow) (index uint64, err error) {
	hi := c.list.End
	if w.last() < hi {
		hi = w.last() + 1
	}
	cur, err := c.items(t, max(w.lo, c.list.First), hi, ScanOptions{})
	if err != nil {
		return 0, err
	}
	defer cur.Close()
	first, step := w.slots()
	index = first + w.before*step
	to := first
	for range w.items {
		if !cur.Next() {
			return 0, cur.Missing()
		}
		if to == index {
			to += step
		}
		if !w.isSlot(cur.index) {
			if err := t.Delete(cur.Key()); err != nil {
				return 0, err
			}
		}
		if cur.index != to {
			if err := t.Put(c.item(t, to), record.TypeNone, 0, cur.Value()); err != nil {
				return 0, err
			}
		}
		to += step
	}
	c.list.First = min(c.list.First, first)
	c.list.End = max(c.list.End, first+w.items*step+1)
	return index, nil
}
