package resp

import (
	"errors"
	"math"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// The commands on lists that do not wait.
var listCommands = []command{
	{"lpush", -3, writes | merges, 1, 1, 1, func(c *call) error { return push(c, typed.List.PushFront, "lpush") }},
	{"rpush", -3, writes | merges, 1, 1, 1, func(c *call) error { return push(c, typed.List.PushBack, "rpush") }},
	{"lpushx", -3, writes, 1, 1, 1, func(c *call) error { return push(c, typed.List.PushFrontX, "lpush") }},
	{"rpushx", -3, writes, 1, 1, 1, func(c *call) error { return push(c, typed.List.PushBackX, "rpush") }},
	{"lpop", -2, writes | takes, 1, 1, 1, func(c *call) error { return pop(c, typed.List.PopFront, typed.List.PopFrontN) }},
	{"rpop", -2, writes | takes, 1, 1, 1, func(c *call) error { return pop(c, typed.List.PopBack, typed.List.PopBackN) }},
	{"llen", 2, reads, 1, 1, 1, func(c *call) error { return c.number(c.space.List(c.key(1)).Len()) }},
	{"lindex", 3, reads, 1, 1, 1, lindex},
	{"lrange", 4, reads, 1, 1, 1, lrange},
	{"lset", 4, writes, 1, 1, 1, lset},
	{"linsert", 5, writes, 1, 1, 1, linsert},
	{"lrem", 4, writes, 1, 1, 1, lrem},
	{"ltrim", 4, writes, 1, 1, 1, ltrim},
	{"lpos", -3, reads, 1, 1, 1, lpos},
	{"lmove", 5, writes, 1, 2, 1, lmove},
	{"rpoplpush", 3, writes, 1, 2, 1, func(c *call) error { _, err := c.moved(typed.EndBack, typed.EndFront, true); return err }},
	{"lmpop", -4, writes | takes | numKeys, 0, 0, 0, lmpop},
}

func push(c *call, to func(typed.List, ...[]byte) (int64, error), event string) error {
	n, err := to(c.space.List(c.key(1)), c.args[2:]...)
	if err == nil && n > 0 {
		c.changed(c.args[1], 'l', event)
	}
	return c.number(n, err)
}

func pop(c *call, one func(typed.List) ([]byte, error), many func(typed.List, int) ([][]byte, error)) error {
	l := c.space.List(c.key(1))
	if len(c.args) > 3 {
		return errArity(c.cmd.name)
	}
	if len(c.args) == 2 {
		v, err := one(l)
		if err == nil {
			c.changed(c.args[1], 'l', c.cmd.name)
		}
		return c.orNull(v, err)
	}
	n, err := c.count(2)
	if err != nil {
		return err
	}
	if n == 0 {
		return c.poppedNone(l)
	}
	values, err := many(l, n)
	if err != nil {
		return err
	}
	if len(values) == 0 {
		c.out.nullArray()
		return nil
	}
	c.changed(c.args[1], 'l', c.cmd.name)
	c.values(values)
	return nil
}

// poppedNone is the reply to a pop of nothing, which tells whether there is a list.
func (c *call) poppedNone(l typed.List) error {
	n, err := l.Len()
	switch {
	case err != nil:
		return err
	case n == 0:
		c.out.nullArray()
	default:
		c.out.array(0)
	}
	return nil
}

func (c *call) values(all [][]byte) {
	c.out.array(len(all))
	for _, v := range all {
		c.out.bulk(v)
	}
}

func lindex(c *call) error {
	i, err := c.int(2)
	if err != nil {
		return err
	}
	return c.orNull(c.space.List(c.key(1)).At(i))
}

func lrange(c *call) error {
	start, err := c.int(2)
	if err != nil {
		return err
	}
	stop, err := c.int(3)
	if err != nil {
		return err
	}
	return all(c, '*', c.space.List(c.key(1)).Range(start, stop), c.out.bulk)
}

func lset(c *call) error {
	i, err := c.int(2)
	if err != nil {
		return err
	}
	if err := c.space.List(c.key(1)).SetAt(i, c.args[3]); err != nil {
		return err
	}
	c.changed(c.args[1], 'l', "lset")
	c.out.ok()
	return nil
}

func linsert(c *call) error {
	l := typed.List.InsertBefore
	switch {
	case is(c.args[2], "AFTER"):
		l = typed.List.InsertAfter
	case !is(c.args[2], "BEFORE"):
		return errSyntax
	}
	return c.update(func(s siltstone.ReadWriter) error {
		list := s.List(c.key(1))
		n, err := list.Len()
		if err != nil {
			return err
		}
		if n == 0 {
			c.out.int(0)
			return nil
		}
		done, err := l(list, c.args[3], c.args[4])
		switch {
		case err != nil:
			return err
		case !done:
			c.out.int(-1)
		default:
			c.changed(c.args[1], 'l', "linsert")
			c.out.int(n + 1)
		}
		return nil
	})
}

func lrem(c *call) error {
	count, err := c.int(2)
	if err != nil {
		return err
	}
	count = max(min(count, math.MaxInt32), -math.MaxInt32)
	n, err := c.space.List(c.key(1)).Remove(int(count), c.args[3])
	if err == nil && n > 0 {
		c.changed(c.args[1], 'l', "lrem")
	}
	return c.number(int64(n), err)
}

func ltrim(c *call) error {
	start, err := c.int(2)
	if err != nil {
		return err
	}
	stop, err := c.int(3)
	if err != nil {
		return err
	}
	return c.update(func(s siltstone.ReadWriter) error {
		list := s.List(c.key(1))
		n, err := list.Len()
		if err != nil {
			return err
		}
		if n > 0 {
			if err := list.Trim(start, stop); err != nil {
				return err
			}
			c.changed(c.args[1], 'l', "ltrim")
		}
		c.out.ok()
		return nil
	})
}

// lposOptions parses RANK, COUNT and MAXLEN. many is set if a list was asked for.
func lposOptions(c *call) (o typed.PosOptions, many bool, err error) {
	o.Count = 1
	for i := 3; i < len(c.args); i += 2 {
		if i+1 == len(c.args) {
			return o, false, errSyntax
		}
		n, ok := parseInt(c.args[i+1])
		switch a := c.args[i]; {
		case is(a, "RANK"):
			if !ok {
				return o, false, errNotInt
			}
			if n == 0 {
				return o, false, replyError("ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list")
			}
			if n == math.MinInt64 {
				return o, false, errAnyLong
			}
			o.Rank = n
		case is(a, "COUNT"):
			if !ok || n < 0 {
				return o, false, replyError("ERR COUNT can't be negative")
			}
			o.Count, many = int(min(n, math.MaxInt32)), true
		case is(a, "MAXLEN"):
			if !ok || n < 0 {
				return o, false, replyError("ERR MAXLEN can't be negative")
			}
			o.MaxLen = n
		default:
			return o, false, errSyntax
		}
	}
	return o, many, nil
}

func lpos(c *call) error {
	o, many, err := lposOptions(c)
	if err != nil {
		return err
	}
	found, err := c.space.List(c.key(1)).PosMany(c.args[2], o)
	if err != nil {
		return err
	}
	if many {
		c.out.array(len(found))
	} else if len(found) == 0 {
		c.out.null()
	}
	for _, pos := range found {
		c.out.int(pos)
	}
	return nil
}

func listEnd(b []byte) (typed.End, bool) {
	switch {
	case is(b, "LEFT"):
		return typed.EndFront, true
	case is(b, "RIGHT"):
		return typed.EndBack, true
	}
	return 0, false
}

// ends parses the two ends of LMOVE and BLMOVE.
func (c *call) ends() (from, to typed.End, err error) {
	from, ok := listEnd(c.args[3])
	if !ok {
		return 0, 0, errSyntax
	}
	to, ok = listEnd(c.args[4])
	if !ok {
		return 0, 0, errSyntax
	}
	return from, to, nil
}

func lmove(c *call) error {
	from, to, err := c.ends()
	if err != nil {
		return err
	}
	_, err = c.moved(from, to, true)
	return err
}

// moved moves a value from the list of the first key to that of the second, and replies
// with it; it reports whether there was one, and replies with nil if there was none and
// null is set.
func (c *call) moved(from, to typed.End, null bool) (bool, error) {
	v, err := c.space.List(c.key(1)).MoveTo(c.key(2), from, to)
	switch {
	case errors.Is(err, siltstone.ErrNotFound):
		if null {
			c.out.null()
		}
		return false, nil
	case err != nil:
		return false, err
	}
	popped, pushed := "lpop", "lpush"
	if from == typed.EndBack {
		popped = "rpop"
	}
	if to == typed.EndBack {
		pushed = "rpush"
	}
	c.changed(c.args[1], 'l', popped)
	c.changed(c.args[2], 'l', pushed)
	c.out.bulk(v)
	return true, nil
}

// lmpopArgs are the parsed arguments of LMPOP and BLMPOP.
type lmpopArgs struct {
	names []string
	end   typed.End
	count int
}

func (c *call) lmpopArgs(at int) (a lmpopArgs, err error) {
	names, next, err := c.sources(at)
	if err != nil {
		return a, instead(err, errTooManyKeys, errSyntax)
	}
	if next >= len(c.args) {
		return a, errSyntax
	}
	end, ok := listEnd(c.args[next])
	if !ok {
		return a, errSyntax
	}
	a = lmpopArgs{names, end, 1}
	a.count, err = c.popCount(next + 1)
	return a, err
}

// popAny pops of the first list that has values, and replies; it reports whether there
// was one.
func (c *call) popAny(a lmpopArgs) (bool, error) {
	from, values, err := c.space.List(a.names[0]).PopAny(a.end, a.count, a.names[1:]...)
	if err != nil || len(values) == 0 {
		return false, err
	}
	c.changed([]byte(from), 'l', a.event())
	c.out.array(2)
	c.out.text(from)
	c.values(values)
	return true, nil
}

func (a lmpopArgs) event() string {
	if a.end == typed.EndBack {
		return "rpop"
	}
	return "lpop"
}

func lmpop(c *call) error {
	a, err := c.lmpopArgs(1)
	if err != nil {
		return err
	}
	done, err := c.popAny(a)
	if err == nil && !done {
		c.out.nullArray()
	}
	return err
}
