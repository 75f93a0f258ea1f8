package typedtest

import (
	"time"

	"github.com/siltstonedb/siltstone/typed"
)

// Call is a call with its arguments, by name.
type Call struct {
	Name string
	Run  func(a API) error
}

// Populate gives a store, in several calls, one key of each type: string, hash
// (which expires), set, zset and list.
func Populate(a API) error {
	if err := a.String("string").Set([]byte("10")); err != nil {
		return err
	}
	if _, err := a.Hash("hash").SetMany(typed.Field{Name: "f", Value: []byte("1")}, typed.Field{Name: "g"}); err != nil {
		return err
	}
	if _, err := a.Set("set").Add("a", "b", "c"); err != nil {
		return err
	}
	if _, err := a.ZSet("zset").AddMany(0, typed.Member{Name: "a", Score: 1},
		typed.Member{Name: "b", Score: 2}, typed.Member{Name: "c", Score: 3}); err != nil {
		return err
	}
	if _, err := a.List("list").PushBack([]byte("x"), []byte("y"), []byte("z")); err != nil {
		return err
	}
	return a.Key("hash").Expire(time.Hour)
}

// second drops the first of two results.
func second[T any](_ T, err error) error { return err }

func third[T, U any](_ T, _ U, err error) error { return err }

// Reads returns calls that each read what Populate made, and succeed.
func Reads() []Call {
	return []Call{
		{"Type", func(a API) error { return second(a.Key("hash").Type()) }},
		{"Exists", func(a API) error { return second(a.Key("hash").Exists()) }},
		{"TTL", func(a API) error { return second(a.Key("hash").TTL()) }},
		{"Deadline", func(a API) error { return second(a.Key("hash").Deadline()) }},
		{"Keys.All", func(a API) error { return second(collect(a.Keys().All(typed.KeyOptions{}), asIs)) }},
		{"Keys.Count", func(a API) error { return second(a.Keys().Count()) }},
		{"Keys.Exists", func(a API) error { return second(a.Keys().Exists("set", "none")) }},
		{"Keys.Touch", func(a API) error { return second(a.Keys().Touch("set", "none")) }},
		{"Keys.Random", func(a API) error { return second(a.Keys().Random()) }},
		{"Keys.Get", func(a API) error { return second(a.Keys().Get("string", "set", "none")) }},
		{"String.Get", func(a API) error { return second(a.String("string").Get()) }},
		{"String.Len", func(a API) error { return second(a.String("string").Len()) }},
		{"String.Range", func(a API) error { return second(a.String("string").Range(0, 0)) }},
		{"Bit", func(a API) error { return second(a.String("string").Bit(3)) }},
		{"BitCount", func(a API) error { return second(a.String("string").BitCount(typed.ByBits(2, 9))) }},
		{"BitPos", func(a API) error { return second(a.String("string").BitPos(true, typed.BitRange{})) }},
		{"LCS", func(a API) error { return second(a.String("string").LCS("none")) }},
		{"LCSLen", func(a API) error { return second(a.String("string").LCSLen("string")) }},
		{"LCSMatches", func(a API) error {
			_, _, err := a.String("string").LCSMatches("string", 1)
			return err
		}},
		{"Hash.Get", func(a API) error { return second(a.Hash("hash").Get("f")) }},
		{"Hash.GetMany", func(a API) error { return second(a.Hash("hash").GetMany("f", "none")) }},
		{"Hash.Has", func(a API) error { return second(a.Hash("hash").Has("f")) }},
		{"Hash.Len", func(a API) error { return second(a.Hash("hash").Len()) }},
		{"Hash.All", func(a API) error { return second(collect(a.Hash("hash").All(), ownField)) }},
		{"Hash.Fields", func(a API) error { return second(collect(a.Hash("hash").Fields(), asIs)) }},
		{"Hash.After", func(a API) error { return second(collect(a.Hash("hash").After("f"), ownField)) }},
		{"Hash.StrLen", func(a API) error { return second(a.Hash("hash").StrLen("f")) }},
		{"Hash.Random", func(a API) error { return second(a.Hash("hash").Random(2)) }},
		{"Hash.FieldTTL", func(a API) error { return second(a.Hash("hash").FieldTTL("f")) }},
		{"Set.MemberTTL", func(a API) error { return second(a.Set("set").MemberTTL("a")) }},
		{"Set.HasMany", func(a API) error { return second(a.Set("set").HasMany("a", "none")) }},
		{"Set.InterLen", func(a API) error { return second(a.Set("set").InterLen(0, "set")) }},
		{"Set.Has", func(a API) error { return second(a.Set("set").Has("a")) }},
		{"Set.All", func(a API) error { return second(collect(a.Set("set").All(), asIs)) }},
		{"Set.Random", func(a API) error { return second(a.Set("set").Random(2)) }},
		{"Set.Random repeated", func(a API) error { return second(a.Set("set").Random(-5)) }},
		{"Set.Union", func(a API) error { return second(collect(a.Set("set").Union("set", "none"), asIs)) }},
		{"Set.Inter", func(a API) error { return second(collect(a.Set("set").Inter("set"), asIs)) }},
		{"Set.Diff", func(a API) error { return second(collect(a.Set("set").Diff("none", "set"), asIs)) }},
		{"ZSet.Score", func(a API) error { return second(a.ZSet("zset").Score("a")) }},
		{"ZSet.Rank", func(a API) error { return second(a.ZSet("zset").Rank("c")) }},
		{"ZSet.Count", func(a API) error { return second(a.ZSet("zset").Count(typed.ByScore(2, 3))) }},
		{"ZSet.Scores", func(a API) error { return second(a.ZSet("zset").Scores("a", "none")) }},
		{"ZSet.MemberTTL", func(a API) error { return second(a.ZSet("zset").MemberTTL("a")) }},
		{"ZSet.Random", func(a API) error { return second(a.ZSet("zset").Random(-3)) }},
		{"ZSet.Union", func(a API) error { return second(a.ZSet("zset").Union(typed.ZOptions{}, "set")) }},
		{"ZSet.Inter", func(a API) error { return second(a.ZSet("zset").Inter(typed.ZOptions{}, "set")) }},
		{"ZSet.Diff", func(a API) error { return second(a.ZSet("zset").Diff("set")) }},
		{"ZSet.InterLen", func(a API) error { return second(a.ZSet("zset").InterLen(0, "set")) }},
		{"ZSet.Range by rank", func(a API) error { return second(collect(a.ZSet("zset").Range(typed.ByRank(2, 2)), asIs)) }},
		{"ZSet.Range by score", func(a API) error { return second(collect(a.ZSet("zset").Range(typed.ByScore(1, 2)), asIs)) }},
		{"ZSet.Range by name", func(a API) error { return second(collect(a.ZSet("zset").Range(typed.ByLexFrom("b")), asIs)) }},
		{"List.At", func(a API) error { return second(a.List("list").At(1)) }},
		{"List.Len", func(a API) error { return second(a.List("list").Len()) }},
		{"List.Pos", func(a API) error { return second(a.List("list").Pos([]byte("z"))) }},
		{"List.PosMany", func(a API) error { return second(a.List("list").PosMany([]byte("y"), typed.PosOptions{Rank: -1})) }},
		{"List.Range", func(a API) error { return second(collect(a.List("list").Range(0, -1), ownBytes)) }},
	}
}
