package background

import (
	"context"
	"runtime"
	"time"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
)

// carryOut carries out a compaction.
func (w *Work) carryOut(ctx context.Context, c *compaction.Compaction, rs *readstate.State, r *CompactionResult) error {
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
		res, err := w.merge(ctx, c, rs)
		r.BytesRead, r.BytesWritten = int64(c.Bytes()), int64(res.Stats.BytesOut)
		r.Tables, r.Dropped = len(res.Tables), int64(res.Stats.In-res.Stats.Out)
		if err == nil {
			err = w.cfg.Dir.Sync()
		}
		if err != nil {
			w.Discard(res)
			return err
		}
		edit.Added, edit.Nominated = res.Tables, res.Nominated
	}
	err := w.cfg.Set.Apply(edit, func(v *manifest.Version) {
		w.cfg.States.Publish(func(rs *readstate.State) { rs.Version = v })
	})
	if err != nil && c.Kind == compaction.KindMerge {
		w.discardTables(edit.Added)
	}
	return err
}

// merge runs the merge of c. Its inputs are held with rs; only then are the read
// points captured.
func (w *Work) merge(ctx context.Context, c *compaction.Compaction, rs *readstate.State) (*compaction.Result, error) {
	merging := w.cfg.Tables.Merging()
	job := compaction.Job{
		Older: compaction.NewOlder(rs.Version, c), Level: c.Level, Age: c.Age,
		TableSize: merging.SizeAt(c.Level), Guards: c.Guards(rs.Version, merging, int64(c.Bytes())), Writer: w.cfg.Tables.Writer(c.Level),
	}
	var err error
	if job.Inputs, err = mergeInputs(c, rs); err != nil {
		return &compaction.Result{}, err
	}
	job.ReadPoints, job.Now = w.cfg.States.Points.Capture()
	env := w.Env(ctx)
	if w.cfg.Tables.TellEnded {
		env.Ended = w.hooks.Ended
	}
	return compaction.Merge(job, env)
}

// mergeInputs opens the inputs of c. Merge closes them.
func mergeInputs(c *compaction.Compaction, rs *readstate.State) (inputs []compaction.Source, err error) {
	known := rs.Known()
	for _, in := range c.Inputs {
		var src compaction.Source
		var lists []*rangedel.List
		run := &readstate.Run{}
		for _, m := range in.Tables {
			t := known.Handle(m)
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
		src.Iter, src.RangeDeletes = readstate.NewMergeIter(run), rangedel.Merge(lists...)
		inputs = append(inputs, src)
	}
	return inputs, nil
}

// Env is what merges and flushes ask of the store. Background work gives way every
// few tens of kilobytes, so that it never owns a core for the whole of its time
// slice.
func (w *Work) Env(ctx context.Context) compaction.Env {
	return compaction.Env{NewTable: w.NewTable, Writers: &w.Writers, Yield: func(n int) error {
		runtime.Gosched()
		if rate := w.cfg.Rate; rate > 0 && ctx != context.Background() {
			d := time.Duration(float64(n) / float64(rate) * float64(time.Second))
			if !w.cfg.Life.Pause(d) {
				return context.Canceled
			}
		}
		return ctx.Err()
	}}
}

// NewTable creates the file of a new table.
func (w *Work) NewTable() (compaction.NewTable, error) {
	num, err := w.cfg.Set.NewFileNum()
	if err != nil {
		return compaction.NewTable{}, err
	}
	return CreateTable(w.cfg.Dir, num)
}

// CreateTable creates the file of table num in dir.
func CreateTable(dir storedir.Dir, num base.FileNum) (compaction.NewTable, error) {
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

// discardTables removes the tables of an edit that was refused. After an edit that
// may have happened, the store is poisoned and removes nothing.
func (w *Work) discardTables(tables []*manifest.Table) {
	for _, t := range tables {
		w.hooks.Remove(base.FileTable, t.Num)
	}
}

// Discard removes the files of a merge that failed, or of one whose tables are not to be
// used: they could not be named, or the disk is full.
func (w *Work) Discard(res *compaction.Result) {
	for _, n := range res.Abandoned {
		w.hooks.Remove(base.FileTable, n)
	}
	w.discardTables(res.Tables)
}
