package readstate

import (
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/manifest"
)

// States publishes read states and knows which are still in use. It is safe for
// concurrent use.
type States struct {
	Current atomic.Pointer[State] // nil after Close
	Tables  *Tables
	Points  Points     // the registered read points
	Gaps    Gaps       // what walks have found empty
	Drained func()     // called when a state has ended: there may be files to remove
	Spent   func(*Mem) // called when the last state that lists a memtable has ended
	// Following says that another process writes the store: a state does not change
	// while it is the current one, and no merge keeps what a read point can see. Who
	// reads at one holds its state. Constant after Open.
	Following bool

	mu    invariants.Mutex // guards publication and alive
	alive map[*State]struct{}
}

// Pin returns the current state, pinned for a call, and what to unpin it with; nil
// after Close.
func (s *States) Pin() (*State, int) {
	n := stripe()
	for {
		rs := s.Current.Load()
		if rs == nil {
			return nil, 0
		}
		pinned := rs.Calls.pin(n)
		if s.Current.Load() == rs {
			if invariants.Enabled {
				invariants.Check(!rs.ended.Load(), "state has ended while it is the current one")
			}
			return rs, pinned
		}
		s.Unpin(rs, pinned)
	}
}

// Unpin ends a Pin.
func (s *States) Unpin(rs *State, pinned int) {
	if rs.Calls.unpin(pinned) && rs.retired.Load() {
		s.tryEnd(rs)
	}
}

// Hold returns the current state, held until Drop is called on it; nil after
// Close.
func (s *States) Hold() *State {
	rs, n := s.Pin()
	if rs != nil {
		rs.Holders.Add(1)
		s.Unpin(rs, n)
	}
	return rs
}

// HoldTables is Hold for callers that need the tables alone: it does not keep the
// memtables of the moment.
func (s *States) HoldTables() *State {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Current.Load()
	if now == nil {
		return nil
	}
	rs := s.newState()
	rs.Version = now.Version
	rs.Runs, rs.TableSeq = s.Tables.acquire(rs.Version)
	rs.retired.Store(true)
	rs.Holders.Store(1)
	s.alive[rs] = struct{}{}
	return rs
}

// Drop ends a Hold.
func (s *States) Drop(rs *State) {
	if rs.Holders.Add(-1) == 0 && rs.retired.Load() {
		s.tryEnd(rs)
	}
}

// tryEnd releases the tables of a retired state that is not in use any more.
func (s *States) tryEnd(rs *State) {
	if rs.Holders.Load() != 0 || !rs.Calls.Zero() || rs.Holders.Load() != 0 {
		return
	}
	if rs.ended.Swap(true) {
		return
	}
	s.mu.Lock()
	delete(s.alive, rs)
	var spent []*Mem
	rs.EachMem(func(m *Mem) {
		if invariants.Enabled {
			invariants.Check(m.refs > 0, "memtable of log %d is let go of once too often", uint64(m.Log))
		}
		if m.refs--; m.refs == 0 {
			spent = append(spent, m)
		}
	})
	s.mu.Unlock()
	for _, m := range spent {
		s.Spent(m)
	}
	s.Tables.release(rs)
	s.Drained()
}

// Publish replaces the current state by one with the parts that edit changes.
// Nil edits keep everything and only make a new state.
func (s *States) Publish(edit func(rs *State)) {
	s.mu.Lock()
	old := s.Current.Load()
	next := s.newState()
	if old != nil {
		next.Mem, next.Imms, next.Version = old.Mem, old.Imms, old.Version
		next.LastSeq, next.Gaps = old.LastSeq, old.Gaps
	}
	edit(next)
	s.addLocked(next)
	s.replaceLocked(next)
	s.mu.Unlock()
	s.retire(old)
}

// addLocked makes a state, whose version and memtables are set, one that is alive.
func (s *States) addLocked(rs *State) {
	rs.Runs, rs.TableSeq = s.Tables.acquire(rs.Version)
	s.alive[rs] = struct{}{}
	rs.EachMem(func(m *Mem) { m.refs++ })
	if invariants.Enabled {
		s.checkLocked(rs)
	}
}

// replaceLocked makes a state the current one and returns the one before, which the
// caller retires without the lock.
func (s *States) replaceLocked(next *State) (old *State) {
	old = s.Current.Load()
	s.Current.Store(next)
	if old != nil && s.Points.Clock != nil {
		old.until, old.replaced = s.Points.Clock.Now(), true
	}
	return old
}

// retire says that a state is not the current one any more; nil is none.
func (s *States) retire(old *State) {
	if old != nil {
		old.retired.Store(true)
		s.tryEnd(old)
	}
}

// EachMem calls f for every memtable of the state.
func (rs *State) EachMem(f func(*Mem)) {
	if rs.Mem != nil {
		f(rs.Mem)
	}
	for _, m := range rs.Imms {
		f(m)
	}
}

// Trim closes table files beyond the limit as soon as no read state can use them.
// The current state may be, so it is replaced by one like it.
func (s *States) Trim() {
	s.mu.Lock()
	n := s.Tables.trim(s.alive)
	s.mu.Unlock()
	if n > 0 {
		s.Publish(func(*State) {})
	}
}

// End publishes nothing: later pins fail. It returns the last state.
func (s *States) End() *State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Current.Swap(nil)
}

// NewStates returns no state yet: Publish makes the first one.
func NewStates(t *Tables) *States {
	s := &States{Tables: t, alive: map[*State]struct{}{}}
	invariants.SetRank(&s.mu, invariants.States)
	invariants.SetRank(&s.Points.mu, invariants.ReadPoints)
	return s
}

// Version returns the version of the current state.
func (s *States) Version() *manifest.Version {
	if rs := s.Current.Load(); rs != nil {
		return rs.Version
	}
	return &manifest.Version{}
}

// ReadError turns the error a read met while the store was being closed under
// it into base.ErrClosed.
func (s *States) ReadError(err error) error {
	if s.Current.Load() == nil {
		return base.ErrClosed
	}
	return err
}

// MemtableBytes returns the bytes of the memtables that states in use list: an open
// iterator keeps those of its beginning.
func (s *States) MemtableBytes() (sum int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[*Mem]bool{}
	for rs := range s.alive {
		rs.EachMem(func(m *Mem) {
			if !seen[m] {
				seen[m] = true
				sum += m.Bytes()
			}
		})
	}
	return sum
}

// Oldest returns since which reading of the store's clock the oldest snapshot, transaction
// or iterator has been open, and for how long. Without any ok is false. For an iterator
// the age is a lower bound: it counts from the flush or merge that replaced the state which
// the iterator reads, because until then it keeps nothing.
func (s *States) Oldest() (since int64, age time.Duration, ok bool) {
	since, ok = s.Points.oldest()
	s.mu.Lock()
	for rs := range s.alive {
		if rs.replaced && rs.Holders.Load() > 0 && (!ok || rs.until < since) {
			since, ok = rs.until, true
		}
	}
	s.mu.Unlock()
	if !ok {
		return 0, 0, false
	}
	return since, time.Duration(max(0, s.Points.Clock.Now()-since)) * time.Millisecond, true
}

// PinnedBy returns the bytes of the tables and memtables that only rs, of the
// states in use, has.
func (s *States) PinnedBy(rs *State) (sum int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, alive := s.alive[rs]; !alive || rs == s.Current.Load() {
		return 0
	}
	tables, mems := map[base.FileNum]bool{}, map[*Mem]bool{}
	for other := range s.alive {
		if other == rs {
			continue
		}
		mems[other.Mem] = true
		for _, m := range other.Imms {
			mems[m] = true
		}
		for _, t := range other.Version.AllTables() {
			tables[t.Num] = true
		}
	}
	for _, m := range append([]*Mem{rs.Mem}, rs.Imms...) {
		if !mems[m] {
			sum += m.Bytes()
		}
	}
	for _, t := range rs.Version.AllTables() {
		if !tables[t.Num] {
			sum += int64(t.Size)
		}
	}
	return sum
}
