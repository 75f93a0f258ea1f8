package typed

import "strings"

// nameArena cuts the strings that a call returns out of shared chunks, so that
// a hundred short names cost one allocation. A name that is kept keeps its chunk
// of at most 4 KiB. The zero value is ready; not safe for concurrent use.
type nameArena struct {
	chunk strings.Builder
	size  int // of the current chunk, bytes
}

const (
	chunkMin = 128 // first chunk: most collections are small
	chunkMax = 4 << 10
	alone    = chunkMax / 4 // a name this long gets an allocation of its own
)

// name returns b as a string.
func (a *nameArena) name(b []byte) string {
	if len(b) >= alone {
		return string(b)
	}
	if len(b) > a.size-a.chunk.Len() {
		a.size = min(max(chunkMin, 2*a.size, len(b)), chunkMax)
		a.chunk.Reset()
		a.chunk.Grow(a.size)
	}
	start := a.chunk.Len()
	a.chunk.Write(b)
	return a.chunk.String()[start:]
}
