package collection

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Side is an end of a list.
type Side uint8

const (
	front Side = iota // where position 0 is
	back              // where position −1 is
)

// PushItems puts the values at an end of the list, one after the other, and saves.
func (c *Collection) PushItems(t Txn, values [][]byte, end Side) error {
	if err := c.canGrow(uint64(len(values)), end); err != nil {
		return err
	}
	for _, v := range values {
		if err := c.pushItem(t, v, end); err != nil {
			return err
		}
	}
	return c.save(t)
}

// canGrow refuses n more items at an end before any of them is written.
func (c *Collection) canGrow(n uint64, end Side) error {
	if c.exists && end == front && c.list.First/stride < n || c.exists && end == back && ^c.list.End/stride < n {
		return base.Errorf(base.ErrOverflow, "list %s has no place for %d more at this end", base.Quote(c.name), n)
	}
	return nil
}

// pushItem puts the value at an end of the list, which begins with it if there is
// none.
func (c *Collection) pushItem(t Txn, v []byte, end Side) error {
	if !c.made() {
		if err := c.Create(t); err != nil {
			return err
		}
		c.list = newListSpan(keyenc.ItemMiddle, keyenc.ItemMiddle)
	}
	index, err := c.list.extend(end)
	if err != nil {
		return err
	}
	return c.putItem(t, index, v)
}

// putItem writes an item that is new.
func (c *Collection) putItem(t Txn, index uint64, v []byte) error {
	if err := c.putRow(t, c.item(t, index), record.TypeNone, v); err != nil {
		return err
	}
	c.Grew(len(v))
	return nil
}

func (c *Collection) Rotate(t Txn, from, to Side) ([]byte, error) {
	if err := c.canGrow(1, to); err != nil {
		return nil, err
	}
	v, err := c.popItem(t, from)
	if err != nil {
		return nil, err
	}
	if err := c.pushItem(t, v, to); err != nil {
		return nil, err
	}
	return v, c.saveItems(t)
}

func (c *Collection) MoveItem(t Txn, d *Collection, from, to Side) ([]byte, error) {
	if err := d.canGrow(1, to); err != nil {
		return nil, err
	}
	v, err := c.popItem(t, from)
	if err != nil {
		return nil, err
	}
	if err := c.saveItems(t); err != nil {
		return nil, err
	}
	if err := d.pushItem(t, v, to); err != nil {
		return nil, err
	}
	return v, d.save(t)
}

// PopOne removes the value at an end, and saves. The value is the user's.
func (c *Collection) PopOne(t Txn, end Side) ([]byte, error) {
	v, err := c.popItem(t, end)
	if err != nil {
		return nil, err
	}
	return v, c.saveItems(t)
}

// popItem removes the value at an end; the caller saves. The value is the user's.
func (c *Collection) popItem(t Txn, end Side) ([]byte, error) {
	if c.list.Gaps {
		values, err := c.takeItems(t, 1, end)
		if err != nil {
			return nil, err
		}
		return values[0], nil
	}
	index := c.list.First
	if end == back {
		index = c.list.End - stride
	}
	row := c.item(t, index)
	v, _, err := c.getRow(t, nil, row)
	if err != nil {
		return nil, c.lost(err)
	}
	if err := c.deleteRow(t, row); err != nil {
		return nil, err
	}
	c.list.cut(index, end)
	c.Shrank(1)
	return Owned(v), nil
}

// PopItems removes up to n values, at least one, from an end, and saves.
func (c *Collection) PopItems(t Txn, n int, end Side) ([][]byte, error) {
	values, err := c.takeItems(t, min(int64(n), int64(c.meta.Count)), end)
	if err != nil {
		return nil, err
	}
	return values, c.saveItems(t)
}

// popByRow is up to how many items are read one by one, where their indexes are
// known: a walk would meet every version of a row that is put and deleted by turns.
const popByRow = 8

// takeItems removes n values, of so many, from an end; the caller saves.
func (c *Collection) takeItems(t Txn, n int64, end Side) (values [][]byte, err error) {
	if !c.list.Gaps && n <= popByRow {
		for range n {
			v, err := c.popItem(t, end)
			if err != nil {
				return nil, err
			}
			values = append(values, v)
		}
		return values, nil
	}
	lo, hi := c.list.First, c.list.End
	if !c.list.Gaps { // what is not asked for is not read
		if end == front {
			hi = lo + uint64(n)*stride
		} else {
			lo = hi - uint64(n)*stride
		}
	}
	cur, err := c.items(t, lo, hi, ScanOptions{Reverse: end == back})
	if err != nil {
		return nil, err
	}
	defer cur.Close()
	for int64(len(values)) < n {
		if !cur.Next() {
			return nil, cur.Missing()
		}
		values = append(values, append([]byte{}, cur.Value()...))
		if err := c.deleteRow(t, cur.Key()); err != nil {
			return nil, err
		}
		c.list.cut(cur.index, end)
	}
	c.Shrank(uint64(n))
	return values, nil
}
