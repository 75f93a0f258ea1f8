package siltstone

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

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
