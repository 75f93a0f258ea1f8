package resp

import (
	"errors"
	"iter"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// The commands on sets.
var setCommands = []command{
	{"sadd", -3, writes | merges, 1, 1, 1, sadd},
	{"srem", -3, writes, 1, 1, 1, srem},
	{"smembers", 2, reads, 1, 1, 1, func(c *call) error { return c.setOf(c.space.Set(c.key(1)).All()) }},
	{"scard", 2, reads, 1, 1, 1, func(c *call) error { return c.number(c.space.Set(c.key(1)).Len()) }},
	{"sismember", 3, reads, 1, 1, 1, sisMember},
	{"smismember", -3, reads, 1, 1, 1, smisMember},
	{"smove", 4, writes, 1, 2, 1, smove},
	{"spop", -2, writes | takes, 1, 1, 1, spop},
	{"srandmember", -2, reads, 1, 1, 1, srandMember},
	{"sinter", -2, reads, 1, -1, 1, func(c *call) error { return c.algebra(typed.Set.Inter) }},
	{"sunion", -2, reads, 1, -1, 1, func(c *call) error { return c.algebra(typed.Set.Union) }},
	{"sdiff", -2, reads, 1, -1, 1, func(c *call) error { return c.algebra(typed.Set.Diff) }},
	{"sinterstore", -3, writes, 1, -1, 1, func(c *call) error { return c.storeSet(typed.Set.StoreInter) }},
	{"sunionstore", -3, writes, 1, -1, 1, func(c *call) error { return c.storeSet(typed.Set.StoreUnion) }},
	{"sdiffstore", -3, writes, 1, -1, 1, func(c *call) error { return c.storeSet(typed.Set.StoreDiff) }},
	{"sintercard", -3, reads | numKeys, 0, 0, 0, sinterCard},
}

func sadd(c *call) error {
	n, err := c.space.Set(c.key(1)).Add(c.strings(2, len(c.args))...)
	if err == nil && n > 0 {
		c.changed(c.args[1], 's', "sadd")
	}
	return c.number(int64(n), err)
}

func srem(c *call) error {
	n, err := c.space.Set(c.key(1)).Remove(c.strings(2, len(c.args))...)
	if err == nil && n > 0 {
		c.changed(c.args[1], 's', "srem")
	}
	return c.number(int64(n), err)
}

func (c *call) setOf(loop iter.Seq2[string, error]) error {
	return all(c, '~', loop, func(m string) { c.out.text(m) })
}

func sisMember(c *call) error {
	has, err := c.space.Set(c.key(1)).Has(c.key(2))
	if err != nil {
		return err
	}
	c.out.bit(has)
	return nil
}

func smisMember(c *call) error {
	has, err := c.space.Set(c.key(1)).HasMany(c.strings(2, len(c.args))...)
	if err != nil {
		return err
	}
	c.out.array(len(has))
	for _, h := range has {
		c.out.bit(h)
	}
	return nil
}

func smove(c *call) error {
	return c.update(func(s siltstone.ReadWriter) error {
		there, err := s.Set(c.key(2)).Has(c.key(3))
		if err != nil {
			return err
		}
		moved, err := s.Set(c.key(1)).MoveTo(c.key(2), c.key(3))
		if err != nil {
			return err
		}
		if moved {
			c.changed(c.args[1], 's', "srem")
			if !there {
				c.changed(c.args[2], 's', "sadd")
			}
		}
		c.out.bit(moved)
		return nil
	})
}

func spop(c *call) error {
	if len(c.args) > 3 {
		return errSyntax
	}
	n := 1
	if len(c.args) == 3 {
		var err error
		if n, err = c.count(2); err != nil {
			return err
		}
	}
	members, err := c.space.Set(c.key(1)).Pop(n)
	if err != nil {
		return err
	}
	if len(members) > 0 {
		c.changed(c.args[1], 's', "spop")
	}
	switch {
	case len(c.args) == 3:
		c.out.set(len(members))
		c.texts(members)
	case len(members) == 0:
		c.out.null()
	default:
		c.out.text(members[0])
	}
	return nil
}

func (c *call) texts(all []string) {
	for _, s := range all {
		c.out.text(s)
	}
}

func srandMember(c *call) error {
	n := 1
	if len(c.args) > 2 {
		var err error
		if n, _, err = c.draws(""); err != nil {
			return err
		}
	}
	members, err := c.space.Set(c.key(1)).Random(n)
	switch {
	case err != nil:
		return err
	case len(c.args) == 3:
		return c.drawn(members)
	case len(members) == 0:
		c.out.null()
	default:
		c.out.text(members[0])
	}
	return nil
}

// drawn replies with members, one of which may be there a million times.
func (c *call) drawn(members []string) error {
	mark := len(c.out.buf)
	c.out.array(len(members))
	for _, m := range members {
		c.out.text(m)
		if err := c.fits(mark); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) algebra(op func(typed.Set, ...string) iter.Seq2[string, error]) error {
	return c.setOf(op(c.space.Set(c.key(1)), c.strings(2, len(c.args))...))
}

func (c *call) storeSet(op func(typed.Set, ...string) (int64, error)) error {
	return c.stored('s', func(s siltstone.ReadWriter) (int64, error) {
		return op(s.Set(c.key(1)), c.strings(2, len(c.args))...)
	})
}

// stored runs a command that puts its result under the first key, and replies with the
// number of elements. Without any the key is gone, which is a change if it was there.
func (c *call) stored(class byte, store func(siltstone.ReadWriter) (int64, error)) error {
	return c.update(func(s siltstone.ReadWriter) error {
		existed, err := s.Key(c.key(1)).Exists()
		if err != nil {
			return err
		}
		n, err := store(s)
		switch {
		case err != nil:
			return err
		case n > 0:
			c.changed(c.args[1], class, c.cmd.name)
		case existed:
			c.changed(c.args[1], 'g', "del")
		}
		c.out.int(n)
		return nil
	})
}

// sources parses a number and as many keys, from an argument on, and returns where the
// next argument stands.
func (c *call) sources(at int) (names []string, next int, err error) {
	n, ok := parseInt(c.args[at])
	switch {
	case !ok || n < 1:
		return nil, 0, replyError("ERR numkeys should be greater than 0")
	case n > int64(len(c.args)-at-1):
		return nil, 0, errTooManyKeys
	}
	next = at + 1 + int(n)
	return c.strings(at+1, next), next, nil
}

// limit parses LIMIT and a number, which may be there from an argument on.
func (c *call) limit(at int) (int64, error) {
	switch {
	case at == len(c.args):
		return 0, nil
	case at+2 != len(c.args) || !is(c.args[at], "LIMIT"):
		return 0, errSyntax
	}
	n, ok := parseInt(c.args[at+1])
	if !ok || n < 0 {
		return 0, replyError("ERR LIMIT can't be negative")
	}
	return n, nil
}

func sinterCard(c *call) error {
	names, next, err := c.sources(1)
	if err != nil {
		return err
	}
	limit, err := c.limit(next)
	if err != nil {
		return err
	}
	n, err := c.space.Set(names[0]).InterLen(limit, names[1:]...)
	if errors.Is(err, siltstone.ErrNotFound) {
		n, err = 0, nil
	}
	return c.number(n, err)
}
