package typedtest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/typed"
)

// refusal is a call on what Populate made that is refused.
type refusal struct {
	name string
	want error
	call func(a API) error
}

func refusalChangesNothing(t test, s Store) {
	populate(t, s)
	before := image(t, s)
	for _, r := range slices.Concat(refusedElements, refusedKeys, refusedStrings, refusedBits, refusedLists) {
		if err := r.call(s); !errors.Is(err, r.want) {
			t.Fatalf("%s: error %v, want %v", r.name, err, r.want)
		}
		// A refusal is not sticky: the transaction goes on and commits.
		t.done(s.Update(func(tx API) error {
			if err := r.call(tx); !errors.Is(err, r.want) {
				return fmt.Errorf("%s in a transaction: error %v, want %v", r.name, err, r.want)
			}
			return nil
		}))
		if after := image(t, s); after != before {
			t.Fatalf("%s changed something:\n%s instead of\n%s", r.name, after, before)
		}
	}
}

var tooLong = strings.Repeat("x", base.MaxKeyLen+1)

var refusedElements = []refusal{
	{"third field too long", base.ErrKeyTooLarge, func(a API) error {
		return second(a.Hash("hash").SetMany(typed.Field{Name: "1"}, typed.Field{Name: "2"}, typed.Field{Name: tooLong}))
	}},
	{"second member too long", base.ErrKeyTooLarge, func(a API) error { return second(a.Set("set").Add("new", tooLong)) }},
	{"second member removed too long", base.ErrKeyTooLarge, func(a API) error { return second(a.Set("set").Remove("a", tooLong)) }},
	{"second score NaN", base.ErrNaN, func(a API) error {
		return second(a.ZSet("zset").AddMany(0, typed.Member{Name: "n", Score: 1}, typed.Member{Name: "m", Score: math.NaN()}))
	}},
	{"NX with GT", base.ErrBadOption, func(a API) error { return second(a.ZSet("zset").AddMany(typed.CondNX | typed.CondGT)) }},
	{"wrong type", base.ErrWrongType, func(a API) error { return second(a.Hash("set").Set("f", nil)) }},
	{"wrong type at the destination", base.ErrWrongType, func(a API) error { return second(a.Set("set").MoveTo("zset", "a")) }},
	{"wrong type among the sources", base.ErrWrongType, func(a API) error { return second(a.Set("zset").StoreUnion("set", "hash")) }},
	{"not a number", base.ErrNotNumber, func(a API) error { return second(a.Hash("hash").Incr("g", 1)) }},
	{"NaN from infinities", base.ErrNaN, func(a API) error {
		if _, err := a.ZSet("inf").Add("m", math.Inf(1)); err != nil {
			return err
		}
		defer a.Key("inf").Drop()
		return second(a.ZSet("inf").Incr("m", math.Inf(-1)))
	}},
	{"negative count", base.ErrBadOption, func(a API) error { return second(a.Set("set").Pop(-1)) }},
	{"zero range", base.ErrBadOption, func(a API) error { return second(a.ZSet("zset").RemoveRange(typed.ZRange{})) }},
	{"after a rank", base.ErrBadOption, func(a API) error {
		return second(a.ZSet("zset").RemoveRange(typed.ByRank(0, -1).After(typed.Member{})))
	}},
	{"after a name", base.ErrBadOption, func(a API) error {
		return second(a.ZSet("zset").RemoveRange(typed.ByLexFrom("").After(typed.Member{})))
	}},
	{"after NaN", base.ErrNaN, func(a API) error {
		return second(collect(a.ZSet("zset").After(typed.Member{Score: math.NaN()}), asIs))
	}},
	{"open end of none", base.ErrBadOption, func(a API) error {
		return second(a.ZSet("zset").RemoveRange(typed.ByLexTo("b").OpenMin()))
	}},
	{"no sources", base.ErrBadOption, func(a API) error { return second(a.Set("set").StoreUnion()) }},
}

var refusedKeys = []refusal{
	{"empty name among many", base.ErrEmptyKey, func(a API) error { return second(a.Keys().Drop("set", "")) }},
	{"no such key to rename", base.ErrNotFound, func(a API) error { return a.Key("none").Rename("set") }},
	{"copy onto itself", base.ErrBadOption, func(a API) error { return second(a.Key("set").CopyTo("set", true)) }},
	{"deadline with CH", base.ErrBadOption, func(a API) error { return second(a.Key("set").ExpireIf(typed.CondCH, time.Time{})) }},
	{"later and earlier", base.ErrBadOption, func(a API) error { return second(a.Key("set").ExpireIf(typed.CondGT|typed.CondLT, time.Time{})) }},
	{"no such key to rename to a new name", base.ErrNotFound, func(a API) error { return second(a.Key("none").RenameNX("new")) }},
	{"empty name among pairs", base.ErrEmptyKey, func(a API) error { return second(a.Keys().SetNX(typed.Pair{Name: "new"}, typed.Pair{})) }},
}

var refusedStrings = []refusal{
	{"overflow", base.ErrOverflow, func(a API) error { return second(a.String("string").Incr(math.MaxInt64)) }},
	{"two expiries", base.ErrBadOption, func(a API) error {
		return second(a.String("string").SetWith(nil, typed.SetOptions{TTL: 1, KeepTTL: true}))
	}},
	{"value of a list for a new one", base.ErrWrongType, func(a API) error { return second(a.String("list").GetSet(nil)) }},
	{"drop of a list that is no string", base.ErrWrongType, func(a API) error { return second(a.String("list").GetDel()) }},
	{"value with no time to live", base.ErrBadTTL, func(a API) error { return second(a.String("string").GetExpire(0)) }},
	{"no value to expire", base.ErrNotFound, func(a API) error { return second(a.String("none").GetExpire(time.Hour)) }},
	{"bytes before the first", base.ErrOutOfRange, func(a API) error { return second(a.String("string").SetRange(-1, []byte("x"))) }},
	{"bytes beyond the last", base.ErrValueTooLarge, func(a API) error {
		return second(a.String("string").SetRange(base.MaxValueLen, []byte("x")))
	}},
	{"bytes beyond all numbers", base.ErrValueTooLarge, func(a API) error {
		return second(a.String("string").SetRange(math.MaxInt64, []byte("x")))
	}},
	{"negative ttl", base.ErrBadTTL, func(a API) error { return second(a.String("string").SetWith(nil, typed.SetOptions{TTL: -1})) }},
	{"old value of a list", base.ErrWrongType, func(a API) error {
		return second(a.String("list").SetWith(nil, typed.SetOptions{Get: true}))
	}},
}

var refusedBits = []refusal{
	{"bit before the first", base.ErrOutOfRange, func(a API) error { return second(a.String("string").SetBit(-1, true)) }},
	{"bit beyond the last", base.ErrValueTooLarge, func(a API) error { return second(a.String("string").SetBit(8*base.MaxValueLen, true)) }},
	{"bits of a set", base.ErrWrongType, func(a API) error { return second(a.String("set").SetBit(0, true)) }},
	{"bits of a set among the sources", base.ErrWrongType, func(a API) error {
		return second(a.String("string").BitOp(typed.BitAnd, "string", "set"))
	}},
	{"opposite of two", base.ErrBadOption, func(a API) error { return second(a.String("string").BitOp(typed.BitNot, "string", "string")) }},
	{"no bits to put together", base.ErrBadOption, func(a API) error { return second(a.String("string").BitOp(typed.BitOr)) }},
	{"no operation", base.ErrBadOption, func(a API) error { return second(a.String("string").BitOp(0, "string")) }},
}

var refusedLists = []refusal{
	{"beyond the list", base.ErrOutOfRange, func(a API) error { return a.List("list").SetAt(3, nil) }},
	{"destination is no list", base.ErrWrongType, func(a API) error {
		return second(a.List("list").MoveTo("set", typed.EndFront, typed.EndBack))
	}},
	{"insert into a set", base.ErrWrongType, func(a API) error { return second(a.List("set").InsertBefore(nil, nil)) }},
	{"negative maximal length", base.ErrBadOption, func(a API) error {
		return second(a.List("list").PosMany(nil, typed.PosOptions{MaxLen: -1}))
	}},
	{"no end of a list", base.ErrBadOption, func(a API) error { return third(a.List("list").PopAny(2, 1)) }},
}
