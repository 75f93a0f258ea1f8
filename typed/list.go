package typed

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// listSpan is which indexes the items of a list have: first, first+stride, …, up
// to end, which is one stride past the last. It is the Body of the metadata (see
// record.Meta):
//
//	+------------+-----------+-----------+
//	| first 8 BE | end 8 BE  | flag 1 B  |
//	+------------+-----------+-----------+
//
// Flag 0 says that no index between them is missing, so that the i-th item is
// found without a walk. This version knows no other.
type listSpan struct{ first, end uint64 }

const (
	listSpanLen    = 8 + 8 + 1
	listContiguous = 0
	stride         = keyenc.ItemStride
)

var errListSpan = errors.New("bounds of a list are malformed")

func (s listSpan) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, s.first)
	dst = binary.BigEndian.AppendUint64(dst, s.end)
	return append(dst, listContiguous)
}

func decodeListSpan(body []byte, count uint64) (s listSpan, err error) {
	if len(body) != listSpanLen {
		return s, errListSpan
	}
	s.first, s.end = binary.BigEndian.Uint64(body), binary.BigEndian.Uint64(body[8:])
	if body[16] != listContiguous {
		return s, base.ErrFormatTooNew
	}
	if s.end <= s.first || (s.end-s.first)%stride != 0 || (s.end-s.first)/stride != count {
		return s, errListSpan
	}
	return s, nil
}

// List is a key that holds a sequence of values. Positions count from 0, and from
// −1 backwards from the end. Safe for concurrent use if what it comes from is.
type List struct{ Key }

// NewList returns a handle of the list called name.
func NewList(src Source, name string) List { return List{Key{src, name}} }

func (l List) openOld(t Txn) (collection, bool, error) { return openOld(t, l.name, record.TypeList) }

// PushFront puts the values in front, one after the other, so that the last one
// given is the first of the list; it returns the length then. Without values it
// changes nothing. [LPUSH]
func (l List) PushFront(values ...[]byte) (n int64, err error) { return l.push(values, true) }

// PushBack puts the values behind the last one, in the order given, and returns
// the length then. [RPUSH]
func (l List) PushBack(values ...[]byte) (n int64, err error) { return l.push(values, false) }

func (l List) push(values [][]byte, front bool) (int64, error) {
	return update(l.src, l.name, func(t Txn) (int64, error) {
		for _, v := range values {
			if err := checkValue(v); err != nil {
				return 0, err
			}
		}
		c, err := openCollection(t, l.name, record.TypeList)
		if err != nil || len(values) == 0 {
			return int64(c.meta.Count), err
		}
		if !c.exists {
			if err := c.create(t); err != nil {
				return 0, err
			}
			c.list = listSpan{keyenc.ItemMiddle, keyenc.ItemMiddle}
		}
		room := uint64(len(values)) * stride
		if c.list.first < room || c.list.end > math.MaxUint64-room {
			return 0, base.ErrOverflow
		}
		for _, v := range values {
			index := c.list.end
			if front {
				c.list.first -= stride
				index = c.list.first
			} else {
				c.list.end += stride
			}
			if err := t.Put(c.item(t, index), record.TypeNone, 0, v); err != nil {
				return 0, err
			}
			c.grew(len(v))
		}
		return int64(c.meta.Count), c.save(t)
	})
}

// item returns the row key of the item with the given index; good until the next
// row.
func (c *collection) item(t Txn, index uint64) []byte {
	sc := t.Scratch()
	sc.row = keyenc.AppendItemRow(sc.row[:0], t.Prefix(), c.meta.ID, index)
	return sc.row
}

// index returns the index of position i, which is in the list.
func (s listSpan) index(i int64) uint64 { return s.first + uint64(i)*stride }

// items walks the n items from position i on.
func (c *collection) items(t Txn, i, n int64, reverse bool) (Cursor, error) {
	sc := t.Scratch()
	sc.lo = keyenc.AppendItemRow(sc.lo[:0], t.Prefix(), c.meta.ID, c.list.index(i))
	sc.hi = keyenc.AppendItemRow(sc.hi[:0], t.Prefix(), c.meta.ID, c.list.index(i+n))
	return t.Scan(sc.lo, sc.hi, ScanOptions{Reverse: reverse})
}

// PopFront removes the first value and returns it, which is yours, or
// ErrNotFound. [LPOP]
func (l List) PopFront() ([]byte, error) { return l.popOne(true) }

// PopBack removes the last value and returns it, which is yours, or ErrNotFound.
// [RPOP]
func (l List) PopBack() ([]byte, error) { return l.popOne(false) }

// PopFrontN removes up to n values from the front and returns them, first value
// first. A negative n is ErrOutOfRange. [LPOP count]
func (l List) PopFrontN(n int) ([][]byte, error) { return l.popMany(n, true) }

// PopBackN removes up to n values from the back and returns them, last value
// first. [RPOP count]
func (l List) PopBackN(n int) ([][]byte, error) { return l.popMany(n, false) }

func (l List) popOne(front bool) ([]byte, error) {
	return update(l.src, l.name, func(t Txn) ([]byte, error) {
		c, found, err := l.openOld(t)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, base.ErrNotFound
		}
		index := c.list.end - stride
		if front {
			index = c.list.first
		}
		row := c.item(t, index)
		v, _, err := t.Get(nil, row)
		if err != nil {
			return nil, c.lost(err)
		}
		if err := t.Delete(row); err != nil {
			return nil, err
		}
		c.cut(1, front)
		return owned(v), c.save(t)
	})
}

// cut forgets n items at one end.
func (c *collection) cut(n uint64, front bool) {
	if front {
		c.list.first += n * stride
	} else {
		c.list.end -= n * stride
	}
	c.shrank(n)
}

// lost turns the absence of a counted item into damage.
func (c *collection) lost(err error) error {
	if errors.Is(err, base.ErrNotFound) {
		return corrupt(c.name, errLostElement)
	}
	return err
}

func (l List) popMany(n int, front bool) ([][]byte, error) {
	return update(l.src, l.name, func(t Txn) ([][]byte, error) {
		if n < 0 {
			return nil, base.ErrOutOfRange
		}
		c, found, err := l.openOld(t)
		if !found || n == 0 {
			return nil, err
		}
		count := min(int64(n), int64(c.meta.Count))
		at := int64(0)
		if !front {
			at = int64(c.meta.Count) - count
		}
		cur, err := c.items(t, at, count, !front)
		if err != nil {
			return nil, err
		}
		defer cur.Close()
		var values [][]byte
		for cur.Next() {
			values = append(values, append([]byte{}, cur.Value()...))
			if err := t.Delete(cur.Key()); err != nil {
				return nil, err
			}
		}
		if err := cur.Err(); err != nil {
			return nil, err
		}
		if int64(len(values)) != count {
			return nil, corrupt(l.name, errLostElement)
		}
		c.cut(uint64(count), front)
		return values, c.save(t)
	})
}
