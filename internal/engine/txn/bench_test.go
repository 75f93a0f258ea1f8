package txn_test

import (
	"fmt"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

func benchStore(b *testing.B) *siltstone.DB {
	b.Helper()
	db, err := siltstone.Open(b.TempDir(), &siltstone.Options{MemoryLimit: 1 << 30, MemtableBytes: 64 << 20, Durability: siltstone.BufferedDurability})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	return db
}

func benchCalls(b *testing.B, call func(i int) error) {
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if err := call(i); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDraw draws elements of a large set and of a hash, whose rows lie in a
// memtable, a young run and the last one, with some overwritten and some removed.
func BenchmarkDraw(b *testing.B) {
	for _, millions := range []int{1, 5} {
		b.Run(fmt.Sprintf("%dM", millions), func(b *testing.B) {
			n := millions * 1_000_000
			db := benchStore(b)
			benchDrawn(b, db, n)
			s, h := db.Set("set"), db.Hash("hash")
			draw := func(name string, call func(i int) error) {
				b.Run(name, func(b *testing.B) { benchCalls(b, call) })
			}
			draw("Set.Random(1)", func(int) error { _, err := s.Random(1); return err })
			draw("Set.Random(10)", func(int) error { _, err := s.Random(10); return err })
			draw("Set.Random(-10)", func(int) error { _, err := s.Random(-10); return err })
			draw("Hash.Random(1)", func(int) error { _, err := h.Random(1); return err })
			draw("Keys.Random", func(int) error { _, err := db.Keys().Random(); return err })
			draw("Set.Pop(1)", func(int) error { _, err := s.Pop(1); return err })
			b.Run("Set.Pop(1) of a transaction", func(b *testing.B) {
				tx, err := db.Begin(bg, siltstone.ReadWriteMode)
				if err != nil {
					b.Fatal(err)
				}
				defer tx.Rollback()
				benchCalls(b, func(int) error { _, err := tx.Set("set").Pop(1); return err })
			})
		})
	}
}

// benchDrawn makes a set and a hash of n elements each, and a tenth as many keys.
func benchDrawn(b *testing.B, db *siltstone.DB, n int) {
	b.Helper()
	value := make([]byte, 16)
	member := func(i int) string { return fmt.Sprintf("%016x", uint64(i)*0x9E3779B97F4A7C15) }
	write := func(from, to int) {
		const batch = 10_000
		for ; from < to; from += batch {
			var members []string
			var fields []typed.Field
			for i := range min(batch, to-from) {
				members = append(members, member(from+i))
				fields = append(fields, typed.Field{Name: member(from + i), Value: value})
			}
			_, err := db.Set("set").Add(members...)
			_, herr := db.Hash("hash").SetMany(fields...)
			if err != nil || herr != nil {
				b.Fatal(err, herr)
			}
		}
	}
	remove := func(from, to int) {
		for ; from < to; from++ {
			if _, err := db.Set("set").Remove(member(from)); err != nil {
				b.Fatal(err)
			}
		}
	}
	for i := range n / 10 {
		if err := db.Put([]byte("key "+member(i)), value); err != nil {
			b.Fatal(err)
		}
	}
	write(0, n*9/10)
	if err := db.Compact(bg, siltstone.Range{}); err != nil {
		b.Fatal(err)
	}
	write(n*8/10, n*19/20)
	remove(0, n/100)
	if err := db.Flush(bg); err != nil {
		b.Fatal(err)
	}
	write(n*18/20, n)
	remove(n/100, n/50)
}
