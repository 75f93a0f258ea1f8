package sstable

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
)

// keyColumns are sorted keys as columns of a data block or of the index:
//
//	key   = common prefix · tail
//	tail  = its first eight bytes, as the big-endian number p8, zero-padded · rest
//
//	"user:0041"  prefix "user:00"  p8 = 34 31 00 00 00 00 00 00  length 2
//	"user:0041x"                   p8 = 34 31 78 00 00 00 00 00  length 3
//	"user:0070"                    p8 = 37 30 00 00 00 00 00 00  length 2
//
// The length column holds the whole tail's length, so that "a" and "a\x00",
// which have the same p8, stay two keys. The order of keys is that of p8, then
// rest, then length. It is immutable and safe for concurrent use.
type keyColumns struct {
	p8        []uint64
	data      []byte // the block; offsets below point into it
	n         int
	prefixLen int
	tailBase  int // the shortest tail; each other is it plus a column
	longest   int // bytes of the longest key

	prefixOff, tailOff, restOffOff, restOff uint32
	restLen                                 uint32
	tailWidth, restWidth                    uint8 // bytes per entry: 0 (no column), 1, 2 or 4
}

// keyShape is what an encoder decides about keys before it writes their columns.
type keyShape struct {
	n, prefixLen, tailBase int
	restLen                int
	tailWidth, restWidth   uint8
}

var (
	errKeyColumns = errors.New("key columns do not fit their block")
	errKeyLength  = errors.New("key length out of bounds")
	errKeyOrder   = errors.New("keys out of order")
	errPadding    = errors.New("key padding is not zero")
)

// keyAt returns key i of the concatenated keys that end at ends.
func keyAt(keys []byte, ends []uint32, i int) []byte {
	if i == 0 {
		return keys[:ends[0]]
	}
	return keys[ends[i-1]:ends[i]]
}

// shapeOf measures sorted keys, of which there is at least one.
func shapeOf(keys []byte, ends []uint32) keyShape {
	n := len(ends)
	first := keyAt(keys, ends, 0)
	s := keyShape{n: n, prefixLen: base.CommonPrefix(first, keyAt(keys, ends, n-1))}
	shortest, longest := len(first), len(first)
	start := uint32(0)
	for _, end := range ends {
		l := int(end - start)
		start = end
		shortest, longest = min(shortest, l), max(longest, l)
		s.restLen += max(0, l-s.prefixLen-8)
	}
	s.tailBase = shortest - s.prefixLen
	s.tailWidth = columnWidth(uint64(longest - shortest))
	if s.restLen > 0 && s.tailWidth > 0 {
		s.restWidth = max(2, columnWidth(uint64(s.restLen)))
	}
	return s
}

// columnWidth returns the bytes a column takes per entry if its largest entry is
// v: 0, 1, 2, 4 or 8.
func columnWidth(v uint64) uint8 {
	switch {
	case v == 0:
		return 0
	case v < 1<<8:
		return 1
	case v < 1<<16:
		return 2
	case v < 1<<32:
		return 4
	}
	return 8
}

func appendColumn(dst []byte, width uint8, v uint64) []byte {
	switch width {
	case 0:
		return dst
	case 1:
		return append(dst, byte(v))
	case 2:
		return binary.LittleEndian.AppendUint16(dst, uint16(v))
	case 4:
		return binary.LittleEndian.AppendUint32(dst, uint32(v))
	}
	return binary.LittleEndian.AppendUint64(dst, v)
}

// column returns entry i of the column of at most four bytes per entry that
// starts at off.
func column(data []byte, off uint32, width uint8, i int) uint32 {
	switch width {
	case 0:
		return 0
	case 1:
		return uint32(data[int(off)+i])
	case 2:
		return uint32(binary.LittleEndian.Uint16(data[int(off)+2*i:]))
	}
	return binary.LittleEndian.Uint32(data[int(off)+4*i:])
}

// appendP8 appends the column of p8.
func (s keyShape) appendP8(dst, keys []byte, ends []uint32) []byte {
	start := uint32(0)
	for _, end := range ends {
		dst = binary.LittleEndian.AppendUint64(dst, base.Prefix8(keys[start:end], s.prefixLen))
		start = end
	}
	return dst
}

// appendLengths appends the columns of rest offsets and tail lengths.
func (s keyShape) appendLengths(dst []byte, ends []uint32) []byte {
	if s.restWidth > 0 {
		start, off := uint32(0), 0
		for _, end := range ends {
			dst = appendColumn(dst, s.restWidth, uint64(off))
			off += max(0, int(end-start)-s.prefixLen-8)
			start = end
		}
	}
	if s.tailWidth > 0 {
		start := uint32(0)
		for _, end := range ends {
			dst = appendColumn(dst, s.tailWidth, uint64(int(end-start)-s.prefixLen-s.tailBase))
			start = end
		}
	}
	return dst
}

// appendRest appends what of the keys is neither prefix nor p8.
func (s keyShape) appendRest(dst, keys []byte, ends []uint32) []byte {
	if s.restLen == 0 {
		return dst
	}
	start := 0
	for _, end := range ends {
		if from := start + s.prefixLen + 8; from < int(end) {
			dst = append(dst, keys[from:end]...)
		}
		start = int(end)
	}
	return dst
}

// check tests that every column stands inside the block, that each rest begins
// where the one before it ends, and that p8 rises; it sets longest. After it no
// access can leave the block. The caller has set every other field and knows
// that the columns of fixed size fit.
func (k *keyColumns) check() error {
	if k.tailWidth == 0 {
		if uint64(k.n)*uint64(max(0, k.tailBase-8)) != uint64(k.restLen) || k.restWidth != 0 {
			return errKeyColumns
		}
	} else if (k.restLen > 0) != (k.restWidth > 0) {
		return errKeyColumns
	}
	last, off := uint64(0), uint64(0)
	for i, v := range k.p8 {
		if v < last {
			return errKeyOrder
		}
		last = v
		tail := uint64(k.tailBase) + uint64(column(k.data, k.tailOff, k.tailWidth, i))
		if l := uint64(k.prefixLen) + tail; l == 0 || l > base.MaxRowKeyLen {
			return errKeyLength
		}
		if tail < 8 && v<<(8*tail) != 0 {
			return errPadding
		}
		k.longest = max(k.longest, k.prefixLen+int(tail))
		if k.restWidth > 0 && uint64(column(k.data, k.restOffOff, k.restWidth, i)) != off {
			return errKeyColumns
		}
		if tail > 8 {
			off += tail - 8
		}
	}
	if off != uint64(k.restLen) {
		return errKeyColumns
	}
	return nil
}

// widthsValid reports whether the widths are ones an encoder chooses.
func widthsValid(tail, rest uint8) bool {
	return (tail == 0 || tail == 1 || tail == 2 || tail == 4) && (rest == 0 || rest == 2 || rest == 4)
}

func (k *keyColumns) prefix() []byte {
	return k.data[k.prefixOff : int(k.prefixOff)+k.prefixLen]
}

// tailLen returns the bytes of key i behind the prefix.
func (k *keyColumns) tailLen(i int) int {
	return k.tailBase + int(column(k.data, k.tailOff, k.tailWidth, i))
}

// rest returns the bytes of key i behind prefix and p8; tail is its tailLen.
func (k *keyColumns) rest(i, tail int) []byte {
	if tail <= 8 {
		return nil
	}
	off := int(k.restOff)
	if k.tailWidth == 0 {
		off += i * (tail - 8)
	} else {
		off += int(column(k.data, k.restOffOff, k.restWidth, i))
	}
	return k.data[off : off+tail-8]
}

// copyRest copies the n bytes of key i behind p8 to dst, all keys having as many. dst
// has eight bytes more, which may be overwritten.
func (k *keyColumns) copyRest(dst []byte, i, n int) {
	from := k.data[int(k.restOff)+i*n:]
	if n <= 8 && len(from) >= 8 {
		binary.NativeEndian.PutUint64(dst, binary.NativeEndian.Uint64(from))
		return
	}
	copy(dst, from[:n])
}

// keyLen returns the length of key i.
func (k *keyColumns) keyLen(i int) int { return k.prefixLen + k.tailLen(i) }

// appendKey appends key i to dst.
func (k *keyColumns) appendKey(dst []byte, i int) []byte {
	tail := k.tailLen(i)
	dst = append(dst, k.prefix()...)
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], k.p8[i])
	dst = append(dst, b[:min(8, tail)]...)
	return append(dst, k.rest(i, tail)...)
}

// lowerBound returns the first i with v[i] ≥ x, or len(v).
func lowerBound(v []uint64, x uint64) int {
	lo, n := 0, len(v)
	for n > 1 {
		h := n >> 1
		if v[lo+h-1] < x {
			lo += h
		}
		n -= h
	}
	if n == 1 && v[lo] < x {
		lo++
	}
	return lo
}

// search returns the first i whose key is at or behind key, or n. Its cost is a
// search in integers; only keys with equal p8 are compared byte by byte.
func (k *keyColumns) search(key []byte) int {
	i, x, ok := k.aim(key)
	if ok {
		i = k.searchTies(lowerBound(k.p8, x), x, key[k.prefixLen:])
	}
	return i
}

// aim returns the p8 of key if key has the common prefix. If not, i is the result
// of its search.
func (k *keyColumns) aim(key []byte) (i int, x uint64, ok bool) {
	p := k.prefix()
	if len(key) >= len(p) && string(key[:len(p)]) == string(p) {
		return 0, base.Prefix8(key, len(p)), true
	}
	if bytes.Compare(key, p) < 0 {
		return 0, 0, false
	}
	return k.n, 0, false
}

// searchTies ends a search that has come to lo, the first number at or above x:
// several keys may have it.
func (k *keyColumns) searchTies(lo int, x uint64, tail []byte) int {
	if lo == k.n || k.p8[lo] != x {
		return lo
	}
	hi := lo + 1
	if hi < k.n && k.p8[hi] == x {
		hi = k.n
		if x != ^uint64(0) {
			hi = lo + lowerBound(k.p8[lo:], x+1)
		}
	}
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if k.compareTail(m, tail) < 0 {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// compareTail compares the tail of key i with tail, which has the same p8: rest
// first, then length. One of two tails of at most eight bytes with the same p8
// is the other with zeros behind it.
func (k *keyColumns) compareTail(i int, tail []byte) int {
	l := k.tailLen(i)
	if l > 8 && len(tail) > 8 {
		return bytes.Compare(k.rest(i, l), tail[8:])
	}
	return l - len(tail)
}

// equal reports whether key i is key, of which x is the p8.
func (k *keyColumns) equal(i int, key []byte, x uint64) bool {
	if k.p8[i] != x {
		return false
	}
	tail := len(key) - k.prefixLen
	if k.tailLen(i) != tail || string(key[:k.prefixLen]) != string(k.prefix()) {
		return false
	}
	return tail <= 8 || string(k.rest(i, tail)) == string(key[k.prefixLen+8:])
}

// same reports whether keys i and j are equal.
func (k *keyColumns) same(i, j int) bool {
	if k.p8[i] != k.p8[j] {
		return false
	}
	l := k.tailLen(i)
	return l == k.tailLen(j) && (l <= 8 || string(k.rest(i, l)) == string(k.rest(j, l)))
}
