package resp

import (
	"math"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// The commands on members of sorted sets.
var zsetCommands = []command{
	{"zadd", -4, writes | merges, 1, 1, 1, zadd},
	{"zincrby", 4, writes, 1, 1, 1, zincrBy},
	{"zrem", -3, writes, 1, 1, 1, zrem},
	{"zcard", 2, reads, 1, 1, 1, func(c *call) error { return c.number(c.space.ZSet(c.key(1)).Len()) }},
	{"zscore", 3, reads, 1, 1, 1, zscore},
	{"zmscore", -3, reads, 1, 1, 1, zmscore},
	{"zrank", -3, reads, 1, 1, 1, func(c *call) error { return zrank(c, typed.ZSet.Rank) }},
	{"zrevrank", -3, reads, 1, 1, 1, func(c *call) error { return zrank(c, typed.ZSet.RevRank) }},
	{"zpopmin", -2, writes | takes, 1, 1, 1, func(c *call) error { return zpop(c, typed.ZSet.PopMin) }},
	{"zpopmax", -2, writes | takes, 1, 1, 1, func(c *call) error { return zpop(c, typed.ZSet.PopMax) }},
	{"zmpop", -4, writes | takes | numKeys, 0, 0, 0, zmpop},
	{"zrandmember", -2, reads, 1, 1, 1, zrandMember},
}

// zaddOptions parses the words behind the key, and returns where the scores begin.
func zaddOptions(c *call) (cond typed.Cond, incr bool, at int, err error) {
	at = 2
options:
	for ; at < len(c.args); at++ {
		switch a := c.args[at]; {
		case is(a, "NX"):
			cond |= typed.CondNX
		case is(a, "XX"):
			cond |= typed.CondXX
		case is(a, "GT"):
			cond |= typed.CondGT
		case is(a, "LT"):
			cond |= typed.CondLT
		case is(a, "CH"):
			cond |= typed.CondCH
		case is(a, "INCR"):
			incr = true
		default:
			break options
		}
	}
	n := len(c.args) - at
	switch {
	case n == 0 || n%2 != 0:
		err = errSyntax
	case cond&typed.CondNX != 0 && cond&typed.CondXX != 0:
		err = replyError("ERR XX and NX options at the same time are not compatible")
	case cond&typed.CondGT != 0 && cond&typed.CondLT != 0, cond&typed.CondNX != 0 && cond&(typed.CondGT|typed.CondLT) != 0:
		err = replyError("ERR GT, LT, and/or NX options at the same time are not compatible")
	case incr && n != 2:
		err = replyError("ERR INCR option supports a single increment-element pair")
	}
	return cond, incr, at, err
}

func zadd(c *call) error {
	cond, incr, at, err := zaddOptions(c)
	if err != nil {
		return err
	}
	members := make([]typed.Member, 0, (len(c.args)-at)/2)
	for i := at; i < len(c.args); i += 2 {
		score, err := c.float(i)
		if err != nil {
			return err
		}
		members = append(members, typed.Member{Name: string(c.args[i+1]), Score: score})
	}
	z := c.space.ZSet(c.key(1))
	if incr {
		sum, done, err := z.IncrIf(cond&^typed.CondCH, members[0].Name, members[0].Score)
		if err != nil {
			return err
		}
		if !done {
			c.out.null()
			return nil
		}
		c.changed(c.args[1], 'z', "zincr")
		c.out.double(sum)
		return nil
	}
	if cond == 0 && len(members) == 1 {
		added, err := z.Add(members[0].Name, members[0].Score)
		if err != nil {
			return err
		}
		c.changed(c.args[1], 'z', "zadd")
		c.out.bit(added)
		return nil
	}
	n, err := z.AddMany(cond, members...)
	if err == nil {
		c.changed(c.args[1], 'z', "zadd")
	}
	return c.number(int64(n), err)
}

func zincrBy(c *call) error {
	by, err := c.float(2)
	if err != nil {
		return err
	}
	sum, err := c.space.ZSet(c.key(1)).Incr(c.key(3), by)
	if err != nil {
		return err
	}
	c.changed(c.args[1], 'z', "zincr")
	c.out.double(sum)
	return nil
}

func zrem(c *call) error {
	n, err := c.space.ZSet(c.key(1)).Remove(c.strings(2, len(c.args))...)
	if err == nil && n > 0 {
		c.changed(c.args[1], 'z', "zrem")
	}
	return c.number(int64(n), err)
}

func zscore(c *call) error {
	score, err := c.space.ZSet(c.key(1)).Score(c.key(2))
	switch {
	case absent(err):
		c.out.null()
	case err != nil:
		return err
	default:
		c.out.double(score)
	}
	return nil
}

func zmscore(c *call) error {
	scores, err := c.space.ZSet(c.key(1)).Scores(c.strings(2, len(c.args))...)
	if err != nil {
		return err
	}
	c.out.array(len(scores))
	for _, s := range scores {
		if math.IsNaN(s) {
			c.out.null()
		} else {
			c.out.double(s)
		}
	}
	return nil
}

func zrank(c *call, of func(typed.ZSet, string) (int64, error)) error {
	with := len(c.args) == 4 && is(c.args[3], "WITHSCORE")
	if len(c.args) > 3 && !with {
		return errSyntax
	}
	if !with {
		rank, err := of(c.space.ZSet(c.key(1)), c.key(2))
		if absent(err) {
			c.out.null()
			return nil
		}
		return c.number(rank, err)
	}
	return c.view(func(s siltstone.ReadWriter) error {
		z := s.ZSet(c.key(1))
		rank, err := of(z, c.key(2))
		if absent(err) {
			c.out.nullArray()
			return nil
		}
		if err != nil {
			return err
		}
		score, err := z.Score(c.key(2))
		c.out.array(2)
		c.out.int(rank)
		c.out.double(score)
		return err
	})
}

func zpop(c *call, pop func(typed.ZSet, int) ([]typed.Member, error)) error {
	n := 1
	if len(c.args) > 3 {
		return errSyntax
	}
	if len(c.args) == 3 {
		var err error
		if n, err = c.count(2); err != nil {
			return err
		}
	}
	members, err := pop(c.space.ZSet(c.key(1)), n)
	if err != nil {
		return err
	}
	if len(members) > 0 {
		c.changed(c.args[1], 'z', c.cmd.name)
	}
	if len(c.args) == 3 {
		c.membersWithScores(members)
		return nil
	}
	c.out.array(2 * len(members))
	for _, m := range members {
		c.out.text(m.Name)
		c.out.double(m.Score)
	}
	return nil
}

// membersWithScores replies with members and scores: as pairs in the third version.
func (c *call) membersWithScores(members []typed.Member) {
	c.listOf(len(members), true)
	for _, m := range members {
		c.memberWithScore(m)
	}
}

func (c *call) memberWithScore(m typed.Member) {
	if c.out.proto == 3 {
		c.out.array(2)
	}
	c.out.text(m.Name)
	c.out.double(m.Score)
}

// membersReply replies with members, and scores if they were asked for.
func (c *call) membersReply(members []typed.Member, scores bool) error {
	mark := len(c.out.buf)
	c.listOf(len(members), scores)
	for _, m := range members {
		if scores {
			c.memberWithScore(m)
		} else {
			c.out.text(m.Name)
		}
		if err := c.fits(mark); err != nil {
			return err
		}
	}
	return nil
}

// zmpopArgs are the parsed arguments of ZMPOP and BZMPOP.
type zmpopArgs struct {
	names []string
	max   bool
	count int
}

func (c *call) zmpopArgs(at int) (a zmpopArgs, err error) {
	names, next, err := c.sources(at)
	if err != nil {
		return a, instead(err, errTooManyKeys, errSyntax)
	}
	if next >= len(c.args) || !is(c.args[next], "MIN") && !is(c.args[next], "MAX") {
		return a, errSyntax
	}
	a = zmpopArgs{names, is(c.args[next], "MAX"), 1}
	a.count, err = c.popCount(next + 1)
	return a, err
}

// popCount parses COUNT and a number, which may be there from an argument on.
func (c *call) popCount(at int) (int, error) {
	if at == len(c.args) {
		return 1, nil
	}
	if at+2 != len(c.args) || !is(c.args[at], "COUNT") {
		return 0, errSyntax
	}
	n, ok := parseInt(c.args[at+1])
	if !ok || n < 1 {
		return 0, replyError("ERR count should be greater than 0")
	}
	return int(min(n, math.MaxInt32)), nil
}

// popFrom pops of the first sorted set that has members, and replies; it reports whether
// there was one.
func (c *call) popFrom(a zmpopArgs) (bool, error) {
	z := c.space.ZSet(a.names[0])
	pop, event := z.PopMinFrom, "zpopmin"
	if a.max {
		pop, event = z.PopMaxFrom, "zpopmax"
	}
	from, members, err := pop(a.count, a.names[1:]...)
	if err != nil || len(members) == 0 {
		return false, err
	}
	c.changed([]byte(from), 'z', event)
	c.out.array(2)
	c.out.text(from)
	c.out.array(len(members))
	for _, m := range members {
		c.out.array(2)
		c.out.text(m.Name)
		c.out.double(m.Score)
	}
	return true, nil
}

func zmpop(c *call) error {
	a, err := c.zmpopArgs(1)
	if err != nil {
		return err
	}
	done, err := c.popFrom(a)
	if err == nil && !done {
		c.out.nullArray()
	}
	return err
}

func zrandMember(c *call) error {
	z := c.space.ZSet(c.key(1))
	if len(c.args) == 2 {
		members, err := z.Random(1)
		if err != nil {
			return err
		}
		if len(members) == 0 {
			c.out.null()
		} else {
			c.out.text(members[0].Name)
		}
		return nil
	}
	n, scores, err := c.draws("WITHSCORES")
	if err != nil {
		return err
	}
	members, err := z.Random(n)
	if err != nil {
		return err
	}
	return c.membersReply(members, scores)
}
