//go:build !race && !invariants

package sstable

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
)

// TestWalksBeyondTheCacheReuseMemory walks short stretches of a table four times the
// cache: blocks that nobody else has found give their memory to the next ones, and so
// do buffers that were read ahead into.
func TestWalksBeyondTheCacheReuseMemory(t *testing.T) {
	var recs []rec
	for i := range 40_000 {
		recs = append(recs, put(fmt.Sprintf("key-%06d", i), 1, strings.Repeat("value ", 16)))
	}
	file, _ := build(t, WriterOptions{BlockSize: 4096, Compression: NoCompression}, recs)
	r := mustOpen(t, file, ReaderOptions{Cache: cache.New(int64(len(file)) / 4)})
	defer r.Close()
	it := r.NewIter(IterOptions{})
	defer it.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	walk := func() {
		it.Init(r, IterOptions{})
		i := rng.IntN(len(recs))
		for e := it.SeekGE([]byte(recs[i].key), base.SeqMax); e != nil && i < len(recs) && i%200 != 199; e = it.Next() {
			if string(e.Value) != recs[i].value {
				t.Fatalf("record %d has the value %q", i, e.Value)
			}
			i++
		}
	}
	for range 1000 {
		walk()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const walks = 2000
	for range walks {
		walk()
	}
	runtime.ReadMemStats(&after)
	n := (after.TotalAlloc - before.TotalAlloc) / walks
	t.Logf("%d bytes allocated a walk", n)
	if n > 8<<10 {
		t.Errorf("%d bytes allocated a walk", n)
	}
}
