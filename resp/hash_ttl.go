package resp

import (
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// The commands on times to live of fields, as Redis 7.4 and 8.0 have them.
var hashTTLCommands = []command{
	{"hexpire", -6, writes, 1, 1, 1, func(c *call) error { return hexpire(c, 1000, false) }},
	{"hpexpire", -6, writes, 1, 1, 1, func(c *call) error { return hexpire(c, 1, false) }},
	{"hexpireat", -6, writes, 1, 1, 1, func(c *call) error { return hexpire(c, 1000, true) }},
	{"hpexpireat", -6, writes, 1, 1, 1, func(c *call) error { return hexpire(c, 1, true) }},
	{"httl", -5, reads, 1, 1, 1, func(c *call) error { return httl(c, seconds) }},
	{"hpttl", -5, reads, 1, 1, 1, func(c *call) error { return httl(c, millis) }},
	{"hexpiretime", -5, reads, 1, 1, 1, func(c *call) error { return hexpireTime(c, 1000) }},
	{"hpexpiretime", -5, reads, 1, 1, 1, func(c *call) error { return hexpireTime(c, 1) }},
	{"hpersist", -5, writes, 1, 1, 1, hpersist},
	{"hgetdel", -5, writes | takes, 1, 1, 1, hgetDel},
	{"hgetex", -5, writes | takes, 1, 1, 1, hgetEX},
	{"hsetex", -6, writes, 1, 1, 1, hsetEX},
}

// fields parses FIELDS, a number and as many fields from an argument on.
func (c *call) fields(at int) ([]string, error) {
	if at+1 >= len(c.args) || !is(c.args[at], "FIELDS") {
		return nil, replyError("ERR Mandatory argument FIELDS is missing or not at the right position")
	}
	n, ok := parseInt(c.args[at+1])
	switch {
	case !ok || n < 1:
		return nil, replyError("ERR Number of fields must be a positive integer")
	case n != int64(len(c.args)-at-2):
		return nil, replyError("ERR The `numfields` parameter must match the number of arguments")
	}
	return c.strings(at+2, len(c.args)), nil
}

// fieldsAt returns where the word FIELDS stands, from an argument on.
func (c *call) fieldsAt(from int) int {
	for i := from; i < len(c.args); i++ {
		if is(c.args[i], "FIELDS") {
			return i
		}
	}
	return len(c.args)
}

// The answers of HEXPIRE for a field.
const (
	fieldMissing = -2
	fieldKept    = 0
	fieldSet     = 1
	fieldGone    = 2
)

func hexpire(c *call, unit int64, absolute bool) error {
	split := c.fieldsAt(3)
	fields, err := c.fields(split)
	if err != nil {
		return err
	}
	cond, err := c.expireConds(3, split)
	if err != nil {
		return err
	}
	at, err := c.deadline(2, unit, absolute)
	if err != nil {
		return err
	}
	return c.update(func(s siltstone.ReadWriter) error {
		h := s.Hash(c.key(1))
		c.out.array(len(fields))
		for _, f := range fields {
			result, err := expireField(h, f, at, cond)
			if err != nil {
				return err
			}
			if result > 0 {
				c.changed(c.args[1], 'h', "hexpire")
			}
			c.out.int(result)
		}
		return nil
	})
}

func expireField(h typed.Hash, field string, at time.Time, cond typed.Cond) (int64, error) {
	if has, err := h.Has(field); err != nil || !has {
		return fieldMissing, err
	}
	n, err := h.ExpireFieldsAt(at, cond, field)
	switch {
	case err != nil || n == 0:
		return fieldKept, err
	case !at.After(time.Now()):
		return fieldGone, nil
	}
	return fieldSet, nil
}

func httl(c *call, unit func(time.Duration) int64) error {
	fields, err := c.fields(2)
	if err != nil {
		return err
	}
	return c.view(func(s siltstone.ReadWriter) error {
		h := s.Hash(c.key(1))
		c.out.array(len(fields))
		for _, f := range fields {
			left, err := h.FieldTTL(f)
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
		}
		return nil
	})
}

func hexpireTime(c *call, unit int64) error {
	fields, err := c.fields(2)
	if err != nil {
		return err
	}
	return c.view(func(s siltstone.ReadWriter) error {
		h := s.Hash(c.key(1))
		c.out.array(len(fields))
		for _, f := range fields {
			at, err := h.FieldDeadline(f)
			switch {
			case absent(err):
				c.out.int(-2)
			case err != nil:
				return err
			case at.IsZero():
				c.out.int(-1)
			default:
				c.out.int((at.UnixMilli() + unit/2) / unit)
			}
		}
		return nil
	})
}

func hpersist(c *call) error {
	fields, err := c.fields(2)
	if err != nil {
		return err
	}
	return c.update(func(s siltstone.ReadWriter) error {
		h := s.Hash(c.key(1))
		c.out.array(len(fields))
		for _, f := range fields {
			has, err := h.Has(f)
			if err != nil {
				return err
			}
			n, err := h.PersistFields(f)
			switch {
			case err != nil:
				return err
			case !has:
				c.out.int(-2)
			case n == 0:
				c.out.int(-1)
			default:
				c.changed(c.args[1], 'h', "hpersist")
				c.out.int(1)
			}
		}
		return nil
	})
}

func hgetDel(c *call) error {
	fields, err := c.fields(2)
	if err != nil {
		return err
	}
	return c.update(func(s siltstone.ReadWriter) error {
		h := s.Hash(c.key(1))
		if err := c.fieldValues(len(fields)); err != nil {
			return err
		}
		n, err := h.Remove(fields...)
		if err == nil && n > 0 {
			c.changed(c.args[1], 'h', "hdel")
		}
		return err
	})
}

// fieldExpiry parses EX, PX, EXAT, PXAT and another word, between two arguments. The other
// word is noted as other.
func (c *call) fieldExpiry(from, to int, word string) (at time.Time, other bool, err error) {
	for i := from; i < to; i++ {
		a := c.args[i]
		switch unit := expiryUnit(a); {
		case is(a, word) && at.IsZero():
			other = true
		case unit != 0 && i+1 < to && at.IsZero() && !other:
			i++
			n, err := c.int(i)
			if err != nil {
				return at, false, err
			}
			if n <= 0 {
				return at, false, errExpire(c.cmd.name)
			}
			if at, err = c.deadline(i, unit, len(a) == 4); err != nil {
				return at, false, err
			}
		default:
			return at, false, errSyntax
		}
	}
	return at, other, nil
}

func hgetEX(c *call) error {
	split := c.fieldsAt(2)
	fields, err := c.fields(split)
	if err != nil {
		return err
	}
	at, persist, err := c.fieldExpiry(2, split, "PERSIST")
	if err != nil {
		return err
	}
	return c.update(func(s siltstone.ReadWriter) error {
		h := s.Hash(c.key(1))
		err := c.fieldValues(len(fields))
		if err != nil {
			return err
		}
		n := 0
		if persist {
			n, err = h.PersistFields(fields...)
		} else if !at.IsZero() {
			n, err = h.ExpireFieldsAt(at, 0, fields...)
		}
		if err != nil {
			return err
		}
		if n > 0 {
			c.changed(c.args[1], 'h', "hexpire")
		}
		return nil
	})
}

// hsetEX is HSETEX key [FNX|FXX] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL] FIELDS n field value …
func hsetEX(c *call) error {
	split := c.fieldsAt(2)
	from := 2
	var cond typed.Cond
	for ; from < split; from++ {
		if is(c.args[from], "FNX") && cond == 0 {
			cond = typed.CondNX
		} else if is(c.args[from], "FXX") && cond == 0 {
			cond = typed.CondXX
		} else {
			break
		}
	}
	at, keep, err := c.fieldExpiry(from, split, "KEEPTTL")
	if err != nil {
		return err
	}
	if split+1 >= len(c.args) {
		return errSyntax
	}
	n, ok := parseInt(c.args[split+1])
	if !ok || n < 1 || n > maxArgs || int(2*n) != len(c.args)-split-2 {
		return replyError("ERR The `numfields` parameter must match the number of arguments")
	}
	var done bool
	err = c.update(func(s siltstone.ReadWriter) error {
		h := s.Hash(c.key(1))
		done, err = c.setFields(h, split+2, cond, at, keep)
		if done {
			c.changed(c.args[1], 'h', "hset")
		}
		return err
	})
	if err != nil {
		return err
	}
	c.out.bit(done)
	return nil
}

// setFields sets the fields that stand from an argument on, all or, by the condition, none.
func (c *call) setFields(h typed.Hash, from int, cond typed.Cond, at time.Time, keep bool) (bool, error) {
	for i := from; cond != 0 && i < len(c.args); i += 2 {
		has, err := h.Has(string(c.args[i]))
		if err != nil || has != (cond == typed.CondXX) {
			return false, err
		}
	}
	for i := from; i < len(c.args); i += 2 {
		name, deadline := string(c.args[i]), at
		if keep {
			old, err := h.FieldDeadline(name)
			if err != nil && !absent(err) {
				return false, err
			}
			deadline = old
		}
		if _, err := h.Set(name, c.args[i+1]); err != nil {
			return false, err
		}
		if deadline.IsZero() {
			continue
		}
		if _, err := h.ExpireFieldsAt(deadline, 0, name); err != nil {
			return false, err
		}
	}
	return true, nil
}
