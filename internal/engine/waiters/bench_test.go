package waiters_test

import (
	"context"
	"encoding/binary"
	"sync"
	"testing"

	"github.com/siltstonedb/siltstone"
)

// What a commit pays while nobody waits, and while somebody waits for another key.

func BenchmarkPut(b *testing.B) { benchPut(b, benchStore(b)) }

func BenchmarkPutWhileSomebodyWaits(b *testing.B) {
	db := benchStore(b)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { _, _ = db.List("q").WaitFront(ctx) })
	benchPut(b, db)
	cancel()
	all.Wait()
}

func benchPut(b *testing.B, db *siltstone.DB) {
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
