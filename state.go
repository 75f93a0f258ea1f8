package siltstone

import (
	"sync"
	"sync/atomic"

	"github.com/siltstonedb/siltstone/manifest"
)

// states publishes read states and knows which are still in use. Safe for
// concurrent use.
type states struct {
	current atomic.Pointer[readState] // nil after Close
	tables  *tableCache
	drained func()          // called when a state has ended: there may be files to remove
	spent   func(*memState) // called when the last state that lists a memtable has ended

	mu    sync.Mutex // guards publication and alive
	alive map[*readState]struct{}
}

// pin returns the current state, pinned for a call, and the stripe to unpin it
// with; nil after Close.
func (s *states) pin() (*readState, int) {
	n := stripe()
	for {
		rs := s.current.Load()
		if rs == nil {
			return nil, 0
		}
		rs.calls.add(n, 1)
		if s.current.Load() == rs {
			return rs, n
		}
		s.unpin(rs, n)
	}
}

func (s *states) unpin(rs *readState, stripe int) {
	if rs.calls.add(stripe, -1) == 0 && rs.retired.Load() {
		s.tryEnd(rs)
	}
}

// hold returns the current state, held until drop is called on it; nil after
// Close.
func (s *states) hold() *readState {
	rs, n := s.pin()
	if rs != nil {
		rs.holders.Add(1)
		s.unpin(rs, n)
	}
	return rs
}

// holdTables is hold for those who need the tables alone: the memtables of the
// moment are not kept for them.
func (s *states) holdTables() *readState {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.current.Load()
	if now == nil {
		return nil
	}
	rs := &readState{version: now.version}
	rs.runs, rs.tableSeq = s.tables.acquire(rs.version)
	rs.retired.Store(true)
	rs.holders.Store(1)
	s.alive[rs] = struct{}{}
	return rs
}

func (s *states) drop(rs *readState) {
	if rs.holders.Add(-1) == 0 && rs.retired.Load() {
		s.tryEnd(rs)
	}
}

// tryEnd releases the tables of a retired state that nobody uses any more.
func (s *states) tryEnd(rs *readState) {
	if rs.holders.Load() != 0 || !rs.calls.zero() || rs.holders.Load() != 0 {
		return
	}
	if rs.ended.Swap(true) {
		return
	}
	s.mu.Lock()
	delete(s.alive, rs)
	var spent []*memState
	rs.eachMem(func(m *memState) {
		if m.refs--; m.refs == 0 {
			spent = append(spent, m)
		}
	})
	s.mu.Unlock()
	for _, m := range spent {
		s.spent(m)
	}
	s.tables.release(rs)
	s.drained()
}

// publish replaces the current state by one with the parts that edit changes.
// Nil edits keep everything and only make a new state.
func (s *states) publish(edit func(rs *readState)) {
	s.mu.Lock()
	old := s.current.Load()
	next := &readState{}
	if old != nil {
		next.mem, next.imms, next.version = old.mem, old.imms, old.version
	}
	edit(next)
	next.runs, next.tableSeq = s.tables.acquire(next.version)
	s.alive[next] = struct{}{}
	next.eachMem(func(m *memState) { m.refs++ })
	s.current.Store(next)
	s.mu.Unlock()
	if old != nil {
		old.retired.Store(true)
		s.tryEnd(old)
	}
}

// eachMem calls f for every memtable of the state.
func (rs *readState) eachMem(f func(*memState)) {
	if rs.mem != nil {
		f(rs.mem)
	}
	for _, m := range rs.imms {
		f(m)
	}
}

// trim closes table files beyond the limit as soon as nobody can be using them.
// The current state may be, so it is replaced by one like it.
func (s *states) trim() {
	s.mu.Lock()
	n := s.tables.trim(s.alive)
	s.mu.Unlock()
	if n > 0 {
		s.publish(func(*readState) {})
	}
}

// end publishes nothing: later pins fail. It returns the last state.
func (s *states) end() *readState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current.Swap(nil)
}

// version returns the version of the current state.
func (s *states) version() *manifest.Version {
	if rs := s.current.Load(); rs != nil {
		return rs.version
	}
	return &manifest.Version{}
}
