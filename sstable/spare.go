package sstable

import (
	"slices"
	"sync"

	"github.com/siltstonedb/siltstone/internal/invariants"
)

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
