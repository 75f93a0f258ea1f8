package resp

import (
	"errors"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// The commands that read and write whole strings.
var stringCommands = []command{
	{"get", 2, reads, 1, 1, 1, get},
	{"set", -3, writes | joinable | merges, 1, 1, 1, set},
	{"setnx", 3, writes | joinable, 1, 1, 1, setNX},
	{"setex", 4, writes | joinable, 1, 1, 1, func(c *call) error { return setEX(c, 1000) }},
	{"psetex", 4, writes | joinable, 1, 1, 1, func(c *call) error { return setEX(c, 1) }},
	{"getset", 3, writes | takes, 1, 1, 1, getSet},
	{"getdel", 2, writes | takes, 1, 1, 1, getDel},
	{"getex", -2, writes, 1, 1, 1, getEX},
	{"mget", -2, reads, 1, -1, 1, mget},
	{"mset", -3, writes, 1, -1, 2, mset},
	{"msetnx", -3, writes, 1, -1, 2, msetNX},
}

func get(c *call) error {
	// The value is appended behind a head that has room for any length.
	at := c.out.open()
	var err error
	c.out.buf, err = c.space.AppendGet(c.out.buf, c.args[1])
	if err != nil {
		c.out.buf = c.out.buf[:at]
		return c.orNull(nil, err)
	}
	c.out.fixBulk(at)
	return nil
}

// setting is a SET taken apart.
type setting struct {
	o       typed.SetOptions
	expires bool
}

// parseSet parses the options of SET.
func parseSet(c *call) (s setting, err error) {
	at := 0 // the argument that is the time
	for i := 3; i < len(c.args); i++ {
		switch a := c.args[i]; {
		case is(a, "NX"):
			s.o.Cond |= typed.CondNX
		case is(a, "XX"):
			s.o.Cond |= typed.CondXX
		case is(a, "GET"):
			s.o.Get = true
		case is(a, "KEEPTTL") && !s.expires:
			s.o.KeepTTL = true
		case expiryUnit(a) != 0 && i+1 < len(c.args) && !s.expires && !s.o.KeepTTL:
			i++
			at, s.expires = i, true
		default:
			return s, errSyntax
		}
	}
	if s.o.Cond == typed.CondNX|typed.CondXX {
		return s, errSyntax
	}
	if s.expires {
		s.o.TTL, s.o.At, err = c.expiry(c.args[at-1], at)
	}
	return s, err
}

// expiryUnit is 1000 for EX and EXAT, 1 for PX and PXAT, and 0 for everything else.
func expiryUnit(a []byte) int64 {
	switch {
	case is(a, "EX"), is(a, "EXAT"):
		return 1000
	case is(a, "PX"), is(a, "PXAT"):
		return 1
	}
	return 0
}

// expiry returns the time to live, or the deadline, that argument i is for the option.
func (c *call) expiry(option []byte, i int) (ttl time.Duration, at time.Time, err error) {
	n, err := c.int(i)
	if err != nil {
		return 0, at, err
	}
	unit := expiryUnit(option)
	d, ok := duration(n, unit)
	if !ok || n <= 0 {
		return 0, at, errExpire(c.cmd.name)
	}
	if len(option) == 4 { // EXAT, PXAT
		return 0, time.UnixMilli(n * unit), nil
	}
	if d > maxTTL() {
		return 0, at, errExpire(c.cmd.name)
	}
	return d, at, nil
}

// maxTTL is the longest time to live whose end can be told in nanoseconds.
func maxTTL() time.Duration {
	return time.Duration(maxMillis-time.Now().UnixMilli()) * time.Millisecond
}

func set(c *call) error {
	key, value := c.args[1], c.args[2]
	if len(c.args) == 3 {
		if err := c.space.Put(key, value); err != nil {
			return err
		}
		c.changed(key, '$', "set")
		c.out.ok()
		return nil
	}
	s, err := parseSet(c)
	if err != nil {
		return err
	}
	if s.o.Get && c.tx == nil {
		return c.take(c.cmd)
	}
	r, err := c.space.String(c.key(1)).SetWith(value, s.o)
	if err != nil {
		return err
	}
	if r.Written {
		c.changed(key, '$', "set")
		if s.expires {
			c.changed(key, 'g', "expire")
		}
	}
	switch {
	case s.o.Get:
		c.out.maybe(r.Old)
	case r.Written:
		c.out.ok()
	default:
		c.out.null()
	}
	return nil
}

func setNX(c *call) error {
	r, err := c.space.String(c.key(1)).SetWith(c.args[2], typed.SetOptions{Cond: typed.CondNX})
	if err != nil {
		return err
	}
	if r.Written {
		c.changed(c.args[1], '$', "set")
	}
	c.out.bit(r.Written)
	return nil
}

func setEX(c *call, unit int64) error {
	option := []byte("EX")
	if unit == 1 {
		option = []byte("PX")
	}
	ttl, _, err := c.expiry(option, 2)
	if err != nil {
		return err
	}
	if err := c.space.PutTTL(c.args[1], c.args[3], ttl); err != nil {
		return err
	}
	c.changed(c.args[1], '$', "set")
	c.changed(c.args[1], 'g', "expire")
	c.out.ok()
	return nil
}

func getSet(c *call) error {
	old, err := c.space.String(c.key(1)).GetSet(c.args[2])
	if err != nil {
		return err
	}
	c.changed(c.args[1], '$', "set")
	c.out.maybe(old)
	return nil
}

func getDel(c *call) error {
	old, err := c.space.String(c.key(1)).GetDel()
	if err == nil {
		c.changed(c.args[1], 'g', "del")
	}
	return c.orNull(old, err)
}

func getEX(c *call) error {
	s := c.space.String(c.key(1))
	switch {
	case len(c.args) == 2:
		return c.orNull(s.Get())
	case len(c.args) == 3 && is(c.args[2], "PERSIST"):
		old, err := s.GetExpire(typed.NoTTL)
		if err == nil {
			c.changed(c.args[1], 'g', "persist")
		}
		return c.orNull(old, err)
	case len(c.args) != 4 || expiryUnit(c.args[2]) == 0:
		return errSyntax
	}
	ttl, at, err := c.expiry(c.args[2], 3)
	if err != nil {
		return err
	}
	var old []byte
	if at.IsZero() {
		old, err = s.GetExpire(ttl)
	} else {
		old, err = s.GetExpireAt(at)
	}
	if err == nil {
		c.changed(c.args[1], 'g', "expire")
	}
	return c.orNull(old, err)
}

func mget(c *call) error {
	return c.eachValue(c.args[1:], func(s siltstone.ReadWriter, dst, key []byte) ([]byte, error) {
		dst, err := s.AppendGet(dst, key)
		return dst, instead(err, siltstone.ErrWrongType, errNoKey)
	})
}

// eachValue replies with the values of names, of one state, and nil for those that are
// missing. It reads one after the other: a name may come a million times, and its value be
// large.
func (c *call) eachValue(names [][]byte, read func(s siltstone.ReadWriter, dst, name []byte) ([]byte, error)) error {
	mark := len(c.out.buf)
	return c.view(func(s siltstone.ReadWriter) error {
		c.out.array(len(names))
		for _, name := range names {
			at := c.out.open()
			buf, err := read(s, c.out.buf, name)
			switch {
			case err == nil:
				c.out.buf = buf
				c.out.fixBulk(at)
			case absent(err) || errors.Is(err, errNoKey):
				c.out.buf = c.out.buf[:at]
				c.out.null()
			default:
				return err
			}
			if err := c.fits(mark); err != nil {
				return err
			}
		}
		return nil
	})
}

// pairs returns the arguments as keys and values, from one on.
func (c *call) pairs(from int) ([]typed.Pair, error) {
	if (len(c.args)-from)%2 != 0 {
		return nil, errArity(c.cmd.name)
	}
	all := make([]typed.Pair, 0, (len(c.args)-from)/2)
	for i := from; i < len(c.args); i += 2 {
		all = append(all, typed.Pair{Name: string(c.args[i]), Value: c.args[i+1]})
	}
	return all, nil
}

func mset(c *call) error {
	pairs, err := c.pairs(1)
	if err == nil {
		err = c.space.Keys().Set(pairs...)
	}
	if err != nil {
		return err
	}
	for i := 1; i < len(c.args); i += 2 {
		c.changed(c.args[i], '$', "set")
	}
	c.out.ok()
	return nil
}

func msetNX(c *call) error {
	pairs, err := c.pairs(1)
	if err != nil {
		return err
	}
	done, err := c.space.Keys().SetNX(pairs...)
	if err != nil {
		return err
	}
	for i := 1; done && i < len(c.args); i += 2 {
		c.changed(c.args[i], '$', "set")
	}
	c.out.bit(done)
	return nil
}

// The commands that read and write parts of strings, and numbers.
var stringPartCommands = []command{
	{"append", 3, writes, 1, 1, 1, appendCommand},
	{"strlen", 2, reads, 1, 1, 1, func(c *call) error { return c.number(c.space.String(c.key(1)).Len()) }},
	{"getrange", 4, reads, 1, 1, 1, getRange},
	{"substr", 4, reads, 1, 1, 1, getRange},
	{"setrange", 4, writes, 1, 1, 1, setRange},
	{"incr", 2, writes | joinable, 1, 1, 1, func(c *call) error { return incr(c, 1) }},
	{"decr", 2, writes | joinable, 1, 1, 1, func(c *call) error { return incr(c, -1) }},
	{"incrby", 3, writes | joinable, 1, 1, 1, incrBy},
	{"decrby", 3, writes | joinable, 1, 1, 1, decrBy},
	{"incrbyfloat", 3, writes | joinable, 1, 1, 1, incrByFloat},
	{"lcs", -3, reads, 1, 2, 1, lcs},
}

func appendCommand(c *call) error {
	n, err := c.space.String(c.key(1)).Append(c.args[2])
	if err == nil {
		c.changed(c.args[1], '$', "append")
	}
	return c.number(n, err)
}

func getRange(c *call) error {
	start, err := c.int(2)
	if err != nil {
		return err
	}
	stop, err := c.int(3)
	if err != nil {
		return err
	}
	part, err := c.space.String(c.key(1)).Range(start, stop)
	if err != nil {
		return err
	}
	c.out.bulk(part)
	return nil
}

func setRange(c *call) error {
	offset, err := c.int(2)
	if err != nil {
		return err
	}
	if offset < 0 {
		return replyError("ERR offset is out of range")
	}
	if offset > int64(c.s.opts.MaxCommandBytes) && len(c.args[3]) > 0 {
		return errTooLong
	}
	n, err := c.space.String(c.key(1)).SetRange(offset, c.args[3])
	if err == nil && len(c.args[3]) > 0 {
		c.changed(c.args[1], '$', "setrange")
	}
	return c.number(n, err)
}

func incr(c *call, by int64) error {
	n, err := c.space.String(c.key(1)).Incr(by)
	if err != nil {
		return err
	}
	c.changed(c.args[1], '$', "incrby")
	c.out.int(n)
	return nil
}

func incrBy(c *call) error {
	by, err := c.int(2)
	if err != nil {
		return err
	}
	return incr(c, by)
}

func decrBy(c *call) error {
	by, err := c.int(2)
	if err != nil {
		return err
	}
	if by == -by && by != 0 {
		return replyError("ERR decrement would overflow")
	}
	return incr(c, -by)
}

func incrByFloat(c *call) error {
	by, err := c.float(2)
	if err != nil {
		return err
	}
	var text []byte
	err = c.update(func(s siltstone.ReadWriter) error {
		if _, err := s.String(c.key(1)).IncrFloat(by); err != nil {
			return err
		}
		text, err = s.Get(c.args[1])
		c.changed(c.args[1], '$', "incrbyfloat")
		return err
	})
	switch {
	case errors.Is(err, siltstone.ErrNaN), errors.Is(err, siltstone.ErrOverflow):
		return replyError("ERR increment would produce NaN or Infinity")
	case err != nil:
		return instead(err, siltstone.ErrNotNumber, errNotFloat)
	}
	c.out.bulk(text)
	return nil
}

func lcs(c *call) error {
	var length, index, withLen bool
	var least int64
	for i := 3; i < len(c.args); i++ {
		switch a := c.args[i]; {
		case is(a, "LEN"):
			length = true
		case is(a, "IDX"):
			index = true
		case is(a, "WITHMATCHLEN"):
			withLen = true
		case is(a, "MINMATCHLEN") && i+1 < len(c.args):
			i++
			n, err := c.int(i)
			if err != nil {
				return err
			}
			least = max(n, 0)
		default:
			return errSyntax
		}
	}
	a, b := c.space.String(c.key(1)), c.key(2)
	switch {
	case length && index:
		return replyError("ERR If you want both the length and indexes, please just use IDX.")
	case length:
		n, err := a.LCSLen(b)
		return c.number(n, lcsError(err))
	case !index:
		common, err := a.LCS(b)
		if err != nil {
			return lcsError(err)
		}
		c.out.bulk(common)
		return nil
	}
	matches, n, err := a.LCSMatches(b, least)
	if err != nil {
		return lcsError(err)
	}
	c.out.pairs(2)
	c.out.text("matches")
	c.out.array(len(matches))
	for _, m := range matches {
		c.lcsMatch(m, withLen)
	}
	c.out.text("len")
	c.out.int(n)
	return nil
}

func (c *call) lcsMatch(m typed.LCSMatch, withLen bool) {
	parts := 2
	if withLen {
		parts = 3
	}
	c.out.array(parts)
	for _, start := range []int64{m.Start, m.OtherStart} {
		c.out.array(2)
		c.out.int(start)
		c.out.int(start + m.Len - 1)
	}
	if withLen {
		c.out.int(m.Len)
	}
}

func lcsError(err error) error {
	return instead(err, siltstone.ErrWrongType, "ERR The specified keys must contain string values")
}
