package rows

import (
	"math/bits"
	"sync/atomic"
)

// Range reads lose time to every source that they merge. The loss is counted in
// bytes that could have been merged in the same time. It is spent on merging the
// sources, once readers have lost as much time as that takes and not before. See
// compaction.Input.ReadCredit.
//
//	Iter ──► Loss.Runs ───────────────────────► Pick: fewer runs
//	     └─► readstate.Mem.Lost ──► flush ──┘
//
// A state that is no longer the current one earns nothing, nor does a read point
// older than the newest table: merging may not drop the versions that it reads.

// The prices of moves, as ratios to the merging of a byte, measured with
// everything cached (docs/decisions.md has the figures). A memtable is priced as
// one more run.
const (
	seekPrice    = 100 // of a seek, for each source but one
	stepPrice    = 12  // of a step that compares sources
	memStepPrice = 8   // of a step within a memtable
)

// Loss is the bytes of merging that range reads have lost to many runs, less those
// that were spent on merging for them. Safe for concurrent use.
type Loss struct {
	Runs atomic.Int64 // bytes of merging
	Wake func()       // called when the sum may be worth a merge; must not block
}

// readCost counts the moves of a walk that many sources make dearer.
type readCost struct {
	seeks    int // of all sources
	steps    int // that had to compare sources
	memSteps int // within a memtable
}

// CountEvery is the number of moves after which a walk that lasts is counted.
const CountEvery = 4096

// noteSeek counts a seek of all sources.
func (it *Iter) noteSeek() {
	if it.cost.seeks++; it.cost.seeks >= CountEvery {
		it.countCost()
	}
}

// noteStep counts a step that had to compare sources.
func (it *Iter) noteStep() {
	if it.cost.steps++; it.cost.steps >= CountEvery {
		it.countCost()
	}
}

// noteMemoryStep counts a step within a memtable.
func (it *Iter) noteMemoryStep() {
	if it.cost.memSteps++; it.cost.memSteps >= CountEvery {
		it.countCost()
	}
}

// countCost adds the cost of the walk, since it was last counted, to the loss.
func (it *Iter) countCost() {
	c, rs := it.cost, it.State
	it.cost = readCost{}
	if it.firstRun == 0 && len(rs.Runs) < 2 || c == (readCost{}) || it.Seq < rs.TableSeq {
		return
	}
	if now := it.src.States.Current.Load(); now == nil || now.Version != rs.Version {
		return
	}
	runs := rs.RunsWithin(it.lower, it.upper)
	byRuns, byMem := c.lost(runs, !rs.Mem.Empty())
	if byRuns > 0 {
		it.src.Loss.add(&it.src.Loss.Runs, byRuns)
	}
	if byMem > 0 {
		it.src.Loss.add(&rs.Mem.Lost, byMem)
	}
}

// add adds n to a loss. Each time the sum has grown by about an eighth a worker is
// woken, which looks whether it pays for a merge.
func (l *Loss) add(sum *atomic.Int64, n int64) {
	now := sum.Add(n)
	if worthALook(now-n, now) {
		l.Wake()
	}
}

// minLook is the smallest loss, in bytes of merging, that a worker is woken for;
// smaller ones wait until it looks anyway.
const minLook = 256 << 10

// worthALook reports whether a sum that has grown from one value to another has
// passed one of the steps, eight for each doubling, where it may be enough.
func worthALook(from, to int64) bool {
	if to < minLook {
		return false
	}
	digits := bits.Len64(uint64(to)) - 4
	return from>>digits != to>>digits
}

// lost returns the loss of a walk to runs, if there is more than one, and to the
// memtable: as one source more, and, if it is the only one, for its slower steps.
// A memtable that waits to be flushed costs nothing here: it will be. It is a pure
// function.
func (c readCost) lost(runs int, mem bool) (byRuns, byMem int64) {
	seeks, steps := int64(c.seeks)*seekPrice, int64(c.steps)*stepPrice
	if runs > 1 {
		byRuns = seeks*int64(runs-1) + steps
	}
	if !mem {
		return byRuns, 0
	}
	if runs > 0 {
		byMem = seeks
	}
	if runs < 2 {
		byMem += steps
	}
	return byRuns, byMem + int64(c.memSteps)*memStepPrice
}

// Spend takes n bytes of merging off the loss.
func (l *Loss) Spend(n int64) { l.Runs.Add(-n) }
