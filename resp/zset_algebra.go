package resp

import (
	"fmt"
	"slices"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// The commands on several sorted sets.
var zsetAlgebraCommands = []command{
	{"zunion", -3, reads | numKeys, 0, 0, 0, func(c *call) error { return zalgebra(c, typed.ZSet.Union) }},
	{"zinter", -3, reads | numKeys, 0, 0, 0, func(c *call) error { return zalgebra(c, typed.ZSet.Inter) }},
	{"zdiff", -3, reads | numKeys, 0, 0, 0, func(c *call) error { return zalgebra(c, nil) }},
	{"zunionstore", -4, writes | numKeys, 1, 1, 1, func(c *call) error { return zstore(c, typed.ZSet.StoreUnion) }},
	{"zinterstore", -4, writes | numKeys, 1, 1, 1, func(c *call) error { return zstore(c, typed.ZSet.StoreInter) }},
	{"zdiffstore", -4, writes | numKeys, 1, 1, 1, func(c *call) error { return zstore(c, nil) }},
	{"zintercard", -3, reads | numKeys, 0, 0, 0, zinterCard},
}

// combination is what stands behind the number of keys.
type combination struct {
	names  []string
	o      typed.ZOptions
	scores bool
}

// combination parses sources from an argument on, and the words behind them. Without
// joins there are neither weights nor an aggregate.
func (c *call) combination(at int, joins, store bool) (k combination, err error) {
	next, err := c.zsetSources(at)
	if err != nil {
		return k, err
	}
	k.names = slices.Clone(c.strings(at+1, next))
	for i := next; i < len(c.args); i++ {
		switch a := c.args[i]; {
		case joins && is(a, "WEIGHTS") && i+len(k.names) < len(c.args):
			k.o.Weights = nil
			for range k.names {
				i++
				w, ok := parseFloat(c.args[i])
				if !ok {
					return k, replyError("ERR weight value is not a float")
				}
				k.o.Weights = append(k.o.Weights, w)
			}
		case joins && is(a, "AGGREGATE") && i+1 < len(c.args):
			i++
			var ok bool
			if k.o.Aggregate, ok = aggregate(c.args[i]); !ok {
				return k, errSyntax
			}
		case !store && is(a, "WITHSCORES"):
			k.scores = true
		default:
			return k, errSyntax
		}
	}
	return k, nil
}

// zsetSources parses a number of keys, from an argument on, and returns where the argument
// behind the keys stands.
func (c *call) zsetSources(at int) (next int, err error) {
	n, ok := parseInt(c.args[at])
	switch {
	case !ok:
		return 0, errNotInt
	case n < 1:
		return 0, errNoSources(c.cmd.name)
	case n > int64(len(c.args)-at-1):
		return 0, errSyntax
	}
	return at + 1 + int(n), nil
}

func errNoSources(name string) error {
	return replyError(fmt.Sprintf("ERR at least 1 input key is needed for '%s' command", name))
}

func aggregate(b []byte) (typed.Aggregate, bool) {
	switch {
	case is(b, "SUM"):
		return typed.AggregateSum, true
	case is(b, "MIN"):
		return typed.AggregateMin, true
	case is(b, "MAX"):
		return typed.AggregateMax, true
	}
	return 0, false
}

// zalgebra replies with what join makes of the sources; without one it is the difference.
func zalgebra(c *call, join func(typed.ZSet, typed.ZOptions, ...string) ([]typed.Member, error)) error {
	k, err := c.combination(1, join != nil, false)
	if err != nil {
		return err
	}
	z := c.space.ZSet(k.names[0])
	var members []typed.Member
	if join == nil {
		members, err = z.Diff(k.names[1:]...)
	} else {
		members, err = join(z, k.o, k.names[1:]...)
	}
	if err != nil {
		return err
	}
	return c.membersReply(members, k.scores)
}

func zstore(c *call, join func(typed.ZSet, typed.ZOptions, ...string) (int64, error)) error {
	k, err := c.combination(2, join != nil, true)
	if err != nil {
		return err
	}
	return c.stored('z', func(s siltstone.ReadWriter) (int64, error) {
		z := s.ZSet(c.key(1))
		if join == nil {
			return z.StoreDiff(k.names...)
		}
		return join(z, k.o, k.names...)
	})
}

func zinterCard(c *call) error {
	next, err := c.zsetSources(1)
	if err != nil {
		return err
	}
	names := slices.Clone(c.strings(2, next))
	limit, err := c.limit(next)
	if err != nil {
		return err
	}
	return c.number(c.space.ZSet(names[0]).InterLen(limit, names[1:]...))
}
