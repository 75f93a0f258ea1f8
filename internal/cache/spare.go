package cache

import (
	"math/bits"
	"slices"

	"github.com/siltstonedb/siltstone/internal/invariants"
)

// spares are buffers of blocks that are not cached any more, at which nobody points:
// the next blocks are read into them. They are part of what the cache may take, and
// go before any block does. It is not safe for concurrent use.
type spares struct {
	bytes int64
	sizes [spareSizes + 1][][]byte // by size, the least first; of each the last put is the next taken
}

// Sizes of spare buffers rise by an eighth of a power of two, from leastSpare on. What
// is smaller or larger is left to the collector.
const (
	leastSpare = 1 << 10
	mostSpare  = leastSpare << (spareSizes / 8)
	spareSizes = 7 * 8
	// spareStretch is how many sizes more than a block needs a buffer for it may have.
	spareStretch = 2
)

// sizeUp returns the number of the least size with room for n bytes, and that size.
func sizeUp(n int) (number, size int) {
	if n <= leastSpare {
		return 0, leastSpare
	}
	shift := bits.Len(uint(n-1)) - 4 // of which eight sizes have the same
	eighths := (n-1)>>shift + 1      // from 9 to 16
	return (shift-7)*8 + eighths - 8, eighths << shift
}

// put takes a buffer; false if it is not kept.
func (s *spares) put(b []byte) bool {
	b = b[:cap(b)]
	if len(b) < leastSpare || len(b) > mostSpare {
		return false
	}
	number, size := sizeUp(len(b))
	if size > len(b) {
		number--
	}
	invariants.Poison(b)
	s.sizes[number] = append(s.sizes[number], b)
	s.bytes += int64(len(b))
	return true
}

// take returns a buffer of size number or one that is not much larger, nil if there is
// none.
func (s *spares) take(number int) []byte {
	for i := number; i < min(number+spareStretch+1, len(s.sizes)); i++ {
		if len(s.sizes[i]) > 0 {
			return s.pop(i)
		}
	}
	return nil
}

func (s *spares) pop(number int) []byte {
	of := s.sizes[number]
	b := of[len(of)-1]
	of[len(of)-1] = nil
	s.sizes[number] = of[:len(of)-1]
	s.bytes -= int64(len(b))
	return b
}

// drop lets go of one buffer, of the size of which there are most, and returns its
// bytes.
func (s *spares) drop() int64 {
	most := 0
	for i := range s.sizes {
		if len(s.sizes[i]) > len(s.sizes[most]) {
			most = i
		}
	}
	return int64(len(s.pop(most)))
}

// Buffer returns n bytes for a block: those of one that is not cached any more, if
// there is one of about that size. They may hold anything.
func (c *Cache) Buffer(n int) []byte {
	if n > mostSpare {
		return slices.Grow([]byte(nil), n)[:n]
	}
	number, size := sizeUp(n)
	c.mu.Lock()
	b := c.spare.take(number)
	c.mu.Unlock()
	if b == nil {
		b = slices.Grow([]byte(nil), size)
	}
	return b[:n]
}

// DropSpare lets go of all spare buffers: the store has nothing to do.
func (c *Cache) DropSpare() {
	c.mu.Lock()
	n := c.spare.bytes
	c.spare = spares{}
	c.mu.Unlock()
	c.lost.Add(n)
}

// spareShare is the part of the limit that spare buffers take at most: a merge drops the
// blocks of its tables, and readers soon ask for those of the new ones. spareWorking is
// the part that is kept while blocks are evicted: what comes back out of limbo comes
// after others were read.
const (
	spareShare   = 2
	spareWorking = 16
)

// reuse makes a spare buffer of the memory of e, at which nobody points. The caller
// holds mu.
func (c *Cache) reuse(e *Entry) {
	if !c.spareFits(e.memory) {
		c.lost.Add(e.bytes)
	}
	e.memory = nil
}

// spareFits makes a spare buffer of b, if there are not too many. The caller holds mu.
func (c *Cache) spareFits(b []byte) bool {
	return c.spare.bytes+int64(cap(b)) <= c.limit/spareShare && c.spare.put(b)
}
