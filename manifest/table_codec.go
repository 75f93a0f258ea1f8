package manifest

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/siltstonedb/siltstone/internal/base"
)

// A table record is these fields in this order, with nothing behind them. A
// later version that needs more takes a new tag.
//
//	+---------+---------+---------+---------+-----+--------+--------+
//	| number  | level   | run     | size    | id  | digest | flags  |
//	| uvarint | uvarint | uvarint | uvarint | 8 B | 8 B    | 1 B    |
//	+---------+---------+---------+---------+-----+--------+--------+
//	| smallest           | largest            | sequences           |
//	| length, bytes      | length, bytes      | min, max − min      |
//	+--------------------+--------------------+---------------------+
//	| puts, deletes, range deletes, metadata rows, bytes of their   |
//	| collections, key bytes, value bytes, shadowed (uvarints)      |
//	+---------------------------------------------------------------+
//	| expiring records, min expiry, max − min expiry (uvarints)     |
//	+---------------------------------------------------------------+
//
// id and digest are little-endian. Bit 0 of flags: largest is exclusive; the
// others are zero.
func appendTable(dst []byte, t *Table) []byte {
	for _, v := range []uint64{uint64(t.Num), uint64(t.Level), t.Run, t.Size} {
		dst = binary.AppendUvarint(dst, v)
	}
	dst = binary.LittleEndian.AppendUint64(dst, t.ID)
	dst = binary.LittleEndian.AppendUint64(dst, t.Digest)
	var flags byte
	if t.LargestExclusive {
		flags = flagLargestExclusive
	}
	dst = append(dst, flags)
	for _, key := range [][]byte{t.Smallest, t.Largest} {
		dst = binary.AppendUvarint(dst, uint64(len(key)))
		dst = append(dst, key...)
	}
	dst = binary.AppendUvarint(dst, uint64(t.MinSeq))
	dst = binary.AppendUvarint(dst, uint64(t.MaxSeq-t.MinSeq))
	for _, v := range t.counts() {
		dst = binary.AppendUvarint(dst, *v)
	}
	dst = binary.AppendUvarint(dst, uint64(t.MinExpiry))
	return binary.AppendUvarint(dst, uint64(t.MaxExpiry-t.MinExpiry))
}

const flagLargestExclusive = 1

// counts returns the plain numbers of a table record in the order they are
// encoded in.
func (t *Table) counts() []*uint64 {
	return []*uint64{
		&t.Puts, &t.Deletes, &t.RangeDeletes, &t.MetaRows, &t.CollectionBytes,
		&t.KeyBytes, &t.ValueBytes, &t.Shadowed, &t.Expiring,
	}
}

// decodeTable decodes a record, which is all of b, and copies what it keeps.
func decodeTable(b []byte) (*Table, error) {
	c := cursor{rest: b}
	t := &Table{
		Num:   base.FileNum(c.positive(math.MaxInt64)),
		Level: uint8(c.atMost(LastLevel)),
		Run:   c.uvarint(),
	}
	t.Size = c.atMost(math.MaxInt64)
	t.ID, t.Digest = c.fixed(), c.fixed()
	t.LargestExclusive = c.atMost(flagLargestExclusive) == flagLargestExclusive
	t.Smallest = bytes.Clone(c.bytes(base.MaxRowKeyLen))
	t.Largest = bytes.Clone(c.bytes(base.MaxRowKeyLen))
	t.MinSeq = base.SeqNum(c.atMost(uint64(base.SeqMax)))
	t.MaxSeq = t.MinSeq + base.SeqNum(c.atMost(uint64(base.SeqMax-t.MinSeq)))
	for _, v := range t.counts() {
		*v = c.uvarint()
	}
	t.MinExpiry = int64(c.atMost(math.MaxInt64))
	t.MaxExpiry = t.MinExpiry + int64(c.atMost(uint64(math.MaxInt64-t.MinExpiry)))
	if c.err == nil && len(c.rest) > 0 {
		c.fail(errRecord)
	}
	if c.err != nil {
		return nil, c.err
	}
	return t, t.check()
}
