package siltstone

import (
	"errors"
	"io/fs"
	"path"
	"sync"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/manifest"
)

// manifestState is the one way the set of tables changes: a version edit is
// applied to a copy of the state, made durable, and only then published.
type manifestState struct {
	mu    sync.Mutex // held across the append and its sync; taken before states.mu
	log   *manifest.Log
	ended bool // the log has been closed
	state *manifest.State
	next  base.FileNum // next file number to hand out; below state.FileLimit

	ids     sync.Mutex // guards those below; never held together with mu by its taker
	nextID  uint64
	idLimit uint64
	idBlock uint64 // how many ids the last reservation was for
}

const (
	fileBlock    = 64
	idBlockFirst = 4 << 10
	idBlockLast  = 1 << 20
)

func join(dir, name string) string { return path.Join(dir, name) }

// applyEdit makes the edit durable and publishes the read state it leads to;
// also edits that state further, before it is published. The order, for
// everything that changes the set of files: tables synced, directory synced,
// edit appended and synced, made visible, later unlinked.
//
// After a failure nothing the edit names is deleted, added or removed: whether
// it happened is known when a manifest is read again.
func (db *DB) applyEdit(e *manifest.Edit, also func(rs *readState)) error {
	m := &db.store
	m.mu.Lock()
	defer m.mu.Unlock()
	return db.applyEditLocked(e, also)
}

func (db *DB) applyEditLocked(e *manifest.Edit, also func(rs *readState)) error {
	if db.poison.set() {
		return db.poison.err()
	}
	m := &db.store
	if m.ended {
		return ErrClosed
	}
	e.Clock = max(e.Clock, db.clock.now())
	next, err := m.state.Apply(e)
	if err != nil {
		return err
	}
	if err := m.log.Append(e); err != nil {
		return db.poisonBy(err)
	}
	m.state = next
	db.nominateRanges(e.Nominated)
	if also != nil || len(e.Added)+len(e.Removed) > 0 {
		db.states.publish(func(rs *readState) {
			rs.version = next.Version
			if also != nil {
				also(rs)
			}
		})
	}
	if m.log.Full() {
		return db.replaceManifestLocked()
	}
	return nil
}

// replaceManifestLocked writes the state as a new manifest and removes the old
// one.
func (db *DB) replaceManifestLocked() error {
	m := &db.store
	old := m.log
	log, err := manifest.Create(db.opts.FS, db.dir, old.Number()+1, m.state)
	if err != nil {
		return db.poisonBy(err)
	}
	m.log = log
	_ = old.Close()
	_ = db.opts.FS.Remove(join(db.dir, base.Filename(base.FileManifest, old.Number())))
	return nil
}

// newFileNum hands out a file number, reserving the next block of them in the
// manifest first if need be.
func (db *DB) newFileNum() (base.FileNum, error) {
	m := &db.store
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.next >= m.state.FileLimit {
		if err := db.applyEditLocked(&manifest.Edit{FileLimit: m.next + fileBlock}, nil); err != nil {
			return 0, err
		}
	}
	n := m.next
	m.next++
	return n, nil
}

// newID hands out a collection id, from blocks reserved like file numbers. Ids
// are never reused; what is left of a block when the store closes is lost. Whoever
// needs a new block waits for a sync and everybody else who creates a collection
// with it, so each block is twice as large as the one before.
func (db *DB) newID() (uint64, error) {
	m := &db.store
	m.ids.Lock()
	defer m.ids.Unlock()
	if m.nextID >= m.idLimit {
		block := min(max(2*m.idBlock, idBlockFirst), idBlockLast)
		limit := m.nextID + block
		if err := db.applyEdit(&manifest.Edit{IDLimit: limit}, nil); err != nil {
			return 0, err
		}
		m.idLimit, m.idBlock = limit, block
	}
	id := m.nextID
	m.nextID++
	return id, nil
}

// removeObsolete removes table files that no version and no read state lists
// any more, and retired logs.
func (db *DB) removeObsolete() {
	for _, n := range db.tables.takeObsolete() {
		db.removeFile(base.FileTable, n)
	}
}

// removeFile removes a file that nothing refers to. After a failed write of the
// manifest it removes nothing. A failure to remove is no damage, and is told as
// what it is: the file goes at the next Open.
func (db *DB) removeFile(t base.FileType, n base.FileNum) {
	if db.poison.set() {
		return
	}
	name := base.Filename(t, n)
	err := db.opts.FS.Remove(join(db.dir, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		db.emit(RemoveFailed{File: name, Err: err})
	}
}
