package waiters_test

import (
	"encoding/binary"
	"testing"

	"github.com/siltstonedb/siltstone"
)

// What a commit pays while nobody waits, and while somebody waits for another key.

func BenchmarkPut(b *testing.B) {
	db := benchStore(b)
	key, value := make([]byte, 16), make([]byte, 128)
	b.ReportAllocs()
	for i := range uint64(b.N) {
		binary.BigEndian.PutUint64(key, i%100_000)
		if err := db.Put(key, value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPush(b *testing.B) {
	q, value := benchStore(b).List("q"), make([]byte, 16)
	b.ReportAllocs()
	for range b.N {
		if _, err := q.PushBack(value); err != nil {
			b.Fatal(err)
		}
	}
}

func benchStore(b *testing.B) *siltstone.DB {
	b.Helper()
	db, err := siltstone.Open(b.TempDir(), &siltstone.Options{Durability: siltstone.BufferedDurability})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return db
}
