package conformance

import (
	"math"
	"strconv"

	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/typed/typedtest"
)

var hashCommands = []command{
	callHashSet, callHashSet,
	func(g *gen, a typedtest.API) []exchange {
		k, f, v := g.key(), g.member(), g.value()
		return one(flag(a.Hash(k).SetNX(f, []byte(v))), nil, "HSETNX", k, f, v)
	},
	func(g *gen, a typedtest.API) []exchange {
		k, f := g.key(), g.member()
		return []exchange{
			{args("HGET", k, f), blob(a.Hash(k).Get(f)), nil},
			{args("HEXISTS", k, f), flag(a.Hash(k).Has(f)), nil},
			{args("HLEN", k), count(a.Hash(k).Len()), nil},
		}
	},
	func(g *gen, a typedtest.API) []exchange {
		k, fields := g.key(), several(g, g.member)
		values, err := a.Hash(k).GetMany(fields...)
		return one(list(values, err, bytesText), nil, with(args("HMGET", k), fields...)...)
	},
	func(g *gen, a typedtest.API) []exchange {
		k, fields := g.key(), several(g, g.member)
		return one(count(a.Hash(k).Remove(fields...)), nil, with(args("HDEL", k), fields...)...)
	},
	func(g *gen, a typedtest.API) []exchange {
		k := g.key()
		return []exchange{
			{args("HGETALL", k), loop(a.Hash(k).All(), fieldText), pairs},
			{args("HKEYS", k), loop(a.Hash(k).Fields(), strconv.Quote), sorted},
		}
	},
	func(g *gen, a typedtest.API) []exchange {
		k, f, by := g.key(), g.member(), pickOne[int64](g, 1, -3, 1<<62, math.MinInt64)
		return one(count(a.Hash(k).Incr(f, by)), nil, "HINCRBY", k, f, by)
	},
	callHashIncrFloat,
}

func callHashSet(g *gen, a typedtest.API) []exchange {
	k := g.key()
	var fields []typed.Field
	cmd := args("HSET", k)
	for range 1 + g.IntN(3) {
		f, v := g.member(), g.value()
		fields = append(fields, typed.Field{Name: f, Value: []byte(v)})
		cmd = append(cmd, f, v)
	}
	if len(fields) == 1 {
		return one(flag(a.Hash(k).Set(fields[0].Name, fields[0].Value)), nil, cmd...)
	}
	return one(count(a.Hash(k).SetMany(fields...)), nil, cmd...)
}

func callHashIncrFloat(g *gen, a typedtest.API) []exchange {
	k, f, by := g.key(), g.member(), g.fraction()
	if old, err := a.Hash(k).Get(f); err == nil && !plain(old) || math.IsInf(by, 0) {
		return nil
	}
	sum, err := a.Hash(k).IncrFloat(f, by)
	if err != nil {
		return one(refusal(err), float, "HINCRBYFLOAT", k, f, decimal(by))
	}
	text, err := a.Hash(k).Get(f)
	if err != nil {
		return one(refusal(err), nil, "HGET", k, f)
	}
	return []exchange{
		{args("HINCRBYFLOAT", k, f, decimal(by)), nearly(sum, text), near(sum)},
		{args("HSET", k, f, string(text)), "0", nil},
	}
}
