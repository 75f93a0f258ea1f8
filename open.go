package siltstone

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/clock"
	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/recovery"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/lifecycle"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/memtable"
	"github.com/siltstonedb/siltstone/wal"
)

// Open opens the store in dir, creating it if it does not exist. Nil options
// are the defaults. After a crash it recovers by itself: what had been committed
// is there, an unfinished commit at the log's end is dropped and reported as a
// TornTail event. Damage that a crash cannot explain is ErrCorruption, naming
// file and offset, and then nothing is deleted or changed. A directory that is
// in use is ErrLocked.
//
// A clean open costs a few syncs; after a crash, the replay of at most the logs
// of the memtables that had not been flushed.
func Open(dir string, o *Options) (*DB, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	at := storedir.Dir{FS: opts.FS, Path: dir}
	lock, err := at.Lock(storedir.Use{ReadOnly: opts.ReadOnly, MustExist: opts.MustExist})
	if err != nil {
		return nil, err
	}
	db := newDB(at, opts, lock)
	if err := db.recover(); err != nil {
		db.abandon()
		return nil, errors.Join(err, storedir.Unlock(lock))
	}
	if !opts.ReadOnly {
		db.set.Nominations.Add(db.set.State().Nominated)
	}
	if !opts.manualWork && !opts.ReadOnly {
		db.start()
		db.wakeKeep()
		db.wakeCompact()
	}
	return db, nil
}

// abandon releases the files of a store that could not be opened. It writes
// nothing: what the attempt left is the next one's to judge.
func (db *DB) abandon() {
	db.tables.Close()
	if db.set != nil {
		_ = db.set.Close()
	}
	if db.log != nil {
		_, _ = db.log.Close()
	}
}

func newDB(dir storedir.Dir, opts Options, lock io.Closer) *DB {
	db := &DB{dir: dir, opts: opts, lock: lock, clock: clock.New(opts.Clock)}
	db.life = lifecycle.New(db.poisoned)
	db.gate = newGate()
	db.holders.track = opts.TrackOpen
	db.points = readstate.Points{Visible: &db.visible, Clock: db.clock}
	db.workers.init()
	db.rows = &rows.Source{States: &db.states}
	db.rows.Loss.Wake = func() { wake(db.workers.reads) }
	db.blocks = cache.New(opts.MemoryLimit - opts.MemoryLimit/wasteShare)
	db.tables = readstate.NewTables(dir, opts.MaxOpenFiles, db.blocks, &db.disk.tables, db.wakeKeep)
	db.blocks.OnWaste = func() { wake(db.workers.waste) }
	db.spare.blocks, db.spare.most = db.blocks, db.opts.MemtableBytes
	db.states = readstate.States{Tables: db.tables, Drained: db.wakeKeep, Spent: db.memSpent, Alive: map[*readstate.State]struct{}{}}
	return db
}

// recover brings the store to the state after the last commit that survived:
//
//  1. manifest read, damage refused; directory compared with it
//  2. logs read and judged as a chain; until here nothing has been changed
//  3. a new manifest published, unless the store was closed cleanly, with file
//     numbers reserved for what follows; the records of the logs written to tables
//  4. an edit adds those tables and retires the replayed logs
//  5. only then a new log is activated
//  6. files that nothing refers to are removed
func (db *DB) recover() error {
	files, err := db.dir.List()
	if err != nil {
		return err
	}
	info, err := db.loadManifest(files)
	if err != nil {
		return err
	}
	if err := db.checkFiles(files); err != nil {
		return err
	}
	r, err := recovery.Open(db.replayConfig(), files.Logs)
	if err != nil {
		return err
	}
	defer r.Close()
	db.clock.Advance(db.set.State().Clock)
	if err := r.Judge(); err != nil {
		return err
	}
	if db.opts.ReadOnly {
		return db.recoverReadOnly(r)
	}
	if err := db.openManifest(files, info); err != nil {
		return err
	}
	edit, err := r.Tables(db.replayOutput())
	if err != nil {
		return err
	}
	if edit.LastSeq = r.LastSeq; !r.Empty() {
		// The numbers of a lost tail are not met again. It may be lost without a
		// trace in the log.
		edit.LastSeq = r.LastSeq.AfterGap()
	}
	if err := db.activate(edit); err != nil {
		return err
	}
	db.removeUnreferenced(files)
	return nil
}

// loadManifest reads the manifest, or makes the first state of a new store.
func (db *DB) loadManifest(files storedir.Listing) (*manifest.Info, error) {
	state, info, err := manifest.Load(db.dir.FS, db.dir.Path)
	if err == nil {
		db.openSet(state)
		return &info, nil
	}
	if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrCorruption) {
		return nil, err
	}
	if len(files.Tables)+len(files.Logs) > 0 {
		// CURRENT is durable before the first of them is created.
		return nil, base.Corruptf(base.Filename(base.FileCurrent, 0), -1, "missing, though there are tables or logs")
	}
	id, err := storedir.RandomID()
	if err != nil {
		return nil, err
	}
	db.openSet(manifest.NewState(id))
	return nil, nil
}

// checkFiles compares the directory with the manifest. A crash cannot make a
// table vanish, nor make a file whose number was never reserved: either means
// that the manifest is older than the directory, or a file is lost.
func (db *DB) checkFiles(files storedir.Listing) error {
	s := db.set.State()
	have := map[base.FileNum]bool{}
	for _, n := range files.Tables {
		have[n] = true
		if n >= s.FileLimit {
			return base.Corruptf(base.Filename(base.FileTable, n), -1, "manifest is older than the directory: number was never reserved")
		}
	}
	for _, t := range s.Version.AllTables() {
		if !have[t.Num] {
			return base.Corruptf(base.Filename(base.FileTable, t.Num), -1, "table is missing")
		}
	}
	return nil
}

// openSet makes the set of tables from what the manifest says.
func (db *DB) openSet(s *manifest.State) {
	db.set = manifest.OpenSet(db.dir.FS, db.dir.Path, s, db.clock, db.life)
	db.set.Nominations.Added = func() { wake(db.workers.reap) }
}

// openManifest makes the manifest writable. After a clean close it goes on where
// it ended. Close removes the last log only after its edit was synced. A log that
// is still there may mean that the sync failed, and that the page cache shows an
// edit which the disk does not have: nothing may be appended behind that.
func (db *DB) openManifest(files storedir.Listing, info *manifest.Info) error {
	clean := info != nil && db.set.State().Clean && info.Torn == 0 && len(files.Logs) == 0
	least := base.FileNum(0)
	if n := len(files.Manifests); n > 0 {
		least = files.Manifests[n-1] + 1
	}
	return db.set.Writable(info, clean, least)
}

// activate applies the edit that adds the replayed logs' tables and retires the
// logs, and starts a new log and an empty memtable.
func (db *DB) activate(edit *manifest.Edit) error {
	seg, err := db.makeLog()
	if err != nil {
		return err
	}
	last := edit.LastSeq
	db.section.lastSeq = last
	db.section.mem = &readstate.Mem{Table: db.spare.chunks.New(int(db.opts.MemtableBytes)), Log: seg.Number, Usual: true}
	db.reserve()
	db.blocks.Reserve(db.opts.MemoryLimit / workShare)
	db.visible.Store(uint64(last))
	edit.MinLog, edit.Clock = seg.Number, db.clock.Now()
	err = db.set.Apply(edit, func(v *manifest.Version) {
		db.states.Publish(func(rs *readstate.State) { rs.Version, rs.Mem = v, db.section.mem })
	})
	if err != nil {
		return errors.Join(err, seg.Closer.Close())
	}
	db.logs.used = append(db.logs.used, seg.Number)
	db.log = commitlog.New(db.set.State().DBID, seg, func() { wake(db.workers.gather) })
	db.log.OnSync(db.noteSync)
	if !db.opts.manualWork {
		db.log.OnCrowd(func() { wake(db.workers.crowd) })
	}
	return db.log.Activate(wal.Predecessor{}, last, db.clock.Now())
}

// recoverReadOnly leaves every file as it is: replayed records stay in
// memory.
func (db *DB) recoverReadOnly(r *recovery.Replay) error {
	mems, err := r.Memtables()
	if err != nil {
		return err
	}
	slices.Reverse(mems)
	db.section.lastSeq = r.LastSeq
	db.visible.Store(uint64(r.LastSeq))
	db.states.Publish(func(rs *readstate.State) {
		rs.Version, rs.Mem, rs.Imms = db.set.State().Version, &readstate.Mem{Table: memtable.New(leastMemtable)}, mems
	})
	return nil
}

// replayConfig is what recovery needs to know of the store.
func (db *DB) replayConfig() recovery.Config {
	return recovery.Config{
		Dir: db.dir, State: db.set.State(), Clock: db.clock, MemtableBytes: db.opts.MemtableBytes,
		TornTail: func(file string, offset, bytes int64) { db.emit(TornTail{File: file, Offset: offset, Bytes: bytes}) },
		Recovered: func(logs int, records int64, took time.Duration) {
			db.emit(Recovered{Logs: logs, Records: records, Duration: took})
		},
	}
}

// replayOutput is how recovery makes tables.
func (db *DB) replayOutput() recovery.Output {
	return recovery.Output{Job: db.replayJob, Env: db.mergeEnv(context.Background()), Discard: db.discard}
}

// replayJob is the merge that writes a memtable, which was replayed, to the nth run
// newer than all of v.
func (db *DB) replayJob(m *readstate.Mem, v *manifest.Version, nth int) compaction.Job {
	at := &compaction.Compaction{Kind: compaction.KindFlush, Reason: compaction.ReasonFlush, Age: nextAge(v) + uint64(nth), Span: memSpan(m)}
	return db.flushJob(m, v, at)
}

// removeUnreferenced removes what the recovered state does not refer to:
// outputs of merges that never happened, retired logs, older manifests. It runs
// before the workers start, and goes by what was listed before anything new was
// created.
func (db *DB) removeUnreferenced(files storedir.Listing) {
	live := map[base.FileNum]bool{}
	for _, t := range db.set.State().Version.AllTables() {
		live[t.Num] = true
	}
	for _, n := range files.Tables {
		if !live[n] {
			db.removeFile(base.FileTable, n)
		}
	}
	for _, n := range files.Logs {
		db.removeFile(base.FileLog, n)
	}
	_, inUse := db.set.LogName()
	for _, n := range files.Manifests {
		if n != inUse {
			db.removeFile(base.FileManifest, n)
		}
	}
	for _, name := range files.Temps {
		_ = db.dir.FS.Remove(db.dir.Join(name))
	}
}
