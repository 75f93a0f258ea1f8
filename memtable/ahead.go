package memtable

// The first touch of fresh memory costs the kernel some two microseconds for each
// page of 4 KiB: a tenth of a fill with small values, a third with large ones, and
// milliseconds at once where the hash index doubles. So whoever has the time makes
// the next chunk and the next hash table, and touches them, while the writer fills
// those before.

// pageBytes is the smallest page there is.
const pageBytes = 4 << 10

// leastAhead is the smallest hash table, in slots, whose successor is made ahead.
const leastAhead = 1 << 16

// Wants reports, once for each piece of memory, that the table will need one more
// which somebody should Prepare. Writer only.
func (t *Table) Wants() bool {
	wants := t.arena.wanting || t.index.wanting
	if wants {
		t.arena.wanting, t.index.wanting = false, false
	}
	return wants
}

// Prepare makes what the table wants, paged in already: the chunk it opens next,
// which is left with the table's Chunks, and the hash table it grows into. It does
// nothing if the table wants nothing. Any goroutine may call it beside everything
// else, at any time; it takes half a millisecond for a MiB.
func (t *Table) Prepare() {
	if t.arena.wanted.Swap(false) {
		t.arena.source.prepare()
	}
	if t.index.wanted.Swap(false) {
		h := newHashTable(2 * len(t.index.table.Load().slots))
		for i := 0; i < len(h.slots); i += pageBytes / unitBytes {
			h.slots[i].Store(0)
		}
		t.index.ahead.Store(h)
	}
}

// want asks for the next chunk.
func (a *arena) want() {
	a.wanting = true
	a.wanted.Store(true)
}

// want asks for the table of twice the size.
func (x *hashIndex) want() {
	x.wanting = true
	x.wanted.Store(true)
}

// fresh returns an empty table of n slots, the one that was made ahead if it is of
// that size.
func (x *hashIndex) fresh(n int) *hashTable {
	if h := x.ahead.Swap(nil); h != nil && len(h.slots) == n {
		return h
	}
	return newHashTable(n)
}

// aheadBytes returns how much memory lies ready.
func (x *hashIndex) aheadBytes() int64 {
	if h := x.ahead.Load(); h != nil {
		return int64(len(h.slots)) * 8
	}
	return 0
}
