package collection

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// A small collection has no rows but its metadata, whose body is its elements
// (record.AppendInline). All types reach elements through the functions of this
// file, by the row keys they would have under id 0:
//
//	getRow, peekRow, headRow ─┐           ┌─ id ≠ 0: the engine's rows
//	putRow, deleteRow(s)     ─┼─ inline? ─┤
//	ScanRows                 ─┘           └─ id = 0: the body
//
// What would not fit any more, and an element with a deadline, first moves the
// collection out: it takes an id and writes the elements as rows, in the same
// transaction, and is never inline again. An inline collection needs no owner, no
// timer and no reaper: it ends with its record.
//
// A member of a sorted set has two rows and one entry, ordered as the rows of the
// score order are; those alone put and delete it. Items of a list have no indexes
// in the body: opened, they stand a stride apart. Only ends are put and deleted by
// index, list_inline.go does what happens between.
type inlineBody struct {
	buf  []byte // the entries; of the transaction's scratch
	slot int    // the scratch buffer they are in
	n    uint64 // entries
	base uint64 // of a list: index of the first item

	dirty   bool // the record says otherwise
	lent    bool // a cursor walks buf, which must not change
	checked bool // buf is well-formed
}

// inlineScratch keeps the bodies and cursors of inline collections a call works
// on. A loop has one of its own, as its collection lives beside other calls.
type inlineScratch struct {
	bodies  [][]byte
	used    int
	cursors []*inlineCursor
	lent    int
}

// reset makes everything available to the next call.
func (s *inlineScratch) reset() { s.used, s.lent = 0, 0 }

// shrink lets go of what is large, or a cursor refers to.
func (s *inlineScratch) shrink() {
	for i, b := range s.bodies {
		if cap(b) > scratchMax {
			s.bodies[i] = nil
		}
	}
	for _, c := range s.cursors[:s.lent] {
		c.Close()
	}
	s.reset()
}

// slot returns a buffer that nobody uses.
func (s *inlineScratch) slot() int {
	if s.used == len(s.bodies) {
		s.bodies = append(s.bodies, nil)
	}
	s.used++
	return s.used - 1
}

func (s *inlineScratch) cursor() *inlineCursor {
	if s.lent == len(s.cursors) {
		s.cursors = append(s.cursors, new(inlineCursor))
	}
	s.lent++
	return s.cursors[s.lent-1]
}

func (c *Collection) isInline() bool { return c.meta.Encoding == record.EncodingInline }

// InRows reports whether the elements have rows of their own.
func (c *Collection) InRows() bool { return c.exists && !c.isInline() }

// made reports whether the collection has a form yet, and may hold elements.
func (c *Collection) made() bool { return c.meta.Encoding != 0 }

// openInline takes over the body of a record whose value is in sc.val, and keeps
// that buffer.
func (c *Collection) openInline(t Txn, m record.Meta) error {
	if m.NextDue != 0 || m.Count == 0 || m.Count > uint64(len(m.Body)) {
		return corrupt(c.name, record.ErrInline)
	}
	sc := t.Scratch()
	slot := sc.inline.slot()
	sc.Val, sc.inline.bodies[slot] = sc.inline.bodies[slot], sc.Val
	c.inline = inlineBody{buf: m.Body, slot: slot, n: m.Count, base: keyenc.ItemMiddle}
	if c.typ == record.TypeList {
		c.list = newListSpan(keyenc.ItemMiddle, keyenc.ItemMiddle+m.Count*stride)
	}
	return nil
}

// beginInline makes a new collection an inline one, without elements.
func (c *Collection) beginInline(t Txn) {
	sc := t.Scratch()
	slot := sc.inline.slot()
	c.meta = record.Meta{Encoding: record.EncodingInline}
	c.inline = inlineBody{buf: sc.inline.bodies[slot][:0], slot: slot, checked: true}
}

// splitRow takes a row key apart: tag, and what stands behind it.
func splitRow(t Txn, row []byte) (tag byte, rest []byte) {
	head := keyenc.CollectionHeaderLen(t.Prefix())
	return row[head-1], row[head:]
}

// inlineEntry is an element in a body, and where it stands.
type inlineEntry struct {
	key, value []byte
	at, end    int
}

// findInline looks for the entry of a row. Without one, found is false and at and end
// are where it belongs.
func (c *Collection) findInline(tag byte, rest []byte) (e inlineEntry, found bool, err error) {
	b := &c.inline
	skip, index := uint64(0), uint64(0)
	if c.typ == record.TypeList {
		if index, found = keyenc.DecodeItem(rest); !found || (index-b.base)%stride != 0 {
			return e, false, nil
		}
		if skip = (index - b.base) / stride; skip >= b.n {
			return inlineEntry{at: len(b.buf), end: len(b.buf)}, false, nil
		}
	}
	for left := b.buf; len(left) > 0; {
		key, value, next, ok := record.NextInline(c.typ, left)
		if !ok {
			return e, false, corrupt(c.name, record.ErrInline)
		}
		e = inlineEntry{key, value, len(b.buf) - len(left), len(b.buf) - len(next)}
		left = next
		switch {
		case c.typ == record.TypeList:
			if skip == 0 {
				return e, true, nil
			}
			skip--
		case c.typ == record.TypeZSet && tag == keyenc.TagElement:
			if bytes.Equal(key[keyenc.ScoreLen:], rest) {
				e.value = key[:keyenc.ScoreLen]
				return e, true, nil
			}
		default:
			if order := bytes.Compare(key, rest); order >= 0 {
				if order > 0 {
					e.end = e.at
				}
				return e, order == 0, nil
			}
		}
	}
	return inlineEntry{at: len(b.buf), end: len(b.buf)}, false, nil
}

var inlineTrailer = base.Trailer{Attr: base.MakeAttr(base.KindPut, uint8(record.TypeNone), false)}

// getRow is Txn.Get of a row of the collection.
func (c *Collection) getRow(t Txn, dst, row []byte) ([]byte, base.Trailer, error) {
	if !c.isInline() {
		return t.Get(dst, row)
	}
	e, found, err := c.findInline(splitRow(t, row))
	if err == nil && !found {
		err = base.ErrNotFound
	}
	if err != nil {
		return dst, base.Trailer{}, err
	}
	return append(dst, e.value...), inlineTrailer, nil
}

// peekRow is Txn.Peek of a row of the collection.
func (c *Collection) peekRow(t Txn, row []byte) (base.Trailer, error) {
	if !c.isInline() {
		return t.Peek(row)
	}
	_, found, err := c.findInline(splitRow(t, row))
	if err == nil && !found {
		err = base.ErrNotFound
	}
	return inlineTrailer, err
}

// headRow is Txn.Head of a row of the collection.
func (c *Collection) headRow(t Txn, dst, row []byte, n int) ([]byte, base.Trailer, error) {
	if !c.isInline() {
		return t.Head(dst, row, n)
	}
	value, trailer, err := c.getRow(t, dst, row)
	return value[:min(len(value), len(dst)+n)], trailer, err
}

// putRow is Txn.Put of a row of the collection. If an element has two rows the
// one that orders it comes last.
func (c *Collection) putRow(t Txn, row []byte, typ record.Type, value []byte) error {
	if !c.isInline() {
		return t.Put(row, typ, 0, value)
	}
	tag, rest := splitRow(t, row)
	if c.typ == record.TypeZSet && tag == keyenc.TagElement {
		return nil
	}
	if err := c.check(); err != nil {
		return err
	}
	e, found, err := c.findInline(tag, rest)
	if err != nil {
		return err
	}
	n := c.inline.n
	if !found {
		n++
	}
	if !c.fits(n, e.end-e.at, rest, value) {
		sc := t.Scratch()
		sc.entry = append(sc.entry[:0], rest...)
		if err := c.moveOut(t); err != nil {
			return err
		}
		return c.putEntry(t, sc.entry, value)
	}
	if c.typ == record.TypeList {
		index, _ := keyenc.DecodeItem(rest)
		if c.inline.n == 0 || index == c.inline.base-stride {
			c.inline.base, e.at, e.end = index, 0, 0
		}
	}
	c.splice(t, e.at, e.end, n, rest, value)
	return nil
}

// fits reports whether there may be n elements, with this one in place of so many
// bytes.
func (c *Collection) fits(n uint64, gone int, key, value []byte) bool {
	size := len(c.inline.buf) - gone + record.InlineLen(c.typ, key, value)
	return n <= uint64(record.Inline.Elements) && size <= record.Inline.Bytes
}

// check looks at the whole body before the first change.
func (c *Collection) check() error {
	if c.inline.checked || c.inline.n == 0 {
		return nil
	}
	if err := record.CheckInline(c.typ, c.inline.buf, c.inline.n); err != nil {
		return corrupt(c.name, err)
	}
	c.inline.checked = true
	return nil
}

// splice replaces a part of the body by an element, so that there are n.
func (c *Collection) splice(t Txn, at, end int, n uint64, key, value []byte) {
	sc := t.Scratch()
	sc.entry = record.AppendInline(sc.entry[:0], c.typ, key, value)
	c.replace(t, at, end, n, sc.entry)
}

// replace replaces a part of the body, so that there are n elements.
func (c *Collection) replace(t Txn, at, end int, n uint64, with []byte) {
	b := &c.inline
	if b.lent {
		sc := t.Scratch()
		b.slot = sc.inline.slot()
		b.buf, b.lent = append(sc.inline.bodies[b.slot][:0], b.buf...), false
	}
	b.buf = slices.Replace(b.buf, at, end, with...)
	b.n, b.dirty = n, true
}

// deleteRow is Txn.Delete of a row of the collection.
func (c *Collection) deleteRow(t Txn, row []byte) error {
	if !c.isInline() {
		return t.Delete(row)
	}
	tag, rest := splitRow(t, row)
	if c.typ == record.TypeZSet && tag == keyenc.TagElement {
		return nil
	}
	if err := c.check(); err != nil {
		return err
	}
	e, found, err := c.findInline(tag, rest)
	if err != nil || !found {
		return err
	}
	c.replace(t, e.at, e.end, c.inline.n-1, nil)
	if c.typ == record.TypeList && e.at == 0 {
		c.inline.base += stride
	}
	return nil
}

// moveOut gives the collection an id and writes its elements as rows; the caller
// saves. A collection that has rows stays as it is.
func (c *Collection) moveOut(t Txn) error {
	if !c.isInline() {
		return nil
	}
	if err := c.check(); err != nil {
		return err
	}
	id, err := t.NewID()
	if err != nil {
		return err
	}
	b := c.inline
	c.meta = record.Meta{Encoding: record.EncodingRows, ID: id, Count: c.meta.Count}
	c.inline, c.moved = inlineBody{}, true
	if err := PutOwner(t, id, c.name); err != nil {
		return err
	}
	var index [8]byte
	for left := b.buf; len(left) > 0; {
		key, value, next, ok := record.NextInline(c.typ, left)
		if !ok {
			return corrupt(c.name, record.ErrInline)
		}
		left = next
		if c.typ == record.TypeList {
			binary.BigEndian.PutUint64(index[:], b.base)
			key, b.base = index[:], b.base+stride
		}
		if err := c.putEntry(t, key, value); err != nil {
			return err
		}
		c.meta.Bytes += c.entryBytes(key, value)
	}
	return nil
}

// entryBytes estimates what the rows of an entry take, as grew does.
func (c *Collection) entryBytes(key, value []byte) uint64 {
	switch c.typ {
	case record.TypeZSet:
		return record.MemberBytes(len(key) - keyenc.ScoreLen)
	case record.TypeList:
		return record.ElementBytes(len(value))
	}
	return record.ElementBytes(len(key) + len(value))
}

// putEntry writes the rows of an element of a collection that has rows. key is
// that of its entry; of an item its index.
func (c *Collection) putEntry(t Txn, key, value []byte) error {
	sc := t.Scratch()
	tag := byte(keyenc.TagElement)
	switch c.typ {
	case record.TypeZSet:
		sc.row = append(c.Element(t, ""), key[keyenc.ScoreLen:]...)
		if err := t.Put(sc.row, record.TypeNone, 0, key[:keyenc.ScoreLen]); err != nil {
			return err
		}
		tag = keyenc.TagScore
	case record.TypeList:
		tag = keyenc.TagItem
	}
	sc.row = keyenc.AppendElementRow(sc.row[:0], t.Prefix(), c.meta.ID, tag, "")
	sc.row = append(sc.row, key...)
	return t.Put(sc.row, record.TypeNone, 0, value)
}

// inlineSaved returns the body to be written, and keeps its buffer for later calls.
func (c *Collection) inlineSaved(t Txn) []byte {
	b := &c.inline
	b.dirty = false
	if kept := &t.Scratch().inline.bodies[b.slot]; cap(b.buf) > cap(*kept) {
		*kept = b.buf[:0]
	}
	return b.buf
}
