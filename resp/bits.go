package resp

import (
	"errors"
	"slices"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// The commands on the bits of strings.
var bitCommands = []command{
	{"getbit", 3, reads, 1, 1, 1, getBit},
	{"setbit", 4, writes, 1, 1, 1, setBit},
	{"bitcount", -2, reads, 1, 1, 1, bitCount},
	{"bitpos", -3, reads, 1, 1, 1, bitPos},
	{"bitop", -4, writes, 2, -1, 1, bitOp},
}

// maxBit is the first bit that a string cannot have: as in Redis, of 512 MiB.
const maxBit = 1 << 32

func (c *call) bitOffset() (int64, error) {
	n, ok := parseInt(c.args[2])
	if !ok || n < 0 || n >= maxBit {
		return 0, errBitOffset
	}
	return n, nil
}

func getBit(c *call) error {
	offset, err := c.bitOffset()
	if err != nil {
		return err
	}
	bit, err := c.space.String(c.key(1)).Bit(offset)
	if err != nil {
		return err
	}
	c.out.bit(bit)
	return nil
}

func setBit(c *call) error {
	offset, err := c.bitOffset()
	if err != nil {
		return err
	}
	if len(c.args[3]) != 1 || c.args[3][0] != '0' && c.args[3][0] != '1' {
		return replyError("ERR bit is not an integer or out of range")
	}
	old, err := c.space.String(c.key(1)).SetBit(offset, c.args[3][0] == '1')
	if err != nil {
		return err
	}
	c.changed(c.args[1], '$', "setbit")
	c.out.bit(old)
	return nil
}

// bitRange parses a start, an end and a unit, of which the latter two may be left out.
func (c *call) bitRange(from int, openEnd bool) (r typed.BitRange, err error) {
	given := c.args[from:]
	if len(given) == 0 {
		return r, nil
	}
	if len(given) > 3 || len(given) == 1 && !openEnd {
		return r, errSyntax
	}
	start, err := c.int(from)
	if err != nil {
		return r, err
	}
	if len(given) == 1 {
		return typed.ByBytesFrom(start), nil
	}
	stop, err := c.int(from + 1)
	switch {
	case err != nil:
		return r, err
	case len(given) == 3 && is(given[2], "BIT"):
		return typed.ByBits(start, stop), nil
	case len(given) == 3 && !is(given[2], "BYTE"):
		return r, errSyntax
	}
	return typed.ByBytes(start, stop), nil
}

func bitCount(c *call) error {
	r, err := c.bitRange(2, false)
	if err != nil {
		return err
	}
	return c.number(c.space.String(c.key(1)).BitCount(r))
}

func bitPos(c *call) error {
	bit, err := c.int(2)
	if err != nil {
		return err
	}
	if bit != 0 && bit != 1 {
		return replyError("ERR The bit argument must be 1 or 0.")
	}
	r, err := c.bitRange(3, true)
	if err != nil {
		return err
	}
	pos, err := c.space.String(c.key(1)).BitPos(bit == 1, r)
	if errors.Is(err, siltstone.ErrNotFound) {
		pos, err = -1, nil
	}
	return c.number(pos, err)
}

var bitOps = []string{typed.BitAnd: "AND", typed.BitOr: "OR", typed.BitXor: "XOR", typed.BitNot: "NOT"}

func bitOp(c *call) error {
	var room [24]byte
	op := slices.Index(bitOps, upper(c.args[1], &room))
	switch {
	case op < 1:
		return errSyntax
	case typed.BitOp(op) == typed.BitNot && len(c.args) != 4:
		return replyError("ERR BITOP NOT must be called with a single source key.")
	}
	n, err := c.space.String(c.key(2)).BitOp(typed.BitOp(op), c.strings(3, len(c.args))...)
	if err == nil {
		c.changed(c.args[2], '$', "set")
	}
	return c.number(n, err)
}
