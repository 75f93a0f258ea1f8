package siltstone

import (
	"math/bits"
	"sync/atomic"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/manifest"
)

// Range reads pay for every source that they merge. What that costs them is
// counted here, and spent on merging the sources: once readers have lost as much
// time as that takes, and not before. See compaction.Input.ReadCredit.
//
//	rowIter ──► readLoss.runs ──────────► Pick: fewer runs
//	        └─► memState.lost ──► flush ──┘
//
// A state that is no longer the current one earns nothing, nor does a read point
// older than the newest table: who reads the past pays for versions that no merge
// may drop.

// What things cost, in nanoseconds, with everything cached: the least of several
// walks over and seeks in 200,000 and 500,000 keys, of 16 and of 56 bytes with
// values of 16 and of 128, in one run, in two, in four, and in one below a
// memtable, all merged in the end. Each further run made a seek 240 to 1200
// dearer, a memtable of 5 to 37 MB 590 to 1100. Where the keys of two sources
// alternate a step cost 36 to 54 more, with a memtable 47 to 80; within a
// memtable, whose rows lie in memory as they came, 25 to 40 more than within a
// table. A byte was merged in 3.1 (of large values) to 8, flushed in about 5.
const (
	runSeekTime   = 400
	memSeekTime   = 800
	runStepTime   = 45
	memStepTime   = 60
	memStrideTime = 30
	mergeByteTime = 4
)

// readLoss is the time that range reads have lost to many runs, less what was
// spent on merging for them. Safe for concurrent use.
type readLoss struct {
	runs atomic.Int64 // nanoseconds
}

// readCost counts the moves of a walk that many sources make dearer.
type readCost struct {
	seeks   int // of all sources
	steps   int // that had to compare sources
	strides int // within a memtable
}

// Walks that last are counted each time they have made so many seeks or steps.
const countedMoves = 4096

// noteSeek counts a seek of all sources.
func (it *rowIter) noteSeek() {
	if it.cost.seeks++; it.cost.seeks >= countedMoves {
		it.countCost()
	}
}

// noteStep counts a step that had to compare sources.
func (it *rowIter) noteStep() {
	if it.cost.steps++; it.cost.steps >= countedMoves {
		it.countCost()
	}
}

// noteStride counts a step within a memtable.
func (it *rowIter) noteStride() {
	if it.cost.strides++; it.cost.strides >= countedMoves {
		it.countCost()
	}
}

// countCost adds what the walk has cost since it was last counted to what
// readers have lost.
func (it *rowIter) countCost() {
	c, rs := it.cost, it.rs
	it.cost = readCost{}
	if it.firstRun == 0 && len(rs.Runs) < 2 || c == (readCost{}) || it.seq < rs.TableSeq {
		return
	}
	if now := it.db.states.Current.Load(); now == nil || now.Version != rs.Version {
		return
	}
	runs := rs.RunsWithin(it.lower, it.upper)
	byRuns, byMem := c.lost(runs, !rs.Mem.Empty())
	if byRuns > 0 {
		it.db.readersLost(&it.db.lost.runs, byRuns)
	}
	if byMem > 0 {
		it.db.readersLost(&rs.Mem.Lost, byMem)
	}
}

// readersLost adds n to a sum of what readers have lost. Each time it has grown
// by an eighth or so a worker looks what that pays for.
func (db *DB) readersLost(sum *atomic.Int64, n int64) {
	now := sum.Add(n)
	if worthALook(now-n, now) {
		wake(db.workers.reads)
	}
}

// leastLook is the least loss, in nanoseconds, that a worker is woken for; below
// it has time until he looks anyway.
const leastLook = 1 << 20

// worthALook reports whether a sum that has grown from one value to another has
// passed one of the steps, eight for each doubling, where it may be enough.
func worthALook(from, to int64) bool {
	if to < leastLook {
		return false
	}
	digits := bits.Len64(uint64(to)) - 4
	return from>>digits != to>>digits
}

// lost returns the nanoseconds that a walk lost to there being more than one
// run, and to the memtable: as one source more, and, if it is the only one, for
// its slower steps. Of a memtable that waits to be flushed nothing is said: it
// will be. It is a pure function.
func (c readCost) lost(runs int, mem bool) (byRuns, byMem int64) {
	if runs > 1 {
		byRuns = int64(c.seeks)*int64(runs-1)*runSeekTime + int64(c.steps)*runStepTime
	}
	if mem && runs > 0 {
		byMem = int64(c.seeks) * memSeekTime
	}
	if mem && runs < 2 {
		byMem += int64(c.steps) * memStepTime
	}
	if mem {
		byMem += int64(c.strides) * memStrideTime
	}
	return byRuns, byMem
}

// readCredit returns how many bytes could have been merged in the time that
// readers have lost to the runs of v. It is no more than there is room for, nor
// than all there is to merge: what nobody can spend is not kept.
func (db *DB) readCredit(v *manifest.Version) uint64 {
	lost := db.lost.runs.Load()
	if lost <= 0 {
		return 0
	}
	if rs := db.states.Current.Load(); len(v.Runs) < 2 {
		if rs != nil && len(rs.Imms) == 0 { // else there will soon be more
			db.lost.runs.Add(-lost)
		}
		return 0
	}
	most := db.disk.tables.Load()
	if over := lost - most*mergeByteTime; over > 0 {
		db.lost.runs.Add(-over)
		lost -= over
	}
	return uint64(max(0, min(lost/mergeByteTime, db.mergeRoom())))
}

// spend takes what c reads off what readers have saved.
func (l *readLoss) spend(c *compaction.Compaction) {
	if c.Reason == compaction.ReasonReads {
		l.runs.Add(-int64(c.Bytes()) * mergeByteTime)
	}
}

// leastFilled is the part of a memtable's room from which on it counts for its
// readers while it is being written to: a smaller one is cheap to seek in, and
// the next one would soon be as large.
const leastFilled = 4

// memReaders is what decides whether a memtable is flushed for its readers.
type memReaders struct {
	lost   int64 // nanoseconds
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
	return m.lost > 0 && m.lost >= max(m.bytes, m.upon)*mergeByteTime, false
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
	db.lost.runs.Add((m.bytes + m.upon) * mergeByteTime)
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
