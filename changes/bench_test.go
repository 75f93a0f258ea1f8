package changes_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
)

// BenchmarkCommit is what a commit costs with and without a feed.
func BenchmarkCommit(b *testing.B) {
	for _, keep := range []changes.Keep{{}, {Bytes: 1 << 30}} {
		for _, call := range []struct {
			name string
			make func(db *siltstone.DB) func(i int) error
		}{
			{"Put", func(db *siltstone.DB) func(int) error {
				key, value := make([]byte, 16), make([]byte, 100)
				return func(i int) error {
					binary.BigEndian.PutUint64(key, uint64(i%100_000))
					return db.Put(key, value)
				}
			}},
			{"Hash.Set, 4 fields", func(db *siltstone.DB) func(int) error { return hashSet(db, 4, 10) }},
			{"Hash.Set, 10000 fields", func(db *siltstone.DB) func(int) error { return hashSet(db, 10000, 100) }},
		} {
			b.Run(fmt.Sprintf("%s/keep=%v", call.name, keep.On()), func(b *testing.B) {
				db, err := siltstone.Open(b.TempDir(), &siltstone.Options{KeepChanges: keep, Durability: siltstone.BufferedDurability})
				done(b, err)
				defer func() { _ = db.Close() }()
				do := call.make(db)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if err := do(i); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(db.Metrics().Commits.Bytes)/float64(db.Metrics().Commits.Operations), "log-B/op")
			})
		}
	}
}

func hashSet(db *siltstone.DB, fields, size int) func(int) error {
	h, value := db.Hash("hash"), make([]byte, size)
	names := make([]string, fields)
	for i := range names {
		names[i] = fmt.Sprintf("field %d", i)
		if _, err := h.Set(names[i], value); err != nil {
			return func(int) error { return err }
		}
	}
	return func(i int) error {
		value[0] = byte(i)
		_, err := h.Set(names[i%fields], value)
		return err
	}
}

// BenchmarkRead is what reading a change costs.
func BenchmarkRead(b *testing.B) {
	db, err := siltstone.Open(b.TempDir(), &siltstone.Options{KeepChanges: plenty, Durability: siltstone.BufferedDurability})
	done(b, err)
	defer func() { _ = db.Close() }()
	for b.Loop() {
		b.StopTimer()
		after := db.Position()
		for i := range 10000 {
			done(b, db.Put(fmt.Appendf(nil, "key %d", i), make([]byte, 100)))
		}
		done(b, db.Sync())
		b.StartTimer()
		n := 0
		for _, err := range db.Changes(context.Background(), siltstone.ChangeOptions{After: after, NoWait: true}) {
			done(b, err)
			n++
		}
		if n != 10000 {
			b.Fatalf("%d changes", n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10000, "ns/change")
}
