package resp

import (
	"errors"
	"math"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// The commands on times to live of keys.
var expireCommands = []command{
	{"expire", -3, writes | joinable, 1, 1, 1, func(c *call) error { return expire(c, 1000, false) }},
	{"pexpire", -3, writes | joinable, 1, 1, 1, func(c *call) error { return expire(c, 1, false) }},
	{"expireat", -3, writes | joinable, 1, 1, 1, func(c *call) error { return expire(c, 1000, true) }},
	{"pexpireat", -3, writes | joinable, 1, 1, 1, func(c *call) error { return expire(c, 1, true) }},
	{"ttl", 2, reads, 1, 1, 1, func(c *call) error { return ttl(c, seconds) }},
	{"pttl", 2, reads, 1, 1, 1, func(c *call) error { return ttl(c, millis) }},
	{"expiretime", 2, reads, 1, 1, 1, func(c *call) error { return expireTime(c, 1000) }},
	{"pexpiretime", 2, reads, 1, 1, 1, func(c *call) error { return expireTime(c, 1) }},
	{"persist", 2, writes | joinable, 1, 1, 1, persist},
}

// deadline returns the moment that argument i names, as a time to live or as a time. A
// negative one is in the past.
func (c *call) deadline(i int, unit int64, absolute bool) (time.Time, error) {
	n, err := c.int(i)
	if err != nil {
		return time.Time{}, err
	}
	const most = int64(1) << 62
	now := time.Now().UnixMilli()
	if absolute {
		now = 0
	}
	if n > (most-now)/unit || n < math.MinInt64/unit {
		return time.Time{}, errExpire(c.cmd.name)
	}
	if n <= 0 {
		return time.UnixMilli(1), nil
	}
	return time.UnixMilli(n*unit + now), nil
}

// expireConds parses NX, XX, GT and LT, from one argument on.
func (c *call) expireConds(from, to int) (cond typed.Cond, err error) {
	for _, a := range c.args[from:to] {
		switch {
		case is(a, "NX"):
			cond |= typed.CondNX
		case is(a, "XX"):
			cond |= typed.CondXX
		case is(a, "GT"):
			cond |= typed.CondGT
		case is(a, "LT"):
			cond |= typed.CondLT
		default:
			return 0, replyError("ERR Unsupported option " + string(a))
		}
	}
	switch {
	case cond&typed.CondNX != 0 && cond != typed.CondNX:
		return 0, replyError("ERR NX and XX, GT or LT options at the same time are not compatible")
	case cond&typed.CondGT != 0 && cond&typed.CondLT != 0:
		return 0, replyError("ERR GT and LT options at the same time are not compatible")
	}
	return cond, nil
}

func expire(c *call, unit int64, absolute bool) error {
	cond, err := c.expireConds(3, len(c.args))
	if err != nil {
		return err
	}
	at, err := c.deadline(2, unit, absolute)
	if err != nil {
		return err
	}
	var set bool
	if key := c.space.Key(c.key(1)); cond != 0 {
		set, err = key.ExpireIf(cond, at)
	} else {
		err = key.ExpireAt(at)
		if set = err == nil; absent(err) {
			err = nil
		}
	}
	if err != nil {
		return instead(err, siltstone.ErrBadTTL, replyError(errExpire(c.cmd.name).Error()))
	}
	if set {
		event := "expire"
		if !at.After(time.Now()) {
			event = "del"
		}
		c.changed(c.args[1], 'g', event)
	}
	c.out.bit(set)
	return nil
}

func ttl(c *call, unit func(time.Duration) int64) error {
	left, err := c.space.Key(c.key(1)).TTL()
	switch {
	case absent(err):
		c.out.int(-2)
	case err != nil:
		return err
	case left == typed.NoTTL:
		c.out.int(-1)
	default:
		c.out.int(unit(left))
	}
	return nil
}

func expireTime(c *call, unit int64) error {
	at, err := c.space.Key(c.key(1)).Deadline()
	switch {
	case errors.Is(err, siltstone.ErrNotFound):
		c.out.int(-2)
	case err != nil:
		return err
	case at.IsZero():
		c.out.int(-1)
	default:
		c.out.int((at.UnixMilli() + unit/2) / unit)
	}
	return nil
}

func persist(c *call) error {
	had, err := c.space.Key(c.key(1)).Persist()
	if err != nil {
		return err
	}
	if had {
		c.changed(c.args[1], 'g', "persist")
	}
	c.out.bit(had)
	return nil
}
