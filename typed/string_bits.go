package typed

import (
	"encoding/binary"
	"math/bits"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/record"
)

// The bits of a string. Bit 0 is the highest one of the first byte:
//
//	byte        0                1
//	value   1 0 0 0 0 0 0 1  0 1 0 0 0 0 0 0
//	bit     0 1 2 3 4 5 6 7  8 9 …
//
// Bits behind the end are 0. Reads take the value whole from the store, and
// writes put it back whole: a bitmap that changes often is better cut into
// several keys of some KiB.

// BitRange says which bits of a value BitCount and BitPos look at. The zero value
// is all of them.
type BitRange struct {
	unit        bitUnit
	start, stop int64
}

type bitUnit uint8

const (
	wholeValue bitUnit = iota
	fromByte
	byBytes
	byBits
)

// ByBytes is the bits of the bytes from start to stop, both included; −1 is the
// last byte. What lies outside the value is cut off.
func ByBytes(start, stop int64) BitRange { return BitRange{byBytes, start, stop} }

// ByBytesFrom is the bits of the bytes from start to the end of the value, which
// BitPos takes for open.
func ByBytesFrom(start int64) BitRange { return BitRange{fromByte, start, -1} }

// ByBits is the bits from start to stop, both included; −1 is the last bit of the
// last byte. What lies outside the value is cut off.
func ByBits(start, stop int64) BitRange { return BitRange{byBits, start, stop} }

// resolve returns the first bit and the number of bits in a value of length bytes.
func (r BitRange) resolve(length int64) (first, n int64) {
	switch r.unit {
	case wholeValue:
		return 0, 8 * length
	case byBits:
		return span(r.start, r.stop, 8*length)
	}
	first, n = span(r.start, r.stop, length)
	return 8 * first, 8 * n
}

// openEnd reports whether the end of the value bounds the range and nothing else.
func (r BitRange) openEnd() bool { return r.unit == wholeValue || r.unit == fromByte }

// SetBit sets the bit at offset and returns the one that was there. A value that
// ends before offset is filled up with zero bits, one that is missing is empty.
// The time to live stays. ErrOutOfRange if offset is negative, ErrValueTooLarge if
// it is 2³³ or more, for which a value would be too large. Cost: the whole value
// is written anew, unless it has that bit. [SETBIT]
func (s String) SetBit(offset int64, bit bool) (old bool, err error) {
	switch {
	case offset < 0:
		return false, outOfRange("offset", offset)
	case offset >= 8*base.MaxValueLen:
		return false, base.Errorf(base.ErrValueTooLarge, "bit offset %d, a value has at most %d bytes", offset, base.MaxValueLen)
	}
	return collection.Update(s.src, s.name, func(t collection.Txn) (bool, error) {
		v, expiry, _, err := s.loadScratch(t)
		if err != nil {
			return false, err
		}
		at, mask := int(offset/8), byte(0x80)>>(offset%8)
		old := at < len(v) && v[at]&mask != 0
		if at < len(v) && old == bit {
			return old, nil
		}
		v = padded(t, v, at+1)
		if v[at] &^= mask; bit {
			v[at] |= mask
		}
		return old, t.Put(s.row(t), record.TypeString, expiry, v)
	})
}

// Bit returns the bit at offset, false behind the end of the value and if there is
// none. ErrOutOfRange if offset is negative. [GETBIT]
func (s String) Bit(offset int64) (bool, error) {
	if offset < 0 {
		return false, outOfRange("offset", offset)
	}
	return collection.View(s.src, func(t collection.Txn) (bool, error) {
		v, _, _, err := s.loadScratch(t)
		at := offset / 8
		return err == nil && at < int64(len(v)) && v[at]&(0x80>>(offset%8)) != 0, err
	})
}

// BitCount returns how many bits in the range are 1, 0 if there is no value.
// [BITCOUNT BYTE BIT]
func (s String) BitCount(r BitRange) (int64, error) {
	return collection.View(s.src, func(t collection.Txn) (int64, error) {
		v, _, _, err := s.loadScratch(t)
		if err != nil {
			return 0, err
		}
		first, n := r.resolve(int64(len(v)))
		return countBits(v, first, n), nil
	})
}

// BitPos returns the position, from the start of the value, of the first bit in
// the range that is bit, or ErrNotFound. If it looks for a 0 among ones and the
// range has no end of its own (the zero BitRange, ByBytesFrom), it is the first
// bit behind the value. A missing value has its first 0 at position 0 whatever the
// range; in an empty value, or a range that is empty, there is none. [BITPOS BYTE
// BIT]
func (s String) BitPos(bit bool, r BitRange) (int64, error) {
	return collection.View(s.src, func(t collection.Txn) (int64, error) {
		v, _, found, err := s.loadScratch(t)
		switch {
		case err != nil:
			return 0, err
		case !found && !bit:
			return 0, nil
		}
		first, n := r.resolve(int64(len(v)))
		pos, found := findBit(v, bit, first, n)
		switch {
		case found:
			return pos, nil
		case n > 0 && !bit && r.openEnd():
			return 8 * int64(len(v)), nil
		}
		return 0, base.ErrNotFound
	})
}

// countBits counts the ones among n bits of v from first on.
func countBits(v []byte, first, n int64) (ones int64) {
	if n == 0 {
		return 0
	}
	last := first + n - 1
	v = v[first/8 : last/8+1]
	// What the first and the last byte have outside of the range.
	ones -= int64(bits.OnesCount8(v[0] >> (8 - first%8)))
	ones -= int64(bits.OnesCount8(v[len(v)-1] & (1<<(7-last%8) - 1)))
	for ; len(v) >= 8; v = v[8:] {
		ones += int64(bits.OnesCount64(binary.BigEndian.Uint64(v)))
	}
	for _, b := range v {
		ones += int64(bits.OnesCount8(b))
	}
	return ones
}

// findBit returns the first position among n bits of v from first on that is bit.
func findBit(v []byte, bit bool, first, n int64) (pos int64, found bool) {
	if n == 0 {
		return 0, false
	}
	v = v[:(first+n-1)/8+1]
	flip := ^uint64(0) // makes what is looked for a 1
	if bit {
		flip = 0
	}
	keep := byte(0xFF) >> (first % 8) // of the first byte
	for i := int(first / 8); i < len(v); i++ {
		if b := (v[i] ^ byte(flip)) & keep; b != 0 {
			pos = int64(8*i + bits.LeadingZeros8(b))
			return pos, pos < first+n
		}
		keep = 0xFF
		for i+9 <= len(v) && binary.BigEndian.Uint64(v[i+1:]) == flip {
			i += 8
		}
	}
	return 0, false
}

// BitOp is how String.BitOp puts values together.
type BitOp uint8

const (
	BitAnd BitOp = iota + 1 // a bit is 1 if it is in all values
	BitOr                   // if it is in any
	BitXor                  // if it is in an odd number of them
	BitNot                  // if it is not in the one value
)

// BitOp sets the value to the bits of the sources put together and returns its
// length, which is that of the longest source; shorter ones and missing ones have
// zero bits there. As Set it takes a key of any type and clears the time to live.
// Without a byte in the sources the key is dropped. It may be a source itself.
// ErrBadOption without sources, with several for BitNot, and for an unknown op;
// ErrWrongType if a source is no string. [BITOP]
func (s String) BitOp(op BitOp, sources ...string) (n int64, err error) {
	switch {
	case op < BitAnd || op > BitNot:
		return 0, base.Errorf(base.ErrBadOption, "there is no BitOp %d", op)
	case len(sources) == 0:
		return 0, errNoSources(s.name)
	case op == BitNot && len(sources) > 1:
		return 0, base.Errorf(base.ErrBadOption, "BitNot takes one source, not %d", len(sources))
	}
	key := ""
	if len(sources) == 1 && sources[0] == s.name {
		key = s.name
	}
	return collection.Update(s.src, key, func(t collection.Txn) (int64, error) {
		if err := collection.CheckName(s.name); err != nil {
			return 0, err
		}
		result, err := combineBits(t, op, sources)
		if err != nil {
			return 0, err
		}
		row := s.row(t)
		if len(result) == 0 {
			_, err := collection.DropRow(t, row)
			return 0, err
		}
		if _, _, err := collection.Displace(t, row); err != nil {
			return 0, err
		}
		return int64(len(result)), t.Put(row, record.TypeString, 0, result)
	})
}

// combineBits returns the bits of the sources put together, in scratch for output.
func combineBits(t collection.Txn, op BitOp, sources []string) ([]byte, error) {
	sc := t.Scratch()
	result := sc.Out[:0]
	for i, name := range sources {
		v, _, _, err := String{Key{name: name}}.loadScratch(t)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			result = append(result, v...)
			continue
		}
		if len(v) > len(result) {
			result = append(result, make([]byte, len(v)-len(result))...)
		}
		mergeBits(op, result, v)
	}
	if op == BitNot {
		for i := range result {
			result[i] = ^result[i]
		}
	}
	sc.Out = result[:0]
	return result, nil
}

// mergeBits puts v, which is not longer, into result.
func mergeBits(op BitOp, result, v []byte) {
	switch op {
	case BitAnd:
		for i, b := range v {
			result[i] &= b
		}
		clear(result[len(v):])
	case BitOr:
		for i, b := range v {
			result[i] |= b
		}
	case BitXor:
		for i, b := range v {
			result[i] ^= b
		}
	}
}
