package sstable

import (
	"encoding/binary"
	"errors"
)

// A record of aloneFrom bytes or more has a block of its own, whose head, all that
// stands before the value, has a checksum of its own. Who asks for keys reads the
// head alone, and the index tells the key without reading anything: the block's
// separator is the key itself.
//
//	+------+--------------------+-------+-----+
//	| head | checksum of it 8 B | value | pad |
//	+------+--------------------+-------+-----+

// aloneFrom is the size of key and value from which a record is worth it: below it
// a read of the whole block takes hardly longer.
const aloneFrom = 64 << 10

var errHeadSum = errors.New("head of a large record does not verify")

// headLen returns the bytes of a head, for a key of that length.
func headLen(keyLen int, flags blockFlags) int {
	n := blockHeaderLen + int(padded(uint64(keyLen))) + alignment + 8 // with tag and p8
	if flags&flagExpiry != 0 {
		n += 8
	}
	return n
}

// decodeHead decodes the head of a block of one large record into b, which points
// into it and has no value.
func decodeHead(b *block, head []byte) error {
	end, _, err := decodeHeader(b, head)
	if err != nil {
		return err
	}
	if b.flags&flagAlone == 0 || end != uint64(len(head)) {
		return errBlockSize
	}
	if err := b.decodeKeys(); err != nil {
		return err
	}
	b.valueLen = b.rawValues
	return b.checkRecords()
}

// unsealHead checks the head of n bytes that b begins with, and returns it. offset
// is that of the block.
func unsealHead(b []byte, n int, id uint64, offset int64) ([]byte, error) {
	if len(b) < n+checksumLen {
		return nil, errBlockSize
	}
	if checksum(b[:n], id, offset, sectionHead) != binary.LittleEndian.Uint64(b[n:]) {
		return nil, errHeadSum
	}
	return b[:n:n], nil
}

// alone reports whether data block i is one large record.
func (x *index) alone(i int) bool { return x.blockFlags(i)&flagAlone != 0 }

// readHead reads the head of data block i, which is one large record, into buf if
// that has room, and decodes it into b. It returns the buffer.
func (r *Reader) readHead(b *block, i int, buf []byte) ([]byte, error) {
	offset, length := r.index.handle(i)
	n := headLen(r.index.keys.keyLen(i), r.index.blockFlags(i))
	buf = sized(buf, min(length, int64(n+checksumLen)))
	if err := r.readAt(buf, offset); err != nil {
		return buf, err
	}
	head, err := unsealHead(buf, n, r.id, offset)
	if err == nil {
		err = decodeHead(b, head)
	}
	if err == nil {
		err = r.index.checkBlock(b, i)
	}
	if err != nil {
		return buf, r.corrupt(offset, err)
	}
	return buf, nil
}

// bounds are the keys that an iterator is asked for, [lower, upper); nil is open.
type bounds struct{ lower, upper []byte }

// outside reports whether the index says that no key of data block i is within
// the bounds. It looks at the bound that a walk in this direction comes to.
func (r *Reader) outside(o *bounds, i int, backward bool) bool {
	if backward {
		return o.lower != nil && i < r.index.search(o.lower)
	}
	if o.upper == nil {
		return false
	}
	// The first block that may hold upper or a larger key: those behind it hold
	// nothing smaller.
	end := r.index.search(o.upper)
	return i > end || i == end && r.index.alone(i) || i == 0 && string(r.props.Smallest) >= string(o.upper)
}
