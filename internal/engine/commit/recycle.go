package commit

import (
	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/memtable"
)

// Recycler keeps the memory of memtables that have been flushed, and that no read
// state lists any more, for those being filled: it need not be paged in, zeroed by
// the system and collected again. The indexes stay with one table, for the next
// rotation; its chunks go to the memtable being filled as that needs them. It is
// safe for concurrent use.
type Recycler struct {
	mu       invariants.Mutex
	table    *memtable.Table // without chunks; nil: none
	reserved int64           // of the budget

	chunks memtable.Chunks

	// constant
	section *Section
	blocks  *cache.Cache // the budget it counts in
	most    int64        // bytes of chunks that are kept
}

// New returns an empty memtable table that takes its chunks from those that are kept.
func (r *Recycler) New() *memtable.Table { return r.chunks.New(int(r.most)) }

// Spent takes the table of a memtable that no read state lists any more, but for a
// commit that may be validating against the state before. It validates inside the
// commit section, and that is where chunks are taken.
func (r *Recycler) Spent(m *readstate.Mem) {
	r.blocks.Release(m.Reserved)
	if invariants.Enabled {
		r.section.checkSpent(m)
	}
	if !m.Usual {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	m.Table.Release()
	wasted := r.chunks.Shrink(r.most)
	if r.table == nil {
		r.table = m.Table
	} else {
		wasted += m.Table.Bytes()
	}
	r.settleLocked()
	r.blocks.Waste(wasted)
}

// take returns an empty table to take the place of full. It may take a
// millisecond, so it is called outside the commit section.
func (r *Recycler) take(full *readstate.Mem) *memtable.Table {
	r.mu.Lock()
	t := r.table
	r.table = nil
	r.settleLocked()
	r.mu.Unlock()
	if t == nil {
		t = r.New()
		t.Reserve(full.Capacity())
		return t
	}
	// A commit validates against the current state without pinning it. Taking and
	// releasing the section's lock waits for any commit that may still be validating
	// against a state that listed this table.
	r.section.mu.Lock()
	if invariants.Enabled {
		r.chunks.Poison()
	}
	r.section.mu.Unlock()
	t.Reset(int(r.most))
	return t
}

// Drop gives the memory up.
func (r *Recycler) Drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	wasted := r.bytesLocked()
	r.table = nil
	r.chunks.Shrink(0)
	r.settleLocked()
	r.blocks.Waste(wasted)
}

// settleLocked reserves in the budget as many bytes as are kept. Chunks that are taken
// between two calls stay reserved until the second.
func (r *Recycler) settleLocked() {
	held := r.bytesLocked()
	if more := held - r.reserved; more > 0 {
		r.blocks.Reserve(more)
	} else {
		r.blocks.Release(-more)
	}
	r.reserved = held
}

// Bytes returns how many bytes are kept.
func (r *Recycler) Bytes() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytesLocked()
}

func (r *Recycler) bytesLocked() int64 {
	n := r.chunks.Bytes()
	if r.table != nil {
		n += r.table.Bytes()
	}
	return n
}
