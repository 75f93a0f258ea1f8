package check

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// elementCount counts the rows of one collection.
type elementCount struct {
	prefix                  []byte
	id                      uint64
	row, owner              []byte // of the metadata, and what the owner row says it is
	elements, scores, items uint64
	volatile, due           uint64 // elements with a deadline, and deadlines
	pairs                   uint64 // hashes of (member, score, deadline) of elements, less those of score rows
	dues                    uint64 // hashes of (member, deadline) of elements, less those of due rows
	earliest                int64  // of the due rows
	first, last             uint64 // indexes of items
	bad                     []byte // a row that says nothing sensible; nil: none
}

// add counts a row: name is the part of its key behind the tag.
func (e *elementCount) add(tag byte, name, value []byte, t base.Trailer) {
	switch tag {
	case keyenc.TagOwner:
		e.owner = bytes.Clone(value)
	case keyenc.TagElement:
		e.elements++
		deadline, rest, ok := record.ElementValue(record.Type(t.Attr.Type()), value)
		if !ok {
			e.wrong(tag, name)
			return
		}
		if deadline != 0 {
			e.volatile++
			e.dues += hashPair(name, binary.BigEndian.AppendUint64(nil, uint64(deadline)))
		}
		e.pairs += hashMember(name, rest, deadline)
	case keyenc.TagScore:
		e.scores++
		deadline, _, ok := record.ElementValue(record.Type(t.Attr.Type()), value)
		if len(name) < keyenc.ScoreLen || !ok {
			e.wrong(tag, name)
			return
		}
		e.pairs -= hashMember(name[keyenc.ScoreLen:], name[:keyenc.ScoreLen], deadline)
	case keyenc.TagDue:
		if len(name) < record.DeadlineLen {
			e.wrong(tag, name)
			return
		}
		if e.due++; e.due == 1 {
			e.earliest = int64(binary.BigEndian.Uint64(name))
		}
		e.dues -= hashPair(name[record.DeadlineLen:], name[:record.DeadlineLen])
	case keyenc.TagItem:
		index, ok := keyenc.DecodeItem(name)
		if !ok {
			e.wrong(tag, name)
			return
		}
		if e.items++; e.items == 1 {
			e.first = index
		}
		e.last = index
	}
}

// wrong notes a row that nothing writes so.
func (e *elementCount) wrong(tag byte, name []byte) {
	e.bad = keyenc.AppendElementRow(nil, e.prefix, e.id, tag, string(name))
}

func hashPair(member, rest []byte) uint64 {
	return xxhash.Sum64(member)*31 + xxhash.Sum64(rest)
}

func hashMember(member, score []byte, deadline int64) uint64 {
	return hashPair(member, score) + uint64(deadline)*0x9E3779B97F4A7C15*xxhash.Sum64(member)
}

// judge compares the rows of a collection with its metadata.
func (c *checker) judge(e *elementCount, named map[Collection]bool) error {
	if e.prefix == nil {
		return nil
	}
	who := Collection{string(e.prefix), e.id}
	if e.row == nil {
		switch {
		case named[who] || c.nominated(who):
			return nil
		case e.owner == nil:
			return e.fault("%d rows without an owner", e.elements+e.scores+e.items)
		}
		return e.fault("%d rows that no record names", e.elements+e.scores+e.items)
	}
	if !bytes.Equal(e.owner, e.row) {
		return e.fault("row %q names it, its owner row says %q", e.row, e.owner)
	}
	f, err := c.View.State.Get(e.row, base.HashRow(e.row), c.View.Seq)
	if err != nil {
		return err
	}
	m, err := record.DecodeMeta(f.Value)
	if err != nil {
		return e.fault("%v", err)
	}
	typ := record.Type(f.Attr.Type())
	if err := e.compare(typ, m); err != nil {
		return err
	}
	if err := c.timers(e, f.Expiry, m.NextDue); err != nil {
		return err
	}
	if typ == record.TypeZSet {
		return c.ranks(e, m)
	}
	return nil
}

func (e *elementCount) fault(format string, args ...any) error {
	return fmt.Errorf("%w: collection %d: %s", base.ErrCorruption, e.id, fmt.Sprintf(format, args...))
}

// compare compares rows with metadata, as far as one pass over them tells.
func (e *elementCount) compare(typ record.Type, m record.Meta) error {
	count := e.elements
	if typ == record.TypeList {
		count = e.items
	}
	switch {
	case e.bad != nil:
		return e.fault("%v %q has the malformed row %q", typ, e.owner, e.bad)
	case m.Count != count:
		return e.fault("%v %q counts %d elements and has %d", typ, e.owner, m.Count, count)
	case e.volatile != e.due:
		return e.fault("%v %q has %d elements with deadlines and %d due rows", typ, e.owner, e.volatile, e.due)
	case e.dues != 0:
		return e.fault("%v %q has due rows that are not those of its elements", typ, e.owner)
	case e.due > 0 && (m.NextDue == 0 || e.earliest < m.NextDue):
		return e.fault("%v %q has an element that is due at %d, and says that none is before %d", typ, e.owner, e.earliest, m.NextDue)
	case typ == record.TypeZSet && e.scores != e.elements:
		return e.fault("sorted set %q has %d members and %d scores", e.owner, e.elements, e.scores)
	case typ == record.TypeZSet && e.pairs != 0:
		return e.fault("sorted set %q has scores that are not those of its members", e.owner)
	case typ == record.TypeList && !listSpans(m, e):
		return e.fault("list %q has a gap, or items outside its ends", e.owner)
	}
	return nil
}

// listSpans reports whether items, as many as the metadata counts, stand where
// its body says: without gaps from the first index to one stride before the end,
// or with gaps somewhere between the two. Typed calls refuse the body of a later
// version, so it is no fault.
func listSpans(m record.Meta, e *elementCount) bool {
	b, err := record.DecodeListBounds(m.Body, m.Count)
	switch {
	case err != nil:
		return errors.Is(err, base.ErrFormatTooNew)
	case b.Gaps:
		return b.First <= e.first && e.last < b.End
	}
	return e.first == b.First && e.last == b.End-keyenc.ItemStride
}

// timers looks for the timers of a collection. Without them the reaper would not find
// its expired elements, nor the collection once it has expired.
func (c *checker) timers(e *elementCount, expiry, nextDue int64) error {
	for _, at := range [...]int64{expiry, nextDue} {
		if at == 0 {
			continue
		}
		row := keyenc.AppendTimerRow(nil, at, e.id)
		f, err := c.View.State.Get(row, base.HashRow(row), c.View.Seq)
		switch {
		case err != nil:
			return err
		case !f.OK:
			return e.fault("%q has no timer at %d", e.owner, at)
		case !bytes.Equal(f.Value, e.prefix):
			return e.fault("%q has a timer at %d of keyspace %x", e.owner, at, f.Value)
		}
	}
	return nil
}
