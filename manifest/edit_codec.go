package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/siltstonedb/siltstone/internal/base"
)

// An edit is fields one behind the other, in the order of their tags, each
//
//	+-------------+-------------------+
//	| tag uvarint | what the tag says |
//	+-------------+-------------------+
//
// Tags are frozen. Fields 1, 2, 9 and 10 may be there several times, the others
// once; what would be zero is left out. Every uvarint has its shortest form. So
// an edit has one encoding, and a decoder that meets an unknown tag knows that
// a later version wrote it.
const (
	tagAdded         = 1  // uvarint length, table record
	tagRemoved       = 2  // uvarint table number
	tagMinLog        = 3  // uvarint
	tagLastSeq       = 4  // uvarint
	tagClock         = 5  // uvarint, ms
	tagFileLimit     = 6  // uvarint
	tagIDLimit       = 7  // uvarint
	tagKeyspaceLimit = 8  // uvarint
	tagNominated     = 9  // uvarints keyspace, first id, last id − first id
	tagSettled       = 10 // the same
	tagClean         = 11 // nothing
)

var (
	errCut       = errors.New("edit is cut short")
	errVarint    = errors.New("edit has a number that is too large or not in its shortest form")
	errTagOrder  = errors.New("edit's fields are out of order")
	errZeroField = errors.New("edit has a field that is zero")
	errRecord    = errors.New("table record is malformed")
)

// AppendEdit appends e's encoding to dst.
func AppendEdit(dst []byte, e *Edit) []byte {
	var record []byte
	for _, t := range e.Added {
		record = appendTable(record[:0], t)
		dst = binary.AppendUvarint(append(dst, tagAdded), uint64(len(record)))
		dst = append(dst, record...)
	}
	for _, n := range e.Removed {
		dst = binary.AppendUvarint(append(dst, tagRemoved), uint64(n))
	}
	for _, f := range []struct {
		tag byte
		v   uint64
	}{
		{tagMinLog, uint64(e.MinLog)}, {tagLastSeq, uint64(e.LastSeq)}, {tagClock, uint64(e.Clock)},
		{tagFileLimit, uint64(e.FileLimit)}, {tagIDLimit, e.IDLimit}, {tagKeyspaceLimit, uint64(e.KeyspaceLimit)},
	} {
		if f.v != 0 {
			dst = binary.AppendUvarint(append(dst, f.tag), f.v)
		}
	}
	dst = appendRanges(dst, tagNominated, e.Nominated)
	dst = appendRanges(dst, tagSettled, e.Settled)
	if e.Clean {
		dst = append(dst, tagClean)
	}
	return dst
}

func appendRanges(dst []byte, tag byte, list []IDRange) []byte {
	for _, r := range list {
		dst = binary.AppendUvarint(append(dst, tag), uint64(r.Keyspace))
		dst = binary.AppendUvarint(dst, r.First)
		dst = binary.AppendUvarint(dst, r.Last-r.First)
	}
	return dst
}

// DecodeEdit decodes an edit, which is all of b. Any bytes are safe to pass;
// what is decoded is copied, and memory is bounded by the length of b. An
// unknown field is base.ErrFormatTooNew, wrapped.
func DecodeEdit(b []byte) (*Edit, error) {
	e := &Edit{}
	c := cursor{rest: b}
	last := uint64(0)
	for len(c.rest) > 0 && c.err == nil {
		tag := c.uvarint()
		repeats := tag == tagAdded || tag == tagRemoved || tag == tagNominated || tag == tagSettled
		switch {
		case c.err != nil:
		case tag > tagClean:
			return nil, fmt.Errorf("edit has a field %d this version does not know: %w", tag, base.ErrFormatTooNew)
		case tag < last || tag == last && !repeats:
			return nil, errTagOrder
		default:
			e.decodeField(&c, tag)
		}
		last = tag
	}
	if c.err != nil {
		return nil, c.err
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	return e, nil
}

// decodeField decodes what follows the tag. Errors gather in c.
func (e *Edit) decodeField(c *cursor, tag uint64) {
	switch tag {
	case tagAdded:
		t, err := decodeTable(c.bytes(math.MaxInt))
		if c.err == nil {
			c.err = err
		}
		e.Added = append(e.Added, t)
	case tagRemoved:
		e.Removed = append(e.Removed, base.FileNum(c.positive(math.MaxInt64)))
	case tagMinLog:
		e.MinLog = base.FileNum(c.positive(math.MaxInt64))
	case tagLastSeq:
		e.LastSeq = base.SeqNum(c.positive(uint64(base.SeqMax)))
	case tagClock:
		e.Clock = int64(c.positive(math.MaxInt64))
	case tagFileLimit:
		e.FileLimit = base.FileNum(c.positive(math.MaxInt64))
	case tagIDLimit:
		e.IDLimit = c.positive(math.MaxUint64)
	case tagKeyspaceLimit:
		e.KeyspaceLimit = uint32(c.positive(math.MaxUint32))
	case tagNominated:
		e.Nominated = append(e.Nominated, c.idRange())
	case tagSettled:
		e.Settled = append(e.Settled, c.idRange())
	case tagClean:
		e.Clean = true
	default:
		c.fail(errZeroField)
	}
}

// cursor takes numbers and bytes off the front of an encoding. After the first
// error it only returns zeros. One goroutine at a time may use it.
type cursor struct {
	rest []byte
	err  error
}

func (c *cursor) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.rest = nil
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.rest)
	switch {
	case c.err != nil:
		return 0
	case n == 0:
		c.fail(errCut)
		return 0
	case n < 0, n > 1 && c.rest[n-1] == 0:
		c.fail(errVarint)
		return 0
	}
	c.rest = c.rest[n:]
	return v
}

// atMost returns the next number, which must not exceed most.
func (c *cursor) atMost(most uint64) uint64 {
	v := c.uvarint()
	if v > most {
		c.fail(errVarint)
		return 0
	}
	return v
}

// positive returns the next number, which must be from 1 to most.
func (c *cursor) positive(most uint64) uint64 {
	v := c.atMost(most)
	if v == 0 {
		c.fail(errZeroField)
	}
	return v
}

// fixed returns the next 8 bytes as a little-endian number.
func (c *cursor) fixed() uint64 {
	if len(c.rest) < 8 {
		c.fail(errCut)
		return 0
	}
	v := binary.LittleEndian.Uint64(c.rest)
	c.rest = c.rest[8:]
	return v
}

// bytes returns the next length-prefixed bytes, at most most of them. They
// point into the input.
func (c *cursor) bytes(most uint64) []byte {
	n := c.atMost(most)
	if n > uint64(len(c.rest)) {
		c.fail(errCut)
		return nil
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) idRange() IDRange {
	r := IDRange{Keyspace: uint32(c.atMost(math.MaxUint32)), First: c.uvarint()}
	r.Last = r.First + c.atMost(math.MaxUint64-r.First)
	return r
}
