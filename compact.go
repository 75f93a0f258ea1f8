package siltstone

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/sstable"
)

// merging is the compactors' shared state, guarded by workers.mu: which
// compactions run, flushes included. A compaction that was installed leaves the
// list after its version was published, so that whoever looks at both never
// sees it in neither.
type merging struct {
	running []*compaction.Compaction
	lastSeq base.SeqNum // at the last look, to tell an idle store
	since   time.Time   // when it last changed

	// The version Pick last found nothing to do in, and when. Looking again costs
	// tens of milliseconds in a store of 100 GiB, so an unchanged version is looked
	// at again only after a while, for what time alone may change.
	settled   *manifest.Version
	settledAt time.Time
}

// lookAgain is how soon a version without work is looked at again.
const lookAgain = 5 * time.Second

// idleAfter is how long a store has had no writes when it counts as idle.
const idleAfter = 500 * time.Millisecond

// Compact merges every table that overlaps r down to the last level, so that no
// garbage is left there but what open snapshots still see. The elements of the
// collections in r count as overlapping only if r is all keys; then the named
// keyspaces are merged as well. Space comes back without it; a benchmark or a one-time load may want it now.
func (db *DB) Compact(ctx context.Context, r Range) error {
	lo, hi, err := r.rows(nil)
	if err != nil {
		return err
	}
	if r.Lower == nil && r.Upper == nil {
		lo, hi = nil, nil
	}
	return db.compactRows(ctx, lo, hi)
}

// compactRows merges every table that overlaps the rows [lo, hi) down to the
// last level. Nil bounds are open.
func (db *DB) compactRows(ctx context.Context, lo, hi []byte) error {
	if err := db.Flush(ctx); err != nil {
		return err
	}
	manual := &compaction.KeyRange{Lo: lo, Hi: hi}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(db.life.Context(), func() { cancel(ErrClosed) })()
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		did, err := db.compactOnce(ctx, manual)
		if cause := context.Cause(ctx); err != nil && cause != nil {
			return cause
		}
		if err != nil {
			return err
		}
		if !did && !db.awaitMerge(ctx) {
			return context.Cause(ctx)
		}
	}
}

// awaitMerge waits until one of the running merges has ended; false if none
// runs.
func (db *DB) awaitMerge(ctx context.Context) bool {
	w := &db.workers
	defer context.AfterFunc(ctx, func() { w.mu.Lock(); w.flushed.Broadcast(); w.mu.Unlock() })()
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.merging.running)
	if n == 0 {
		return false
	}
	for len(w.merging.running) >= n && ctx.Err() == nil && !w.stopping {
		w.flushed.Wait()
	}
	return !w.stopping
}

// compactStep picks one compaction and carries it out.
func (db *DB) compactStep() (did bool, err error) { return db.compactOnce(db.life.Context(), nil) }

func (db *DB) compactOnce(ctx context.Context, manual *compaction.KeyRange) (did bool, err error) {
	if db.life.Poisoned() {
		return false, db.life.PoisonErr()
	}
	if err := db.loadRangeDeletes(); err != nil {
		return false, err
	}
	c, rs := db.pick(manual)
	if rs == nil {
		return false, ErrClosed
	}
	defer db.states.Drop(rs)
	if c == nil {
		return false, nil
	}
	defer db.mergeEnded(c)
	begin := time.Now()
	e := CompactionEnd{Kind: c.Kind.String(), Reason: c.Reason.String(), ToLevel: int(c.Level)}
	for _, in := range c.Inputs {
		e.From = append(e.From, len(in.Tables))
	}
	err = db.carryOut(ctx, c, rs, &e)
	e.Duration, e.Err = time.Since(begin), err
	db.emit(e)
	return err == nil, err
}

// loadRangeDeletes opens the tables that have range tombstones: Pick, which does
// no I/O, looks at those in memory.
func (db *DB) loadRangeDeletes() error {
	rs, n := db.states.Pin()
	if rs == nil {
		return nil
	}
	defer db.states.Unpin(rs, n)
	_, err := rs.OlderDeletes()
	return err
}

// pick decides what to compact, pins the state it is in, and enters it among
// those that run. rs is nil if the store is closed.
func (db *DB) pick(manual *compaction.KeyRange) (*compaction.Compaction, *readstate.State) {
	w := &db.workers
	w.mu.Lock()
	defer w.mu.Unlock()
	rs := db.states.HoldTables()
	if rs == nil || w.stopping {
		if rs != nil {
			db.states.Drop(rs)
		}
		return nil, nil
	}
	m := &w.merging
	in := db.pickInputLocked()
	idle := in.Idle && !db.opts.manualWork
	if manual == nil {
		in.ReadCredit = db.readCredit(rs.Version)
	}
	if idle && manual == nil && m.settled == rs.Version && time.Since(m.settledAt) < lookAgain && !compaction.RelievesReaders(rs.Version, in) {
		return nil, rs
	}
	in.Manual = manual
	in.RangeDeletes, in.Bytes = rs.KnownRangeDeletes, rs.KnownBytes
	c := compaction.Pick(rs.Version, in)
	if c != nil && manual != nil && c.Kind == compaction.KindMerge && c.Reason != compaction.ReasonManual {
		c = nil // what was asked for is done
	}
	if c != nil {
		if c.Reason == compaction.ReasonReads {
			db.rows.Loss.Spend(int64(c.Bytes()))
		}
		m.running = append(slices.Clip(m.running), c)
	} else if idle && len(m.running) == 0 {
		m.settled, m.settledAt = rs.Version, time.Now()
	}
	return c, rs
}

// pickInputLocked gathers what Pick knows beside the version.
func (db *DB) pickInputLocked() compaction.Input {
	m := &db.workers.merging
	points, now := db.points.Capture()
	in := compaction.Input{Config: db.mergeConfig(), Now: now, OldestReadSeq: base.SeqMax, OldestReadClock: now, Busy: m.running}
	for _, p := range points {
		in.OldestReadSeq = min(in.OldestReadSeq, p.Seq)
		in.OldestReadClock = min(in.OldestReadClock, p.Clock)
	}
	if seq := base.SeqNum(db.visible.Load()); seq != m.lastSeq {
		m.lastSeq, m.since = seq, time.Now()
	}
	in.Idle = db.opts.manualWork || time.Since(m.since) >= idleAfter
	return in
}

func (db *DB) mergeConfig() compaction.Config {
	o := &db.opts
	return compaction.Config{FlushRuns: o.runLimit, TierRuns: o.runLimit, TableSize: o.tableBytes, LastTableSize: o.tableBytes}
}

// mergeEnded takes c from those that run.
func (db *DB) mergeEnded(c *compaction.Compaction) {
	w := &db.workers
	w.mu.Lock()
	running := make([]*compaction.Compaction, 0, len(w.merging.running))
	for _, r := range w.merging.running {
		if r != c {
			running = append(running, r)
		}
	}
	w.merging.running = running // Pick may still be looking at the old one
	w.flushed.Broadcast()
	w.mu.Unlock()
	db.wakeCompact()
	db.wakeKeep()
}

// carryOut does what was picked, in the one order for everything that changes
// the set of tables: outputs synced, directory synced, edit appended and
// synced, read state published, inputs removed once nobody reads them.
func (db *DB) carryOut(ctx context.Context, c *compaction.Compaction, rs *readstate.State, e *CompactionEnd) error {
	edit := &manifest.Edit{}
	for _, in := range c.Inputs {
		for _, t := range in.Tables {
			edit.Removed = append(edit.Removed, t.Num)
			if c.Kind == compaction.KindMove {
				moved := *t
				moved.Level, moved.Run = c.Level, c.Age
				edit.Added = append(edit.Added, &moved)
			}
		}
	}
	if c.Kind == compaction.KindMerge {
		res, err := db.merge(ctx, c, rs)
		e.BytesRead, e.BytesWritten = int64(c.Bytes()), int64(res.Stats.BytesOut)
		e.Tables, e.Dropped = len(res.Tables), int64(res.Stats.In-res.Stats.Out)
		if err == nil {
			err = db.dir.Sync()
		}
		if err != nil {
			db.discard(res)
			return err
		}
		edit.Added, edit.Nominated = res.Tables, res.Nominated
	}
	return db.set.Apply(edit, db.publishVersion)
}

// merge runs the merge of c. Its inputs are pinned with rs; only then are the
// read points captured.
func (db *DB) merge(ctx context.Context, c *compaction.Compaction, rs *readstate.State) (*compaction.Result, error) {
	job := compaction.Job{
		Older: compaction.NewOlder(rs.Version, c), Level: c.Level, Age: c.Age,
		TableSize: db.mergeConfig().SizeAt(c.Level), Guards: c.Guards(rs.Version, db.mergeConfig(), int64(c.Bytes())), Writer: db.tableOptions(c.Level),
	}
	var err error
	if job.Inputs, err = mergeInputs(c, rs); err != nil {
		return &compaction.Result{}, err
	}
	job.ReadPoints, job.Now = db.points.Capture()
	return compaction.Merge(job, db.mergeEnv(ctx))
}

// mergeInputs opens the inputs of c. Merge closes them.
func mergeInputs(c *compaction.Compaction, rs *readstate.State) (inputs []compaction.Source, err error) {
	handles := map[base.FileNum]*readstate.Table{}
	for i := range rs.Runs {
		for _, t := range rs.Runs[i].Tables {
			handles[t.Num] = t
		}
	}
	for _, in := range c.Inputs {
		var src compaction.Source
		var lists []*rangedel.List
		run := &readstate.Run{}
		for _, m := range in.Tables {
			t := handles[m.Num]
			run.Tables = append(run.Tables, t)
			src.Records += int64(m.Records())
			if m.RangeDeletes > 0 {
				r, err := t.Get()
				if err != nil {
					return nil, err
				}
				lists = append(lists, r.RangeDeletes())
			}
		}
		s := &readstate.RunIter{Run: run, Table: &sstable.Iter{}, Cold: true}
		s.Concat.Init(s)
		src.Iter, src.RangeDeletes = &s.Concat, rangedel.Merge(lists...)
		inputs = append(inputs, src)
	}
	return inputs, nil
}

// tableOptions are the writer's options for tables of a level: values are
// compressed in the last one only, the others are about to be rewritten.
func (db *DB) tableOptions(level uint8) sstable.WriterOptions {
	o := sstable.WriterOptions{BlockSize: db.opts.blockSize, FilterBits: db.opts.tableFilters, Compression: sstable.NoCompression}
	if level == manifest.LastLevel {
		o.Compression = db.opts.Compression.table()
	}
	return o
}

// mergeEnv is what merges and flushes ask of the store. Background work gives
// way every few tens of kilobytes, so that it never owns a core for the whole
// of its time slice.
func (db *DB) mergeEnv(ctx context.Context) compaction.Env {
	return compaction.Env{NewTable: db.newTable, Writers: &db.writers, Yield: func(n int) error {
		runtime.Gosched()
		if rate := db.opts.CompactionRate; rate > 0 && ctx != context.Background() {
			d := time.Duration(float64(n) / float64(rate) * float64(time.Second))
			if !db.life.Pause(d) {
				return context.Canceled
			}
		}
		return ctx.Err()
	}}
}

// newTable creates the file of a new table.
func (db *DB) newTable() (compaction.NewTable, error) {
	num, err := db.set.NewFileNum()
	if err != nil {
		return compaction.NewTable{}, err
	}
	return createTable(db.dir, num)
}

// createTable creates the file of table num in dir.
func createTable(dir storedir.Dir, num base.FileNum) (compaction.NewTable, error) {
	id, err := storedir.RandomID()
	if err != nil {
		return compaction.NewTable{}, err
	}
	f, err := dir.Create(base.FileTable, num)
	if err != nil {
		return compaction.NewTable{}, err
	}
	return compaction.NewTable{Num: num, ID: id, Sink: f}, nil
}

// inDebt reports whether a second compactor should help: merges are behind, or
// nobody else needs the core.
func (db *DB) inDebt() bool {
	w := &db.workers
	w.mu.Lock()
	defer w.mu.Unlock()
	in := db.pickInputLocked()
	return in.Idle || len(db.states.Version().Runs) > debtRuns
}

// debtRuns is how many runs there are when merges are behind.
const debtRuns = 14
