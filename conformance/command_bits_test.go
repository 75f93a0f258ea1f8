package conformance

import (
	"errors"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
)

func callSetBit(g *gen, a typedtest.API) []exchange {
	k, at, bit := g.key(), int64(g.IntN(60)), g.IntN(2)
	if g.IntN(20) == 0 {
		at = -1
	}
	get := exchange{args("GETBIT", k, at), flag(a.String(k).Bit(at)), nil}
	return []exchange{get, {args("SETBIT", k, at, bit), flag(a.String(k).SetBit(at, bit == 1)), nil}}
}

// bitRange is a range with the words for it; nil words if Redis counts it in
// another way, see TestDeviations.
func (g *gen) bitRange(length int64) (r typed.BitRange, words []any) {
	start, stop := g.position(), g.position()
	switch g.IntN(4) {
	case 0:
		return typed.BitRange{}, []any{}
	case 1:
		return typed.ByBytesFrom(start), args(start)
	case 2:
		if stop < -length {
			return r, nil
		}
		return typed.ByBytes(start, stop), args(start, stop, "BYTE")
	}
	start, stop = start*int64(1+g.IntN(9)), stop*int64(1+g.IntN(9))
	if stop < -8*length {
		return r, nil
	}
	return typed.ByBits(start, stop), args(start, stop, "BIT")
}

func callBitCount(g *gen, a typedtest.API) []exchange {
	k := g.key()
	n, _ := a.String(k).Len()
	r, words := g.bitRange(n)
	if words == nil {
		return nil
	}
	if len(words) == 1 {
		words = append(words, -1) // BITCOUNT has no open end
	}
	return one(count(a.String(k).BitCount(r)), nil, append(args("BITCOUNT", k), words...)...)
}

func callBitPos(g *gen, a typedtest.API) []exchange {
	k, bit := g.key(), g.IntN(2)
	n, _ := a.String(k).Len()
	r, words := g.bitRange(n)
	if words == nil {
		return nil
	}
	pos, err := a.String(k).BitPos(bit == 1, r)
	if errors.Is(err, siltstone.ErrNotFound) {
		pos, err = -1, nil
	}
	return one(count(pos, err), nil, append(args("BITPOS", k, bit), words...)...)
}

func callBitOp(g *gen, a typedtest.API) []exchange {
	k, sources, op := g.key(), several(g, g.key), typed.BitOp(1+g.IntN(4))
	if op == typed.BitNot && g.IntN(4) > 0 {
		sources = sources[:1]
	}
	word := []string{"", "AND", "OR", "XOR", "NOT"}[op]
	return one(count(a.String(k).BitOp(op, sources...)), nil, with(args("BITOP", word, k), sources...)...)
}
