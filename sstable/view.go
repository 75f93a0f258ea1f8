package sstable

import (
	"encoding/binary"
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

// fetch asks for the lines that a search in the keys will visit.
func (k *keyColumns) fetch() {
	prefetch.Line(unsafe.Pointer(unsafe.SliceData(k.data[k.prefixOff:])))
	for i := 0; i < len(k.p8); i += 16 { // processors bring lines in pairs
		prefetch.Line(unsafe.Pointer(&k.p8[i]))
	}
}

// blockOf returns the block whose cache entry is e. Every entry that this
// package stores is the first field of a block.
func blockOf(e *cache.Entry) *block { return (*block)(unsafe.Pointer(e)) }

// blockSize is the memory a block takes beside its bytes.
const blockSize = int64(unsafe.Sizeof(block{}))
