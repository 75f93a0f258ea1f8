package background

import (
	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/manifest"
)

// Range reads lose time to every source that they merge; rows.Loss counts the loss in
// bytes that could have been merged in the same time. The credit is spent on merging
// the sources, once readers have lost as much time as that takes and not before.
//
//	rows.Iter ──► rows.Loss.Runs ────────────► Pick: fewer runs
//	          └─► readstate.Mem.Lost ──► flush ──┘

// readCredit returns how many bytes may be merged for what readers have lost to the
// runs of v. It is capped by the free disk space and by the size of all tables;
// anything above the cap is discarded.
func (w *Work) readCredit(v *manifest.Version) uint64 {
	loss := &w.cfg.Rows.Loss
	lost := loss.Runs.Load()
	if lost <= 0 {
		return 0
	}
	if rs := w.cfg.States.Current.Load(); len(v.Runs) < 2 {
		if rs != nil && len(rs.Imms) == 0 { // else there will soon be more
			loss.Spend(lost)
		}
		return 0
	}
	if over := lost - w.cfg.States.Tables.FileBytes(); over > 0 {
		loss.Spend(over)
		lost -= over
	}
	return uint64(max(0, min(lost, w.cfg.Section.MergeRoom())))
}

// minFilled is the part of a memtable's room from which on it counts for its
// readers while it is being written to: a smaller one is cheap to seek in, and the
// next one would soon be as large.
const minFilled = 4

// memReaders is what decides whether a memtable is flushed for its readers.
type memReaders struct {
	lost   int64 // bytes of merging
	bytes  int64 // that its table will have
	upon   int64 // bytes of the tables it is then merged with
	filled int64 // bytes
	room   int64 // bytes
	idle   bool  // there are no writes
}

// decide returns whether the memtable's readers have paid for its flush and the
// merge that follows, and else whether what they have lost is to be forgotten,
// since no flush could mend it. Both would be done anyway, some time: what doing
// them now costs more is that the tables below are rewritten once more, or at least
// that one more table is made. It is a pure function.
func (m memReaders) decide() (flush, forget bool) {
	if !m.idle && m.filled < m.room/minFilled {
		return false, true
	}
	return m.lost > 0 && m.lost >= max(m.bytes, m.upon), false
}

// FlushForReaders sets the memtable aside if its readers have paid for that. The
// merge that follows is paid for then, too.
func (w *Work) FlushForReaders() error {
	mem, m := w.memReaders()
	flush, forget := m.decide()
	if forget {
		mem.Lost.Store(0)
	}
	if !flush || w.cfg.Section.MergeRoom() < m.bytes+m.upon {
		return nil
	}
	if err := w.cfg.Section.Rotate(mem); err != nil {
		return err
	}
	mem.Lost.Store(0)
	w.cfg.Rows.Loss.Runs.Add(m.bytes + m.upon)
	return nil
}

// A table takes about tableExtra and an eighth more than its records.
const tableExtra = 1 << 10

// memReaders returns the memtable and what is known of its readers: nothing if they
// have lost nothing, or if others wait to be flushed before it.
func (w *Work) memReaders() (mem *readstate.Mem, m memReaders) {
	m = memReaders{room: w.cfg.MemtableBytes, idle: true}
	rs, n := w.cfg.States.Pin()
	if rs == nil {
		return nil, m
	}
	defer w.cfg.States.Unpin(rs, n)
	mem = rs.Mem
	if mem.Lost.Load() == 0 || len(rs.Imms) > 0 {
		return mem, m
	}
	w.mu.Lock()
	m.idle, _ = w.idleLocked()
	w.mu.Unlock()
	m.lost, m.filled = mem.Lost.Load(), mem.Filled()
	records := int64(w.cfg.Section.Log().Appended() - mem.Begin)
	m.bytes = records + records/8 + tableExtra
	m.upon = int64(compaction.Upon(rs.Version, Span(mem.Table)))
	return mem, m
}
