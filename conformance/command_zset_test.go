package conformance

import (
	"math"
	"strconv"

	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
)

var zsetCommands = []command{
	callZAdd, callZAdd, callZAddNamed, callZAddNamed,
	func(g *gen, a typedtest.API) []exchange {
		k, m, by := g.key(), g.member(), g.score()
		return one(fraction(a.ZSet(k).Incr(m, by)), float, "ZINCRBY", k, by, m)
	},
	func(g *gen, a typedtest.API) []exchange {
		k, m := g.key(), g.member()
		score, err := a.ZSet(k).Score(m)
		rank, rankErr := a.ZSet(k).Rank(m)
		rev, revErr := a.ZSet(k).RevRank(m)
		return []exchange{
			{args("ZSCORE", k, m), orNil(score, err, fraction), float},
			{args("ZRANK", k, m), orNil(rank, rankErr, count), nil},
			{args("ZREVRANK", k, m), orNil(rev, revErr, count), nil},
			{args("ZCARD", k), count(a.ZSet(k).Len()), nil},
		}
	},
	callZRangeByRank, callZRangeByScore, callZRangeByScore, callZRangeByLex, callZRangeByLex,
	func(g *gen, a typedtest.API) []exchange {
		k, members := g.key(), several(g, g.member)
		return one(count(a.ZSet(k).Remove(members...)), nil, with(args("ZREM", k), members...)...)
	},
	callZRemoveRange,
	func(g *gen, a typedtest.API) []exchange {
		k, n := g.key(), g.IntN(5)-1
		pop, cmd := a.ZSet(k).PopMin, "ZPOPMIN"
		if g.IntN(2) == 0 {
			pop, cmd = a.ZSet(k).PopMax, "ZPOPMAX"
		}
		members, err := pop(n)
		return one(list(members, err, memberText), scores, cmd, k, n)
	},
}

func callZAdd(g *gen, a typedtest.API) []exchange {
	var c typed.Cond
	k, cmd := g.key(), args("ZADD")
	cmd = append(cmd, k)
	for i, name := range []string{"NX", "XX", "GT", "LT", "CH"} {
		if g.IntN(5) == 0 {
			c |= []typed.Cond{typed.CondNX, typed.CondXX, typed.CondGT, typed.CondLT, typed.CondCH}[i]
			cmd = append(cmd, name)
		}
	}
	var members []typed.Member
	for range 1 + g.IntN(4) {
		m := typed.Member{Name: g.member(), Score: g.score()}
		members = append(members, m)
		cmd = append(cmd, m.Score, m.Name)
	}
	return one(count(a.ZSet(k).AddMany(c, members...)), nil, cmd...)
}

func callZAddNamed(g *gen, a typedtest.API) []exchange {
	k, m := g.named(), g.member()
	return one(flag(a.ZSet(k).Add(m, 0)), nil, "ZADD", k, 0, m)
}

func callZRangeByRank(g *gen, a typedtest.API) []exchange {
	k, start, stop := g.key(), g.position(), g.position()
	r, cmd := typed.ByRank(start, stop), args("ZRANGE", k, start, stop)
	if g.IntN(2) == 0 {
		r, cmd = r.Reverse(), append(cmd, "REV")
	}
	return one(loop(a.ZSet(k).Range(r), memberText), scores, append(cmd, "WITHSCORES")...)
}

// scoreRange is a range by score, with its ends as Redis writes them.
func (g *gen) scoreRange() (r typed.ZRange, low, high string) {
	a, b := g.score(), g.score()
	if a > b && g.IntN(4) > 0 {
		a, b = b, a
	}
	r = typed.ByScore(a, b)
	low, high = decimal(a), decimal(b)
	if g.IntN(3) == 0 {
		r, low = r.OpenMin(), "("+low
	}
	if g.IntN(3) == 0 {
		r, high = r.OpenMax(), "("+high
	}
	return r, low, high
}

// limit restricts a range, now and then.
func (g *gen) limit(r typed.ZRange, cmd []any) (typed.ZRange, []any) {
	if g.IntN(3) > 0 {
		return r, cmd
	}
	skip, n := int64(g.IntN(5)-1), int64(g.IntN(5)-1)
	return r.Limit(skip, n), append(cmd, "LIMIT", skip, n)
}

func callZRangeByScore(g *gen, a typedtest.API) []exchange {
	k := g.key()
	r, low, high := g.scoreRange()
	counted := exchange{args("ZCOUNT", k, low, high), count(a.ZSet(k).Count(r)), nil}
	cmd := args("ZRANGE", k, low, high, "BYSCORE")
	if g.IntN(2) == 0 {
		r, cmd = r.Reverse(), args("ZRANGE", k, high, low, "BYSCORE", "REV")
	}
	r, cmd = g.limit(r, cmd)
	return []exchange{counted, {append(cmd, "WITHSCORES"), loop(a.ZSet(k).Range(r), memberText), scores}}
}

// lexRange is a range by name, with its ends as Redis writes them.
func (g *gen) lexRange() (r typed.ZRange, low, high string) {
	a, b := g.member(), g.member()
	if a > b && g.IntN(4) > 0 {
		a, b = b, a
	}
	r, low, high = typed.ByLex(a, b), "["+a, "["+b
	noMax := g.IntN(4) == 0
	if noMax {
		r, high = typed.ByLexFrom(a), "+"
	}
	switch g.IntN(4) {
	case 0:
		r, low = r.OpenMin(), "("+a
	case 1:
		if a == "" {
			low = "-"
		}
	}
	if !noMax && g.IntN(3) == 0 {
		r, high = r.OpenMax(), "("+b
	}
	return r, low, high
}

// oneScore reports whether all members of the sorted set have the same score:
// elsewhere Redis promises nothing for ranges by name.
func oneScore(a typedtest.API, k string) bool {
	first := math.NaN()
	for m, err := range a.ZSet(k).Range(typed.ByRank(0, -1)) {
		if err != nil {
			return true // both are to refuse it
		}
		if m.Score != first && first == first {
			return false
		}
		first = m.Score
	}
	return true
}

func callZRangeByLex(g *gen, a typedtest.API) []exchange {
	k := g.named()
	if !oneScore(a, k) {
		return nil
	}
	r, low, high := g.lexRange()
	counted := exchange{args("ZLEXCOUNT", k, low, high), count(a.ZSet(k).Count(r)), nil}
	cmd := args("ZRANGE", k, low, high, "BYLEX")
	if g.IntN(2) == 0 {
		r, cmd = r.Reverse(), args("ZRANGE", k, high, low, "BYLEX", "REV")
	}
	r, cmd = g.limit(r, cmd)
	name := func(m typed.Member) string { return strconv.Quote(m.Name) }
	return []exchange{counted, {cmd, loop(a.ZSet(k).Range(r), name), nil}}
}

func callZRemoveRange(g *gen, a typedtest.API) []exchange {
	k := g.key()
	switch g.IntN(3) {
	case 0:
		start, stop := g.position(), g.position()
		return one(count(a.ZSet(k).RemoveRange(typed.ByRank(start, stop))), nil, "ZREMRANGEBYRANK", k, start, stop)
	case 1:
		r, low, high := g.scoreRange()
		return one(count(a.ZSet(k).RemoveRange(r)), nil, "ZREMRANGEBYSCORE", k, low, high)
	}
	if k = g.named(); !oneScore(a, k) {
		return nil
	}
	r, low, high := g.lexRange()
	return one(count(a.ZSet(k).RemoveRange(r)), nil, "ZREMRANGEBYLEX", k, low, high)
}
