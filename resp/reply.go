package resp

import (
	"math"
	"strconv"
)

// reply writes answers, one behind the other, in version 2 or 3 of the protocol. What
// only the third has becomes what clients of the second expect in its place: a map is a
// flat list, a double is text, nil is an empty bulk string or array.
type reply struct {
	buf   []byte
	proto int // 2 or 3
}

func (r *reply) head(kind byte, n int) {
	if n >= 0 && n < 10 { // most values are short, and in a list their heads are half the work
		r.buf = append(r.buf, kind, '0'+byte(n), '\r', '\n')
		return
	}
	r.buf = append(r.buf, kind)
	r.buf = strconv.AppendInt(r.buf, int64(n), 10)
	r.buf = append(r.buf, '\r', '\n')
}

func (r *reply) simple(s string) {
	r.buf = append(r.buf, '+')
	r.buf = append(r.buf, s...)
	r.buf = append(r.buf, '\r', '\n')
}

func (r *reply) ok() { r.buf = append(r.buf, "+OK\r\n"...) }

// error writes an error in one line: its text may hold bytes of a client.
func (r *reply) error(text string) {
	r.buf = append(r.buf, '-')
	for i := range len(text) {
		b := text[i]
		if b == '\r' || b == '\n' {
			b = ' '
		}
		r.buf = append(r.buf, b)
	}
	r.buf = append(r.buf, '\r', '\n')
}

func (r *reply) int(n int64) {
	r.buf = append(r.buf, ':')
	r.buf = strconv.AppendInt(r.buf, n, 10)
	r.buf = append(r.buf, '\r', '\n')
}

func (r *reply) bit(b bool) {
	if b {
		r.buf = append(r.buf, ":1\r\n"...)
	} else {
		r.buf = append(r.buf, ":0\r\n"...)
	}
}

func (r *reply) bulk(b []byte) {
	r.head('$', len(b))
	r.buf = append(r.buf, b...)
	r.buf = append(r.buf, '\r', '\n')
}

func (r *reply) text(s string) {
	r.head('$', len(s))
	r.buf = append(r.buf, s...)
	r.buf = append(r.buf, '\r', '\n')
}

// maybe writes bytes, or nil if there are none.
func (r *reply) maybe(b []byte) {
	if b == nil {
		r.null()
	} else {
		r.bulk(b)
	}
}

func (r *reply) null() {
	if r.proto == 3 {
		r.buf = append(r.buf, "_\r\n"...)
	} else {
		r.buf = append(r.buf, "$-1\r\n"...)
	}
}

// nullArray is nil where the second version has an array that is none.
func (r *reply) nullArray() {
	if r.proto == 3 {
		r.buf = append(r.buf, "_\r\n"...)
	} else {
		r.buf = append(r.buf, "*-1\r\n"...)
	}
}

func (r *reply) array(n int) { r.head('*', n) }

// pairs begins a map of n pairs.
func (r *reply) pairs(n int) {
	if r.proto == 3 {
		r.head('%', n)
	} else {
		r.head('*', 2*n)
	}
}

// set begins a set of n members.
func (r *reply) set(n int) {
	if r.proto == 3 {
		r.head('~', n)
	} else {
		r.head('*', n)
	}
}

// push begins a message that no command asked for.
func (r *reply) push(n int) {
	if r.proto == 3 {
		r.head('>', n)
	} else {
		r.head('*', n)
	}
}

func (r *reply) double(f float64) {
	var room [32]byte
	s := appendDouble(room[:0], f)
	if r.proto == 3 {
		r.buf = append(r.buf, ',')
		r.buf = append(r.buf, s...)
		r.buf = append(r.buf, '\r', '\n')
		return
	}
	r.bulk(s)
}

func (r *reply) bool(b bool) {
	switch {
	case r.proto != 3:
		r.bit(b)
	case b:
		r.buf = append(r.buf, "#t\r\n"...)
	default:
		r.buf = append(r.buf, "#f\r\n"...)
	}
}

// big writes an integer of any size, given as text.
func (r *reply) big(s string) {
	if r.proto != 3 {
		r.text(s)
		return
	}
	r.buf = append(r.buf, '(')
	r.buf = append(r.buf, s...)
	r.buf = append(r.buf, '\r', '\n')
}

// verbatim writes text that is meant to be shown as it is.
func (r *reply) verbatim(s string) {
	if r.proto != 3 {
		r.text(s)
		return
	}
	r.head('=', len(s)+4)
	r.buf = append(r.buf, "txt:"...)
	r.buf = append(r.buf, s...)
	r.buf = append(r.buf, '\r', '\n')
}

// A list whose length is known only at its end begins with a head of fixed width, which
// fix fills in.

const openHead = "*0000000000\r\n"

// open begins a list, and returns where its head stands.
func (r *reply) open() (at int) {
	r.buf = append(r.buf, openHead...)
	return len(r.buf) - len(openHead)
}

// fix ends a list that began at at: an array, or '%' and '~' where the protocol has them.
// The head gets its usual form, so that nobody sees the zeros.
func (r *reply) fix(at int, kind byte, n int) {
	if r.proto != 3 {
		if kind == '%' {
			n *= 2
		}
		kind = '*'
	}
	var room [16]byte
	head := append(room[:0], kind)
	head = strconv.AppendInt(head, int64(n), 10)
	head = append(head, '\r', '\n')
	copy(r.buf[at:], head)
	r.buf = append(r.buf[:at+len(head)], r.buf[at+len(openHead):]...)
}

// appendDouble appends a score in the shortest form that is read back as the same.
func appendDouble(dst []byte, f float64) []byte {
	switch abs := math.Abs(f); {
	case math.IsNaN(f):
		return append(dst, "nan"...)
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	case f == math.Trunc(f) && abs < 1<<53:
		return strconv.AppendInt(dst, int64(f), 10)
	case abs >= 1e-4 && abs < 1e17:
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	return strconv.AppendFloat(dst, f, 'e', -1, 64)
}

// fixBulk ends a bulk string that began at at with the head of a list.
func (r *reply) fixBulk(at int) {
	n := len(r.buf) - at - len(openHead)
	var room [16]byte
	head := append(room[:0], '$')
	head = strconv.AppendInt(head, int64(n), 10)
	head = append(head, '\r', '\n')
	copy(r.buf[at:], head)
	r.buf = append(r.buf[:at+len(head)], r.buf[at+len(openHead):]...)
	r.buf = append(r.buf, '\r', '\n')
}
