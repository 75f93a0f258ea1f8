package siltstone

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
)

// scanShape is a store whose rows come from several places.
type scanShape struct {
	name    string
	prefix  string
	value   int
	rounds  []int // keys written in each round, in thousands; all but the last are flushed
	another bool  // rounds behind the first overwrite
}

var scanShapes = []scanShape{
	{name: "Memory16", value: 16, rounds: []int{500}},
	{name: "Memory128", value: 128, rounds: []int{250}},
	{name: "MemoryAndRun", value: 128, rounds: []int{320, 180}},
	{name: "LongPrefix", prefix: "tenant/0000000000000001/table/0000000001/", value: 128, rounds: []int{300, 200}},
	{name: "Overwritten", prefix: "user", value: 128, rounds: []int{300, 100, 100, 200}, another: true},
	{name: "Value16K", value: 16 << 10, rounds: []int{12, 4}},
}

func (s *scanShape) key(dst []byte, i int) []byte {
	return fmt.Appendf(dst[:0], "%s%016x", s.prefix, uint64(i)*0x9E3779B97F4A7C15)
}

// open returns the store, and how many keys it holds.
func (s *scanShape) open(b *testing.B) (*DB, int) {
	b.Helper()
	db, err := Open(b.TempDir(), &Options{MemoryLimit: 1 << 30, MemtableBytes: 256 << 20, Durability: Buffered, manualWork: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	rng, keys := rand.New(rand.NewPCG(1, 2)), 0
	value := make([]byte, s.value)
	var key []byte
	for round, thousands := range s.rounds {
		if round > 0 {
			if err := db.Flush(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
		for range thousands * 1000 {
			i := keys
			if round > 0 && s.another {
				i = rng.IntN(keys)
			} else {
				keys++
			}
			for j := range min(len(value), 64) {
				value[j] = byte(rng.Uint32())
			}
			key = s.key(key, i)
			if err := db.Put(key, value); err != nil {
				b.Fatal(err)
			}
		}
	}
	for range 3 { // blocks into the cache
		it, _ := db.NewIter(nil)
		for ok := it.First(); ok; ok = it.Next() {
			look(it)
		}
		it.Close()
	}
	return db, keys
}

var scanSum int

func look(it *Iterator) {
	k, v := it.Key(), it.Value()
	scanSum += int(k[len(k)-1]) + int(v[len(v)-1])
}

// BenchmarkScan walks stores of several sources. The figures are ns a row for the
// walks, ns a seek for the others.
func BenchmarkScan(b *testing.B) {
	for _, s := range scanShapes {
		b.Run(s.name, func(b *testing.B) {
			db, keys := s.open(b)
			walk := func(first, step func(*Iterator) bool) func(*testing.B) {
				return func(b *testing.B) {
					it, _ := db.NewIter(nil)
					defer it.Close()
					for range b.N {
						if !it.Valid() {
							first(it)
						} else if !step(it) {
							continue
						}
						look(it)
					}
				}
			}
			b.Run("Forward", walk((*Iterator).First, (*Iterator).Next))
			b.Run("Backward", walk((*Iterator).Last, (*Iterator).Prev))
			seek := func(n int) func(*testing.B) {
				return func(b *testing.B) {
					rng := rand.New(rand.NewPCG(1, 2))
					var key []byte
					for range b.N {
						it, _ := db.NewIter(nil)
						key = s.key(key, rng.IntN(keys))
						ok := it.SeekGE(key)
						for range n {
							if !ok {
								break
							}
							look(it)
							ok = it.Next()
						}
						it.Close()
					}
				}
			}
			b.Run("Seek1", seek(1))
			b.Run("Seek10", seek(10))
			b.Run("Seek50", seek(50))
		})
	}
}
