package background

import (
	"context"
	"time"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
)

// CompactionResult is what became of a compaction.
type CompactionResult struct {
	Kind, Reason            string
	From                    []int // tables taken from each run, newest first
	ToLevel                 int
	Tables                  int // made
	BytesRead, BytesWritten int64
	Dropped                 int64 // records that left
	Duration                time.Duration
	Err                     error
}

// Compact merges every table that overlaps the rows [lo, hi) down to the last
// level. Nil bounds are open.
func (w *Work) Compact(ctx context.Context, lo, hi []byte) error {
	if err := w.cfg.Section.Flush(ctx); err != nil {
		return err
	}
	manual := &compaction.KeyRange{Lo: lo, Hi: hi}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(w.cfg.Life.Context(), func() { cancel(base.ErrClosed) })()
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		did, err := w.CompactStep(ctx, manual)
		if cause := context.Cause(ctx); err != nil && cause != nil {
			return cause
		}
		if err != nil {
			return err
		}
		if !did && !w.awaitMerge(ctx) {
			return context.Cause(ctx)
		}
	}
}

// Ended waits until one of the running merges and flushes has ended; false if none
// runs.
func (w *Work) Ended() bool { return w.awaitMerge(w.cfg.Life.Context()) }

// awaitMerge waits until one of the running merges has ended; false if none runs.
func (w *Work) awaitMerge(ctx context.Context) bool {
	defer context.AfterFunc(ctx, func() { w.mu.Lock(); w.ended.Broadcast(); w.mu.Unlock() })()
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.running)
	if n == 0 {
		return false
	}
	for len(w.running) >= n && ctx.Err() == nil && !w.stopping {
		w.ended.Wait()
	}
	return !w.stopping
}

// CompactStep picks one compaction, of the tables that overlap manual if that is
// not nil, and carries it out. did reports whether there was one.
func (w *Work) CompactStep(ctx context.Context, manual *compaction.KeyRange) (did bool, err error) {
	if w.cfg.Life.Poisoned() {
		return false, w.cfg.Life.PoisonErr()
	}
	if err := w.loadRangeDeletes(); err != nil {
		return false, err
	}
	c, rs := w.pick(manual)
	if rs == nil {
		return false, base.ErrClosed
	}
	defer w.cfg.States.Drop(rs)
	if c == nil {
		return false, nil
	}
	defer w.end(c)
	begin, free := time.Now(), w.cfg.Dir.Free()
	r := CompactionResult{Kind: c.Kind.String(), Reason: c.Reason.String(), ToLevel: int(c.Level)}
	for _, in := range c.Inputs {
		r.From = append(r.From, len(in.Tables))
	}
	err = storedir.NoSpace(w.carryOut(ctx, c, rs, &r))
	r.Duration, r.Err = time.Since(begin), err
	w.hooks.Compacted(r)
	w.noteRoom(c, free, err)
	if manual == nil && err != nil && w.freeze(c, err) {
		return true, nil // it was told before: there may be other work
	}
	return err == nil, err
}

// loadRangeDeletes opens the tables that have range tombstones: Pick, which does no
// I/O, looks at those in memory.
func (w *Work) loadRangeDeletes() error {
	rs, n := w.cfg.States.Pin()
	if rs == nil {
		return nil
	}
	defer w.cfg.States.Unpin(rs, n)
	_, err := rs.OlderDeletes()
	return err
}

// pick decides what to compact, holds the state it is in, and enters it among those
// that run. rs is nil if the store is closed. Pick runs without a lock: its decision
// counts unless a merge has begun or ended since before the state was held. In the
// other order a merge could end in between: its inputs would be in the state, and
// nothing would tell that they are gone.
func (w *Work) pick(manual *compaction.KeyRange) (*compaction.Compaction, *readstate.State) {
	for !w.isStopping() {
		a := w.active()
		rs := w.cfg.States.HoldTables()
		if rs == nil {
			return nil, nil
		}
		in := w.input(a)
		if manual == nil {
			in.ReadCredit = w.readCredit(rs.Version)
			in.Frozen = w.thaw(rs.Version)
			in.TooLarge = w.stillTooLarge(rs.Version)
		}
		if w.nothingToDo(rs.Version, in, manual) {
			return nil, rs
		}
		c := choose(rs, in, manual)
		if w.enter(c, rs.Version, in, manual, a.changes) {
			return c, rs
		}
		w.cfg.States.Drop(rs)
	}
	return nil, nil
}

// choose asks Pick.
func choose(rs *readstate.State, in compaction.Input, manual *compaction.KeyRange) *compaction.Compaction {
	known := rs.Known()
	in.Manual, in.RangeDeletes, in.Bytes = manual, known.RangeDeletes, known.Bytes
	c := compaction.Pick(rs.Version, in)
	if c != nil && manual != nil && c.Kind == compaction.KindMerge && c.Reason != compaction.ReasonManual {
		return nil // the manual compaction is done
	}
	return c
}

// lookAgain is how soon a version without work is looked at again.
const lookAgain = 5 * time.Second

// nothingToDo reports whether there was nothing to do in the version a moment ago.
func (w *Work) nothingToDo(v *manifest.Version, in compaction.Input, manual *compaction.KeyRange) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return in.Idle && !w.cfg.Manual && manual == nil && w.settled.version == v &&
		time.Since(w.settled.at) < lookAgain && !compaction.RelievesReaders(v, in)
}

// enter enters c, nil being nothing, among the merges that run. It returns false if
// a merge has begun or ended since c was picked.
func (w *Work) enter(c *compaction.Compaction, v *manifest.Version, in compaction.Input, manual *compaction.KeyRange, changes uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case c == nil:
		if in.Idle && len(w.running) == 0 && manual == nil {
			w.settled = settled{v, time.Now()}
		}
		return true
	case w.stopping || w.changes != changes:
		return false
	}
	w.beginLocked(c)
	if c.Reason == compaction.ReasonReads {
		w.cfg.Rows.Loss.Spend(int64(c.Bytes()))
	}
	return true
}

// debtRuns is how many runs there are when merges are behind.
const debtRuns = 14

// InDebt reports whether a second compactor should help: merges are behind, or
// the store is idle.
func (w *Work) InDebt() bool {
	w.mu.Lock()
	idle, _ := w.idleLocked()
	w.mu.Unlock()
	return idle || len(w.cfg.States.Version().Runs) > debtRuns
}
