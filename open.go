package siltstone

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/commit"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/memtable"
	"github.com/siltstonedb/siltstone/vfs"
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
	lock, err := lockDir(dir, &opts)
	if err != nil {
		return nil, err
	}
	db := newDB(dir, opts, lock)
	if err := db.recover(); err != nil {
		db.abandon()
		return nil, errors.Join(err, closeIf(lock))
	}
	if !opts.ReadOnly {
		db.nominateRanges(db.store.state.Nominated)
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
	db.tables.close()
	if db.store.log != nil {
		_ = db.store.log.Close()
	}
	if db.log != nil {
		_, _ = db.log.Close()
	}
}

func closeIf(c io.Closer) error {
	if c == nil {
		return nil
	}
	return c.Close()
}

func newDB(dir string, opts Options, lock io.Closer) *DB {
	db := &DB{dir: dir, opts: opts, lock: lock, clock: newStoreClock(opts.Clock)}
	db.gate = newGate()
	db.holders.track = opts.TrackOpen
	db.points = readPoints{visible: &db.visible, clock: db.clock}
	db.workers.init()
	db.blocks = cache.New(opts.MemoryLimit - opts.MemoryLimit/wasteShare)
	db.tables = newTableCache(&db.opts, dir, db.blocks, &db.disk.tables, db.wakeKeep)
	db.blocks.OnWaste = func() { wake(db.workers.waste) }
	db.spare.blocks, db.spare.most = db.blocks, db.opts.MemtableBytes
	db.states = states{tables: db.tables, drained: db.wakeKeep, spent: db.memSpent, alive: map[*readState]struct{}{}}
	return db
}

// lockDir makes the directory, if it may, and takes its lock. Read-only openers
// share the lock, and do without it on a medium that has no lock file.
func lockDir(dir string, o *Options) (io.Closer, error) {
	name := join(dir, base.Filename(base.FileLock, 0))
	if o.MustExist || o.ReadOnly {
		if _, err := o.FS.Stat(join(dir, base.Filename(base.FileCurrent, 0))); err != nil {
			return nil, fmt.Errorf("siltstone: no store in %s: %w", dir, err)
		}
	} else if _, err := o.FS.Stat(join(dir, base.Filename(base.FileCurrent, 0))); err != nil {
		if err := makeDir(dir, o.FS); err != nil {
			return nil, err
		}
	}
	lock, err := o.FS.Lock(name, !o.ReadOnly, !o.ReadOnly)
	switch {
	case errors.Is(err, vfs.ErrLockHeld):
		return nil, fmt.Errorf("%w: %w", ErrLocked, err)
	case o.ReadOnly && errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return lock, nil
}

// makeDir makes dir and what is missing above it, one directory at a time, each
// with a durable name before anything is made in it. The name of one that
// exists is made durable too: a start that was killed may have just made it.
func makeDir(dir string, f vfs.FS) error {
	parent := path.Dir(dir)
	_, err := f.Stat(dir)
	exists := err == nil
	if !exists {
		if parent != dir {
			if err := makeDir(parent, f); err != nil {
				return err
			}
		}
		if err := f.MkdirAll(dir); err != nil {
			return err
		}
	}
	err = f.SyncDir(parent)
	if exists && errors.Is(err, fs.ErrPermission) {
		return nil // where this process may not read, nobody like it made dir
	}
	return err
}

// recover brings the store to the state after the last commit that survived:
//
//  1. manifest read, damage refused; directory compared with it
//  2. logs replayed into memory and judged as a chain; until here nothing has
//     been changed
//  3. a new manifest published, unless the store was closed cleanly, with file
//     numbers reserved for what follows; the replayed records written to tables
//  4. an edit adds those tables and retires the replayed logs
//  5. only then a new log is activated
//  6. files that nothing refers to are removed
func (db *DB) recover() error {
	files, err := db.listFiles()
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
	r := replay{db: db, lastSeq: db.store.state.LastSeq}
	defer r.close()
	if err := r.open(files.logs); err != nil {
		return err
	}
	db.clock.advance(db.store.state.Clock)
	if err := r.run(); err != nil {
		return err
	}
	if db.opts.ReadOnly {
		db.recoverReadOnly(&r)
		return nil
	}
	if err := db.openManifest(files, info); err != nil {
		return err
	}
	if err := r.flush(); err != nil {
		return err
	}
	if err := db.activate(&r); err != nil {
		return err
	}
	db.removeUnreferenced(files)
	return nil
}

// directory is what the store's directory holds.
type directory struct {
	logs, tables, manifests []base.FileNum // ascending
	temps                   []string
}

func (db *DB) listFiles() (d directory, err error) {
	names, err := db.opts.FS.List(db.dir)
	if err != nil {
		return d, err
	}
	for _, name := range names {
		switch t, n := base.ParseFilename(name); t {
		case base.FileLog:
			d.logs = append(d.logs, n)
		case base.FileTable:
			d.tables = append(d.tables, n)
		case base.FileManifest:
			d.manifests = append(d.manifests, n)
		case base.FileTemp:
			d.temps = append(d.temps, name)
		}
	}
	d.sort()
	return d, nil
}

// loadManifest reads the manifest, or makes the first state of a new store.
func (db *DB) loadManifest(files directory) (*manifest.Info, error) {
	state, info, err := manifest.Load(db.opts.FS, db.dir)
	if err == nil {
		db.store.state = state
		return &info, nil
	}
	if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrCorruption) {
		return nil, err
	}
	if len(files.tables)+len(files.logs) > 0 {
		// CURRENT is durable before the first of them is created.
		return nil, base.Corruptf(base.Filename(base.FileCurrent, 0), -1, "missing, though there are tables or logs")
	}
	id, err := randomID()
	if err != nil {
		return nil, err
	}
	db.store.state = manifest.NewState(id)
	return nil, nil
}

func randomID() (uint64, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b[:]) | 1, nil
}

// checkFiles compares the directory with the manifest. A crash cannot make a
// table vanish, nor make a file whose number was never reserved: either means
// that the manifest is older than the directory, or a file is lost.
func (db *DB) checkFiles(files directory) error {
	s := db.store.state
	have := map[base.FileNum]bool{}
	for _, n := range files.tables {
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

// openManifest makes the manifest writable. After a clean close it goes on
// where it ended; otherwise a new one is published, so that nothing is ever
// appended behind what may be torn. Either way numbers are reserved for what
// recovery creates.
func (db *DB) openManifest(files directory, info *manifest.Info) error {
	m := &db.store
	m.next = max(m.state.FileLimit, 1)
	m.nextID, m.idLimit = max(m.state.IDLimit, 1), 0
	reserve := &manifest.Edit{FileLimit: m.next + fileBlock, Clock: db.clock.now()}
	var err error
	// Close removes the last log only after its edit was synced. A log that is
	// still there may mean that the sync failed, and that the page cache shows an
	// edit which the disk does not have: nothing may be appended behind that.
	if info != nil && m.state.Clean && info.Torn == 0 && len(files.logs) == 0 {
		if m.log, err = manifest.Continue(db.opts.FS, db.dir, *info); err != nil {
			return err
		}
		return db.applyEdit(reserve, nil)
	}
	if m.state, err = m.state.Apply(reserve); err != nil {
		return err
	}
	number := base.FileNum(1)
	if info != nil {
		number = info.Number + 1
	}
	if n := len(files.manifests); n > 0 {
		number = max(number, files.manifests[n-1]+1)
	}
	m.log, err = manifest.Create(db.opts.FS, db.dir, number, m.state)
	return err
}

// activate retires the replayed logs, with their records now in tables, and
// starts a new log and an empty memtable.
func (db *DB) activate(r *replay) error {
	seg, err := db.makeLog()
	if err != nil {
		return err
	}
	last := r.lastSeq
	if len(r.logs) > 0 {
		// The numbers of a lost tail are not met again. It may be lost without a
		// trace in the log.
		last = (last/base.SeqGap + 1) * base.SeqGap
	}
	db.section.lastSeq = last
	db.section.mem = &memState{Table: db.spare.chunks.New(int(db.opts.MemtableBytes)), log: seg.Number, usual: true}
	db.reserve()
	db.blocks.Reserve(db.opts.MemoryLimit / workShare)
	db.visible.Store(uint64(last))
	edit := &manifest.Edit{Added: r.tables, Nominated: r.nominated, MinLog: seg.Number, LastSeq: last, Clock: db.clock.now()}
	err = db.applyEdit(edit, func(rs *readState) { rs.mem = db.section.mem })
	if err != nil {
		return errors.Join(err, seg.Closer.Close())
	}
	db.logs.used = append(db.logs.used, seg.Number)
	db.log = commit.New(db.store.state.DBID, seg, func() { wake(db.workers.gather) })
	db.log.OnSync(db.noteSync)
	if !db.opts.manualWork {
		db.log.OnCrowd(func() { wake(db.workers.crowd) })
	}
	return db.log.Activate(wal.Predecessor{}, last, db.clock.now())
}

// recoverReadOnly leaves every file as it is: replayed records stay in
// memory.
func (db *DB) recoverReadOnly(r *replay) {
	db.section.lastSeq = r.lastSeq
	db.visible.Store(uint64(r.lastSeq))
	db.states.publish(func(rs *readState) {
		rs.version = db.store.state.Version
		rs.mem = &memState{Table: memtable.New(leastMemtable)}
		for _, m := range r.mems {
			rs.imms = append([]*memState{m}, rs.imms...)
		}
	})
}

// removeUnreferenced removes what the recovered state does not refer to:
// outputs of merges that never happened, retired logs, older manifests. It runs
// before the workers start, and goes by what was listed before anything new was
// created.
func (db *DB) removeUnreferenced(files directory) {
	live := map[base.FileNum]bool{}
	for _, t := range db.store.state.Version.AllTables() {
		live[t.Num] = true
	}
	for _, n := range files.tables {
		if !live[n] {
			db.removeFile(base.FileTable, n)
		}
	}
	for _, n := range files.logs {
		db.removeFile(base.FileLog, n)
	}
	for _, n := range files.manifests {
		if n != db.store.log.Number() {
			db.removeFile(base.FileManifest, n)
		}
	}
	for _, name := range files.temps {
		_ = db.opts.FS.Remove(join(db.dir, name))
	}
}
