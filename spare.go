package siltstone

import (
	"sync"

	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/memtable"
)

// spare keeps a memtable that has been flushed, and that no read state lists any
// more, for the next rotation: its memory need not be paged in, zeroed by the
// system and collected again. One is enough: under load one is being filled while
// the one before it is flushed. Safe for concurrent use.
type spare struct {
	blocks *cache.Cache // the budget it counts in

	mu    sync.Mutex
	table *memtable.Table // nil: none
}

// offer takes a table that nobody reads.
func (s *spare) offer(t *memtable.Table) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.table != nil {
		s.blocks.Waste(t.Bytes())
		return
	}
	s.table = t
	s.blocks.Reserve(t.Bytes())
}

// take returns the table, to be reset; nil if there is none.
func (s *spare) take() *memtable.Table {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.table
	if s.table = nil; t != nil {
		s.blocks.Release(t.Bytes())
	}
	return t
}

// drop gives the memory up.
func (s *spare) drop() {
	if t := s.take(); t != nil {
		s.blocks.Waste(t.Bytes())
	}
}

// held returns how many bytes the table holds.
func (s *spare) held() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.table == nil {
		return 0
	}
	return s.table.Bytes()
}

// emptyMemtable returns a memtable for the next rotation. It may take a
// millisecond, so it is called outside the commit section.
func (db *DB) emptyMemtable() *memtable.Table {
	t := db.spare.take()
	if t == nil {
		return memtable.New(int(db.opts.MemtableBytes))
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
func (db *DB) memSpent(m *memState) {
	db.blocks.Release(m.reserved)
	if m.usual {
		db.spare.offer(m.Table)
	}
}
