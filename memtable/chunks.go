package memtable

import (
	"runtime"
	"unsafe"

	"github.com/siltstonedb/siltstone/internal/invariants"
)

// Chunks are full chunks for tables that are being filled: of tables that nobody
// reads any more, or made ahead (Table.Prepare).
//
// A table takes a chunk whenever its last is full, so the memory of a flushed
// table goes over to the next one piece by piece, and two tables that are hardly
// ever full at once hold little more than one. The zero Chunks is ready. It is
// safe for concurrent use.
//
// A chunk is overwritten when it is taken, by whoever adds to a table. Released
// tables may therefore still be read by those who exclude additions to all
// tables of these Chunks.
type Chunks struct {
	mu   invariants.Mutex
	free []chunk
}

type chunk struct {
	at   unsafe.Pointer
	used bool // it has to be zeroed
}

// New returns an empty table, as the function New does, that takes its chunks
// from c as far as there are any.
func (c *Chunks) New(room int) *Table {
	t := New(room)
	t.arena.source = c
	return t
}

// prepare makes a chunk that is paged in already, unless there is one.
func (c *Chunks) prepare() {
	if c.Bytes() > 0 {
		return
	}
	words := make([]uint64, 1<<chunkShift)
	for i := 0; i < len(words); i += pageBytes / unitBytes {
		words[i] = 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.free) == 0 {
		c.free = append(c.free, chunk{at: unsafe.Pointer(unsafe.SliceData(words))})
	}
}

// Bytes returns how much memory the free chunks hold.
func (c *Chunks) Bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(len(c.free)) * chunkBytes
}

// Shrink lets go of free chunks until at most the given bytes are left, and
// returns how many bytes it let go of.
func (c *Chunks) Shrink(bytes int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.free)
	keep := min(n, int(bytes/chunkBytes))
	clear(c.free[keep:])
	c.free = c.free[:keep]
	return int64(n-keep) * chunkBytes
}

// take returns a free chunk, zeroed; nil if there is none.
func (c *Chunks) take() unsafe.Pointer {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	last := len(c.free) - 1
	if last < 0 {
		c.mu.Unlock()
		return nil
	}
	got := c.free[last]
	c.free[last], c.free = chunk{}, c.free[:last]
	c.mu.Unlock()
	if !got.used {
		return got.at
	}
	if invariants.Enabled {
		poison(got.at)
		runtime.Gosched() // whoever still reads it sees that
	}
	clear(unsafe.Slice((*uint64)(got.at), 1<<chunkShift))
	return got.at
}

// Poison spoils the free chunks. Nobody may be reading a released table.
func (c *Chunks) Poison() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.free {
		if f.used {
			poison(f.at)
		}
	}
}

func poison(chunk unsafe.Pointer) {
	invariants.Poison(unsafe.Slice((*byte)(chunk), 8<<chunkShift))
}

// put adds the full chunks of a directory.
func (c *Chunks) put(directory []unsafe.Pointer, sizes []uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, at := range directory {
		if sizes[i] == 1<<chunkShift {
			c.free = append(c.free, chunk{at: at, used: true})
		}
	}
}
