package siltstone

import (
	"sync"

	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/memtable"
)

// spares keeps memtables that have been flushed, and that no read state lists
// any more, for the next rotation: their memory need not be paged in, zeroed by
// the system and collected again. Safe for concurrent use.
type spares struct {
	blocks *cache.Cache // the budget they count in

	mu     sync.Mutex
	tables []*memtable.Table
	bytes  int64
}

// mostSpares is how many tables are kept: under load one is being filled while
// the one before it is flushed.
const mostSpares = 1

// offer takes a table that nobody reads.
func (s *spares) offer(t *memtable.Table) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tables) >= mostSpares {
		s.blocks.Waste(t.Bytes())
		return
	}
	s.tables = append(s.tables, t)
	s.bytes += t.Bytes()
	s.blocks.Reserve(t.Bytes())
}

// take returns a table to be reset, nil if there is none.
func (s *spares) take() *memtable.Table {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tables) == 0 {
		return nil
	}
	last := len(s.tables) - 1
	t := s.tables[last]
	s.tables[last], s.tables = nil, s.tables[:last]
	s.bytes -= t.Bytes()
	s.blocks.Release(t.Bytes())
	return t
}

// drop gives the memory up.
func (s *spares) drop() {
	for t := s.take(); t != nil; t = s.take() {
		s.blocks.Waste(t.Bytes())
	}
}

// held returns how many bytes the spare tables hold.
func (s *spares) held() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// emptyMemtable returns a memtable for the next rotation. It may take a
// millisecond, so it is called outside the commit section.
func (db *DB) emptyMemtable() *memtable.Table {
	t := db.spares.take()
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
		db.spares.offer(m.Table)
	}
}
