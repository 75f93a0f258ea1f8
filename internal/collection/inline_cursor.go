package collection

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// inlineCursor walks entries of a body as the rows they stand for. The entries
// are found when it begins, and the body does not change under it.
type inlineCursor struct {
	key     []byte // row key: head, then that of the entry
	head    int
	value   []byte
	entries []inlineEntry // in the order of the walk
	next    int
	indexes []byte // of a list's entries: their keys
}

func (i *inlineCursor) Next() bool {
	if i.next == len(i.entries) {
		return false
	}
	e := &i.entries[i.next]
	i.key = append(i.key[:i.head], e.key...)
	i.value = e.value
	i.next++
	return true
}

func (i *inlineCursor) Key() []byte { return i.key }

func (i *inlineCursor) Value() []byte { return i.value }

func (i *inlineCursor) Head(dst []byte, n int) ([]byte, error) {
	return append(dst, i.value[:min(n, len(i.value))]...), nil
}
func (i *inlineCursor) Trailer() base.Trailer { return inlineTrailer }

func (i *inlineCursor) Err() error { return nil }

// Close ends the walk and lets go of the body.
func (i *inlineCursor) Close() error {
	clear(i.entries)
	i.entries, i.next, i.value = i.entries[:0], 0, nil
	return nil
}

// ScanRows is Txn.Scan of rows of the collection that have one tag: lo has it, hi
// has it or stands behind all its rows.
func (c *Collection) ScanRows(t Txn, lo, hi []byte, o ScanOptions) (Cursor, error) {
	if !c.isInline() {
		return t.Scan(lo, hi, o)
	}
	i := t.Scratch().inline.cursor()
	tag, from := splitRow(t, lo)
	i.head = len(lo) - len(from)
	i.key = append(i.key[:0], lo[:i.head]...)
	var to []byte
	bounded := bytes.HasPrefix(hi, i.key)
	if bounded {
		to = hi[i.head:]
	}
	err := i.collect(c, tag, func(key []byte) bool {
		return bytes.Compare(key, from) >= 0 && (!bounded || bytes.Compare(key, to) < 0)
	})
	if err != nil {
		i.Close()
		return nil, err
	}
	if c.typ == record.TypeZSet && tag == keyenc.TagElement {
		slices.SortFunc(i.entries, func(a, b inlineEntry) int { return bytes.Compare(a.key, b.key) })
	}
	if o.Reverse {
		slices.Reverse(i.entries)
	}
	c.inline.lent = true
	return i, nil
}

// collect notes the elements of c that have a row of the tag whose key, behind the
// tag, is within bounds.
func (i *inlineCursor) collect(c *Collection, tag byte, within func(key []byte) bool) error {
	if tag != keyenc.TagElement && tag != keyenc.TagScore && tag != keyenc.TagItem {
		return nil
	}
	index := c.inline.base
	i.indexes = i.indexes[:0]
	for left := c.inline.buf; len(left) > 0; index += stride {
		key, value, next, ok := record.NextInline(c.typ, left)
		if !ok {
			return corrupt(c.name, record.ErrInline)
		}
		left = next
		switch {
		case c.typ == record.TypeList:
			i.indexes = binary.BigEndian.AppendUint64(i.indexes, index)
			key = i.indexes[len(i.indexes)-8:]
		case c.typ == record.TypeZSet && tag == keyenc.TagElement:
			key, value = key[keyenc.ScoreLen:], key[:keyenc.ScoreLen]
		}
		if within(key) {
			i.entries = append(i.entries, inlineEntry{key: key, value: value})
		}
	}
	return nil
}
