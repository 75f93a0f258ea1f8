package codec

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// A component is one codec of a tuple. What stands before other components must
// show where it ends, without a change to the order:
//
//	codec is Sized      its bytes
//	it is not           its bytes, with 00 FF for each 00, then 00 01
//
// The end sorts below every byte that could go on in its place, so "a" stays
// before "a\x00" and "aa" whatever follows. The last component of a tuple is its
// bytes alone. A tuple of sized components is sized; another one, inside a tuple
// and not last in it, is escaped once more as a whole.
type component[T any] struct {
	key  KeyCodec[T]
	size int // of every encoding, bytes; 0 if they differ
}

const (
	escaped  = 0xFF // after 00: a zero byte
	terminal = 0x01 // after 00: the end
)

func componentOf[T any](k KeyCodec[T]) component[T] { return component[T]{k, keyLen(k)} }

// composed is a codec made of others.
type composed interface {
	// coded reports whether none of them is missing.
	coded() bool
}

// coded reports whether there is a codec with all that it is made of. Without, what
// is made with it refuses every call.
func coded(codec any) bool {
	c, made := codec.(composed)
	return codec != nil && (!made || c.coded())
}

// append appends the component with its end. One without a codec has no bytes.
func (c component[T]) append(dst []byte, v T) []byte {
	if c.key == nil {
		return dst
	}
	start := len(dst)
	dst = c.key.AppendKey(dst, v)
	if c.size > 0 {
		return dst
	}
	if zeros := bytes.Count(dst[start:], []byte{0}); zeros > 0 {
		dst = escape(dst, zeros)
	}
	return append(dst, 0, terminal)
}

// escape makes room behind each of the last so many zeros in dst, from the end on.
func escape(dst []byte, zeros int) []byte {
	from := len(dst)
	dst = slices.Grow(dst, zeros)[:from+zeros]
	for to := len(dst); zeros > 0; {
		from--
		to--
		if dst[from] == 0 {
			dst[to] = escaped
			to--
			zeros--
		}
		dst[to] = dst[from]
	}
	return dst
}

// appendLast appends the component as the last one, which has no end.
func (c component[T]) appendLast(dst []byte, v T) []byte {
	if c.key == nil {
		return dst
	}
	return c.key.AppendKey(dst, v)
}

// decodeLast decodes the last component.
func (c component[T]) decodeLast(b []byte) (v T, err error) {
	if c.key == nil {
		return v, errNoCodec
	}
	return c.key.DecodeKey(b)
}

// cut decodes the component at the start of b and returns what follows it.
func (c component[T]) cut(b []byte) (v T, rest []byte, err error) {
	if c.key == nil {
		return v, nil, errNoCodec
	}
	if c.size > 0 {
		if len(b) < c.size {
			return v, nil, fmt.Errorf("%d bytes left, want %d", len(b), c.size)
		}
		v, err = c.key.DecodeKey(b[:c.size])
		return v, b[c.size:], err
	}
	own, rest, err := unescape(b)
	if err != nil {
		return v, nil, err
	}
	v, err = c.key.DecodeKey(own)
	return v, rest, err
}

// unescape returns the bytes before the end in b, and what follows it. They are a
// part of b unless there are escapes to take out.
func unescape(b []byte) (own, rest []byte, err error) {
	var buf []byte
	for at := 0; ; {
		n := bytes.IndexByte(b[at:], 0)
		if n < 0 || at+n+1 == len(b) {
			return nil, nil, errNoEnd
		}
		end := at + n
		switch b[end+1] {
		case terminal:
			if buf == nil {
				return b[:end], b[end+2:], nil
			}
			return append(buf, b[at:end]...), b[end+2:], nil
		case escaped:
			buf = append(buf, b[at:end+1]...)
			at = end + 2
		default:
			return nil, nil, errEscape
		}
	}
}

var (
	errNoEnd  = errors.New("component of a tuple has no end")
	errEscape = errors.New("zero byte in a component of a tuple is neither escape nor end")
)
