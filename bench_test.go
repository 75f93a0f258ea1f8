package siltstone

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
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
	db, err := Open(b.TempDir(), &Options{MemoryLimit: 1 << 30, MemtableBytes: 64 << 20, Durability: Buffered})
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
			if err := db.Apply(&batch, Buffered); err != nil {
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
	db, err := Open(dir, &Options{MemoryLimit: 1 << 30, MemtableBytes: memtable, Durability: Buffered, manualWork: true})
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
