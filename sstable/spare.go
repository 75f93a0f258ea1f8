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

// windows are buffers of iterators that have ended, or read no further ahead: a walk
// that looks at a few records behind its first block would else allocate one each
// time. Iterators at work have at most what the cache lends.
var windows buffers

// windowSizes is how many sizes windows have, each twice as large as the one before.
const windowSizes = 4

// buffers are pools of buffers, one for each size. Safe for concurrent use.
type buffers [windowSizes]sync.Pool

// take returns a buffer with room for n bytes.
func (p *buffers) take(n int) []byte {
	for i := range p {
		if size := firstAhead << i; n <= size {
			if buf, _ := p[i].Get().(*[]byte); buf != nil {
				return *buf
			}
			return make([]byte, size)
		}
	}
	return slices.Grow([]byte(nil), n) // a huge block
}

// put takes a buffer that nobody points into. One that take has not made for windows
// is left to the collector.
func (p *buffers) put(buf []byte) {
	buf = buf[:cap(buf)]
	for i := range p {
		if len(buf) == firstAhead<<i {
			invariants.Poison(buf)
			p[i].Put(&buf)
		}
	}
}
