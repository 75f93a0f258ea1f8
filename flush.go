package siltstone

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/commit"
	"github.com/siltstonedb/siltstone/manifest"
)

// Flush writes everything committed before it to tables and returns when they
// are durable. It is never needed for durability; a checkpoint or a test may
// want it.
func (db *DB) Flush(ctx context.Context) error {
	if db.opts.ReadOnly {
		return ErrReadOnly
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if db.isClosed() {
		return ErrClosed
	}
	if mem := db.currentMem(); !mem.Empty() {
		if err := db.rotate(mem); err != nil {
			return err
		}
	}
	return db.awaitNoUnflushed(ctx)
}

// flushIdle sets a memtable aside that holds tombstones when the store has had
// nothing to do for a while: what they cover is on disk, and only merges free
// it.
func (db *DB) flushIdle() error {
	w := &db.workers
	w.mu.Lock()
	idle := db.pickInputLocked().Idle && time.Since(w.merging.since) >= flushIdleAfter
	w.mu.Unlock()
	if !idle {
		return nil
	}
	db.spare.drop()
	db.writers.Drop()
	db.section.Lock()
	mem, waiting := db.section.mem, db.section.mem.tombstones > 0
	db.section.Unlock()
	if !waiting {
		return nil
	}
	return db.rotate(mem)
}

const flushIdleAfter = 3 * time.Second

// flushStep flushes the oldest full memtable, if there is one. Flushes install
// in the order of their memtables. One goroutine at a time calls it.
//
//  1. the memtable's log is complete and durable
//  2. table written and synced, directory synced
//  3. edit: table in, log retired
//  4. read state without the memtable published
//  5. log removed
func (db *DB) flushStep() (did bool, err error) {
	rs := db.states.current.Load()
	if rs == nil || len(rs.imms) == 0 {
		return false, nil
	}
	if db.poison.set() {
		return false, db.poison.err()
	}
	mem := rs.imms[len(rs.imms)-1]
	next := rs.mem
	if len(rs.imms) > 1 {
		next = rs.imms[len(rs.imms)-2]
	}
	begin := time.Now()
	e := FlushEnd{Records: int64(mem.Len())}
	at, v := db.placeFlush(mem)
	defer db.mergeEnded(at)
	edit, err := db.flushTable(mem, v, at, &e)
	if err == nil {
		edit.MinLog = next.log
		err = db.applyFlush(edit, mem)
	}
	e.Duration, e.Err = time.Since(begin), err
	db.emit(e)
	if err != nil {
		return false, err
	}
	if !db.isClosed() { // Close removes the last logs after its own edit
		for _, n := range db.logs.retire(next.log) {
			db.removeFile(base.FileLog, n)
		}
	}
	db.flushDone()
	return true, nil
}

// applyFlush applies the edit of the oldest full memtable's flush. What that
// settles is asked for under the lock under which others nominate.
func (db *DB) applyFlush(e *manifest.Edit, mem *memState) error {
	m := &db.store
	m.mu.Lock()
	defer m.mu.Unlock()
	e.Settled = db.reaper.settle(mem, e.Nominated)
	return db.applyEditLocked(e, func(rs *readState) {
		rs.imms = slices.Clone(rs.imms[:len(rs.imms)-1]) // a shared array would hold on to the memtable
	})
}

// flushTable writes the memtable's records to tables and returns the edit that
// adds them.
func (db *DB) flushTable(mem *memState, v *manifest.Version, at *compaction.Compaction, e *FlushEnd) (*manifest.Edit, error) {
	if err := db.log.Wait(mem.end, commit.Durable); err != nil {
		return nil, db.poisonBy(err)
	}
	edit := &manifest.Edit{LastSeq: mem.MaxSeq()}
	if mem.Empty() {
		return edit, nil
	}
	res, err := compaction.Merge(db.flushJob(mem, v, at), db.mergeEnv(context.Background()))
	if err != nil {
		db.discard(res)
		return nil, err
	}
	if err := db.opts.FS.SyncDir(db.dir); err != nil {
		return nil, db.poisonBy(err)
	}
	edit.Added, edit.Nominated = res.Tables, res.Nominated
	e.Tables, e.Bytes = len(res.Tables), int64(res.Stats.BytesOut)
	return edit, nil
}

// flushJob is the merge that writes the records of mem to tables at the given
// place.
func (db *DB) flushJob(mem *memState, v *manifest.Version, at *compaction.Compaction) compaction.Job {
	job := compaction.Job{
		Inputs: []compaction.Source{{Iter: mem.NewIter(false), RangeDeletes: mem.RangeDeletes(), Records: int64(mem.Len())}},
		Older:  compaction.NewOlder(v, at), Level: at.Level, Age: at.Age,
		TableSize: db.mergeConfig().SizeAt(at.Level), Guards: at.Guards(v, db.mergeConfig(), mem.Bytes()), Writer: db.tableOptions(at.Level),
	}
	job.ReadPoints, job.Now = db.points.capture()
	return job
}

// placeFlush decides where the records of mem go, the last level if nothing is
// in the way, and enters the flush among the running merges.
func (db *DB) placeFlush(mem *memState) (*compaction.Compaction, *manifest.Version) {
	w := &db.workers
	w.mu.Lock()
	defer w.mu.Unlock()
	v := db.states.version()
	at := compaction.PlaceFlush(v, db.pickInputLocked(), memSpan(mem), nextAge(v), false)
	w.merging.running = append(slices.Clip(w.merging.running), at)
	return at, v
}

// nextAge is the age of a run newer than all of v.
func nextAge(v *manifest.Version) uint64 {
	var age uint64
	for _, r := range v.Runs {
		age = max(age, r.Age)
	}
	return age + 1
}

// memSpan is the keys that mem has records or range tombstones of.
func memSpan(mem *memState) compaction.Span {
	var s compaction.Span
	it := mem.NewIter(true)
	defer it.Close()
	if e := it.First(); e != nil {
		s.Lo = bytes.Clone(e.Key)
		s.Hi = bytes.Clone(it.Last().Key)
	}
	for _, f := range mem.RangeDeletes().Newest() {
		if s.Lo == nil || bytes.Compare(f.Start, s.Lo) < 0 {
			s.Lo = f.Start
		}
		if s.Hi == nil || bytes.Compare(f.End, s.Hi) > 0 {
			s.Hi, s.Exclusive = f.End, true
		}
	}
	return s
}

// discard removes the files of a merge that failed.
func (db *DB) discard(res *compaction.Result) {
	for _, n := range res.Abandoned {
		db.removeFile(base.FileTable, n)
	}
}
