package sstable

import (
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
)

// The records of a table have numbers, in internal order from 0 on. The index knows
// those of each block, so that a record is found by its number at the cost of one
// block, and two numbers say how many records a range has, about.

var errNumber = errors.New("there is no record of this number")

// NumbersWithin returns the numbers [from, to) of records among which are all that
// have keys of [lo, hi); a nil hi is the end of all keys. The others stand in the
// blocks at the ends. It reads nothing.
func (r *Reader) NumbersWithin(lo, hi []byte) (from, to uint64) {
	x := r.index
	first, end := x.search(lo), x.blocks()
	if hi != nil {
		end = min(end, x.search(hi)+1)
	}
	if first >= end {
		return 0, 0
	}
	return x.before(first), x.before(end)
}

// AppendNumbered appends the key of record n to dst and returns it with the record's
// trailer. The value is not read. A number that the table does not have is
// ErrCorruption: who asks has it from what the table says of itself.
func (r *Reader) AppendNumbered(dst []byte, n uint64) (key []byte, t base.Trailer, err error) {
	if n >= r.index.records() {
		return dst, t, r.corrupt(-1, errNumber)
	}
	i := r.index.blockOfRecord(n)
	l := Loan{Want: WantKey}
	b, err := r.keysOf(i, &l)
	if err != nil {
		return dst, t, err
	}
	at := int(n - r.index.before(i)) // less than b has: see index.checkBlock
	key, t = b.keys.appendKey(dst, at), b.trailer(at)
	if b.Leased() {
		b.EndLease()
	}
	l.Return()
	return key, t, nil
}

// keysOf returns data block i for who reads keys alone, so that any form of it that is
// cached will do. It is not marked as used: a draw says nothing of the next one.
func (r *Reader) keysOf(i int, l *Loan) (*block, error) {
	if i < len(r.slots) {
		if e := r.slots[i].Peek(); e != nil {
			return blockOf(e), nil
		}
	}
	return r.pointBlock(i, l)
}
