package conformance

import (
	"github.com/siltstonedb/siltstone/internal/typedtest"
)

var listCommands = []command{
	callPush, callPush, callPush,
	func(g *gen, a typedtest.API) []exchange {
		k := g.key()
		if g.IntN(2) == 0 {
			return one(blob(a.List(k).PopFront()), nil, "LPOP", k)
		}
		return one(blob(a.List(k).PopBack()), nil, "RPOP", k)
	},
	func(g *gen, a typedtest.API) []exchange {
		k, n := g.key(), g.IntN(5)-1
		pop, cmd := a.List(k).PopFrontN, "LPOP"
		if g.IntN(2) == 0 {
			pop, cmd = a.List(k).PopBackN, "RPOP"
		}
		values, err := pop(n)
		return one(list(values, err, bytesText), listOrNil, cmd, k, n)
	},
	func(g *gen, a typedtest.API) []exchange {
		k, i := g.key(), g.position()
		return []exchange{
			{args("LINDEX", k, i), blob(a.List(k).At(i)), nil},
			{args("LLEN", k), count(a.List(k).Len()), nil},
		}
	},
	func(g *gen, a typedtest.API) []exchange {
		k, i, v := g.key(), g.position(), g.value()
		return one(status(a.List(k).SetAt(i, []byte(v))), nil, "LSET", k, i, v)
	},
	func(g *gen, a typedtest.API) []exchange {
		k, start, stop := g.key(), g.position(), g.position()
		return one(loop(a.List(k).Range(start, stop), bytesText), nil, "LRANGE", k, start, stop)
	},
	func(g *gen, a typedtest.API) []exchange {
		k, start, stop := g.key(), g.position(), g.position()
		return one(status(a.List(k).Trim(start, stop)), nil, "LTRIM", k, start, stop)
	},
	callPushX, callInsert, callInsert, callInsertRun, callListRemove, callPos, callListMove, callListMove, callPopAny,
}

func callPush(g *gen, a typedtest.API) []exchange {
	k, values := g.key(), several(g, g.value)
	var raw [][]byte
	for _, v := range values {
		raw = append(raw, []byte(v))
	}
	if g.IntN(2) == 0 {
		return one(count(a.List(k).PushFront(raw...)), nil, with(args("LPUSH", k), values...)...)
	}
	return one(count(a.List(k).PushBack(raw...)), nil, with(args("RPUSH", k), values...)...)
}
