package collection

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// What hashes and sets do with element rows: a set is a hash without values.
// A sorted set's element rows, with the score as value, are read by the same
// functions.

// Element returns the row key of the element; good until the next row.
func (c *Collection) Element(t Txn, member string) []byte {
	sc := t.Scratch()
	sc.row = keyenc.AppendElementRow(sc.row[:0], t.Prefix(), c.meta.ID, keyenc.TagElement, member)
	return sc.row
}

func isVolatile(trailer base.Trailer) bool {
	return record.Type(trailer.Attr.Type()) == record.TypeVolatile
}

// Get appends the value of the element to dst and returns its deadline, 0 for
// none. An element that is missing or due is ErrNotFound.
func (c *Collection) Get(t Txn, dst []byte, member string) (value []byte, deadline int64, err error) {
	value, trailer, err := c.getRow(t, dst, c.Element(t, member))
	if err != nil || !isVolatile(trailer) {
		return value, 0, err
	}
	deadline, rest, ok := record.CutDeadline(value[len(dst):])
	if !ok {
		return dst, 0, corrupt(c.name, errDue)
	}
	if deadline <= t.Now() {
		return dst, deadline, base.ErrNotFound
	}
	if c.MayBeDue(t) {
		t.Until(c.Element(t, member), deadline)
	}
	return append(value[:len(dst)], rest...), deadline, nil
}

// Has reports whether there is such an element.
func (c *Collection) Has(t Txn, member string) (bool, error) {
	deadline, found, err := c.peek(t, c.Element(t, member), false)
	return found && (deadline == 0 || deadline > t.Now()), err
}

// HasBytes is has of a name in bytes.
func (c *Collection) HasBytes(t Txn, member []byte) (bool, error) {
	sc := t.Scratch()
	sc.row = append(c.Element(t, ""), member...)
	deadline, found, err := c.peek(t, sc.row, false)
	return found && (deadline == 0 || deadline > t.Now()), err
}

// peek looks at an element row: whether it is there, be it due, and the
// deadline, 0 for none. That costs a read of the value's head, and is left out
// unless it is wanted or the element may be due.
func (c *Collection) peek(t Txn, row []byte, want bool) (deadline int64, found bool, err error) {
	if !want && !c.MayBeDue(t) {
		found, err = c.present(t, row)
		return 0, found, err
	}
	sc := t.Scratch()
	value, trailer, err := c.headRow(t, sc.vol[:0], row, record.DeadlineLen)
	if err != nil {
		return 0, false, AbsentOK(err)
	}
	sc.vol = value[:0]
	if !isVolatile(trailer) {
		return 0, true, nil
	}
	deadline, _, ok := record.CutDeadline(value)
	if !ok {
		return 0, false, corrupt(c.name, errDue)
	}
	if deadline > t.Now() && c.MayBeDue(t) {
		t.Until(row, deadline)
	}
	return deadline, true, nil
}

func (c *Collection) present(t Txn, row []byte) (bool, error) {
	if _, err := c.peekRow(t, row); err != nil {
		return false, AbsentOK(err)
	}
	return true, nil
}

// Deadline returns when the element is due, 0 for never. One that is missing or due
// is ErrNotFound.
func (c *Collection) Deadline(t Txn, member string) (int64, error) {
	deadline, found, err := c.peek(t, c.Element(t, member), c.meta.NextDue != 0)
	if err == nil && (!found || deadline != 0 && deadline <= t.Now()) {
		err = base.ErrNotFound
	}
	return deadline, err
}

// Find is has for calls that write: it also returns the deadline of the element,
// 0 for none, and evicts one that is due, which it accounts for.
func (c *Collection) Find(t Txn, member string) (deadline int64, found bool, err error) {
	if c.meta.Count == 0 {
		return 0, false, nil
	}
	deadline, found, err = c.peek(t, c.Element(t, member), c.meta.NextDue != 0)
	if err != nil || !found || deadline == 0 || deadline > t.Now() {
		return deadline, found, err
	}
	c.Shrank(1)
	return 0, false, c.evict(t, member, deadline)
}

// Load reads the field into scratch, which the value is borrowed from; it is nil
// if there is none. One that is due is evicted.
func (c *Collection) Load(t Txn, field string) (value []byte, deadline int64, err error) {
	if !c.exists {
		return nil, 0, nil
	}
	sc := t.Scratch()
	value, deadline, err = c.Get(t, sc.Val[:0], field)
	if err == nil {
		sc.Val = value[:0]
		return Owned(value), deadline, nil
	}
	if err = AbsentOK(err); err == nil && deadline != 0 {
		c.Shrank(1)
		err = c.evict(t, field, deadline)
	}
	return nil, 0, err
}

// VolatileTooLarge refuses a value of n bytes for an element with a deadline.
func VolatileTooLarge(n int) error {
	return base.Errorf(base.ErrValueTooLarge, "value of %d bytes, the limit beside a deadline is %d", n, base.MaxValueLen-record.DeadlineLen)
}

// Put writes the row of an element and what its deadline needs; had is the
// deadline of the row that it replaces, 0 for none. The caller accounts for a new
// element, and keeps or saves.
func (c *Collection) Put(t Txn, member string, value []byte, had, deadline int64) error {
	if had != 0 && had != deadline {
		if err := c.deleteRow(t, c.dueRow(t, had, member)); err != nil {
			return err
		}
	}
	if deadline == 0 {
		return c.putRow(t, c.Element(t, member), record.TypeNone, value)
	}
	if len(value) > base.MaxValueLen-record.DeadlineLen {
		return VolatileTooLarge(len(value))
	}
	if err := c.moveOut(t); err != nil { // no deadline is inline
		return err
	}
	if had != deadline {
		if err := c.putRow(t, c.dueRow(t, deadline, member), record.TypeNone, nil); err != nil {
			return err
		}
	}
	c.dueBy(deadline)
	sc := t.Scratch()
	sc.vol = append(record.AppendDeadline(sc.vol[:0], deadline), value...)
	return c.putRow(t, c.Element(t, member), record.TypeVolatile, sc.vol)
}

// dueBy notes that an element has the deadline.
func (c *Collection) dueBy(deadline int64) {
	if c.meta.NextDue == 0 || deadline < c.meta.NextDue {
		c.meta.NextDue = deadline
	}
}

// Remove removes the rows of an element with the given deadline, because a call asks for
// it; the caller accounts for it. The due row goes last: by the order of the two a change
// feed tells it from a purge.
func (c *Collection) Remove(t Txn, member string, deadline int64) error {
	if err := c.deleteRow(t, c.Element(t, member)); err != nil || deadline == 0 {
		return err
	}
	return c.deleteRow(t, c.dueRow(t, deadline, member))
}

// Set puts an element without a deadline and accounts for it; the caller
// keeps. With nx an element that exists is left alone.
func (c *Collection) Set(t Txn, member string, value []byte, nx bool) (added bool, err error) {
	had, exists, err := c.Find(t, member)
	if err != nil || exists && nx {
		return false, err
	}
	if err := c.Create(t); err != nil {
		return false, err
	}
	if err := c.Put(t, member, value, had, 0); err != nil {
		return false, err
	}
	if !exists {
		c.Grew(len(member) + len(value))
	}
	return !exists, nil
}

// SetUntil is Set with a deadline, which an element that exists gets too.
func (c *Collection) SetUntil(t Txn, member string, value []byte, deadline int64) (added bool, err error) {
	had, exists, err := c.Find(t, member)
	if err != nil {
		return false, err
	}
	if err := c.Create(t); err != nil {
		return false, err
	}
	if err := c.Put(t, member, value, had, deadline); err != nil {
		return false, err
	}
	if !exists {
		c.Grew(len(member) + len(value))
	}
	return !exists, nil
}

// Add puts an element that is not there, with its deadline, 0 for none, and
// accounts for it; the caller keeps.
func (c *Collection) Add(t Txn, member string, value []byte, deadline int64) error {
	if err := c.Create(t); err != nil {
		return err
	}
	if err := c.Put(t, member, value, 0, deadline); err != nil {
		return err
	}
	c.Grew(len(member) + len(value))
	return nil
}

// AddName is Add of a name in bytes, without a value or a deadline.
func (c *Collection) AddName(t Txn, member []byte) error {
	if err := c.Create(t); err != nil {
		return err
	}
	sc := t.Scratch()
	sc.row = append(c.Element(t, ""), member...)
	if err := c.putRow(t, sc.row, record.TypeNone, nil); err != nil {
		return err
	}
	c.Grew(len(member))
	return nil
}

// SetDeadline gives an element that has the deadline had another one, 0 for none,
// or removes it if that is over; the caller keeps.
func (c *Collection) SetDeadline(t Txn, member string, had, at int64) error {
	switch {
	case at == had:
		return nil
	case c.typ == record.TypeZSet:
		return c.setMemberDeadline(t, member, at)
	case at != 0 && at <= t.Now():
		c.Shrank(1)
		return c.Remove(t, member, had)
	}
	sc := t.Scratch()
	value, _, err := c.Get(t, sc.Val[:0], member)
	if err != nil {
		return err
	}
	sc.Val = value[:0]
	return c.Put(t, member, value, had, at)
}
