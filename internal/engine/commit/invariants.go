package commit

import (
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/invariants"
)

// What the section takes for granted, asked with -tags invariants alone.

// checkSequencesLocked: what is given out rises, and readers see no more than that.
func (s *Section) checkSequencesLocked(n int) {
	visible := s.Visible()
	invariants.Check(n > 0, "%d operations are made visible", n)
	invariants.Check(visible <= s.lastSeq, "sequence %d is visible, the last one is %d", visible, s.lastSeq)
}

// checkSpent: no reader can find the memtable any more.
func (s *Section) checkSpent(m *readstate.Mem) {
	var rs *readstate.State
	if s.states != nil {
		rs = s.states.Current.Load()
	}
	if rs == nil {
		return
	}
	rs.EachMem(func(o *readstate.Mem) {
		invariants.Check(o != m, "memtable of log %d is given back while the current state lists it", uint64(m.Log))
	})
}
