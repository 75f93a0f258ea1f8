package conformance

import (
	"iter"
	"strconv"

	"github.com/siltstonedb/siltstone/internal/typedtest"
)

var setCommands = []command{
	callSetAdd, callSetAdd,
	func(g *gen, a typedtest.API) []exchange {
		k, members := g.key(), several(g, g.member)
		return one(count(a.Set(k).Remove(members...)), nil, with(args("SREM", k), members...)...)
	},
	func(g *gen, a typedtest.API) []exchange {
		k, m := g.key(), g.member()
		return []exchange{
			{args("SISMEMBER", k, m), flag(a.Set(k).Has(m)), nil},
			{args("SCARD", k), count(a.Set(k).Len()), nil},
			{args("SMEMBERS", k), loop(a.Set(k).All(), strconv.Quote), sorted},
		}
	},
	callSetPop, callSetRandom,
	func(g *gen, a typedtest.API) []exchange {
		k, dst, m := g.key(), g.key(), g.member()
		return one(flag(a.Set(k).MoveTo(dst, m)), nil, "SMOVE", k, dst, m)
	},
	callSetCombine, callSetStore,
	func(g *gen, a typedtest.API) []exchange {
		k, members := g.key(), several(g, g.member)
		has, err := a.Set(k).HasMany(members...)
		bit := func(in bool) string { return flag(in, nil) }
		return one(list(has, err, bit), nil, with(args("SMISMEMBER", k), members...)...)
	},
	func(g *gen, a typedtest.API) []exchange {
		k, others, limit := g.key(), several(g, g.key), int64(g.IntN(4))
		cmd := with(args("SINTERCARD", 1+len(others), k), others...)
		return one(count(a.Set(k).InterLen(limit, others...)), nil, append(cmd, "LIMIT", limit)...)
	},
	func(g *gen, a typedtest.API) []exchange {
		k, m := g.key(), g.member()
		below := func(yield func(string, error) bool) {
			for x, err := range a.Set(k).All() {
				if err == nil && x > m || !yield(x, err) {
					return
				}
			}
		}
		both := func(yield func(string, error) bool) {
			for _, part := range []iter.Seq2[string, error]{below, a.Set(k).After(m)} {
				for x, err := range part {
					if !yield(x, err) {
						return
					}
				}
			}
		}
		return one(loop(both, strconv.Quote), sorted, "SMEMBERS", k)
	},
}

func callSetAdd(g *gen, a typedtest.API) []exchange {
	k, members := g.key(), several(g, g.member)
	return one(count(a.Set(k).Add(members...)), nil, with(args("SADD", k), members...)...)
}

// callSetPop tells Redis which members to remove, and asks it whether it would
// have popped as many.
func callSetPop(g *gen, a typedtest.API) []exchange {
	k, n := g.key(), g.IntN(6)-1
	before, _ := a.Set(k).Len()
	popped, err := a.Set(k).Pop(n)
	if err != nil || len(popped) == 0 {
		return one(list(popped, err, strconv.Quote), listOrNil, "SPOP", k, n)
	}
	after, err := a.Set(k).Len()
	return []exchange{
		{args("SCARD", k), count(before, nil), nil},
		{with(args("SREM", k), popped...), count(min(int64(n), before), nil), nil},
		{args("SCARD", k), count(after, err), nil},
	}
}

// callSetRandom compares how many there are, and whether Redis has them.
func callSetRandom(g *gen, a typedtest.API) []exchange {
	k, n := g.key(), g.IntN(16)-6
	some, err := a.Set(k).Random(n)
	if err != nil {
		return one(refusal(err), nil, "SRANDMEMBER", k, n)
	}
	ex := one(count(len(some), nil), many, "SRANDMEMBER", k, n)
	if len(some) > 0 {
		ones := list(some, nil, func(string) string { return "1" })
		ex = append(ex, exchange{with(args("SMISMEMBER", k), some...), ones, nil})
	}
	return ex
}

func callSetCombine(g *gen, a typedtest.API) []exchange {
	k, others := g.key(), several(g, g.key)
	s := a.Set(k)
	var seq iter.Seq2[string, error]
	cmd := ""
	switch g.IntN(3) {
	case 0:
		cmd, seq = "SUNION", s.Union(others...)
	case 1:
		cmd, seq = "SINTER", s.Inter(others...)
	case 2:
		cmd, seq = "SDIFF", s.Diff(others...)
	}
	return one(loop(seq, strconv.Quote), sorted, with(args(cmd, k), others...)...)
}

func callSetStore(g *gen, a typedtest.API) []exchange {
	k, sources := g.key(), several(g, g.key)
	s := a.Set(k)
	store, cmd := s.StoreUnion, "SUNIONSTORE"
	switch g.IntN(3) {
	case 1:
		store, cmd = s.StoreInter, "SINTERSTORE"
	case 2:
		store, cmd = s.StoreDiff, "SDIFFSTORE"
	}
	return one(count(store(sources...)), nil, with(args(cmd, k), sources...)...)
}
