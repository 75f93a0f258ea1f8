package sstable

import (
	"slices"
	"sync"

	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/invariants"
)

// spare is blocks that were evicted before anybody had found them in the cache:
// what is read beyond the cache would else allocate a block each time the cache
// admits one. Only their memory is used again. Safe for concurrent use.
type spare struct{ blocks sync.Pool }

// Whole blocks and keys alone differ in size.
var spareBlocks, spareKeys spare

// recycleBlock and recycleKeys take an evicted block at which nobody points.
func recycleBlock(e *cache.Entry) { spareBlocks.put(blockOf(e)) }
func recycleKeys(e *cache.Entry)  { spareKeys.put(blockOf(e)) }

func (s *spare) put(b *block) {
	invariants.Poison(b.mem)
	s.blocks.Put(b)
}

// buffer returns n bytes, of a spare block if one has about that many.
func (s *spare) buffer(n int) []byte {
	if b, _ := s.blocks.Get().(*block); b != nil && cap(b.mem) >= n && cap(b.mem) <= 2*n {
		return b.mem[:n]
	}
	return slices.Grow([]byte(nil), n)[:n]
}
