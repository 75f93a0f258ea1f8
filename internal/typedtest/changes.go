package typedtest

import (
	"slices"
	"strconv"
	"time"

	"github.com/siltstonedb/siltstone/typed"
)

// Changes returns calls that each change what Populate made.
func Changes() []Call {
	return slices.Concat(changesOfKeys, changesOfStrings, changesOfElements, changesOfSortedSets, changesOfLists)
}

var changesOfKeys = []Call{
	{"Drop", func(a API) error { return second(a.Key("hash").Drop()) }},
	{"Drop of many", func(a API) error { return second(a.Keys().Drop("set", "zset")) }},
	{"Expire", func(a API) error { return a.Key("zset").Expire(time.Minute) }},
	{"Expire(0)", func(a API) error { return a.Key("zset").Expire(0) }},
	{"Persist", func(a API) error { return second(a.Key("hash").Persist()) }},
	{"Rename", func(a API) error { return a.Key("hash").Rename("set") }},
	{"RenameNX", func(a API) error { return second(a.Key("hash").RenameNX("new")) }},
	{"ExpireIf", func(a API) error { return second(a.Key("zset").ExpireIf(typed.CondNX, time.Unix(1e10, 0))) }},
	{"CopyTo", func(a API) error { return second(a.Key("zset").CopyTo("list", true)) }},
}

var changesOfStrings = []Call{
	{"String.Set", func(a API) error { return a.String("list").Set(nil) }},
	{"Keys.Set", func(a API) error { return a.Keys().Set(typed.Pair{Name: "hash"}, typed.Pair{Name: "new"}) }},
	{"Keys.SetNX", func(a API) error { return second(a.Keys().SetNX(typed.Pair{Name: "other"}, typed.Pair{Name: "new"})) }},
	{"GetSet", func(a API) error { return second(a.String("string").GetSet([]byte("11"))) }},
	{"GetDel", func(a API) error { return second(a.String("string").GetDel()) }},
	{"GetExpire", func(a API) error { return second(a.String("string").GetExpire(time.Minute)) }},
	{"GetExpireAt", func(a API) error { return second(a.String("string").GetExpireAt(time.Unix(1e10, 0))) }},
	{"SetRange", func(a API) error { return second(a.String("string").SetRange(4, []byte("x"))) }},
	{"SetBit", func(a API) error { return second(a.String("string").SetBit(40, true)) }},
	{"BitOp", func(a API) error { return second(a.String("zset").BitOp(typed.BitNot, "string")) }},
	{"BitOp to nothing", func(a API) error { return second(a.String("set").BitOp(typed.BitOr, "none")) }},
	{"Append", func(a API) error { return second(a.String("string").Append([]byte("1"))) }},
	{"Incr", func(a API) error { return second(a.String("string").Incr(1)) }},
	{"IncrFloat", func(a API) error { return second(a.String("string").IncrFloat(.5)) }},
}

var changesOfElements = []Call{
	{"Hash.Set", func(a API) error { return second(a.Hash("hash").Set("new", nil)) }},
	{"Hash.Set of an old field", func(a API) error { return second(a.Hash("hash").Set("f", nil)) }},
	{"Hash.Remove of all", func(a API) error { return second(a.Hash("hash").Remove("f", "g")) }},
	{"Hash.Incr", func(a API) error { return second(a.Hash("hash").Incr("f", 1)) }},
	{"Hash.SetTTL", func(a API) error { return second(a.Hash("hash").SetTTL("new", nil, time.Minute)) }},
	{"ExpireFields", func(a API) error {
		return second(a.Hash("hash").ExpireFieldsAt(time.UnixMilli(1<<50), 0, "f", "g"))
	}},
	{"ExpireFields of all at once", func(a API) error {
		return second(a.Hash("hash").ExpireFieldsAt(time.UnixMilli(1), 0, "f", "g"))
	}},
	{"Set.AddTTL", func(a API) error { return second(a.Set("set").AddTTL(time.Minute, "a", "new")) }},
	{"ExpireMembers", func(a API) error {
		return second(a.Set("set").ExpireMembersAt(time.UnixMilli(1<<50), 0, "a", "b"))
	}},
	{"Set.Add", func(a API) error { return second(a.Set("set").Add("d")) }},
	{"Set.Remove", func(a API) error { return second(a.Set("set").Remove("a")) }},
	{"Set.Pop", func(a API) error { return second(a.Set("set").Pop(1)) }},
	{"Set.MoveTo", func(a API) error { return second(a.Set("set").MoveTo("other", "a")) }},
	{"StoreUnion", func(a API) error { return second(a.Set("zset").StoreUnion("set")) }},
	{"StoreDiff to nothing", func(a API) error { return second(a.Set("hash").StoreDiff("set", "set")) }},
}

var changesOfSortedSets = []Call{
	{"ZSet.Add", func(a API) error { return second(a.ZSet("zset").Add("a", 9)) }},
	{"ZSet.Incr", func(a API) error { return second(a.ZSet("zset").Incr("z", 9)) }},
	{"ZSet.Remove", func(a API) error { return second(a.ZSet("zset").Remove("a")) }},
	{"RemoveRange", func(a API) error { return second(a.ZSet("zset").RemoveRange(typed.ByScore(2, 3))) }},
	{"RemoveRange of all", func(a API) error { return second(a.ZSet("zset").RemoveRange(typed.ByRank(0, -1))) }},
	{"ZSet.AddTTL", func(a API) error {
		return second(a.ZSet("zset").AddTTL(time.Hour, typed.Member{Name: "d", Score: 4}))
	}},
	{"ZSet.ExpireMembers", func(a API) error {
		return second(a.ZSet("zset").ExpireMembersAt(time.UnixMilli(1), 0, "a"))
	}},
	{"ZSet.StoreUnion", func(a API) error { return second(a.ZSet("set").StoreUnion(typed.ZOptions{}, "zset", "set")) }},
	{"ZSet.StoreRange", func(a API) error { return second(a.ZSet("hash").StoreRange("zset", typed.ByRank(1, -1))) }},
	{"ZSet.Add of many", func(a API) error {
		many := make([]typed.Member, 300)
		for i := range many {
			many[i] = typed.Member{Name: strconv.Itoa(i), Score: float64(i)}
		}
		return second(a.ZSet("zset").AddMany(0, many...))
	}},
	{"PopMin", func(a API) error { return second(a.ZSet("zset").PopMin(1)) }},
}

var changesOfLists = []Call{
	{"PushFront", func(a API) error { return second(a.List("list").PushFront(nil)) }},
	{"PopBack", func(a API) error { return second(a.List("list").PopBack()) }},
	{"PopFrontN", func(a API) error { return second(a.List("list").PopFrontN(5)) }},
	{"SetAt", func(a API) error { return a.List("list").SetAt(-1, nil) }},
	{"Trim", func(a API) error { return a.List("list").Trim(1, 1) }},
	{"PushFrontX", func(a API) error { return second(a.List("list").PushFrontX(nil)) }},
	{"PushBackX", func(a API) error { return second(a.List("list").PushBackX(nil)) }},
	{"InsertBefore", func(a API) error { return second(a.List("list").InsertBefore([]byte("y"), nil)) }},
	{"InsertAfter the last", func(a API) error { return second(a.List("list").InsertAfter([]byte("z"), nil)) }},
	{"List.Remove", func(a API) error { return second(a.List("list").Remove(0, []byte("y"))) }},
	{"List.Remove of the last", func(a API) error { return second(a.List("list").Remove(-1, []byte("z"))) }},
	{"List.MoveTo", func(a API) error { return second(a.List("list").MoveTo("other", typed.EndFront, typed.EndBack)) }},
	{"List.MoveTo itself", func(a API) error { return second(a.List("list").MoveTo("list", typed.EndFront, typed.EndBack)) }},
	{"PopAny", func(a API) error { return third(a.List("none").PopAny(typed.EndBack, 2, "list")) }},
}
