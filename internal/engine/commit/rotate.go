package commit

import (
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/memtable"
)

// Rotate replaces the full memtable and its log by new ones. full is the memtable that
// the caller saw: if another caller has replaced it there is nothing to do. Rotate
// waits while too many memtables are unflushed.
func (s *Section) Rotate(full *readstate.Mem) error {
	s.rotating.Lock()
	defer s.rotating.Unlock()
	if s.Mem() != full {
		return nil
	}
	if err := s.awaitFlushes(0); err != nil {
		return err
	}
	empty := s.Recycler.take(full)
	for done := false; !done; {
		if err := s.cfg.Files.Make(1, 0); err != nil {
			return err
		}
		done = s.rotateTo(full, empty)
	}
	s.hooks.Rotated()
	return nil
}

// rotateTo rotates to empty, inside the commit section. It reports false if the log
// that was prepared has been taken by a change with a table of its own.
func (s *Section) rotateTo(full *readstate.Mem, empty *memtable.Table) (done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mem != full || s.closed {
		return true
	}
	if !s.cfg.Files.Ready(1, 0) {
		return false
	}
	seg := s.cfg.Files.Take()
	s.sealLocked(full)
	s.log.Rotate(seg)
	s.replaceLocked(&readstate.Mem{Table: empty, Log: seg.Number, Begin: full.End, Usual: true})
	return true
}

// replaceLocked publishes fresh as the memtable that takes writes; the one before
// waits to be flushed.
func (s *Section) replaceLocked(fresh *readstate.Mem) {
	old := s.mem
	s.mem = fresh
	s.states.Publish(func(rs *readstate.State) {
		rs.Imms = append([]*readstate.Mem{old}, rs.Imms...)
		rs.Mem = fresh
	})
}

// SealLast sets the memtable aside for the last flush of a store that is being
// closed, if it holds anything. The log goes on to the end: an empty memtable,
// which never takes a record, follows it under the number that newNum returns.
func (s *Section) SealLast(fresh *readstate.Mem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealLocked(s.mem)
	s.replaceLocked(fresh)
}

// sealLocked notes that mem gets no more records.
func (s *Section) sealLocked(mem *readstate.Mem) {
	mem.End = s.log.Appended()
	mem.Reserved = mem.Bytes()
	s.states.Tables.Cache().Reserve(mem.Reserved)
}

// reserveSteps is in how many steps the mutable memtable's room is reserved.
const reserveSteps = 8

// reserveLocked reserves budget for the mutable memtable in eighths as it fills, so
// that a store that is only read leaves that room to the cache. The reservation is
// kept for later memtables, which fill memory that is there already. Sealed ones
// reserve their own size.
func (s *Section) reserveLocked() {
	want, step := s.mem.Bytes(), s.cfg.MemtableBytes/reserveSteps
	for s.reserved < min(want+step, s.cfg.MemtableBytes) {
		step := max(1, min(step, s.cfg.MemtableBytes-s.reserved))
		s.reserved += step
		s.states.Tables.Cache().Reserve(step)
	}
}

// Reserved returns how much of the memory budget is reserved for the mutable
// memtable.
func (s *Section) Reserved() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reserved
}
