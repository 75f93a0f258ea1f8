package resp

import (
	"math"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// The commands that read and write a string as numbers of any width up to 64 bits.
var bitfieldCommands = []command{
	{"bitfield", -2, writes, 1, 1, 1, func(c *call) error { return bitfield(c, false) }},
	{"bitfield_ro", -2, reads, 1, 1, 1, func(c *call) error { return bitfield(c, true) }},
}

// fieldOp is a subcommand of BITFIELD: at a bit of the string, a number of some width.
type fieldOp struct {
	verb   fieldVerb
	beyond overflow
	signed bool
	width  uint // 1 to 64, and 63 without a sign
	at     int64
	by     int64 // to set, or to add
}

type fieldVerb byte

const (
	readField fieldVerb = iota
	setField
	addField
)

// overflow is what becomes of a number that does not fit the width.
type overflow byte

const (
	wraps overflow = iota
	saturates
	fails
)

func bitfield(c *call, readOnly bool) error {
	ops, err := c.fieldOps()
	if err != nil {
		return err
	}
	size := int64(0) // of the string, for the highest bit that is written
	for _, op := range ops {
		if op.verb == readField {
			continue
		}
		if readOnly {
			return replyError("ERR BITFIELD_RO only supports the GET subcommand")
		}
		size = max(size, (op.at+int64(op.width)-1)/8+1)
	}
	if size > int64(c.s.opts.MaxCommandBytes) {
		return errTooLong
	}
	if size == 0 {
		b, err := c.space.String(c.key(1)).Get()
		if err != nil && !absent(err) {
			return err
		}
		c.runFields(b, ops)
		return nil
	}
	return c.update(func(s siltstone.ReadWriter) error {
		b, err := s.String(c.key(1)).Get()
		if err != nil && !absent(err) {
			return err
		}
		grown := size > int64(len(b))
		if grown {
			b = append(b, make([]byte, size-int64(len(b)))...)
		}
		if c.runFields(b, ops) {
			c.changed(c.args[1], '$', "setbit")
		} else if !grown {
			return nil
		}
		_, err = s.String(c.key(1)).SetWith(b, typed.SetOptions{KeepTTL: true})
		return err
	})
}

// fieldOps parses the subcommands. OVERFLOW counts for those behind it.
func (c *call) fieldOps() (ops []fieldOp, err error) {
	beyond := wraps
	for i := 2; i < len(c.args); {
		left := len(c.args) - i - 1
		op := fieldOp{beyond: beyond}
		words := 4
		switch a := c.args[i]; {
		case is(a, "GET") && left >= 2:
			op.verb, words = readField, 3
		case is(a, "SET") && left >= 3:
			op.verb = setField
		case is(a, "INCRBY") && left >= 3:
			op.verb = addField
		case is(a, "OVERFLOW") && left >= 1:
			if beyond, err = parseOverflow(c.args[i+1]); err != nil {
				return nil, err
			}
			i += 2
			continue
		default:
			return nil, errSyntax
		}
		if op.signed, op.width, err = fieldType(c.args[i+1]); err != nil {
			return nil, err
		}
		if op.at, err = fieldOffset(c.args[i+2], op.width); err != nil {
			return nil, err
		}
		if op.verb != readField {
			if op.by, err = c.int(i + 3); err != nil {
				return nil, err
			}
		}
		ops = append(ops, op)
		i += words
	}
	return ops, nil
}

func parseOverflow(b []byte) (overflow, error) {
	switch {
	case is(b, "WRAP"):
		return wraps, nil
	case is(b, "SAT"):
		return saturates, nil
	case is(b, "FAIL"):
		return fails, nil
	}
	return 0, replyError("ERR Invalid OVERFLOW type specified")
}

// fieldType parses i1 to i64, and u1 to u63.
func fieldType(b []byte) (signed bool, width uint, err error) {
	if len(b) > 1 && (b[0] == 'i' || b[0] == 'u') {
		signed = b[0] == 'i'
		if n, ok := parseInt(b[1:]); ok && n >= 1 && (n <= 63 || signed && n == 64) {
			return signed, uint(n), nil
		}
	}
	return false, 0, replyError("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")
}

// fieldOffset parses the first bit, or with # in front the number of fields before it.
func fieldOffset(b []byte, width uint) (int64, error) {
	unit := int64(1)
	if len(b) > 0 && b[0] == '#' {
		b, unit = b[1:], int64(width)
	}
	n, ok := parseInt(b)
	if !ok || n < 0 || n > (maxBit-1)/unit {
		return 0, errBitOffset
	}
	return n * unit, nil
}

// runFields runs the subcommands on the string, which is as long as those that write need,
// writes their replies, and reports whether one has written.
func (c *call) runFields(b []byte, ops []fieldOp) (wrote bool) {
	c.out.array(len(ops))
	for _, op := range ops {
		old := op.load(b)
		if op.verb == readField {
			c.out.int(old)
			continue
		}
		value, reply := op.by, old
		var over bool
		if op.verb == addField {
			value, over = op.sum(old, op.by)
			reply = value
		} else {
			value, over = op.sum(op.by, 0)
		}
		if over && op.beyond == fails {
			c.out.null()
			continue
		}
		op.store(b, value)
		c.out.int(reply)
		wrote = true
	}
	return wrote
}

// load reads the number. Behind the end of the string all bits are zero.
func (op *fieldOp) load(b []byte) int64 {
	var v uint64
	for i := range int64(op.width) {
		at := op.at + i
		v <<= 1
		if at/8 < int64(len(b)) {
			v |= uint64(b[at/8]>>(7-at%8)) & 1
		}
	}
	return op.extend(v)
}

// store writes the lowest bits of v.
func (op *fieldOp) store(b []byte, v int64) {
	for i := range int64(op.width) {
		at := op.at + i
		mask := byte(1) << (7 - at%8)
		if v>>(int64(op.width)-1-i)&1 == 1 {
			b[at/8] |= mask
		} else {
			b[at/8] &^= mask
		}
	}
}

// extend makes the lowest bits of v a number of the type.
func (op *fieldOp) extend(v uint64) int64 {
	unused := 64 - op.width
	if op.signed {
		return int64(v<<unused) >> unused
	}
	return int64(v << unused >> unused)
}

// sum adds by to old, and reports whether the sum is beyond the type; then it is what
// OVERFLOW makes of it. Without a sign, a negative old is a number of 64 bits: beyond any.
func (op *fieldOp) sum(old, by int64) (sum int64, over bool) {
	least, most := int64(0), int64(math.MaxInt64)
	if op.signed {
		least, most = math.MinInt64>>(64-op.width), math.MaxInt64>>(64-op.width)
	} else {
		most >>= 63 - op.width
	}
	up := old > most || by > 0 && old > most-by
	if !op.signed && old < 0 {
		up = true
	}
	down := !up && (old < least || by < 0 && (op.signed && old < least-by || !op.signed && by < -old))
	switch {
	case !up && !down:
		return old + by, false
	case op.beyond != saturates:
		return op.extend(uint64(old) + uint64(by)), true
	case up:
		return most, true
	}
	return least, true
}
