package conformance

import (
	"errors"
	"fmt"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
)

func callRenameNX(g *gen, a typedtest.API) []exchange {
	k, to := g.key(), g.key()
	return one(flag(a.Key(k).RenameNX(to)), nil, "RENAMENX", k, to)
}

func callTouch(g *gen, a typedtest.API) []exchange {
	names := several(g, g.key)
	return one(count(a.Keys().Touch(names...)), nil, with(args("TOUCH"), names...)...)
}

// callExpireIf is PEXPIREAT with every pair of conditions.
func callExpireIf(g *gen, a typedtest.API) []exchange {
	k, at := g.key(), g.deadline()
	cmd := args("PEXPIREAT", k, at)
	var c typed.Cond
	for i, word := range []string{"NX", "XX", "GT", "LT"} {
		if g.IntN(3) == 0 {
			c |= []typed.Cond{typed.CondNX, typed.CondXX, typed.CondGT, typed.CondLT}[i]
			cmd = append(cmd, word)
		}
	}
	return one(flag(a.Key(k).ExpireIf(c, time.UnixMilli(at))), nil, cmd...)
}

// callRandomKey asks Redis whether the key is there that Siltstone has chosen.
func callRandomKey(_ *gen, a typedtest.API) []exchange {
	name, err := a.Keys().Random()
	switch {
	case errors.Is(err, siltstone.ErrNotFound):
		return one("0", many, "KEYS", "*")
	case err != nil:
		return one(refusal(err), nil, "RANDOMKEY")
	}
	return one("1", nil, "EXISTS", name)
}

func callKeysSetNX(g *gen, a typedtest.API) []exchange {
	var set []typed.Pair
	cmd := args("MSETNX")
	for range 1 + g.IntN(2) {
		k, v := g.key(), g.value()
		set = append(set, typed.Pair{Name: k, Value: []byte(v)})
		cmd = append(cmd, k, v)
	}
	return one(flag(a.Keys().SetNX(set...)), nil, cmd...)
}

func callGetSet(g *gen, a typedtest.API) []exchange {
	k, v := g.key(), g.value()
	return one(blob(a.String(k).GetSet([]byte(v))), nil, "GETSET", k, v)
}

func callGetDel(g *gen, a typedtest.API) []exchange {
	k := g.key()
	return one(blob(a.String(k).GetDel()), nil, "GETDEL", k)
}

// callGetExpire is GETEX with every option.
func callGetExpire(g *gen, a typedtest.API) []exchange {
	k, at := g.key(), g.deadline()
	switch g.IntN(4) {
	case 0:
		return one(blob(a.String(k).GetExpire(typed.NoTTL)), nil, "GETEX", k, "PERSIST")
	case 1:
		return one(blob(a.String(k).Get()), nil, "GETEX", k)
	case 2:
		if typ, err := a.Key(k).Type(); err != nil || typ != typed.TypeString {
			return nil // see TestDeviations
		}
		return one(blob(a.String(k).GetExpire(0)), nil, "GETEX", k, "PX", 0)
	}
	return one(blob(a.String(k).GetExpireAt(time.UnixMilli(at))), nil, "GETEX", k, "PXAT", at)
}

func callSetRange(g *gen, a typedtest.API) []exchange {
	k, at, v := g.key(), pickOne[int64](g, 0, 0, 1, 3, 10, 60, -1, 1<<40), g.value()
	return one(count(a.String(k).SetRange(at, []byte(v))), nil, "SETRANGE", k, at, v)
}

// callLCS compares length, text and positions.
func callLCS(g *gen, a typedtest.API) []exchange {
	k, other, least := g.key(), g.key(), pickOne[int64](g, 0, 0, 1, 2, 5, -1)
	text := blob(a.String(k).LCS(other))
	matches, n, err := a.String(k).LCSMatches(other, least)
	run := func(m typed.LCSMatch) string {
		return fmt.Sprintf("[[%d %d] [%d %d] %d]", m.Start, m.Start+m.Len-1, m.OtherStart, m.OtherStart+m.Len-1, m.Len)
	}
	found := list(matches, err, run)
	if err == nil {
		found = fmt.Sprintf(`["matches" %s "len" %d]`, found, n)
	}
	return []exchange{
		{args("LCS", k, other), text, nil},
		{args("LCS", k, other, "LEN"), count(a.String(k).LCSLen(other)), nil},
		{args("LCS", k, other, "IDX", "WITHMATCHLEN", "MINMATCHLEN", least), found, nil},
	}
}
