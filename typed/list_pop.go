package typed

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/record"
)

// PopFront removes the first value and returns it, which is yours, or
// ErrNotFound. [LPOP]
func (l List) PopFront() ([]byte, error) { return l.popOne(EndFront) }

// PopBack removes the last value and returns it, which is yours, or ErrNotFound.
// [RPOP]
func (l List) PopBack() ([]byte, error) { return l.popOne(EndBack) }

// PopFrontN removes up to n values from the front and returns them, first value
// first. A negative n is ErrBadOption. [LPOP count]
func (l List) PopFrontN(n int) ([][]byte, error) { return l.popMany(n, EndFront) }

// PopBackN removes up to n values from the back and returns them, last value
// first. [RPOP count]
func (l List) PopBackN(n int) ([][]byte, error) { return l.popMany(n, EndBack) }

func (l List) popOne(end End) ([]byte, error) {
	return collection.Update(l.src, l.name, func(t collection.Txn) ([]byte, error) {
		c, found, err := l.openOld(t)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, base.ErrNotFound
		}
		return c.PopOne(t, collection.Side(end))
	})
}

func (l List) popMany(n int, end End) ([][]byte, error) {
	return collection.Update(l.src, l.name, func(t collection.Txn) ([][]byte, error) {
		if n < 0 {
			return nil, badCount("count", n)
		}
		c, found, err := l.openOld(t)
		if !found || n == 0 {
			return nil, err
		}
		return c.PopItems(t, n, collection.Side(end))
	})
}

// PopAny looks for the first list that is not empty, this one and then the others
// in their order, removes up to n values from its end and returns them, that end's
// value first, with the name of the list. If all are empty the name is, too. A
// negative n is ErrBadOption. A key of another type is ErrWrongType if no list
// before it had a value. [LMPOP]
func (l List) PopAny(end End, n int, others ...string) (name string, values [][]byte, err error) {
	key := ""
	if len(others) == 0 {
		key = l.name
	}
	p, err := collection.Update(l.src, key, func(t collection.Txn) (popped, error) {
		if err := checkEnd(end); err != nil {
			return popped{}, err
		}
		if n < 0 {
			return popped{}, badCount("count", n)
		}
		for _, name := range others {
			if err := collection.CheckName(name); err != nil {
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

func popFirst(t collection.Txn, name string, n int, end End) (popped, error) {
	c, found, err := collection.OpenOld(t, name, record.TypeList)
	if !found || n == 0 {
		return popped{}, err
	}
	values, err := c.PopItems(t, n, collection.Side(end))
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
	return collection.Update(l.src, key, func(t collection.Txn) ([]byte, error) {
		if err := checkEnd(max(from, to)); err != nil {
			return nil, err
		}
		if err := collection.CheckName(dst); err != nil {
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
			return c.Rotate(t, collection.Side(from), collection.Side(to))
		}
		d, err := collection.Open(t, dst, record.TypeList)
		if err != nil {
			return nil, err
		}
		return c.MoveItem(t, &d, collection.Side(from), collection.Side(to))
	})
}
