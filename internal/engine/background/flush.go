package background

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/memtable"
)

// FlushResult is what became of a flush.
type FlushResult struct {
	Tables         int
	Records, Bytes int64
	Duration       time.Duration
	Err            error
}

// FlushStep flushes the oldest full memtable, if there is one. Flushes install in
// the order of their memtables. One goroutine at a time calls it.
//
//  1. the memtable's log is complete and durable
//  2. table written and synced, directory synced
//  3. edit: table in, log retired
//  4. read state without the memtable published
//  5. log ended and closed, if no commit has done so since; removed
func (w *Work) FlushStep() (did bool, err error) {
	rs := w.cfg.States.Current.Load()
	if rs == nil || len(rs.Imms) == 0 {
		return false, nil
	}
	if w.cfg.Life.Poisoned() {
		return false, w.cfg.Life.PoisonErr()
	}
	mem := rs.Imms[len(rs.Imms)-1]
	next := rs.Mem
	if len(rs.Imms) > 1 {
		next = rs.Imms[len(rs.Imms)-2]
	}
	begin := time.Now()
	r := FlushResult{Records: int64(mem.Len())}
	at, v := w.placeFlush(mem)
	defer w.end(at)
	var edit *manifest.Edit
	err = w.cfg.Ballast.Try(func() (err error) {
		edit, err = w.flushTable(mem, v, at, &r)
		return err
	})
	if err == nil {
		edit.MinLog = next.Log
		edit.Clean = w.lastFlush()
		if err = w.cfg.Ballast.Try(func() error { return w.applyFlush(edit, mem) }); err != nil {
			w.discardTables(edit.Added)
		}
	}
	r.Duration, r.Err = time.Since(begin), err
	w.hooks.Flushed(r)
	w.cfg.Section.Flushed(err)
	if err != nil {
		return false, err
	}
	if !w.cfg.Life.Closing() { // Close removes the last logs after its own edit
		if err := w.cfg.Section.Log().EndBefore(next.Log); err != nil {
			return true, w.cfg.Life.Poison(err)
		}
		for _, n := range w.cfg.Section.Files().Retire(next.Log) {
			w.hooks.Remove(base.FileLog, n)
		}
	}
	return true, nil
}

// lastFlush reports whether nothing is left in the logs once the oldest full memtable
// is flushed. Then the edit says so, for the log of the memtable behind it has no file.
// Commits have ended when the store is closing, so the answer does not change.
func (w *Work) lastFlush() bool {
	if !w.cfg.Life.Closing() {
		return false
	}
	rs := w.cfg.States.Current.Load()
	return rs != nil && len(rs.Imms) == 1 && rs.Mem.Empty()
}

// applyFlush applies the edit of the oldest full memtable's flush.
func (w *Work) applyFlush(e *manifest.Edit, mem *readstate.Mem) error {
	return w.cfg.Set.ApplyFlush(e, mem.Log, func(v *manifest.Version) {
		w.cfg.States.Publish(func(rs *readstate.State) {
			rs.Version = v
			rs.Imms = slices.Clone(rs.Imms[:len(rs.Imms)-1]) // a shared array would hold on to the memtable
		})
	})
}

// flushTable writes the memtable's records to tables and returns the edit that
// adds them.
func (w *Work) flushTable(mem *readstate.Mem, v *manifest.Version, at *compaction.Compaction, r *FlushResult) (*manifest.Edit, error) {
	if err := w.cfg.Section.Log().Wait(mem.End, commitlog.Durable); err != nil {
		return nil, w.cfg.Life.Poison(err)
	}
	edit := &manifest.Edit{LastSeq: mem.MaxSeq()}
	if mem.Empty() {
		return edit, nil
	}
	job := FlushJob(w.cfg.Tables, &w.cfg.States.Points, mem, v, at)
	res, err := compaction.Merge(job, w.Env(context.Background()))
	if err != nil {
		w.Discard(res)
		return nil, storedir.NoSpace(err)
	}
	if err := w.cfg.Dir.Sync(); err != nil {
		return nil, w.cfg.Life.Poison(err)
	}
	edit.Added, edit.Nominated = res.Tables, res.Nominated
	r.Tables, r.Bytes = len(res.Tables), int64(res.Stats.BytesOut)
	return edit, nil
}

// FlushJob returns the merge that writes the records of mem to tables at the given
// place. Recovery and checkpoints use it as well.
func FlushJob(c TableConfig, points *readstate.Points, mem *readstate.Mem, v *manifest.Version, at *compaction.Compaction) compaction.Job {
	merging := c.Merging()
	job := compaction.Job{
		Inputs: []compaction.Source{{Iter: mem.NewIter(false), RangeDeletes: mem.RangeDeletes(), Records: int64(mem.Len())}},
		Older:  compaction.NewOlder(v, at), Level: at.Level, Age: at.Age,
		TableSize: merging.SizeAt(at.Level), Guards: at.Guards(v, merging, mem.Bytes()), Writer: c.Writer(at.Level),
		KeepEnded: c.TellEnded, // who tells commits, and a commit may wait for a flush
	}
	job.ReadPoints, job.Now = points.Capture()
	return job
}

// placeFlush decides where the records of mem go, the last level if nothing is in
// the way, and enters the flush among the running merges. A merge that is picked
// meanwhile may change the answer; then it is asked for again.
func (w *Work) placeFlush(mem *readstate.Mem) (*compaction.Compaction, *manifest.Version) {
	span := Span(mem.Table)
	for {
		a := w.active() // before the version, as in pick
		v := w.cfg.States.Version()
		at := compaction.PlaceFlush(v, w.input(a), span, NextAge(v), false)
		if w.tryBegin(at, a.changes) {
			return at, v
		}
	}
}

// tryBegin enters c among those that run, unless that has changed since.
func (w *Work) tryBegin(c *compaction.Compaction, changes uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changes != changes {
		return false
	}
	w.beginLocked(c)
	return true
}

// NextAge is the age of a run newer than all of v.
func NextAge(v *manifest.Version) uint64 {
	var age uint64
	for _, r := range v.Runs {
		age = max(age, r.Age)
	}
	return age + 1
}

// Span is the keys that t has records or range tombstones of.
func Span(t *memtable.Table) compaction.Span {
	var s compaction.Span
	it := t.NewIter(true)
	defer it.Close()
	if e := it.First(); e != nil {
		s.Lo = bytes.Clone(e.Key)
		s.Hi = bytes.Clone(it.Last().Key)
	}
	for _, l := range t.AppendRangeDeletes(nil) { // not joined: the memtable may still get more
		deleted := l.Newest()
		if n := len(deleted); n > 0 {
			if s.Lo == nil || bytes.Compare(deleted[0].Start, s.Lo) < 0 {
				s.Lo = deleted[0].Start
			}
			if s.Hi == nil || bytes.Compare(deleted[n-1].End, s.Hi) > 0 {
				s.Hi, s.Exclusive = deleted[n-1].End, true
			}
		}
	}
	return s
}

const flushIdleAfter = 3 * time.Second

// FlushIdle sets a memtable aside that holds tombstones when the store has had
// nothing to do for a while: what they cover is on disk, and only merges free it.
// It also gives up memory that was kept for the next flush.
func (w *Work) FlushIdle() error {
	w.mu.Lock()
	idle, since := w.idleLocked()
	w.mu.Unlock()
	if !idle || since < flushIdleAfter {
		return nil
	}
	w.cfg.Section.Recycler.Drop()
	w.cfg.States.Tables.Cache().Waste(w.Writers.Drop())
	mem, tombstones := w.cfg.Section.Tombstones()
	if tombstones == 0 {
		return nil
	}
	return w.cfg.Ballast.Try(func() error { return w.cfg.Section.Rotate(mem) })
}
