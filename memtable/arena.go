package memtable

import (
	"sync/atomic"
	"unsafe"

	"github.com/siltstonedb/siltstone/internal/prefetch"
)

// arena is where the keys and versions of a table lie: chunks of pointer-free Go
// memory, addressed by 32-bit references. Only the writer allocates; anybody may
// read what was published to them through an atomic load. This file, and
// chunks.go for the memory as such, are those of the package that use unsafe.
//
//	reference   ┌───────────── 32 bits ─────────────┐
//	            │ chunk (15) │ 8-byte unit in it (17)│      0 refers to nothing
//	            └────────────┴───────────────────────┘
//
// Chunks grow from firstChunk by doubling up to chunkBytes, so that a small
// table is a small thing; none is ever moved.
type arena struct {
	// chunks points at the first of an array of chunk addresses. A longer array
	// takes its place, and an address is in it, before the first reference into
	// that chunk is published.
	chunks atomic.Pointer[unsafe.Pointer]
	held   atomic.Int64 // bytes of all chunks; for anybody
	wanted atomic.Bool  // the source should have a chunk ready

	// Writer only.
	directory []unsafe.Pointer // the array; as long as chunks are open
	sizes     []uint32         // units of each
	next      uint64           // first free unit, as a reference
	end       uint64           // behind the last unit to be used of the open chunk
	used      int64            // bytes handed out, and of values outside
	limit     int64            // what used should not exceed
	source    *Chunks          // of full chunks; nil: none
	wanting   bool             // so, and Wants has not told
}

const (
	unitBytes  = 8
	chunkShift = 17 // units in a full chunk, as a power of two
	chunkBytes = unitBytes << chunkShift
	firstChunk = 64 << 10
	leastChunk = 4 << 10
	// smallChunks is how many chunks are smaller than a full one.
	smallChunks = chunkShift + 3 - 16 // firstChunk is 1<<16 bytes
	maxChunks   = 1<<(32-chunkShift) - 1

	// maxArena is the largest limit. References reach further, even if every
	// chunk leaves a record's room unused at its end.
	maxArena = maxChunks / 4 * 3 * chunkBytes
)

// alloc returns a reference to n zeroed bytes, 8-byte aligned; n is at most what
// one record may take.
func (a *arena) alloc(n int) uint32 {
	units := uint64(n+unitBytes-1) / unitBytes
	if a.next+units > a.end {
		a.open(units)
	}
	ref := uint32(a.next)
	a.next += units
	a.used += int64(units) * unitBytes
	return ref
}

// open starts the next chunk, with room for at least the given units.
func (a *arena) open(units uint64) {
	opened := len(a.directory)
	size := chunkBytes
	if opened < smallChunks {
		size = firstChunk << opened
	}
	if int64(size) > a.limit {
		size = max(leastChunk, int(a.limit)) // a table for less than a chunk
	}
	n := min(max(uint64(size)/unitBytes, units+2), 1<<chunkShift)
	chunk := a.source.take()
	if chunk != nil {
		n = 1 << chunkShift
	} else {
		chunk = unsafe.Pointer(unsafe.SliceData(make([]uint64, n)))
	}
	if opened+1 >= smallChunks && a.limit-a.used > 2*chunkBytes && a.source != nil && a.source.Bytes() == 0 {
		a.want()
	}
	if opened == cap(a.directory) {
		longer := make([]unsafe.Pointer, opened, max(4, 2*opened))
		copy(longer, a.directory)
		a.directory = longer
	}
	a.directory = append(a.directory, chunk)
	a.sizes = append(a.sizes, uint32(n))
	a.chunks.Store(unsafe.SliceData(a.directory))
	a.next = uint64(opened) << chunkShift
	a.end = a.next + n - 1 // an empty value has an address too, and it is inside
	if opened == 0 {
		a.next++ // reference 0 stays free
	}
	a.held.Add(int64(n) * unitBytes)
}

// release gives the full chunks to the source. References into them still lead
// there.
func (a *arena) release() {
	a.source.put(a.directory, a.sizes)
	a.held.Store(0)
}

// reset forgets everything that was allocated. Nobody may hold a reference any
// more.
func (a *arena) reset(limit int64) {
	clear(a.directory)
	a.directory, a.sizes = a.directory[:0], a.sizes[:0]
	a.next, a.end, a.used, a.limit, a.wanting = 0, 0, 0, limit, false
	a.held.Store(0)
	a.wanted.Store(false)
}

// A spot is where something lies in an arena. It is good for as long as it is
// kept: the chunk stays with it.
type spot struct{ at unsafe.Pointer }

// spot returns where a reference leads.
func (a *arena) spot(ref uint32) spot {
	chunk := unsafe.Add(unsafe.Pointer(a.chunks.Load()), uintptr(ref>>chunkShift)*unsafe.Sizeof(uintptr(0)))
	return spot{unsafe.Add(*(*unsafe.Pointer)(chunk), uintptr(ref&(1<<chunkShift-1))*unitBytes)}
}

// word returns the 32-bit word at byte off, a multiple of 4.
func (s spot) word(off uintptr) *uint32 { return (*uint32)(unsafe.Add(s.at, off)) }

// long returns the 64-bit word at byte off, a multiple of 8. It is never
// accessed atomically: 32-bit machines need not align it.
func (s spot) long(off uintptr) *uint64 { return (*uint64)(unsafe.Add(s.at, off)) }

// bytes returns the n bytes at byte off. They belong to the arena.
func (s spot) bytes(off uintptr, n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(s.at, off)), n)
}

// fetch has the processor bring n bytes from off on, and does not wait for it.
// They need not all lie in the arena.
func (s spot) fetch(off uintptr, n int) { prefetch.At(uintptr(s.at)+off, n) }

func (a *arena) word(ref uint32, off uintptr) *uint32 { return a.spot(ref).word(off) }

func (a *arena) long(ref uint32, off uintptr) *uint64 { return a.spot(ref).long(off) }
