package siltstone

import (
	"sync"

	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/memtable"
)

// spare keeps the memory of memtables that have been flushed, and that no read
// state lists any more, for those being filled: it need not be paged in, zeroed
// by the system and collected again. The indexes stay with one table, for the
// next rotation; its chunks go to the memtable being filled as that needs them.
// Safe for concurrent use.
type spare struct {
	blocks *cache.Cache // the budget it counts in
	most   int64        // bytes of chunks that are kept
	chunks memtable.Chunks

	mu       sync.Mutex
	table    *memtable.Table // without chunks; nil: none
	reserved int64           // of the budget
}

// offer takes a table that nobody reads, but for a commit that may be validating
// against the state before. It validates inside the commit section, and that is
// where chunks are taken.
func (s *spare) offer(t *memtable.Table) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.Release()
	wasted := s.chunks.Shrink(s.most)
	if s.table == nil {
		s.table = t
	} else {
		wasted += t.Bytes()
	}
	s.settle()
	s.blocks.Waste(wasted)
}

// take returns a table to be reset, nil if there is none.
func (s *spare) take() *memtable.Table {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.table
	s.table = nil
	s.settle()
	return t
}

// drop gives the memory up.
func (s *spare) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	wasted := s.bytes()
	s.table = nil
	s.chunks.Shrink(0)
	s.settle()
	s.blocks.Waste(wasted)
}

// settle makes the reserved part of the budget what is held. Chunks that are
// taken in between are counted until then.
func (s *spare) settle() {
	held := s.bytes()
	if more := held - s.reserved; more > 0 {
		s.blocks.Reserve(more)
	} else {
		s.blocks.Release(-more)
	}
	s.reserved = held
}

// held returns how many bytes are kept.
func (s *spare) held() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes()
}

func (s *spare) bytes() int64 {
	n := s.chunks.Bytes()
	if s.table != nil {
		n += s.table.Bytes()
	}
	return n
}

// emptyMemtable returns a memtable to take the place of full. It may take a
// millisecond, so it is called outside the commit section.
func (db *DB) emptyMemtable(full *readstate.Mem) *memtable.Table {
	t := db.spare.take()
	if t == nil {
		t = db.spare.chunks.New(int(db.opts.MemtableBytes))
		t.Reserve(full.Capacity())
		return t
	}
	// Inside the section a commit is validated against the current state without
	// pinning it. One that entered before the table's last state was replaced has
	// left when this lock is had.
	db.section.Lock()
	//lint:ignore SA2001 the barrier is all that is wanted
	db.section.Unlock()
	t.Reset(int(db.opts.MemtableBytes))
	return t
}

// memSpent is called when no read state lists m any more.
func (db *DB) memSpent(m *readstate.Mem) {
	db.blocks.Release(m.Reserved)
	if m.Usual {
		db.spare.offer(m.Table)
	}
}
