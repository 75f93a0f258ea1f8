package sstable

import (
	"encoding/binary"
	"errors"

	"github.com/bits-and-blooms/bloom/v3"
)

// filter is a bloom filter over the row keys of a table, blocked by cache lines:
// a key's bits all lie in one line of 512 bits, so a probe costs one miss. Its
// words are held by a bits-and-blooms filter; where the bits are is decided
// here, from the key's xxhash alone:
//
//	line   = (top 32 bits of hash) · lines >> 32
//	bit i  = top 9 bits of d·0x9E3779B1^i mod 2³², d = low 32 bits of hash
//
// It is immutable and safe for concurrent use.
//
// The section:
//
//	+---------------+----------+----------+-----------+------------------+
//	| algorithm 4 B | bits 4 B | lines 4 B| keys 4 B  | words, 8 B each  |
//	| 1: as above   | per key  |          |           | eight per line   |
//	+---------------+----------+----------+-----------+------------------+
type filter struct {
	words []uint64 // of bloom
	lines uint64
	bloom *bloom.BloomFilter
}

const (
	filterAlgorithm = 1
	filterHeaderLen = 16
	filterMix       = 0x9E3779B1
	lineWords       = 8
	maxFilterBits   = 32
	maxFilterProbes = 12
)

var errFilter = errors.New("filter is malformed")

// newFilter returns the filter of the keys with these hashes. It lies in words if
// they have room for it.
func newFilter(words, hashes []uint64, bits, probes int) *filter {
	lines := max(1, (uint64(len(hashes))*uint64(bits)+511)/512)
	n := int(lines * lineWords)
	if cap(words) < n {
		words = make([]uint64, n)
	}
	words = words[:n]
	clear(words)
	f := &filter{lines: lines, bloom: bloom.From(words, uint(probes))}
	set := f.bloom.BitSet()
	for _, h := range hashes {
		first, d := uint((h>>32)*lines>>32)*512, uint32(h)
		for range probes {
			set.Set(first + uint(d>>23))
			d *= filterMix
		}
	}
	f.words = set.Words()
	return f
}

// filterProbes returns how many bits of a key are set for the given bits per
// key. It is part of the format: readers compute it from the section's header.
func filterProbes(bits int) int { return min(max(1, bits*6/10), maxFilterProbes) }

// mayContain reports whether a key of the given hash may be in the filter.
func (f *filter) mayContain(hash uint64) bool {
	line := int((hash >> 32) * f.lines >> 32 * lineWords)
	w := f.words[line : line+lineWords : line+lineWords]
	d := uint32(hash)
	for range f.bloom.K() {
		if w[d>>29]>>(d>>23&63)&1 == 0 {
			return false
		}
		d *= filterMix
	}
	return true
}

// appendTo appends the section without its checksum.
func (f *filter) appendTo(dst []byte, bits, keys int) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, filterAlgorithm)
	dst = le.AppendUint32(dst, uint32(bits))
	dst = le.AppendUint32(dst, uint32(f.lines))
	dst = le.AppendUint32(dst, uint32(keys))
	for _, w := range f.words {
		dst = le.AppendUint64(dst, w)
	}
	return dst
}

// decodeFilter decodes the section. The filter may share payload's memory.
func decodeFilter(payload []byte) (*filter, error) {
	if len(payload) < filterHeaderLen || binary.LittleEndian.Uint32(payload) != filterAlgorithm {
		return nil, errFilter
	}
	bits := binary.LittleEndian.Uint32(payload[4:])
	lines := uint64(binary.LittleEndian.Uint32(payload[8:]))
	words := payload[filterHeaderLen:]
	if bits == 0 || bits > maxFilterBits || lines == 0 || lines*lineWords*8 != uint64(len(words)) {
		return nil, errFilter
	}
	f := &filter{lines: lines, bloom: bloom.From(uint64s(words), uint(filterProbes(int(bits))))}
	f.words = f.bloom.BitSet().Words()
	return f, nil
}
