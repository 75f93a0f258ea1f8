package typed

import (
	"errors"
	"iter"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// What hashes and sets do with element rows: a set is a hash without values.
// A sorted set's element rows, with the score as value, are read by the same
// functions.

// element returns the row key of the element; good until the next row.
func (c *collection) element(t Txn, member string) []byte {
	sc := t.Scratch()
	sc.row = keyenc.AppendElementRow(sc.row[:0], t.Prefix(), c.meta.ID, keyenc.TagElement, member)
	return sc.row
}

func isVolatile(trailer base.Trailer) bool {
	return record.Type(trailer.Attr.Type()) == record.TypeVolatile
}

// get appends the value of the element to dst and returns its deadline, 0 for
// none. An element that is missing or due is ErrNotFound.
func (c *collection) get(t Txn, dst []byte, member string) (value []byte, deadline int64, err error) {
	value, trailer, err := c.getRow(t, dst, c.element(t, member))
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
	if c.mayBeDue(t) {
		t.Until(c.element(t, member), deadline)
	}
	return append(value[:len(dst)], rest...), deadline, nil
}

// has reports whether there is such an element.
func (c *collection) has(t Txn, member string) (bool, error) {
	deadline, found, err := c.peek(t, c.element(t, member), false)
	return found && (deadline == 0 || deadline > t.Now()), err
}

// peek looks at an element row: whether it is there, be it due, and the
// deadline, 0 for none. That costs a read of the value's head, and is left out
// unless it is wanted or the element may be due.
func (c *collection) peek(t Txn, row []byte, want bool) (deadline int64, found bool, err error) {
	if !want && !c.mayBeDue(t) {
		found, err = c.present(t, row)
		return 0, found, err
	}
	sc := t.Scratch()
	value, trailer, err := c.headRow(t, sc.vol[:0], row, record.DeadlineLen)
	if err != nil {
		return 0, false, absentOK(err)
	}
	sc.vol = value[:0]
	if !isVolatile(trailer) {
		return 0, true, nil
	}
	deadline, _, ok := record.CutDeadline(value)
	if !ok {
		return 0, false, corrupt(c.name, errDue)
	}
	if deadline > t.Now() && c.mayBeDue(t) {
		t.Until(row, deadline)
	}
	return deadline, true, nil
}

func (c *collection) present(t Txn, row []byte) (bool, error) {
	if _, err := c.peekRow(t, row); err != nil {
		return false, absentOK(err)
	}
	return true, nil
}

// find is has for calls that write: it also returns the deadline of the element,
// 0 for none, and evicts one that is due, which it accounts for.
func (c *collection) find(t Txn, member string) (deadline int64, found bool, err error) {
	if c.meta.Count == 0 {
		return 0, false, nil
	}
	deadline, found, err = c.peek(t, c.element(t, member), c.meta.NextDue != 0)
	if err != nil || !found || deadline == 0 || deadline > t.Now() {
		return deadline, found, err
	}
	c.shrank(1)
	return 0, false, c.evict(t, member, deadline)
}

// put writes the row of an element and what its deadline needs; had is the
// deadline of the row that it replaces, 0 for none. The caller accounts for a new
// element, and keeps or saves.
func (c *collection) put(t Txn, member string, value []byte, had, deadline int64) error {
	if had != 0 && had != deadline {
		if err := c.deleteRow(t, c.dueRow(t, had, member)); err != nil {
			return err
		}
	}
	if deadline == 0 {
		return c.putRow(t, c.element(t, member), record.TypeNone, value)
	}
	if len(value) > base.MaxValueLen-record.DeadlineLen {
		return base.ErrValueTooLarge
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
	return c.putRow(t, c.element(t, member), record.TypeVolatile, sc.vol)
}

// dueBy notes that an element has the deadline.
func (c *collection) dueBy(deadline int64) {
	if c.meta.NextDue == 0 || deadline < c.meta.NextDue {
		c.meta.NextDue = deadline
	}
}

// remove removes the rows of an element with the given deadline; the caller
// accounts for it.
func (c *collection) remove(t Txn, member string, deadline int64) error {
	if deadline != 0 {
		if err := c.deleteRow(t, c.dueRow(t, deadline, member)); err != nil {
			return err
		}
	}
	return c.deleteRow(t, c.element(t, member))
}

// putElement puts an element without a deadline and accounts for it; the caller
// keeps. With nx an element that exists is left alone.
func putElement(t Txn, c *collection, member string, value []byte, nx bool) (added bool, err error) {
	had, exists, err := c.find(t, member)
	if err != nil || exists && nx {
		return false, err
	}
	if err := c.create(t); err != nil {
		return false, err
	}
	if err := c.put(t, member, value, had, 0); err != nil {
		return false, err
	}
	if !exists {
		c.grew(len(member) + len(value))
	}
	return !exists, nil
}

// length returns the number of elements of a collection.
func length(k Key, typ record.Type) (int64, error) {
	return view(k.src, func(t Txn) (int64, error) {
		c, err := openCollection(t, k.name, typ)
		if err != nil {
			return 0, err
		}
		n, err := c.live(t)
		return int64(n), err
	})
}

// removeElements removes elements that have no row but their own.
func removeElements(k Key, typ record.Type, members []string) (removed int, err error) {
	return update(k.src, k.name, func(t Txn) (n int, err error) {
		if err := checkMembers(members); err != nil {
			return 0, err
		}
		c, found, err := openOldToWrite(t, k.name, typ)
		if !found {
			return 0, err
		}
		for _, m := range members {
			deadline, found, err := c.find(t, m)
			if err != nil {
				return 0, err
			}
			if !found {
				continue
			}
			if err := c.remove(t, m, deadline); err != nil {
				return 0, err
			}
			c.shrank(1)
			n++
		}
		return n, c.keep(t)
	})
}

// elementNames yields the names of a collection's elements.
func elementNames(k Key, typ record.Type, p part) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		stream(k.src, yield, func(t Txn, each func(string) bool) error {
			c, found, err := openOld(t, k.name, typ)
			if !found {
				return err
			}
			var names nameArena
			return eachElement(t, &c, p, ScanOptions{KeysOnly: true}, func(e *elements) bool {
				return each(names.name(e.member()))
			})
		})
	}
}

// part chooses among the elements of a collection; the zero part is all of them.
type part struct {
	prefix string // whose names start with it
	after  string // whose names are above it, if above is set
	above  bool
}

// eachElement calls each for the elements of the part until it returns false.
func eachElement(t Txn, c *collection, p part, o ScanOptions, each func(e *elements) bool) error {
	if err := checkMember(p.prefix); err != nil {
		return err
	}
	if err := checkMember(p.after); err != nil {
		return err
	}
	e, err := c.scan(t, p, o)
	if err != nil {
		return err
	}
	defer e.close()
	for e.next() {
		if !each(&e) {
			return nil
		}
	}
	return e.err()
}

// elements walks elements that are not due, in order of their names.
type elements struct {
	cur      Cursor
	t        Txn
	name     string // of the collection
	head     int    // where a row key's member starts
	values   bool   // are read
	mayBeDue bool   // some
	deadline int64  // of the current one if values are read; 0: none
	value    []byte
	failed   error
}

// scan walks the elements of the part.
func (c *collection) scan(t Txn, p part, o ScanOptions) (e elements, err error) {
	e = elements{t: t, name: c.name, head: keyenc.CollectionHeaderLen(t.Prefix()), mayBeDue: c.mayBeDue(t)}
	if e.mayBeDue {
		o.KeysOnly = false // deadlines stand in the values
	}
	e.values = !o.KeysOnly
	sc := t.Scratch()
	sc.lo = keyenc.AppendElementRow(sc.lo[:0], t.Prefix(), c.meta.ID, keyenc.TagElement, p.prefix)
	sc.hi = appendSuccessor(sc.hi[:0], sc.lo)
	if p.above {
		sc.lo = append(append(sc.lo[:0], c.element(t, p.after)...), 0)
	}
	e.cur, err = c.scanRows(t, sc.lo, sc.hi, o)
	return e, err
}

func (e *elements) next() bool {
	for e.failed == nil && e.cur.Next() {
		if !e.values {
			return true
		}
		e.deadline, e.value = 0, e.cur.Value()
		if !isVolatile(e.cur.Trailer()) {
			return true
		}
		ok := false
		if e.deadline, e.value, ok = record.CutDeadline(e.value); !ok {
			e.failed = corrupt(e.name, errDue)
			return false
		}
		if !e.mayBeDue {
			return true
		}
		if e.deadline > e.t.Now() {
			e.t.Until(e.cur.Key(), e.deadline)
			return true
		}
	}
	return false
}

// member returns the name of the current element, borrowed until the next move.
func (e *elements) member() []byte { return e.cur.Key()[e.head:] }

func (e *elements) err() error { return errors.Join(e.failed, e.cur.Err()) }

func (e *elements) close() {
	if e.cur != nil {
		e.cur.Close()
	}
}
