package sstable

import (
	"math/bits"
	"slices"
	"sync"

	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/invariants"
)

// spare is blocks at which nobody pointed when they left the cache, by size: what is
// read from tables that merges have written, or beyond the cache, would else allocate a
// block each. Only their memory is used again. Safe for concurrent use.
type spare [spareSizes]sync.Pool

// spareSizes is how many sizes of spare blocks there are: four between each power of two
// and the next, up to 16 MiB.
const spareSizes = 4 * 24

// Whole blocks and keys alone differ in size.
var spareBlocks, spareKeys spare

// recycleBlock and recycleKeys take an evicted block at which nobody points.
func recycleBlock(e *cache.Entry) { spareBlocks.put(blockOf(e)) }
func recycleKeys(e *cache.Entry)  { spareKeys.put(blockOf(e)) }

func (s *spare) put(b *block) {
	invariants.Poison(b.mem)
	s[spareSize(cap(b.mem))].Put(b)
}

// buffer returns n bytes, of a spare block if there is one of n bytes to twice as many.
func (s *spare) buffer(n int) []byte {
	least := spareSize(n)
	for i := least; i <= min(least+4, spareSizes-1); i++ {
		b, _ := s[i].Get().(*block)
		if b == nil {
			continue
		}
		if cap(b.mem) >= n && cap(b.mem) <= 2*n {
			return b.mem[:n]
		}
		s[i].Put(b) // a block of another size is good for others
	}
	return slices.Grow([]byte(nil), n)[:n]
}

// spareSize returns the number of the size of blocks of n bytes. It rises with n, by four
// while n doubles.
func spareSize(n int) int {
	n = max(n, 4)
	octave := bits.Len(uint(n)) - 3 // the upper three bits make the number
	return min(4*octave+n>>octave&3, spareSizes-1)
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
