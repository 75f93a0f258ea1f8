package conformance

import (
	"math"
	"strconv"
	"strings"

	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
)

var zsetMoreCommands = []command{
	callZScores, callZIncrIf, callZRandom, callZPopFrom, callZStoreRange, callZCombine, callZCombine, callZStore,
	func(g *gen, a typedtest.API) []exchange {
		k, others, limit := g.key(), several(g, g.key), int64(g.IntN(4))
		cmd := with(args("ZINTERCARD", 1+len(others), k), others...)
		return one(count(a.ZSet(k).InterLen(limit, others...)), nil, append(cmd, "LIMIT", limit)...)
	},
}

func callZScores(g *gen, a typedtest.API) []exchange {
	k, members := g.key(), several(g, g.member)
	scores, err := a.ZSet(k).Scores(members...)
	want := list(scores, err, func(f float64) string {
		if math.IsNaN(f) {
			return "(nil)"
		}
		return number(f)
	})
	return one(want, floats, with(args("ZMSCORE", k), members...)...)
}

// floats is for lists of numbers that Redis writes as text, or nil.
func floats(v any, err error) string {
	all, ok := v.([]any)
	if !ok || err != nil {
		return reply(v, err)
	}
	return list(all, nil, func(e any) string { return float(e, nil) })
}

func callZIncrIf(g *gen, a typedtest.API) []exchange {
	k, m, by := g.key(), g.member(), g.score()
	var c typed.Cond
	cmd := args("ZADD", k)
	for i, name := range []string{"NX", "XX", "GT", "LT"} {
		if g.IntN(5) == 0 {
			c |= []typed.Cond{typed.CondNX, typed.CondXX, typed.CondGT, typed.CondLT}[i]
			cmd = append(cmd, name)
		}
	}
	sum, done, err := a.ZSet(k).IncrIf(c, m, by)
	want := fraction(sum, err)
	if err == nil && !done {
		want = "(nil)"
	}
	return one(want, float, append(cmd, "INCR", by, m)...)
}

// callZRandom compares how many there are, and whether Redis has them.
func callZRandom(g *gen, a typedtest.API) []exchange {
	k, n := g.key(), g.IntN(16)-6
	some, err := a.ZSet(k).Random(n)
	if err != nil {
		return one(refusal(err), nil, "ZRANDMEMBER", k, n)
	}
	ex := one(count(len(some), nil), many, "ZRANDMEMBER", k, n)
	if len(some) == 0 {
		return ex
	}
	cmd := args("ZMSCORE", k)
	for _, m := range some {
		cmd = append(cmd, m.Name)
	}
	want := list(some, nil, func(m typed.Member) string { return number(m.Score) })
	return append(ex, exchange{cmd, want, floats})
}

func callZPopFrom(g *gen, a typedtest.API) []exchange {
	k, others, n := g.key(), several(g, g.key), 1+g.IntN(3)
	pop, end := a.ZSet(k).PopMinFrom, "MIN"
	if g.IntN(2) == 0 {
		pop, end = a.ZSet(k).PopMaxFrom, "MAX"
	}
	from, members, err := pop(n, others...)
	want := list(members, err, memberText)
	if err == nil {
		if want = strconv.Quote(from) + want; from == "" {
			want = "(nil)"
		}
	}
	cmd := with(args("ZMPOP", 1+len(others), k), others...)
	return one(want, popped, append(cmd, end, "COUNT", n)...)
}

// popped is for a key and its members, each with its score.
func popped(v any, err error) string {
	parts, ok := v.([]any)
	if !ok || err != nil || len(parts) != 2 {
		return reply(v, err)
	}
	var members []string
	for _, m := range parts[1].([]any) {
		members = append(members, strings.Trim(scores(m, nil), "[]"))
	}
	return strconv.Quote(parts[0].(string)) + "[" + strings.Join(members, " ") + "]"
}

func callZStoreRange(g *gen, a typedtest.API) []exchange {
	k, src := g.key(), g.key()
	if g.IntN(2) == 0 {
		start, stop := g.position(), g.position()
		r, cmd := typed.ByRank(start, stop), args("ZRANGESTORE", k, src, start, stop)
		if g.IntN(2) == 0 {
			r, cmd = r.Reverse(), append(cmd, "REV")
		}
		return one(count(a.ZSet(k).StoreRange(src, r)), nil, cmd...)
	}
	r, low, high := g.scoreRange()
	cmd := args("ZRANGESTORE", k, src, low, high, "BYSCORE")
	if g.IntN(2) == 0 {
		r, cmd = r.Reverse(), args("ZRANGESTORE", k, src, high, low, "BYSCORE", "REV")
	}
	r, cmd = g.limit(r, cmd)
	return one(count(a.ZSet(k).StoreRange(src, r)), nil, cmd...)
}

// zoptions draws options and appends them to a command.
func (g *gen) zoptions(sources int, cmd []any) (o typed.ZOptions, all []any) {
	if g.IntN(2) == 0 {
		cmd = append(cmd, "WEIGHTS")
		for range sources {
			w := pickOne(g, 1, 2, 0.5, 3, 0, -1, 1e-9, math.Inf(1))
			o.Weights, cmd = append(o.Weights, w), append(cmd, decimal(w))
		}
	}
	switch g.IntN(4) {
	case 0:
		o.Aggregate, cmd = typed.AggregateMin, append(cmd, "AGGREGATE", "MIN")
	case 1:
		o.Aggregate, cmd = typed.AggregateMax, append(cmd, "AGGREGATE", "MAX")
	case 2:
		cmd = append(cmd, "AGGREGATE", "SUM")
	}
	return o, cmd
}

func callZCombine(g *gen, a typedtest.API) []exchange {
	k, others := g.key(), several(g, g.key)
	z, n := a.ZSet(k), 1+len(others)
	if g.IntN(3) == 0 {
		members, err := z.Diff(others...)
		return one(list(members, err, memberText), scores, append(with(args("ZDIFF", n, k), others...), "WITHSCORES")...)
	}
	name, call := "ZUNION", z.Union
	if g.IntN(2) == 0 {
		name, call = "ZINTER", z.Inter
	}
	o, cmd := g.zoptions(n, with(args(name, n, k), others...))
	members, err := call(o, others...)
	return one(list(members, err, memberText), scores, append(cmd, "WITHSCORES")...)
}

func callZStore(g *gen, a typedtest.API) []exchange {
	k, sources := g.key(), append(several(g, g.key), g.key())
	z, size := a.ZSet(k), len(sources)
	var n int64
	var err error
	var cmd []any
	var o typed.ZOptions
	switch g.IntN(3) {
	case 0:
		o, cmd = g.zoptions(size, with(args("ZUNIONSTORE", k, size), sources...))
		n, err = z.StoreUnion(o, sources...)
	case 1:
		o, cmd = g.zoptions(size, with(args("ZINTERSTORE", k, size), sources...))
		n, err = z.StoreInter(o, sources...)
	case 2:
		cmd = with(args("ZDIFFSTORE", k, size), sources...)
		n, err = z.StoreDiff(sources...)
	}
	stored := loop(z.All(), memberText)
	return []exchange{{cmd, count(n, err), nil}, {args("ZRANGE", k, 0, -1, "WITHSCORES"), stored, scores}}
}
