package siltstone

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/event"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/clock"
	"github.com/siltstonedb/siltstone/internal/engine/background"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
	"github.com/siltstonedb/siltstone/internal/engine/feed"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/reaper"
	"github.com/siltstonedb/siltstone/internal/engine/recovery"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/engine/txn"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/internal/lifecycle"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/memtable"
	"github.com/siltstonedb/siltstone/wal"
)

// Open opens the store in dir, and makes it if it does not exist. Nil options are the
// defaults. After a crash Open recovers the store by itself: it brings back every
// commit that was durable, drops an unfinished one at the end of the log, and reports
// that as an event.TornTail. If no crash can explain the damage the error is
// ErrCorruption, which names file and offset, and Open changes nothing. If the
// directory is in use the error is ErrLocked.
//
// The store keeps the directory that dir names now, also when the process changes its
// working directory.
//
// On a full disk the store opens with the space that it had kept, so that deletes can
// bring more. If there is too little it is ErrNoSpace, and says how much space it needs:
// recovery writes what the logs hold to tables before a new log begins.
//
// Opening a store that was closed costs a few syncs. After a crash Open also replays
// the logs of the memtables that had not been flushed.
func Open(dir string, o *Options) (*DB, error) { return open(dir, o, false) }

// open opens a store, or a replica of another one.
func open(dir string, o *Options, replica bool) (*DB, error) {
	begin := time.Now()
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	at, err := storedir.At(storedir.Watched(opts.FS), dir)
	if err != nil {
		return nil, base.In(err, "open %q", dir)
	}
	own, lock, err := takeDir(at, &opts)
	if err != nil {
		return nil, needsSpace(err, dir)
	}
	db := newDB(own, opts, lock, replica)
	db.report.opened = begin
	if err := db.recover(); err != nil {
		db.abandon()
		db.section.Ballast().Restore()
		_ = storedir.Unlock(lock) // the first error is the one to tell
		return nil, needsSpace(err, dir)
	}
	if !opts.ReadOnly {
		db.set.Nominations.Add(db.set.State().Nominated)
	}
	db.report.openedStore(time.Since(begin), slog.Bool("read_only", opts.ReadOnly), slog.Int64("memory_limit", opts.MemoryLimit))
	if !opts.manualWork {
		db.start()
	}
	return db, nil
}

// needsSpace says of an open that met a full disk what it needs.
func needsSpace(err error, dir string) error {
	if err = storedir.NoSpace(err); !errors.Is(err, ErrNoSpace) {
		return base.In(err, "open %q", dir)
	}
	return base.In(err, "open %q: writing takes free disk space, 128 KiB and as much as its logs if it was not closed; "+
		"nothing was lost, and read-only it opens without", dir)
}

// abandon releases the files of a store that could not be opened. It writes nothing:
// the next Open judges the files that this one left.
func (db *DB) abandon() {
	db.states.Tables.Close()
	if db.set != nil {
		_ = db.set.Close()
	}
	if log := db.section.Log(); log != nil {
		_ = log.Close()
	}
}

// newDB returns a store without files: the parts that are made before files are read.
func newDB(dir storedir.Dir, opts Options, lock io.Closer, replica bool) *DB {
	db := &DB{home: home{dir: dir, lock: lock}, opts: opts, clock: clock.New(opts.Clock)}
	if opts.LogicalClock {
		db.clock = clock.NewLogical(opts.Clock)
	}
	db.workers.init()
	invariants.SetRank(&db.report.mu, invariants.Report)
	invariants.SetRank(&db.spaces.Changing, invariants.Keyspaces)
	if db.report.onEvent = opts.OnEvent; opts.Logger != nil {
		db.report.logger = opts.Logger.With("dir", db.storeDir().Path)
	}
	db.handles.track = opts.TrackOpen
	db.life = lifecycle.New(db.poisoned)
	budget := cache.New(opts.MemoryLimit - opts.MemoryLimit/background.WasteShare)
	budget.OnWaste = func() { wake(db.workers.waste) }
	db.states = readstate.NewStates(readstate.NewTables(dir, opts.MaxOpenFiles, budget, db.workers.wakeKeep))
	db.states.Drained, db.states.Following = db.workers.wakeKeep, opts.Beside
	db.rows = &rows.Source{States: db.states}
	db.rows.Loss.Wake = func() { wake(db.workers.reads) }
	files := commitlog.NewPrepared(dir, func() (base.FileNum, error) { return db.set.NewFileNum() }, func(n base.FileNum) { db.remove(base.FileLog, n) })
	keep := opts.KeepChanges.On() && !opts.ReadOnly
	if keep {
		files.Keep(&commitlog.Kept{Bytes: opts.KeepChanges.Bytes, Age: opts.KeepChanges.Age}, db.clock.Now)
	}
	if opts.ReadOnly {
		db.past = feed.NewPast(db.storeDir())
	}
	var ballast *storedir.Ballast
	if !opts.ReadOnly {
		ballast = storedir.NewBallast(dir, db.workers.wakeKeep)
	}
	db.section = commit.New(commit.Config{
		Ballast: ballast, States: db.states, Clock: db.clock, Life: db.life, Dir: dir, Files: files,
		MemtableBytes: opts.MemtableBytes, MaxDiskBytes: opts.MaxDiskBytes, Notes: keep, Manual: opts.manualWork, Replica: replica,
	}, commit.Hooks{
		Rotated: db.workers.wakeFlush,
		Wanted:  func() { wake(db.workers.page) },
		Stalled: func(reason string) { db.report.emit(event.StallBegin{Reason: reason}) },
		Resumed: func(d time.Duration) { db.report.emit(event.StallEnd{Duration: d}) },
		Refused: func(err error) { db.report.emit(event.NoSpace{Err: err}) },
		Flush:   func() error { _, err := db.work.FlushStep(); return err },
		Ended:   func() bool { return db.work.Ended() },
	})
	db.states.Points.Visible, db.states.Points.Clock = db.section.Visible, db.clock
	db.states.Spent = db.section.Recycler.Spent
	return db
}

// assemble makes the set of tables, of the manifest's state, and the parts that
// need it.
func (db *DB) assemble(s *manifest.State) {
	db.set = manifest.OpenSet(db.dir.FS, db.dir.Path, s, db.clock, db.life)
	db.set.Nominations.Added = func() { wake(db.workers.reap) }
	o := &db.opts
	tables := o.tables()
	tables.TellEnded = o.KeepChanges.On() && db.refusal() == nil
	db.work = background.New(background.Config{
		Section: db.section, States: db.states, Rows: db.rows, Set: db.set, Dir: db.dir, Ballast: db.section.Ballast(), Life: db.life,
		Tables: tables, MemoryLimit: o.MemoryLimit, MemtableBytes: o.MemtableBytes, Rate: o.CompactionRate, Manual: o.manualWork,
	}, background.Hooks{
		Flushed: db.report.flushed, Compacted: db.report.compacted, Changed: db.workers.wakeAfterMerge, Remove: db.remove,
		Ended: func(rows [][]byte) error { return db.reaper.TellEnded(rows) },
	})
	db.txns = txn.New(txn.Config{
		Section: db.section, States: db.states, Rows: db.rows, Clock: db.clock, Set: db.set, Life: db.life,
		Level: db.level(DefaultDurability), Refusal: db.refusal(), Notes: db.section.Files().Kept() != nil, MaxTxBytes: o.MaxTxBytes,
	})
	db.reaper = &reaper.Reaper{
		Txns: db.txns, Section: db.section, States: db.states, Rows: db.rows, Clock: db.clock, Life: db.life,
		Nominations: &db.set.Nominations, Level: db.level(DefaultDurability),
		Reaped: func(n int64) { db.report.emit(event.Reaped{Collections: n}) },
	}
}

// poisoned reports that writing has ended, and makes waiting callers and workers look
// again.
func (db *DB) poisoned(cause error) {
	db.report.emit(event.Poisoned{Err: cause})
	db.section.LookAgain()
	db.workers.wakeAll()
}

// remove removes a file that nothing refers to. After a failed write of the manifest
// it removes nothing. A failure to remove is no damage but an event of its own: the
// next Open removes the file.
func (db *DB) remove(t base.FileType, n base.FileNum) {
	if db.life.Poisoned() {
		return
	}
	err := db.unlink(t, n)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		db.report.emit(event.RemoveFailed{File: base.Filename(t, n), Err: err})
	}
}

// recover brings the store to the state after the last commit that survived:
//
//  1. manifest read, damage refused; directory compared with it
//  2. logs read and judged as a chain; until here nothing has been changed
//  3. a new manifest published, unless the store was closed cleanly, with file
//     numbers reserved for new files; the records of the logs written to tables
//  4. an edit adds those tables and retires the replayed logs
//  5. only then a new log is activated
//  6. files that nothing refers to are removed, but for logs kept for readers of changes
//
// Where the disk is full 3 to 5 are tried again with more room: see withRoom.
func (db *DB) recover() error {
	if r := db.reader(); r != nil {
		found, err := r.Next(context.Background())
		if err != nil {
			return err
		}
		db.assemble(found.State)
		return db.show(r, found)
	}
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
	if err := db.takeRole(r.LastSeq); err != nil {
		return err
	}
	if err := db.withRoom(db.oldManifests(files, info), func() error { return db.openManifest(files, info) }); err != nil {
		return err
	}
	leftovers := func() bool { return db.removeUnreferenced(files) }
	var edit *manifest.Edit
	err = db.withRoom(leftovers, func() (err error) {
		edit, err = r.Tables(db.replayOutput())
		return err
	})
	if err != nil {
		return err
	}
	if edit.LastSeq = r.LastSeq; !r.Empty() && !db.section.Replica() {
		// The numbers of a lost tail are not met again. It may be lost without a
		// trace in the log.
		edit.LastSeq = r.LastSeq.AfterGap()
	}
	kept := db.section.Files().Kept()
	var prev wal.Predecessor
	if kept != nil {
		var logs []commitlog.KeptLog
		logs, prev = feed.Find(db.dir, files.Logs, r.State, r.End)
		kept.Found(logs)
	}
	if err := db.activate(edit, prev, leftovers); err != nil {
		return err
	}
	r.Close() // or the logs are in use where that keeps a file from being removed
	db.removeUnreferenced(files)
	for _, n := range files.Logs {
		if !kept.Has(n) {
			db.remove(base.FileLog, n)
		}
	}
	db.trimKept()
	db.keepBallast(db.section.ReplayBytes())
	return nil
}

// loadManifest reads the manifest, or makes the first state of a new store.
func (db *DB) loadManifest(files storedir.Listing) (*manifest.Info, error) {
	state, info, err := manifest.Load(db.dir.FS, db.dir.Path)
	if err == nil {
		db.assemble(state)
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
	db.assemble(manifest.NewState(id))
	return nil, nil
}

// checkFiles compares the directory with the manifest. A crash cannot make a
// table vanish, nor make a file whose number was never reserved: either means
// that the manifest is older than the directory, or a file is lost. The oldest log that
// is not retired was made, and its name durable, before the edit that names it; only
// a store that says it is clean needs none.
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
	if s.MinLog != 0 && !s.Clean && !slices.Contains(files.Logs, s.MinLog) {
		return base.Corruptf(base.Filename(base.FileLog, s.MinLog), -1, "log is missing")
	}
	return nil
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
// logs, and starts a new log, which follows prev if changes are kept, and an empty
// memtable.
func (db *DB) activate(edit *manifest.Edit, prev wal.Predecessor, leftovers func() bool) error {
	var seg commitlog.Segment
	err := db.withRoom(leftovers, func() (err error) {
		seg, err = db.section.Files().First()
		return err
	})
	if err != nil {
		return err
	}
	mem := &readstate.Mem{Table: db.section.Recycler.New(), Log: seg.Number, Usual: true}
	last := edit.LastSeq
	edit.MinLog, edit.Clock = seg.Number, db.clock.Now()
	err = db.withRoom(leftovers, func() error {
		return db.set.Apply(edit, func(v *manifest.Version) {
			db.states.Publish(func(rs *readstate.State) { rs.Version, rs.Mem = v, mem })
		})
	})
	if err != nil {
		return errors.Join(err, seg.Closer.Close())
	}
	log := commitlog.New(db.set.State().DBID, seg, func() { wake(db.workers.logGather) })
	log.OnSync(db.report.synced)
	if !db.opts.manualWork {
		log.OnCrowd(func() { wake(db.workers.logCrowd) })
	}
	if kept := db.section.Files().Kept(); kept != nil {
		log.Keep(kept)
	}
	db.section.Start(log, mem, last)
	db.states.Tables.Cache().Reserve(db.opts.MemoryLimit / workShare)
	return log.Activate(prev, last, db.clock.Now())
}

// recoverReadOnly leaves every file as it is: replayed records stay in
// memory.
func (db *DB) recoverReadOnly(r *recovery.Replay) error {
	mems, err := r.Memtables()
	if err != nil {
		return err
	}
	slices.Reverse(mems)
	db.section.StartReading(r.LastSeq)
	v := db.set.State().Version // its lock is taken before that of the states
	db.states.Publish(func(rs *readstate.State) {
		rs.Version, rs.Mem, rs.Imms = v, &readstate.Mem{Table: memtable.New(leastMemtable)}, mems
	})
	db.past.Show(r.State, r.End)
	return nil
}

// replayConfig returns the configuration of recovery.
func (db *DB) replayConfig() recovery.Config {
	return recovery.Config{
		Dir: db.dir, State: db.set.State(), Clock: db.clock, MemtableBytes: db.opts.MemtableBytes,
		TornTail: func(file string, offset, bytes int64) {
			db.report.emit(event.TornTail{File: file, Offset: offset, Bytes: bytes})
		},
		Recovered: func(logs int, records int64, took time.Duration) {
			db.report.emit(event.Recovered{Logs: logs, Records: records, Duration: took})
		},
	}
}

// replayOutput returns the functions by which recovery makes tables.
func (db *DB) replayOutput() recovery.Output {
	return recovery.Output{Job: db.replayJob, Env: db.work.Env(context.Background()), Discard: db.work.Discard}
}

// replayJob is the merge that writes a memtable, which was replayed, to the nth run
// newer than all of v.
func (db *DB) replayJob(m *readstate.Mem, v *manifest.Version, nth int) compaction.Job {
	at := &compaction.Compaction{
		Kind: compaction.KindFlush, Reason: compaction.ReasonFlush,
		Age: background.NextAge(v) + uint64(nth), Span: background.Span(m.Table),
	}
	return background.FlushJob(db.opts.tables(), &db.states.Points, m, v, at)
}

// leastBallast is the space that is kept, beside what replaying the logs takes: for the
// first log of a start, for the one after it, and for a table of what the first holds.
const leastBallast = 224 << 10

// keepBallast keeps the space with which a full disk is left, also by a start after a
// crash: that of the tables which replaying makes, of a manifest and of a log. It
// reports whether all of it is kept.
func (db *DB) keepBallast(replay int64) (kept bool) {
	return !db.life.Poisoned() && db.section.Ballast().Keep(leastBallast+replay+db.set.NewLogBytes())
}

// withRoom calls a step of a start. If the disk is full it calls it again with the room
// that the store had kept, and then without the files that a start before, which was
// cut short, has left: those had taken that room.
func (db *DB) withRoom(leftovers func() bool, step func() error) error {
	err := db.section.Ballast().Try(step)
	if errors.Is(err, ErrNoSpace) && leftovers() {
		err = storedir.NoSpace(step())
	}
	return err
}

// oldManifests removes the manifests that CURRENT does not name, before there is a new
// one. It may have been renamed a moment before a crash, so the name is made durable
// first. Tables stay: what the page cache shows of the manifest may not be on disk.
func (db *DB) oldManifests(files storedir.Listing, info *manifest.Info) func() bool {
	return func() (any bool) {
		if info == nil || db.dir.Sync() != nil {
			return false
		}
		for _, n := range files.Manifests {
			if n != info.Number {
				db.remove(base.FileManifest, n)
				any = true
			}
		}
		for _, name := range files.Temps {
			_ = db.dir.FS.Remove(db.dir.Join(name))
		}
		return any || len(files.Temps) > 0
	}
}

// removeUnreferenced removes files that the recovered state does not refer to, and
// reports whether there was one: outputs of merges that no edit installed, older
// manifests. It runs before the workers start, once the manifest is writable, and goes
// by a listing from before any new file was made.
func (db *DB) removeUnreferenced(files storedir.Listing) (any bool) {
	live := map[base.FileNum]bool{}
	for _, t := range db.set.State().Version.AllTables() {
		live[t.Num] = true
	}
	for _, n := range files.Tables {
		if !live[n] {
			db.remove(base.FileTable, n)
			any = true
		}
	}
	_, inUse := db.set.LogName()
	for _, n := range files.Manifests {
		if n != inUse {
			db.remove(base.FileManifest, n)
			any = true
		}
	}
	for _, name := range files.Temps {
		_ = db.dir.FS.Remove(db.dir.Join(name))
		any = true
	}
	return any
}
