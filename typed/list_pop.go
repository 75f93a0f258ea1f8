package typed

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/record"
)

// PopFront removes the first value and returns it, which is yours, or
// ErrNotFound. [LPOP]
func (l List) PopFront() ([]byte, error) { return l.popOne(Front) }

// PopBack removes the last value and returns it, which is yours, or ErrNotFound.
// [RPOP]
func (l List) PopBack() ([]byte, error) { return l.popOne(Back) }

// PopFrontN removes up to n values from the front and returns them, first value
// first. A negative n is ErrOutOfRange. [LPOP count]
func (l List) PopFrontN(n int) ([][]byte, error) { return l.popMany(n, Front) }

// PopBackN removes up to n values from the back and returns them, last value
// first. [RPOP count]
func (l List) PopBackN(n int) ([][]byte, error) { return l.popMany(n, Back) }

func (l List) popOne(end End) ([]byte, error) {
	return update(l.src, l.name, func(t Txn) ([]byte, error) {
		c, found, err := l.openOld(t)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, base.ErrNotFound
		}
		v, err := c.popItem(t, end)
		if err != nil {
			return nil, err
		}
		return v, c.saveItems(t)
	})
}

func (l List) popMany(n int, end End) ([][]byte, error) {
	return update(l.src, l.name, func(t Txn) ([][]byte, error) {
		if n < 0 {
			return nil, base.ErrOutOfRange
		}
		c, found, err := l.openOld(t)
		if !found || n == 0 {
			return nil, err
		}
		return c.popItems(t, n, end)
	})
}

// PopAny looks for the first list that is not empty, this one and then the others
// in their order, removes up to n values from its end and returns them, that end's
// value first, with the name of the list. If all are empty the name is, too. A
// negative n is ErrOutOfRange. A key of another type is ErrWrongType if no list
// before it had a value. [LMPOP]
func (l List) PopAny(end End, n int, others ...string) (name string, values [][]byte, err error) {
	key := ""
	if len(others) == 0 {
		key = l.name
	}
	p, err := update(l.src, key, func(t Txn) (popped, error) {
		if err := checkEnd(end); err != nil {
			return popped{}, err
		}
		if n < 0 {
			return popped{}, base.ErrOutOfRange
		}
		for _, name := range others {
			if err := checkName(name); err != nil {
				return popped{}, err
			}
		}
		p, err := popFirst(t, l.name, n, end)
		for i := 0; err == nil && p.name == "" && i < len(others); i++ {
			p, err = popFirst(t, others[i], n, end)
		}
		return p, err
	})
	return p.name, p.values, err
}

// popped is what PopAny removed, and from where.
type popped struct {
	name   string
	values [][]byte
}

func popFirst(t Txn, name string, n int, end End) (popped, error) {
	c, found, err := openOld(t, name, record.TypeList)
	if !found || n == 0 {
		return popped{}, err
	}
	values, err := c.popItems(t, n, end)
	return popped{name, values}, err
}

// MoveTo removes the value at one end of the list, puts it at an end of the list
// called dst and returns it, which is yours. ErrNotFound if there is nothing to
// move. Its own name turns the list round. [LMOVE, RPOPLPUSH]
func (l List) MoveTo(dst string, from, to End) ([]byte, error) {
	key := ""
	if dst == l.name {
		key = l.name
	}
	return update(l.src, key, func(t Txn) ([]byte, error) {
		if checkEnd(from) != nil || checkEnd(to) != nil {
			return nil, base.ErrSyntax
		}
		if err := checkName(dst); err != nil {
			return nil, err
		}
		c, found, err := l.openOld(t)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, base.ErrNotFound
		}
		if dst == l.name {
			return c.rotate(t, from, to)
		}
		d, err := openCollection(t, dst, record.TypeList)
		if err != nil {
			return nil, err
		}
		return c.moveItem(t, &d, from, to)
	})
}

func (c *collection) rotate(t Txn, from, to End) ([]byte, error) {
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

func (c *collection) moveItem(t Txn, d *collection, from, to End) ([]byte, error) {
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

// popItem removes the value at an end; the caller saves. The value is the user's.
func (c *collection) popItem(t Txn, end End) ([]byte, error) {
	if c.list.gaps {
		values, err := c.takeItems(t, 1, end)
		if err != nil {
			return nil, err
		}
		return values[0], nil
	}
	index := c.list.first
	if end == Back {
		index = c.list.end - stride
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
	c.shrank(1)
	return owned(v), nil
}

// popItems removes up to n values, at least one, from an end, and saves.
func (c *collection) popItems(t Txn, n int, end End) ([][]byte, error) {
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
func (c *collection) takeItems(t Txn, n int64, end End) (values [][]byte, err error) {
	if !c.list.gaps && n <= popByRow {
		for range n {
			v, err := c.popItem(t, end)
			if err != nil {
				return nil, err
			}
			values = append(values, v)
		}
		return values, nil
	}
	lo, hi := c.list.first, c.list.end
	if !c.list.gaps { // what is not asked for is not read
		if end == Front {
			hi = lo + uint64(n)*stride
		} else {
			lo = hi - uint64(n)*stride
		}
	}
	cur, err := c.items(t, lo, hi, ScanOptions{Reverse: end == Back})
	if err != nil {
		return nil, err
	}
	defer cur.Close()
	for int64(len(values)) < n {
		if !cur.Next() {
			return nil, cur.missing()
		}
		values = append(values, append([]byte{}, cur.Value()...))
		if err := c.deleteRow(t, cur.Key()); err != nil {
			return nil, err
		}
		c.list.cut(cur.index, end)
	}
	c.shrank(uint64(n))
	return values, nil
}
