package siltstone

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/siltstonedb/siltstone/typed"
)

// benchZSet returns a store with a sorted set "z" of a million members.
func benchZSet(b *testing.B) *DB {
	b.Helper()
	db := benchStore(b, false)
	const batch = 10_000
	members := make([]typed.Member, batch)
	for at := 0; at < benchKeys; at += batch {
		for i := range members {
			members[i] = benchMember(at + i)
		}
		if _, err := db.ZSet("z").AddMany(0, members...); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Compact(context.Background(), Range{}); err != nil {
		b.Fatal(err)
	}
	return db
}

func benchMember(i int) typed.Member {
	score := float64(uint64(i)*0x9E3779B97F4A7C15>>20) / (1 << 20)
	return typed.Member{Name: fmt.Sprintf("member %08d", i), Score: score}
}

// BenchmarkZSet: what positions cost beside a look-up, in a sorted set of a
// million members.
func BenchmarkZSet(b *testing.B) {
	db := benchZSet(b)
	z, rng := db.ZSet("z"), rand.New(rand.NewPCG(1, 2))
	names := make([]string, 4096)
	for i := range names {
		names[i] = benchMember(rng.IntN(benchKeys)).Name
	}
	fresh := benchKeys
	for _, c := range []struct {
		name string
		call func(i int) error
	}{
		{"Score", func(i int) error { _, err := z.Score(names[i%len(names)]); return err }},
		{"Rank", func(i int) error { _, err := z.Rank(names[i%len(names)]); return err }},
		{"RangeByRank", func(i int) error {
			for _, err := range z.Range(typed.ByRank(benchKeys/2, benchKeys/2+10)) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"CountByScore", func(i int) error { _, err := z.Count(typed.ByScore(1e6, 9e6)); return err }},
		{"Random", func(i int) error { _, err := z.Random(1); return err }},
		{"Add", func(i int) error {
			m := benchMember(fresh)
			fresh++
			_, err := z.Add(m.Name, m.Score)
			return err
		}},
		{"Change", func(i int) error { _, err := z.Incr(names[i%len(names)], 1e3); return err }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				if err := c.call(i); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
