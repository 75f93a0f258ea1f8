package memtable

import "unsafe"

// The first touch of fresh memory costs the kernel some two microseconds for each
// page of 4 KiB, a tenth of a fill with small values and a third with large ones.
// So whoever has the time makes the next chunk, and touches it, while the writer
// fills the one before.

// pageBytes is the smallest page there is.
const pageBytes = 4 << 10

// WantsChunk reports, once for each chunk, that the table will need another full
// one which somebody should Prepare. Writer only.
func (t *Table) WantsChunk() bool {
	wants := t.arena.wanting
	t.arena.wanting = false
	return wants
}

// Prepare makes the chunk that the table opens next, a MiB of memory that is paged
// in already. It does nothing if there is one. Any goroutine may call it beside
// everything else, at any time; it takes half a millisecond.
func (t *Table) Prepare() {
	a := &t.arena
	if a.ahead.Load() != nil {
		return
	}
	chunk := make([]uint64, 1<<chunkShift)
	for i := 0; i < len(chunk); i += pageBytes / unitBytes {
		chunk[i] = 0
	}
	a.ahead.CompareAndSwap(nil, &chunk[0])
}

// fresh returns new memory of n units: the chunk that was made ahead, if a full
// one is asked for.
func (a *arena) fresh(n uint64) unsafe.Pointer {
	if n == 1<<chunkShift {
		if chunk := a.ahead.Swap(nil); chunk != nil {
			return unsafe.Pointer(chunk)
		}
	}
	return unsafe.Pointer(unsafe.SliceData(make([]uint64, n)))
}

// aheadBytes returns how much memory lies ready.
func (a *arena) aheadBytes() int64 {
	if a.ahead.Load() == nil {
		return 0
	}
	return chunkBytes
}
