package resp

import (
	"errors"
	"math"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// The commands on hashes.
var hashCommands = []command{
	{"hset", -4, writes | merges, 1, 1, 1, hset},
	{"hmset", -4, writes, 1, 1, 1, hset},
	{"hsetnx", 4, writes, 1, 1, 1, hsetNX},
	{"hget", 3, reads, 1, 1, 1, hget},
	{"hmget", -3, reads, 1, 1, 1, hmget},
	{"hgetall", 2, reads, 1, 1, 1, hgetAll},
	{"hkeys", 2, reads, 1, 1, 1, hkeys},
	{"hvals", 2, reads, 1, 1, 1, hvals},
	{"hdel", -3, writes, 1, 1, 1, hdel},
	{"hexists", 3, reads, 1, 1, 1, hexists},
	{"hlen", 2, reads, 1, 1, 1, func(c *call) error { return c.number(c.space.Hash(c.key(1)).Len()) }},
	{"hstrlen", 3, reads, 1, 1, 1, func(c *call) error { return c.number(c.space.Hash(c.key(1)).StrLen(c.key(2))) }},
	{"hincrby", 4, writes, 1, 1, 1, hincrBy},
	{"hincrbyfloat", 4, writes, 1, 1, 1, hincrByFloat},
	{"hrandfield", -2, reads, 1, 1, 1, hrandField},
}

func hset(c *call) error {
	if len(c.args)%2 != 0 {
		return errArity(c.cmd.name)
	}
	h := c.space.Hash(c.key(1))
	var n int
	var err error
	if len(c.args) == 4 {
		var added bool
		if added, err = h.Set(c.key(2), c.args[3]); added {
			n = 1
		}
	} else {
		fields := make([]typed.Field, 0, len(c.args)/2-1)
		for i := 2; i < len(c.args); i += 2 {
			fields = append(fields, typed.Field{Name: string(c.args[i]), Value: c.args[i+1]})
		}
		n, err = h.SetMany(fields...)
	}
	if err != nil {
		return err
	}
	c.changed(c.args[1], 'h', "hset")
	if c.cmd.name == "hmset" {
		c.out.ok()
	} else {
		c.out.int(int64(n))
	}
	return nil
}

func hsetNX(c *call) error {
	added, err := c.space.Hash(c.key(1)).SetNX(c.key(2), c.args[3])
	if err != nil {
		return err
	}
	if added {
		c.changed(c.args[1], 'h', "hset")
	}
	c.out.bit(added)
	return nil
}

func hget(c *call) error { return c.orNull(c.space.Hash(c.key(1)).Get(c.key(2))) }

func hmget(c *call) error {
	return c.fieldValues(len(c.args) - 2)
}

// fieldValues replies with the values of the last n arguments, which are fields.
func (c *call) fieldValues(n int) error {
	return c.eachValue(c.args[len(c.args)-n:], func(s siltstone.ReadWriter, dst, field []byte) ([]byte, error) {
		return s.Hash(c.key(1)).AppendGet(dst, string(field))
	})
}

func hgetAll(c *call) error {
	return all(c, '%', c.space.Hash(c.key(1)).All(), func(f typed.Field) {
		c.out.text(f.Name)
		c.out.bulk(f.Value)
	})
}

func hkeys(c *call) error {
	return all(c, '*', c.space.Hash(c.key(1)).Fields(), func(name string) { c.out.text(name) })
}

func hvals(c *call) error {
	return all(c, '*', c.space.Hash(c.key(1)).All(), func(f typed.Field) { c.out.bulk(f.Value) })
}

func hdel(c *call) error {
	n, err := c.space.Hash(c.key(1)).Remove(c.strings(2, len(c.args))...)
	if err == nil && n > 0 {
		c.changed(c.args[1], 'h', "hdel")
	}
	return c.number(int64(n), err)
}

func hexists(c *call) error {
	has, err := c.space.Hash(c.key(1)).Has(c.key(2))
	if err != nil {
		return err
	}
	c.out.bit(has)
	return nil
}

func hincrBy(c *call) error {
	by, err := c.int(3)
	if err != nil {
		return err
	}
	n, err := c.space.Hash(c.key(1)).Incr(c.key(2), by)
	if err != nil {
		return instead(err, siltstone.ErrNotNumber, "ERR hash value is not an integer")
	}
	c.changed(c.args[1], 'h', "hincrby")
	c.out.int(n)
	return nil
}

func hincrByFloat(c *call) error {
	by, err := c.float(3)
	if err != nil {
		return err
	}
	if math.IsInf(by, 0) {
		return replyError("ERR value is NaN or Infinity")
	}
	var text []byte
	err = c.update(func(s siltstone.ReadWriter) error {
		h := s.Hash(c.key(1))
		if _, err := h.IncrFloat(c.key(2), by); err != nil {
			return err
		}
		text, err = h.Get(c.key(2))
		c.changed(c.args[1], 'h', "hincrbyfloat")
		return err
	})
	switch {
	case errors.Is(err, siltstone.ErrNaN), errors.Is(err, siltstone.ErrOverflow):
		return replyError("ERR increment would produce NaN or Infinity")
	case err != nil:
		return instead(err, siltstone.ErrNotNumber, "ERR hash value is not a float")
	}
	c.out.bulk(text)
	return nil
}

// maxDraws is the largest number of elements that may be drawn with repetition.
const maxDraws = 1 << 20

// draws parses the count of a command that draws elements, and a last word that asks for
// more of each.
func (c *call) draws(with string) (n int, more bool, err error) {
	if with == "" && len(c.args) > 3 {
		return 0, false, errSyntax
	}
	count, err := c.int(2)
	switch {
	case err != nil:
		return 0, false, err
	case count == math.MinInt64:
		return 0, false, errAnyLong
	case len(c.args) > 4 || len(c.args) == 4 && !is(c.args[3], with):
		return 0, false, errSyntax
	case len(c.args) == 4 && (count < -math.MaxInt64/2 || count > math.MaxInt64/2):
		return 0, false, errOutOfRange
	}
	if count < -maxDraws {
		return 0, false, replyError("ERR value is out of range: at most 1048576 elements are drawn at once")
	}
	return int(min(count, math.MaxInt32)), len(c.args) == 4, nil
}

func hrandField(c *call) error {
	h := c.space.Hash(c.key(1))
	if len(c.args) == 2 {
		fields, err := h.Random(1)
		if err != nil {
			return err
		}
		if len(fields) == 0 {
			c.out.null()
		} else {
			c.out.text(fields[0].Name)
		}
		return nil
	}
	n, values, err := c.draws("WITHVALUES")
	if err != nil {
		return err
	}
	fields, err := h.Random(n)
	if err != nil {
		return err
	}
	mark := len(c.out.buf)
	c.listOf(len(fields), values)
	for _, f := range fields {
		if values && c.out.proto == 3 {
			c.out.array(2)
		}
		c.out.text(f.Name)
		if values {
			c.out.bulk(f.Value)
		}
		if err := c.fits(mark); err != nil {
			return err // one field may be drawn a million times
		}
	}
	return nil
}

// listOf begins a list of n elements, each of which is a pair if pairs is set: a list of
// lists in the third version of the protocol, a flat one in the second.
func (c *call) listOf(n int, pairs bool) {
	if pairs && c.out.proto != 3 {
		n *= 2
	}
	c.out.array(n)
}
