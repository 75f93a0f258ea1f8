package readstate_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
)

// BenchmarkReadBeyondCache reads keys at random out of six times as much as the
// store's memory holds: the figure is B/op.
func BenchmarkReadBeyondCache(b *testing.B) {
	for _, c := range []siltstone.Compression{siltstone.S2Compression, siltstone.NoCompression} {
		for _, size := range []int{100, 1000} {
			b.Run(fmt.Sprintf("%v/value=%d", c, size), func(b *testing.B) {
				db, err := siltstone.Open("db", &siltstone.Options{
					FS: vfs.NewMem(), MemoryLimit: 16 << 20, Durability: siltstone.BufferedDurability, Compression: c,
				})
				ok(b, err)
				defer db.Close()
				n := 100_000_000 / (size + 20)
				rng := rand.New(rand.NewPCG(1, 1))
				value := make([]byte, size)
				for i := range n {
					for at := 0; at < size; at += 4 { // a quarter does not compress
						value[at] = byte(rng.Uint32())
					}
					ok(b, db.Put(fmt.Appendf(nil, "key-%09d", i), value))
				}
				ok(b, db.Compact(bg, siltstone.Range{}))
				var key []byte
				get := func() {
					key = fmt.Appendf(key[:0], "key-%09d", rng.IntN(n))
					value, err = db.AppendGet(value[:0], key)
					ok(b, err)
				}
				for range n / 10 {
					get()
				}
				b.ReportAllocs()
				for b.Loop() {
					get()
				}
			})
		}
	}
}
