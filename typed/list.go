package typed

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// List is a key that holds a sequence of values. Positions count from 0, and from
// −1 backwards from the end. Safe for concurrent use if what it comes from is.
//
// What happens at the ends costs the same at any length. A position costs the
// same, too, while the list changes at its ends only. An insert or a removal in
// between leaves gaps in the numbering of the items, and from then on a position
// is found by a walk from the nearer end, until at most one item is left.
//
// There are no calls that wait for a value: a transaction that waited would hold
// its snapshot, and a one-shot has nobody to wake it. [BLPOP, BRPOP, BLMOVE and
// BLMPOP have no counterpart]
type List struct{ Key }

// NewList returns a handle of the list called name.
func NewList(src Source, name string) List { return List{Key{src, name}} }

// End is an end of a list.
type End uint8

const (
	Front End = iota // where position 0 is
	Back             // where position −1 is
)

// String returns "front" or "back".
func (e End) String() string {
	if e == Front {
		return "front"
	}
	return "back"
}

func checkEnd(e End) error {
	if e > Back {
		return base.ErrSyntax
	}
	return nil
}

func (l List) openOld(t Txn) (collection, bool, error) { return openOld(t, l.name, record.TypeList) }

// PushFront puts the values in front, one after the other, so that the last one
// given is the first of the list; it returns the length then. Without values it
// changes nothing. [LPUSH]
func (l List) PushFront(values ...[]byte) (n int64, err error) { return l.push(values, Front, false) }

// PushBack puts the values behind the last one, in the order given, and returns
// the length then. [RPUSH]
func (l List) PushBack(values ...[]byte) (n int64, err error) { return l.push(values, Back, false) }

// PushFrontX is PushFront if there is such a list; if not, it changes nothing and
// returns 0. [LPUSHX]
func (l List) PushFrontX(values ...[]byte) (n int64, err error) { return l.push(values, Front, true) }

// PushBackX is PushBack if there is such a list; if not, it changes nothing and
// returns 0. [RPUSHX]
func (l List) PushBackX(values ...[]byte) (n int64, err error) { return l.push(values, Back, true) }

func (l List) push(values [][]byte, end End, old bool) (int64, error) {
	return update(l.src, l.name, func(t Txn) (int64, error) {
		for _, v := range values {
			if err := checkValue(v); err != nil {
				return 0, err
			}
		}
		c, err := openCollection(t, l.name, record.TypeList)
		if err != nil || len(values) == 0 || old && !c.exists {
			return int64(c.meta.Count), err
		}
		if err := c.canGrow(uint64(len(values)), end); err != nil {
			return 0, err
		}
		for _, v := range values {
			if err := c.pushItem(t, v, end); err != nil {
				return 0, err
			}
		}
		return int64(c.meta.Count), c.save(t)
	})
}

// canGrow refuses n more items at an end before any of them is written.
func (c *collection) canGrow(n uint64, end End) error {
	if c.exists && end == Front && c.list.first/stride < n || c.exists && end == Back && ^c.list.end/stride < n {
		return base.ErrOverflow
	}
	return nil
}

// pushItem puts the value at an end of the list, which begins with it if there is
// none.
func (c *collection) pushItem(t Txn, v []byte, end End) error {
	if !c.made() {
		if err := c.create(t); err != nil {
			return err
		}
		c.list = listSpan{first: keyenc.ItemMiddle, end: keyenc.ItemMiddle}
	}
	index, err := c.list.extend(end)
	if err != nil {
		return err
	}
	return c.putItem(t, index, v)
}

// putItem writes an item that is new.
func (c *collection) putItem(t Txn, index uint64, v []byte) error {
	if err := c.putRow(t, c.item(t, index), record.TypeNone, v); err != nil {
		return err
	}
	c.grew(len(v))
	return nil
}

// item returns the row key of the item with the given index; good until the next
// row.
func (c *collection) item(t Txn, index uint64) []byte {
	sc := t.Scratch()
	sc.row = keyenc.AppendItemRow(sc.row[:0], t.Prefix(), c.meta.ID, index)
	return sc.row
}
