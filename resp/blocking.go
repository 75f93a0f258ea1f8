package resp

import (
	"math"
	"time"

	"github.com/siltstonedb/siltstone/typed"
)

// The commands that wait for a list or a sorted set. Each tries; if there is nothing, it
// asks for a wait, and is run again whenever one of its keys was written.
var listBlockCommands = []command{
	{"blpop", -3, writes | takes | blocks, 1, -2, 1, func(c *call) error { return bpop(c, typed.EndFront) }},
	{"brpop", -3, writes | takes | blocks, 1, -2, 1, func(c *call) error { return bpop(c, typed.EndBack) }},
	{"blmove", 6, writes | blocks, 1, 2, 1, blmove},
	{"brpoplpush", 4, writes | blocks, 1, 2, 1, brpopLpush},
	{"blmpop", -5, writes | takes | blocks | numKeys, 0, 0, 0, blmpop},
	{"bzpopmin", -3, writes | takes | blocks | zsetWait, 1, -2, 1, func(c *call) error { return bzpop(c, false) }},
	{"bzpopmax", -3, writes | takes | blocks | zsetWait, 1, -2, 1, func(c *call) error { return bzpop(c, true) }},
	{"bzmpop", -5, writes | takes | blocks | zsetWait | numKeys, 0, 0, 0, bzmpop},
}

// timeout parses the seconds, with fractions, that a command waits; zero is for ever.
func (c *call) timeout(i int) (until time.Time, err error) {
	if c.c.waiter != nil {
		return c.c.waiter.until, nil // it was parsed, and counts from then
	}
	s, ok := parseFloat(c.args[i])
	switch {
	case !ok:
		return until, replyError("ERR timeout is not a float or out of range")
	case s < 0:
		return until, replyError("ERR timeout is negative")
	case s > float64(math.MaxInt64/2)/1e9 || math.IsInf(s, 0):
		return until, replyError("ERR timeout is out of range")
	case s == 0:
		return until, nil
	}
	return time.Now().Add(max(time.Duration(s*1e9), time.Nanosecond)), nil
}

// waitFor asks for a wait. In a transaction nobody waits: the reply is that of a time that
// is over.
func (c *call) waitFor(names []string, until time.Time, none func(*reply)) error {
	if c.c.multi.open {
		none(&c.out)
		return nil
	}
	w := &waiter{c: c.c, cmd: c.cmd, until: until, none: none}
	known := make(map[string]struct{}, len(names)) // there may be a million of them
	for _, name := range names {
		if _, twice := known[name]; !twice {
			known[name] = struct{}{}
			w.keys = append(w.keys, keyName{c.spaceName(), name})
		}
	}
	c.waits = w
	return nil
}

// awaited returns the keys to look at: after a wait the one that was written alone.
func (c *call) awaited(names []string) []string {
	if c.ready == "" {
		return names
	}
	return []string{c.ready}
}

func bpop(c *call, end typed.End) error {
	last := len(c.args) - 1
	until, err := c.timeout(last)
	if err != nil {
		return err
	}
	a := lmpopArgs{c.awaited(c.strings(1, last)), end, 1}
	from, values, err := c.space.List(a.names[0]).PopAny(end, 1, a.names[1:]...)
	if err != nil {
		return err
	}
	if len(values) == 0 {
		return c.waitFor(a.names, until, (*reply).nullArray)
	}
	c.changed([]byte(from), 'l', a.event())
	c.out.array(2)
	c.out.text(from)
	c.out.bulk(values[0])
	return nil
}

func blmove(c *call) error {
	from, to, err := c.ends()
	if err != nil {
		return err
	}
	return c.bmove(from, to, 5)
}

func brpopLpush(c *call) error { return c.bmove(typed.EndBack, typed.EndFront, 3) }

func (c *call) bmove(from, to typed.End, timeout int) error {
	until, err := c.timeout(timeout)
	if err != nil {
		return err
	}
	if done, err := c.moved(from, to, false); err != nil || done {
		return err
	}
	none := (*reply).nullArray
	if c.c.multi.open { // as LMOVE
		none = (*reply).null
	}
	return c.waitFor(c.strings(1, 2), until, none)
}

func blmpop(c *call) error {
	a, err := c.lmpopArgs(2)
	if err != nil {
		return err
	}
	until, err := c.timeout(1)
	if err != nil {
		return err
	}
	a.names = c.awaited(a.names)
	if done, err := c.popAny(a); err != nil || done {
		return err
	}
	return c.waitFor(a.names, until, (*reply).nullArray)
}

func bzpop(c *call, highest bool) error {
	last := len(c.args) - 1
	until, err := c.timeout(last)
	if err != nil {
		return err
	}
	names := c.awaited(c.strings(1, last))
	z := c.space.ZSet(names[0])
	pop, event := z.PopMinFrom, "zpopmin"
	if highest {
		pop, event = z.PopMaxFrom, "zpopmax"
	}
	from, members, err := pop(1, names[1:]...)
	if err != nil {
		return err
	}
	if len(members) == 0 {
		return c.waitFor(names, until, (*reply).nullArray)
	}
	c.changed([]byte(from), 'z', event)
	c.out.array(3)
	c.out.text(from)
	c.out.text(members[0].Name)
	c.out.double(members[0].Score)
	return nil
}

func bzmpop(c *call) error {
	a, err := c.zmpopArgs(2)
	if err != nil {
		return err
	}
	until, err := c.timeout(1)
	if err != nil {
		return err
	}
	a.names = c.awaited(a.names)
	if done, err := c.popFrom(a); err != nil || done {
		return err
	}
	return c.waitFor(a.names, until, (*reply).nullArray)
}
