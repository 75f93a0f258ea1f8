package readstate

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/manifest"
)

// Known answers questions about the tables of a State without any I/O: about the
// tables whose readers are open. It is not safe for concurrent use.
type Known struct {
	state   *State
	handles map[base.FileNum]*Table // made when first needed
}

// Known returns a Known of the state's tables.
func (rs *State) Known() *Known { return &Known{state: rs} }

// Handle returns the handle of a table of the state.
func (k *Known) Handle(m *manifest.Table) *Table {
	if k.handles == nil {
		k.handles = map[base.FileNum]*Table{}
		for i := range k.state.Runs {
			for _, t := range k.state.Runs[i].Tables {
				k.handles[t.Num] = t
			}
		}
	}
	return k.handles[m.Num]
}

// open returns the reader of a table if it is open.
func (k *Known) open(m *manifest.Table) *OpenTable {
	if t := k.Handle(m); t != nil {
		return t.Opened()
	}
	return nil
}

// RangeDeletes returns a table's range tombstones if its reader is open.
func (k *Known) RangeDeletes(m *manifest.Table) *rangedel.List {
	if m.RangeDeletes == 0 {
		return nil
	}
	if o := k.open(m); o != nil {
		return o.RangeDeletes()
	}
	return nil
}

// Bytes returns about how many bytes of a table lie in [lo, hi) if its reader is
// open.
func (k *Known) Bytes(m *manifest.Table, lo, hi []byte) (n uint64, known bool) {
	o := k.open(m)
	if o == nil {
		return 0, false
	}
	return uint64(max(0, o.ApproximateOffset(hi)-o.ApproximateOffset(lo))), true
}
