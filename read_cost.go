package siltstone

import (
	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/manifest"
)

// readCredit returns how many bytes may be merged for what readers have lost to
// the runs of v. It is capped by the free disk space and by the size of all
// tables; anything above the cap is discarded.
func (db *DB) readCredit(v *manifest.Version) uint64 {
	lost := db.rows.Loss.Runs.Load()
	if lost <= 0 {
		return 0
	}
	if rs := db.states.Current.Load(); len(v.Runs) < 2 {
		if rs != nil && len(rs.Imms) == 0 { // else there will soon be more
			db.rows.Loss.Runs.Add(-lost)
		}
		return 0
	}
	if over := lost - db.disk.tables.Load(); over > 0 {
		db.rows.Loss.Runs.Add(-over)
		lost -= over
	}
	return uint64(max(0, min(lost, db.mergeRoom())))
}

// leastFilled is the part of a memtable's room from which on it counts for its
// readers while it is being written to: a smaller one is cheap to seek in, and
// the next one would soon be as large.
const leastFilled = 4

// memReaders is what decides whether a memtable is flushed for its readers.
type memReaders struct {
	lost   int64 // bytes of merging
	bytes  int64 // that its table will have
	upon   int64 // bytes of the tables it is then merged with
	filled int64 // bytes
	room   int64 // bytes
	idle   bool  // nobody writes
}

// decide returns whether the memtable's readers have paid for its flush and the
// merge that follows, and else whether what they have lost is to be forgotten,
// since no flush could mend it. Both would be done anyway, some time: what doing
// them now costs more is that the tables below are rewritten once more, or at
// least that one more table is made. It is a pure function.
func (m memReaders) decide() (flush, forget bool) {
	if !m.idle && m.filled < m.room/leastFilled {
		return false, true
	}
	return m.lost > 0 && m.lost >= max(m.bytes, m.upon), false
}

// flushForReaders sets the memtable aside if its readers have paid for that. The
// merge that follows is paid for then, too.
func (db *DB) flushForReaders() error {
	mem, m := db.memReaders()
	flush, forget := m.decide()
	if forget {
		mem.Lost.Store(0)
	}
	if !flush || db.mergeRoom() < m.bytes+m.upon {
		return nil
	}
	if err := db.rotate(mem); err != nil {
		return err
	}
	mem.Lost.Store(0)
	db.rows.Loss.Runs.Add(m.bytes + m.upon)
	return nil
}

// tableExtra, and an eighth more than the records, is about what a table takes.
const tableExtra = 1 << 10

// memReaders returns the memtable and what is known of its readers: nothing if
// they have lost nothing, or if others wait to be flushed before it.
func (db *DB) memReaders() (mem *readstate.Mem, m memReaders) {
	m = memReaders{room: db.opts.MemtableBytes, idle: true}
	rs, n := db.states.Pin()
	if rs == nil {
		return nil, m
	}
	defer db.states.Unpin(rs, n)
	mem = rs.Mem
	if mem.Lost.Load() == 0 || len(rs.Imms) > 0 {
		return mem, m
	}
	w := &db.workers
	w.mu.Lock()
	m.idle = db.pickInputLocked().Idle
	w.mu.Unlock()
	m.lost, m.filled = mem.Lost.Load(), mem.Filled()
	records := int64(db.log.Appended() - mem.Begin)
	m.bytes = records + records/8 + tableExtra
	m.upon = int64(compaction.Upon(rs.Version, memSpan(mem)))
	return mem, m
}
