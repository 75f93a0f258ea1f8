package sstable

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/prefetch"
)

// This file is the only one of the package that uses unsafe.

// uint64s returns the little-endian numbers that b holds; len(b) is a multiple
// of eight. On a little-endian machine an aligned b is not copied: the result
// shares its memory, and b must not change while the result is used.
func uint64s(b []byte) []uint64 {
	n := len(b) / 8
	if n == 0 {
		return nil
	}
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 && uintptr(unsafe.Pointer(&b[0]))%8 == 0 {
		return unsafe.Slice((*uint64)(unsafe.Pointer(&b[0])), n)
	}
	v := make([]uint64, n)
	for i := range v {
		v[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return v
}

// nearby says where in memory the keys of a cached block lie, so that they can be
// asked for together with the block and not after it has come. It is an address and,
// in its low bits, a number of cache lines. The block may be gone: then lines are
// asked for that nobody needs. It is safe for concurrent use.
type nearby struct{ place atomic.Uint64 }

const (
	nearbyBits = 16
	nearbyMost = 40 // lines: a search in more visits only some of them
	lineSize   = 64
)

// note notes the place of b.
func (n *nearby) note(b *block) {
	from, to := addressOf(b.keys.prefix()), addressOf(b.keys.p8)+uintptr(8*len(b.keys.p8))
	lines := min((to-from+lineSize-1)/lineSize, nearbyMost)
	n.place.Store(uint64(from)<<nearbyBits | uint64(lines))
}

// forget says that the cached block has no values, so that a walk has to read it.
func (n *nearby) forget() { n.place.Store(0) }

// at returns the place that was noted: an address and a number of bytes.
func (n *nearby) at() (from uintptr, bytes int) {
	p := n.place.Load()
	return uintptr(p >> nearbyBits), int(p&(1<<nearbyBits-1)) * lineSize
}

// addressOf returns where s lies, as a number.
func addressOf[T any](s []T) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(s))) }

// hotBlock is how many bytes of a block are used to find a record.
const hotBlock = int(unsafe.Offsetof(block{}.columns) + unsafe.Offsetof(columns{}.packed))

// ask asks for the lines that a search in data block i will visit, if it is cached,
// which it reports.
func (r *Reader) ask(i int) (cached bool) {
	if i < 0 || i >= len(r.slots) {
		return false
	}
	at := r.slots[i].Address()
	if at == nil {
		return false
	}
	prefetch.At(uintptr(at), hotBlock)
	from, bytes := r.nearby[i].at()
	prefetch.At(from, bytes)
	return bytes > 0
}

// askRecord asks for the lines of record i, if there is one, and of the first
// values from there on.
func (b *block) askRecord(i int, keysOnly bool) {
	k := &b.keys
	if i >= k.n {
		return
	}
	if k.restLen > 0 && k.tailWidth == 0 {
		prefetch.Line(unsafe.Pointer(&k.data[int(k.restOff)+i*(k.tailBase-8)]))
	}
	if b.seqWidth > 0 {
		prefetch.Line(unsafe.Pointer(&k.data[int(b.seqOff)+i*int(b.seqWidth)]))
	}
	if !keysOnly {
		v := b.value(i)
		prefetch.At(addressOf(v), min(linesStep, int(addressOf(b.values)-addressOf(v))+len(b.values)))
	}
}

// askValues asks for the values of records i to j−1, of at most so many bytes.
func (b *block) askValues(i, j, most int) {
	from, last := addressOf(b.value(i)), b.value(j-1)
	prefetch.At(from, min(most, int(addressOf(last)-from)+len(last)))
}

// blockOf returns the block whose cache entry is e. Every entry that this
// package stores is the first field of a block.
func blockOf(e *cache.Entry) *block { return (*block)(unsafe.Pointer(e)) }

// blockSize is the memory a block takes beside its bytes.
const blockSize = int64(unsafe.Sizeof(block{}))
