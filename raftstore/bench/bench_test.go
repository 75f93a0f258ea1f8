package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	raftwal "github.com/hashicorp/raft-wal"
	raftbench "github.com/hashicorp/raft/bench"

	"github.com/siltstonedb/siltstone/raftstore"
)

// store is what raft needs of its log.
type store interface {
	raft.LogStore
	raft.StableStore
	Close() error
}

// stores are those that are compared.
var stores = []struct {
	name string
	open func(dir string) (store, error)
}{
	{"siltstone", func(dir string) (store, error) { return raftstore.OpenLogStore(filepath.Join(dir, "log"), nil) }},
	{"boltdb", func(dir string) (store, error) { return raftboltdb.NewBoltStore(filepath.Join(dir, "raft.db")) }},
	{"wal", func(dir string) (store, error) { return raftwal.Open(dir) }},
}

// forEach runs a benchmark of each store, empty.
func forEach(b *testing.B, run func(*testing.B, store)) {
	for _, c := range stores {
		b.Run(c.name, func(b *testing.B) {
			dir, err := os.MkdirTemp("", "raftstore-bench-")
			if err != nil {
				b.Fatal(err)
			}
			defer os.RemoveAll(dir)
			s, err := c.open(dir)
			if err != nil {
				b.Fatal(err)
			}
			run(b, s)
			b.StopTimer()
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func BenchmarkFirstIndex(b *testing.B) {
	forEach(b, func(b *testing.B, s store) { raftbench.FirstIndex(b, s) })
}

func BenchmarkLastIndex(b *testing.B) {
	forEach(b, func(b *testing.B, s store) { raftbench.LastIndex(b, s) })
}

func BenchmarkGetLog(b *testing.B) {
	forEach(b, func(b *testing.B, s store) { raftbench.GetLog(b, s) })
}

// raft's StoreLog begins with index 0, which no log can have:
// BenchmarkStoreLogsOf stores single entries instead.

func BenchmarkStoreLogs(b *testing.B) {
	forEach(b, func(b *testing.B, s store) { raftbench.StoreLogs(b, s) })
}

func BenchmarkSet(b *testing.B) { forEach(b, func(b *testing.B, s store) { raftbench.Set(b, s) }) }

func BenchmarkGet(b *testing.B) { forEach(b, func(b *testing.B, s store) { raftbench.Get(b, s) }) }

func BenchmarkSetUint64(b *testing.B) {
	forEach(b, func(b *testing.B, s store) { raftbench.SetUint64(b, s) })
}

func BenchmarkGetUint64(b *testing.B) {
	forEach(b, func(b *testing.B, s store) { raftbench.GetUint64(b, s) })
}

// shapes are the entries that a busy leader stores at once.
var shapes = []struct{ entries, size int }{{1, 128}, {64, 128}, {64, 4096}}

// BenchmarkStoreLogsOf stores entries of several sizes, and takes the oldest ones off now
// and then, as snapshots do. An operation is one StoreLogs.
func BenchmarkStoreLogsOf(b *testing.B) {
	for _, shape := range shapes {
		b.Run(fmt.Sprintf("%dx%dB", shape.entries, shape.size), func(b *testing.B) {
			forEach(b, func(b *testing.B, s store) {
				data := bytes.Repeat([]byte("0123456789abcdef"), shape.size/16)
				logs := make([]*raft.Log, shape.entries)
				next, first := uint64(1), uint64(1)
				b.SetBytes(int64(shape.entries * shape.size))
				b.ResetTimer()
				for range b.N {
					for i := range logs {
						logs[i] = &raft.Log{Index: next, Term: 1, Data: data}
						next++
					}
					if err := s.StoreLogs(logs); err != nil {
						b.Fatal(err)
					}
					if next-first > 20000 {
						if err := s.DeleteRange(first, next-10000); err != nil {
							b.Fatal(err)
						}
						first = next - 9999
					}
				}
			})
		})
	}
}

// BenchmarkGetLogOf reads the entries of a log in order, as a leader does for a follower
// that was away.
func BenchmarkGetLogOf(b *testing.B) {
	const entries = 20000
	for _, size := range []int{128, 4096} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			forEach(b, func(b *testing.B, s store) {
				data := bytes.Repeat([]byte("0123456789abcdef"), size/16)
				for next := uint64(1); next <= entries; {
					var logs []*raft.Log
					for range 500 {
						logs = append(logs, &raft.Log{Index: next, Term: 1, Data: data})
						next++
					}
					if err := s.StoreLogs(logs); err != nil {
						b.Fatal(err)
					}
				}
				var l raft.Log
				b.SetBytes(int64(size))
				b.ResetTimer()
				for i := range b.N {
					if err := s.GetLog(uint64(i%entries)+1, &l); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
