package conformance

import (
	"iter"
	"math"
	"strconv"

	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
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
	func(g *gen, a typedtest.API) []exchange {
		k, f := g.key(), g.member()
		return one(count(a.Hash(k).StrLen(f)), nil, "HSTRLEN", k, f)
	},
	callHashRandom,
	func(g *gen, a typedtest.API) []exchange {
		k, f := g.key(), g.member()
		ex := one(loop(a.Hash(k).Prefix(""), fieldText), pairs, "HGETALL", k)
		if _, err := a.Hash(k).Len(); err == nil {
			// HSCAN goes on behind a cursor, After behind a name: both meet the rest.
			ex = append(ex, exchange{args("HGETALL", k), loop(resumed(a.Hash(k), f), fieldText), pairs})
		}
		return ex
	},
}

// resumed is a walk of all fields that is broken off at a name and goes on.
func resumed(h typed.Hash, at string) iter.Seq2[typed.Field, error] {
	return func(yield func(typed.Field, error) bool) {
		for f, err := range h.All() {
			if err == nil && f.Name > at {
				break
			}
			if !yield(f, err) {
				return
			}
		}
		for f, err := range h.After(at) {
			if !yield(f, err) {
				return
			}
		}
	}
}

// callHashRandom compares how many there are, and whether Redis has them with
// these values.
func callHashRandom(g *gen, a typedtest.API) []exchange {
	k, n := g.key(), g.IntN(16)-6
	some, err := a.Hash(k).Random(n)
	if err != nil {
		return one(refusal(err), nil, "HRANDFIELD", k, n)
	}
	ex := one(count(len(some), nil), many, "HRANDFIELD", k, n)
	if len(some) > 0 {
		cmd := args("HMGET", k)
		for _, f := range some {
			cmd = append(cmd, f.Name)
		}
		ex = append(ex, exchange{cmd, list(some, nil, func(f typed.Field) string { return strconv.Quote(string(f.Value)) }), nil})
	}
	return ex
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
