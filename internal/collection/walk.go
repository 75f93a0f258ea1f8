package collection

import (
	"errors"

	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Part is the elements of a collection whose names are at or above Lower and below
// Upper, which is open if it is empty; the zero part is all of them. Bounds are at most
// as long as names may be.
type Part struct{ Lower, Upper string }

// Each calls each for the elements of the part until it returns false.
func (c *Collection) Each(t Txn, p Part, o ScanOptions, each func(e *Elements) bool) error {
	if p.Upper != "" && p.Lower >= p.Upper {
		return nil
	}
	e, err := c.Scan(t, p, o)
	if err != nil {
		return err
	}
	defer e.Close()
	for e.Next() {
		if !each(&e) {
			return nil
		}
	}
	return e.Err()
}

// Elements walks elements that are not due, in the order of their names or against it.
type Elements struct {
	cur      Cursor
	t        Txn
	name     string // of the collection
	head     int    // where a row key's member starts
	values   bool   // are read
	mayBeDue bool   // some
	deadline int64  // of the current one if values are read; 0: none
	Value    []byte
	failed   error
}

// Scan walks the elements of the part.
func (c *Collection) Scan(t Txn, p Part, o ScanOptions) (e Elements, err error) {
	e = c.elements(t, &o)
	lo, hi := c.partBounds(t, p)
	e.cur, err = c.ScanRows(t, lo, hi, o)
	return e, err
}

// Sample is Scan of all elements of a collection in rows, each time any of them with
// the same chance: see Txn.Sample.
func (c *Collection) Sample(t Txn, o ScanOptions) (e Elements, err error) {
	e = c.elements(t, &o)
	lo, hi := c.partBounds(t, Part{})
	e.cur, err = t.Sample(lo, hi, o)
	return e, err
}

// elements returns a walk that has no cursor yet, and has o ask for what it reads.
func (c *Collection) elements(t Txn, o *ScanOptions) Elements {
	e := Elements{t: t, name: c.name, head: keyenc.CollectionHeaderLen(t.Prefix()), mayBeDue: c.MayBeDue(t)}
	if e.mayBeDue {
		o.KeysOnly = false // deadlines stand in the values
	}
	e.values = !o.KeysOnly
	return e
}

// partBounds returns the bounds of the element rows of the part, in scratch.
func (c *Collection) partBounds(t Txn, p Part) (lo, hi []byte) {
	sc := t.Scratch()
	sc.Lo = append(sc.Lo[:0], c.Element(t, p.Lower)...)
	if p.Upper != "" {
		sc.Hi = append(sc.Hi[:0], c.Element(t, p.Upper)...)
	} else {
		sc.Hi = AppendSuccessor(sc.Hi[:0], c.Element(t, ""))
	}
	return sc.Lo, sc.Hi
}

func (e *Elements) Next() bool {
	for e.failed == nil && e.cur.Next() {
		if !e.values {
			return true
		}
		e.deadline, e.Value = 0, e.cur.Value()
		if !isVolatile(e.cur.Trailer()) {
			return true
		}
		ok := false
		if e.deadline, e.Value, ok = record.CutDeadline(e.Value); !ok {
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

// Opened reports whether there is a walk.
func (e *Elements) Opened() bool { return e.cur != nil }

// Member returns the name of the current element, borrowed until the next move.
func (e *Elements) Member() []byte { return e.cur.Key()[e.head:] }

func (e *Elements) Err() error { return errors.Join(e.failed, e.cur.Err()) }

func (e *Elements) Close() {
	if e.cur != nil {
		e.cur.Close()
	}
}
