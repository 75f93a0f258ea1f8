package readstate

import "github.com/siltstonedb/siltstone/internal/invariants"

// What a published state must be, asked with -tags invariants alone.

// checkLocked: memtables stand in the order of their logs, newest first, and every
// table of the version has been acquired.
func (s *States) checkLocked(rs *State) {
	newer := rs.Mem
	for _, m := range rs.Imms {
		invariants.Check(newer == nil || newer.Log == 0 || m.Log < newer.Log, "memtable of log %d stands behind that of log %d", uint64(m.Log), uint64(newer.Log))
		newer = m
	}
	invariants.Check(len(rs.Runs) == len(rs.Version.Runs), "%d runs of %d have handles", len(rs.Runs), len(rs.Version.Runs))
	s.Tables.mu.Lock()
	defer s.Tables.mu.Unlock()
	for i, r := range rs.Version.Runs {
		for j, m := range r.Tables {
			t := rs.Runs[i].Tables[j]
			invariants.Check(t.Num == m.Num && t.refs > 0 && s.Tables.tables[m.Num] == t, "table %d is published and not acquired", uint64(m.Num))
		}
	}
}
