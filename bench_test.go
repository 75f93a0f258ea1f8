package siltstone

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/handle"
	"github.com/siltstonedb/siltstone/typed"
)

// Benchmarks of the public verbs: go test -run X -bench . -benchmem
//
// Keys have 16 bytes and values 128, half of them compressible. The store lies
// in a temporary directory. Comparisons with other stores are in bench/.

const benchKeys = 1_000_000

func benchKey(dst []byte, i uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst[:0], "key-0000"...), i*0x9E3779B97F4A7C15)
}

func benchValue(rng *rand.Rand) []byte {
	v := make([]byte, 128)
	for i := range 64 {
		v[i] = byte(rng.Uint32())
	}
	return v
}

func benchStore(b *testing.B, load bool) *DB {
	b.Helper()
	db, err := Open(b.TempDir(), &Options{MemoryLimit: 1 << 30, MemtableBytes: 64 << 20, Durability: BufferedDurability})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	if load {
		rng := rand.New(rand.NewPCG(1, 2))
		var key []byte
		for i := range uint64(benchKeys) {
			key = benchKey(key, i)
			if err := db.Put(key, benchValue(rng)); err != nil {
				b.Fatal(err)
			}
		}
		if err := db.Compact(context.Background(), Range{}); err != nil {
			b.Fatal(err)
		}
	}
	return db
}

func BenchmarkPutRandom(b *testing.B) {
	db := benchStore(b, false)
	v := benchValue(rand.New(rand.NewPCG(1, 2)))
	var key []byte
	b.ReportAllocs()
	i := uint64(0)
	for range b.N {
		key = benchKey(key, i)
		i++
		if err := db.Put(key, v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkApplyRandom(b *testing.B) {
	const size = 100
	db := benchStore(b, false)
	v := benchValue(rand.New(rand.NewPCG(1, 2)))
	var key []byte
	var batch Batch
	b.ReportAllocs()
	for i := range uint64(b.N) {
		key = benchKey(key, i)
		batch.Put(key, v)
		if i%size == size-1 {
			if err := db.Apply(&batch, BufferedDurability); err != nil {
				b.Fatal(err)
			}
			batch.Reset()
		}
	}
}

func BenchmarkPutRising(b *testing.B) {
	db := benchStore(b, false)
	v := benchValue(rand.New(rand.NewPCG(1, 2)))
	key := make([]byte, 16)
	b.ReportAllocs()
	i := uint64(0)
	for range b.N {
		binary.BigEndian.PutUint64(key[8:], i)
		i++
		if err := db.Put(key, v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	db := benchStore(b, true)
	var seed atomic.Uint64
	gets := func(b *testing.B, offset uint64) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			rng := rand.New(rand.NewPCG(seed.Add(1), 2))
			var key, v []byte
			for pb.Next() {
				key = benchKey(key, offset+rng.Uint64N(benchKeys))
				var err error
				if v, err = db.AppendGet(v[:0], key); (err == nil) != (offset == 0) {
					b.Error(err)
				}
			}
		})
	}
	b.Run("Present", func(b *testing.B) { gets(b, 0) })
	b.Run("Missing", func(b *testing.B) { gets(b, benchKeys) })
	b.Run("Seek10Kept", func(b *testing.B) {
		it, _ := db.NewIter(nil)
		defer it.Close()
		rng := rand.New(rand.NewPCG(1, 2))
		var key []byte
		b.ReportAllocs()
		for range b.N {
			key = benchKey(key, rng.Uint64N(benchKeys))
			ok := it.SeekGE(key)
			for i := 0; ok && i < 10; i++ {
				ok = it.Next()
			}
		}
	})
	b.Run("Seek10Fresh", func(b *testing.B) {
		rng := rand.New(rand.NewPCG(1, 2))
		var key []byte
		b.ReportAllocs()
		for range b.N {
			it, _ := db.NewIter(nil)
			key = benchKey(key, rng.Uint64N(benchKeys))
			ok := it.SeekGE(key)
			for i := 0; ok && i < 10; i++ {
				ok = it.Next()
			}
			it.Close()
		}
	})
	for _, back := range []bool{false, true} {
		name := "ScanForward"
		if back {
			name = "ScanBackward"
		}
		b.Run(name, func(b *testing.B) {
			it, _ := db.NewIter(nil)
			defer it.Close()
			b.ReportAllocs()
			for range b.N {
				switch {
				case it.Valid() && back:
					it.Prev()
				case it.Valid():
					it.Next()
				case back:
					it.Last()
				default:
					it.First()
				}
			}
		})
	}
}

// Benchmarks of opening a store, on a real disk with warm caches.

// fullLogStore makes a store as a kill leaves it: one memtable of records in the
// log, none in tables. It returns its directory.
func fullLogStore(b *testing.B, memtable int64) string {
	b.Helper()
	dir := b.TempDir()
	db, err := Open(dir, &Options{MemoryLimit: 1 << 30, MemtableBytes: memtable, Durability: BufferedDurability, manualWork: true})
	if err != nil {
		b.Fatal(err)
	}
	v := benchValue(rand.New(rand.NewPCG(1, 2)))
	var key []byte
	for i := uint64(0); db.section.Mem().Fits(1, int64(len(key)+len(v))); i++ {
		key = benchKey(key, i)
		if err := db.Put(key, v); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Sync(); err != nil {
		b.Fatal(err)
	}
	killed := b.TempDir()
	copyStore(b, killed, dir)
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	return killed
}

// copyStore copies the files of a store, without its lock.
func copyStore(b *testing.B, to, from string) {
	b.Helper()
	names, err := filepath.Glob(filepath.Join(from, "*"))
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range names {
		if filepath.Base(name) == "LOCK" {
			continue
		}
		content, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(name)), content, 0o600); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReopenAfterKill(b *testing.B) {
	const memtable = 64 << 20
	for name, readOnly := range map[string]bool{"writable": false, "read-only": true} {
		b.Run(name, func(b *testing.B) {
			killed := fullLogStore(b, memtable)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				b.StopTimer()
				dir := b.TempDir()
				copyStore(b, dir, killed)
				b.StartTimer()
				db, err := Open(dir, &Options{MemoryLimit: 1 << 30, MemtableBytes: memtable, ReadOnly: readOnly})
				b.StopTimer()
				if err != nil {
					b.Fatal(err)
				}
				if err := db.Close(); err != nil {
					b.Fatal(err)
				}
				if err := os.RemoveAll(dir); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

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

// unlocked is the store as a source whose calls on the same key do not take
// turns: they conflict and run again.
type unlocked DB

func (s *unlocked) Begin(write bool, _ string, _ int) (collection.Txn, error) {
	return begun(s.txns.BeginCall(nil, write, "", 1))
}

func (s *unlocked) End(t collection.Txn, err error) (again bool, e error) {
	return (*dbSource)(s).End(t, err)
}

// BenchmarkHot has 16 goroutines add to one collection or counter:
//
//	locks    as the store does it: calls on one key take turns
//	retries  without the key locks: the loser of a conflict runs again
//	blind    what count deltas could reach at the most: one look-up of the element,
//	         then element and delta written blindly
func BenchmarkHot(b *testing.B) {
	type source = collection.Source
	calls := map[string]func(s source, member string) error{
		"hash":    func(s source, m string) error { _, err := handle.Hash(s, "hot").Set(m, []byte("value")); return err },
		"set":     func(s source, m string) error { _, err := handle.Set(s, "hot").Add(m); return err },
		"counter": func(s source, _ string) error { _, err := handle.String(s, "hot").Incr(1); return err },
	}
	for _, what := range []string{"hash", "set", "counter"} {
		call := calls[what]
		b.Run(what+"/locks", func(b *testing.B) {
			hot(b, func(db *DB, m string) error { return call((*dbSource)(db), m) })
		})
		b.Run(what+"/retries", func(b *testing.B) {
			hot(b, func(db *DB, m string) error { return call((*unlocked)(db), m) })
		})
		b.Run(what+"/blind", func(b *testing.B) {
			hot(b, func(db *DB, m string) error {
				var batch Batch
				if what != "counter" {
					if _, err := db.Has([]byte(m)); err != nil {
						return err
					}
					batch.Put([]byte(m), []byte("value"))
				}
				batch.Put([]byte("delta"), []byte{1})
				return db.Apply(&batch, DefaultDurability)
			})
		})
	}
}

// hot makes b.N calls from 16 goroutines, each with a member of its own.
func hot(b *testing.B, call func(db *DB, member string) error) {
	db := benchStore(b, false)
	var next atomic.Int64
	var workers sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range 16 {
		workers.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if err := call(db, fmt.Sprintf("member%09d", n)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
}
