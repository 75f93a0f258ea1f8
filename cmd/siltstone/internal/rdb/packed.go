package rdb

import (
	"encoding/binary"
	"errors"
	"strconv"

	"github.com/siltstonedb/siltstone"
)

// The packed forms in which Redis keeps small collections: each is one string.

var errPacked = errors.New("a packed collection is malformed")

// unLZF unpacks b, which must become long bytes. Memory grows with what is unpacked.
func unLZF(b []byte, long uint64) ([]byte, error) {
	if long > siltstone.MaxValueLen {
		return nil, errPacked
	}
	out := make([]byte, 0, min(long, 64*uint64(len(b))+64))
	for i := 0; i < len(b); {
		c := int(b[i])
		i++
		if c < 32 { // literals
			if c++; i+c > len(b) {
				return nil, errPacked
			}
			out = append(out, b[i:i+c]...)
			i += c
		} else { // what stood before
			n := c >> 5
			if n == 7 {
				if i >= len(b) {
					return nil, errPacked
				}
				n += int(b[i])
				i++
			}
			if i >= len(b) {
				return nil, errPacked
			}
			from := len(out) - (c&0x1f)<<8 - int(b[i]) - 1
			i++
			if from < 0 {
				return nil, errPacked
			}
			for j := range n + 2 {
				out = append(out, out[from+j])
			}
		}
		if uint64(len(out)) > long {
			return nil, errPacked
		}
	}
	if uint64(len(out)) != long {
		return nil, errPacked
	}
	return out, nil
}

// unIntset calls each with the members of a set of integers, as text.
func unIntset(b []byte, each func([]byte) error) error {
	if len(b) < 8 {
		return errPacked
	}
	width, n := uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[4:]))
	if b = b[8:]; width != 2 && width != 4 && width != 8 || uint64(len(b)) != n*width {
		return errPacked
	}
	for ; len(b) > 0; b = b[width:] {
		if err := each(strconv.AppendInt(nil, littleEndian(b[:width]), 10)); err != nil {
			return err
		}
	}
	return nil
}

// take returns the first n bytes of b and the others.
func take(b []byte, n uint64) (first, rest []byte, err error) {
	if n > uint64(len(b)) {
		return nil, nil, errPacked
	}
	return b[:n], b[n:], nil
}

// unListpack calls each with the elements of a listpack: total 4, count 2, elements, 0xFF.
func unListpack(b []byte, each func([]byte) error) error {
	if len(b) < 7 || uint64(binary.LittleEndian.Uint32(b)) != uint64(len(b)) || b[len(b)-1] != 0xff {
		return errPacked
	}
	b = b[6 : len(b)-1]
	for len(b) > 0 {
		v, size, err := listpackElement(b)
		if err != nil {
			return err
		}
		if err := each(v); err != nil {
			return err
		}
		// Behind an element stands its size, seven bits a byte, to walk backwards.
		back := uint64(1)
		for n := size; n >= 128; n >>= 7 {
			back++
		}
		if _, b, err = take(b, size+back); err != nil {
			return err
		}
	}
	return nil
}

// listpackElement returns the first element, a number as text, and how many bytes it has
// with its encoding.
func listpackElement(b []byte) (v []byte, size uint64, err error) {
	c := b[0]
	number := func(head, bytes int) ([]byte, uint64, error) {
		if len(b) < head+bytes {
			return nil, 0, errPacked
		}
		return strconv.AppendInt(nil, littleEndian(b[head:head+bytes]), 10), uint64(head + bytes), nil
	}
	text := func(head int, n uint64) ([]byte, uint64, error) {
		v, _, err := take(b[head:], n)
		return v, uint64(head) + n, err
	}
	switch {
	case c < 0x80: // 7 bits, unsigned
		return strconv.AppendInt(nil, int64(c), 10), 1, nil
	case c < 0xc0: // text of up to 63 bytes
		return text(1, uint64(c&0x3f))
	case c < 0xe0: // 13 bits, signed
		if len(b) < 2 {
			return nil, 0, errPacked
		}
		n := int64(c&0x1f)<<8 | int64(b[1])
		if n >= 1<<12 {
			n -= 1 << 13
		}
		return strconv.AppendInt(nil, n, 10), 2, nil
	case c < 0xf0: // text of up to 4095 bytes
		if len(b) < 2 {
			return nil, 0, errPacked
		}
		return text(2, uint64(c&0x0f)<<8|uint64(b[1]))
	case c == 0xf0: // longer text
		if len(b) < 5 {
			return nil, 0, errPacked
		}
		return text(5, uint64(binary.LittleEndian.Uint32(b[1:])))
	case c == 0xf1:
		return number(1, 2)
	case c == 0xf2:
		return number(1, 3)
	case c == 0xf3:
		return number(1, 4)
	case c == 0xf4:
		return number(1, 8)
	}
	return nil, 0, errPacked
}

// unZiplist calls each with the elements of a ziplist: total 4, tail 4, count 2, elements,
// 0xFF.
func unZiplist(b []byte, each func([]byte) error) error {
	if len(b) < 11 || uint64(binary.LittleEndian.Uint32(b)) != uint64(len(b)) || b[len(b)-1] != 0xff {
		return errPacked
	}
	b = b[10 : len(b)-1]
	for len(b) > 0 {
		head := uint64(1) // the length of the element before
		if b[0] == 0xfe {
			head = 5
		}
		_, rest, err := take(b, head)
		if err != nil || len(rest) == 0 {
			return errPacked
		}
		v, size, err := ziplistElement(rest)
		if err != nil {
			return err
		}
		if err := each(v); err != nil {
			return err
		}
		b = rest[size:]
	}
	return nil
}

// ziplistElement returns the first element, a number as text, and how many bytes it has
// with its encoding.
func ziplistElement(b []byte) (v []byte, size uint64, err error) {
	c := b[0]
	bytes := 0
	switch {
	case c>>6 == 0:
		v, _, err = take(b[1:], uint64(c))
		return v, 1 + uint64(c), err
	case c>>6 == 1:
		if len(b) < 2 {
			return nil, 0, errPacked
		}
		n := uint64(c&0x3f)<<8 | uint64(b[1])
		v, _, err = take(b[2:], n)
		return v, 2 + n, err
	case c == 0x80:
		if len(b) < 5 {
			return nil, 0, errPacked
		}
		n := uint64(binary.BigEndian.Uint32(b[1:]))
		v, _, err = take(b[5:], n)
		return v, 5 + n, err
	case c == 0xc0:
		bytes = 2
	case c == 0xd0:
		bytes = 4
	case c == 0xe0:
		bytes = 8
	case c == 0xf0:
		bytes = 3
	case c == 0xfe:
		bytes = 1
	case c > 0xf0 && c < 0xfe: // 0 to 12
		return strconv.AppendInt(nil, int64(c&0x0f)-1, 10), 1, nil
	default:
		return nil, 0, errPacked
	}
	if len(b) < 1+bytes {
		return nil, 0, errPacked
	}
	return strconv.AppendInt(nil, littleEndian(b[1:1+bytes]), 10), 1 + uint64(bytes), nil
}

// unZipmap calls each with the fields and values of a zipmap: count 1, pairs, 0xFF. A value has
// some free bytes behind it, whose number stands before it.
func unZipmap(b []byte, each func([]byte) error) error {
	if len(b) < 2 || b[len(b)-1] != 0xff {
		return errPacked
	}
	b = b[1 : len(b)-1]
	for value := false; len(b) > 0 || value; value = !value {
		n, rest, err := zipmapLength(b)
		if err != nil {
			return err
		}
		free := uint64(0)
		if value {
			if len(rest) == 0 {
				return errPacked
			}
			free, rest = uint64(rest[0]), rest[1:]
		}
		v, rest, err := take(rest, n)
		if err != nil {
			return err
		}
		if err := each(v); err != nil {
			return err
		}
		if _, b, err = take(rest, free); err != nil {
			return err
		}
	}
	return nil
}

// zipmapLength reads a length, and returns what is behind it.
func zipmapLength(b []byte) (n uint64, rest []byte, err error) {
	switch {
	case len(b) > 0 && b[0] < 254:
		return uint64(b[0]), b[1:], nil
	case len(b) >= 5 && b[0] == 254:
		return uint64(binary.LittleEndian.Uint32(b[1:])), b[5:], nil
	}
	return 0, nil, errPacked
}
