package readstate

import (
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/manifest"
)

// knownRangeDeletes returns a table's range tombstones if its reader is open.
func (rs *State) KnownRangeDeletes(m *manifest.Table) *rangedel.List {
	if m.RangeDeletes == 0 {
		return nil
	}
	if o := rs.openTable(m); o != nil {
		return o.RangeDeletes()
	}
	return nil
}

// knownBytes returns about how many bytes of a table lie in [lo, hi) if its
// reader is open.
func (rs *State) KnownBytes(m *manifest.Table, lo, hi []byte) (n uint64, known bool) {
	o := rs.openTable(m)
	if o == nil {
		return 0, false
	}
	return uint64(max(0, o.ApproximateOffset(hi)-o.ApproximateOffset(lo))), true
}

// openTable returns the reader of a table if it is open.
func (rs *State) openTable(m *manifest.Table) *OpenTable {
	for i := range rs.Runs {
		for _, t := range rs.Runs[i].Tables {
			if t.Num == m.Num {
				return t.Reader.Load()
			}
		}
	}
	return nil
}
