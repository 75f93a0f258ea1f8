package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/bits"
)

// The body of an inline record is its elements, one behind the other:
//
//	hash   field length uvarint · field · value length uvarint · value
//	set    member length uvarint · member
//	zset   8 + member length uvarint · score(8) · member
//	list   value length uvarint · value
//
// Those of a hash and a set ascend by name, those of a sorted set by score and
// then name, and none comes twice; those of a list stand in its order. The score
// has the bytes it has in a score row. No element has a deadline.

// InlineLimit is how far a collection may grow before it moves out of its record.
// Both bounds are measured, see docs/decisions.md. Elements 0 keeps every new
// collection in rows.
type InlineLimit struct {
	Elements int // at most so many
	Bytes    int // of the body
}

// Inline is the limit in force. It is not in the format: a record above it is
// read, and moves out when it is written to. Only tests and benchmarks change it,
// through typedtest, and only while no call on a typed value runs. It is a variable
// because a limit that calls are given would be an option of the store.
var Inline = InlineLimit{Elements: 64, Bytes: 256}

// ErrInline says that the body of an inline record is none.
var ErrInline = errors.New("elements in the metadata are malformed")

const inlineScoreLen = 8

// AppendInline appends an element to a body. key is a field, a member, or a score
// and a member, and nothing for a list.
func AppendInline(dst []byte, t Type, key, value []byte) []byte {
	if t != TypeList {
		dst = append(binary.AppendUvarint(dst, uint64(len(key))), key...)
	}
	if t == TypeHash || t == TypeList {
		dst = append(binary.AppendUvarint(dst, uint64(len(value))), value...)
	}
	return dst
}

// InlineLen is how many bytes AppendInline appends.
func InlineLen(t Type, key, value []byte) (n int) {
	if t != TypeList {
		n = uvarintLen(len(key)) + len(key)
	}
	if t == TypeHash || t == TypeList {
		n += uvarintLen(len(value)) + len(value)
	}
	return n
}

func uvarintLen(n int) int { return (bits.Len64(uint64(n)|1) + 6) / 7 }

// NextInline takes the first element of a body apart, which is not empty; key and
// value point into it. Any bytes are safe to pass.
func NextInline(t Type, body []byte) (key, value, rest []byte, ok bool) {
	rest, ok = body, true
	if t != TypeList {
		key, rest, ok = cutInline(rest)
	}
	if ok && (t == TypeHash || t == TypeList) {
		value, rest, ok = cutInline(rest)
	}
	if t == TypeZSet && len(key) < inlineScoreLen {
		ok = false
	}
	return key, value, rest, ok
}

func cutInline(b []byte) (part, rest []byte, ok bool) {
	if len(b) > 0 && b[0] < 0x80 { // the usual case, without a call
		if n := int(b[0]); n < len(b) {
			return b[1 : 1+n : 1+n], b[1+n:], true
		}
		return nil, nil, false
	}
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	end := n + int(size)
	return b[n:end:end], b[end:], true
}

// CheckInline checks all of a body: that it has so many elements, in order. It
// looks neither at scores nor for a member of a sorted set that comes twice.
func CheckInline(t Type, body []byte, count uint64) error {
	if count == 0 || count > uint64(len(body)) {
		return ErrInline
	}
	var last []byte
	n := uint64(0)
	for ; len(body) > 0; n++ {
		key, _, rest, ok := NextInline(t, body)
		if !ok || n > 0 && t != TypeList && bytes.Compare(last, key) >= 0 {
			return ErrInline
		}
		last, body = key, rest
	}
	if n != count {
		return ErrInline
	}
	return nil
}
