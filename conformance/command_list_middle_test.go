package conformance

import (
	"strconv"

	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
)

// What changes a list between its ends, looks for values, or moves them.

func (g *gen) end() (typed.End, string) {
	if g.IntN(2) == 0 {
		return typed.EndFront, "LEFT"
	}
	return typed.EndBack, "RIGHT"
}

// item is a value that the list holds, or any.
func (g *gen) item(a typedtest.API, k string) string {
	if n, err := a.List(k).Len(); err == nil && n > 0 && g.IntN(4) > 0 {
		if v, err := a.List(k).At(g.Int64N(n)); err == nil {
			return string(v)
		}
	}
	return g.value()
}

func callPushX(g *gen, a typedtest.API) []exchange {
	k, values := g.key(), several(g, g.value)
	var raw [][]byte
	for _, v := range values {
		raw = append(raw, []byte(v))
	}
	if g.IntN(2) == 0 {
		return one(count(a.List(k).PushFrontX(raw...)), nil, with(args("LPUSHX", k), values...)...)
	}
	return one(count(a.List(k).PushBackX(raw...)), nil, with(args("RPUSHX", k), values...)...)
}

// insert asks for the length, too, that LINSERT returns: 0 without a list, −1
// without the pivot.
func insert(a typedtest.API, k, where, pivot, v string) []exchange {
	call := a.List(k).InsertBefore
	if where == "AFTER" {
		call = a.List(k).InsertAfter
	}
	inserted, err := call([]byte(pivot), []byte(v))
	n, lenErr := a.List(k).Len()
	want := count(n, lenErr)
	switch {
	case err != nil:
		want = refusal(err)
	case !inserted && n > 0:
		want = "-1"
	}
	return one(want, nil, "LINSERT", k, where, pivot, v)
}

func callInsert(g *gen, a typedtest.API) []exchange {
	k := g.key()
	return insert(a, k, pickOne(g, "BEFORE", "AFTER"), g.item(a, k), g.value())
}

// callInsertRun inserts at one place until the room there must be used up.
func callInsertRun(g *gen, a typedtest.API) (all []exchange) {
	k := g.key()
	if n, err := a.List(k).Len(); err != nil || n < 2 || n > 60 {
		return callInsert(g, a)
	}
	pivot, where := g.item(a, k), pickOne(g, "BEFORE", "AFTER")
	for i := range 20 {
		all = append(all, insert(a, k, where, pivot, "run "+strconv.Itoa(i))...)
	}
	return all
}

func callListRemove(g *gen, a typedtest.API) []exchange {
	k, n := g.key(), g.IntN(7)-3
	v := g.item(a, k)
	return one(count(a.List(k).Remove(n, []byte(v))), nil, "LREM", k, n, v)
}

func callPos(g *gen, a typedtest.API) []exchange {
	k := g.key()
	v := g.item(a, k)
	if g.IntN(3) == 0 {
		at, err := a.List(k).Pos([]byte(v))
		return one(orNil(at, err, count[int64]), nil, "LPOS", k, v)
	}
	o := typed.PosOptions{Rank: pickOne[int64](g, 1, 2, 3, -1, -2), Count: g.IntN(4), MaxLen: int64(g.IntN(6))}
	at, err := a.List(k).PosMany([]byte(v), o)
	text := func(i int64) string { return strconv.FormatInt(i, 10) }
	return one(list(at, err, text), nil, "LPOS", k, v, "RANK", o.Rank, "COUNT", o.Count, "MAXLEN", o.MaxLen)
}

func callListMove(g *gen, a typedtest.API) []exchange {
	k, dst := g.key(), g.key()
	if g.IntN(4) == 0 {
		dst = k
	}
	from, fromWord := g.end()
	to, toWord := g.end()
	v := blob(a.List(k).MoveTo(dst, from, to))
	if from == typed.EndBack && to == typed.EndFront && g.IntN(2) == 0 {
		return one(v, nil, "RPOPLPUSH", k, dst)
	}
	return one(v, nil, "LMOVE", k, dst, fromWord, toWord)
}

func callPopAny(g *gen, a typedtest.API) []exchange {
	names, n := several(g, g.key), 1+g.IntN(3)
	end, word := g.end()
	name, values, err := a.List(names[0]).PopAny(end, n, names[1:]...)
	want := list(values, err, bytesText)
	switch {
	case err == nil && name == "":
		want = "(nil)"
	case err == nil:
		want = "[" + strconv.Quote(name) + " " + want + "]"
	}
	return one(want, nil, append(with(args("LMPOP", len(names)), names...), word, "COUNT", n)...)
}
