package collection

import (
	"bytes"
	"math"

	"github.com/siltstonedb/siltstone/internal/record"
)

// What happens between the ends of an inline list.

// insertInline is insert in an inline list. done is false if the list is none, or
// not any more.
func (c *Collection) insertInline(t Txn, pivot, value []byte, before bool) (inserted, done bool, err error) {
	if !c.isInline() {
		return false, false, nil
	}
	if err := c.check(); err != nil {
		return false, false, err
	}
	b := &c.inline
	for left := b.buf; len(left) > 0; {
		_, v, next, _ := record.NextInline(c.typ, left)
		if !bytes.Equal(v, pivot) {
			left = next
			continue
		}
		if !c.fits(b.n+1, 0, nil, value) {
			return false, false, c.moveOut(t)
		}
		at := len(b.buf) - len(next)
		if before {
			at = len(b.buf) - len(left)
		}
		c.splice(t, at, at, b.n+1, nil, value)
		c.meta.Count++
		return true, true, c.save(t)
	}
	return false, true, nil
}

// removeInline is removeItems in an inline list, and saves.
func (c *Collection) removeInline(t Txn, count int, value []byte) (n int, err error) {
	if err := c.check(); err != nil {
		return 0, err
	}
	first, limit := 0, count
	if limit <= 0 {
		limit = math.MaxInt
	}
	if count < 0 { // all but the first ones
		first = max(0, c.matches(value)+count)
	}
	b := &c.inline
	kept, met := make([]byte, 0, len(b.buf)), 0
	for left := b.buf; len(left) > 0; {
		_, v, next, _ := record.NextInline(c.typ, left)
		entry := left[:len(left)-len(next)]
		left = next
		if bytes.Equal(v, value) {
			if met++; met > first && n < limit {
				n++
				continue
			}
		}
		kept = append(kept, entry...)
	}
	if n == 0 {
		return 0, nil
	}
	c.replace(t, 0, len(b.buf), b.n-uint64(n), kept)
	c.Shrank(uint64(n))
	return n, c.save(t)
}

// matches counts the items that equal value.
func (c *Collection) matches(value []byte) (n int) {
	for left := c.inline.buf; len(left) > 0; {
		_, v, next, _ := record.NextInline(c.typ, left)
		if bytes.Equal(v, value) {
			n++
		}
		left = next
	}
	return n
}

// cutInline removes the n items, at least one, of an inline list from the one with
// the given index on; they are at an end.
func (c *Collection) cutInline(t Txn, index uint64, n int64) error {
	if err := c.check(); err != nil {
		return err
	}
	b := &c.inline
	skip, at, end := int64((index-b.base)/stride), 0, 0
	for i, left := int64(0), b.buf; i < skip+n; i++ {
		_, _, next, ok := record.NextInline(c.typ, left)
		if !ok {
			return corrupt(c.name, record.ErrInline)
		}
		left = next
		if end = len(b.buf) - len(left); i < skip {
			at = end
		}
	}
	if at == 0 {
		b.base += uint64(n) * stride
	}
	c.replace(t, at, end, b.n-uint64(n), nil)
	return nil
}
