package siltstone

import (
	"context"
	"errors"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/commit"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/memtable"
)

// Close ends the store. It waits for calls in progress, not for what was left
// open: iterators, snapshots and transactions end with ErrClosed, everything is
// freed, and the error says what there was (and who opened it, with
// Options.TrackOpen). Every commit that returned, at whatever level, is durable
// afterwards. Closing twice is fine.
//
//  1. no more commits, workers joined
//  2. what is in memory flushed to tables, so that the next Open has nothing to
//     replay; the log ended and synced
//  3. an edit that says the store is clean
//  4. files closed, lock released
//
// A store that was poisoned, or whose last flush fails, is only released: the
// next Open recovers it.
func (db *DB) Close() error {
	db.section.Lock()
	if db.section.closed {
		db.section.Unlock()
		return nil
	}
	db.section.closed = true
	db.section.Unlock()
	db.closing.Store(true)
	db.workers.stop()
	db.long.Lock() // Check and Checkpoint end early
	//lint:ignore SA2001 to have waited is all that is wanted
	db.long.Unlock()

	var err error
	if !db.opts.ReadOnly {
		err = db.closeFiles()
	}
	if last := db.states.end(); last != nil {
		for !last.calls.zero() {
			time.Sleep(50 * time.Microsecond)
		}
	}
	db.tables.close()
	err = errors.Join(err, db.store.end())
	if db.lock != nil {
		err = errors.Join(err, db.lock.Close())
	}
	return errors.Join(err, db.holders.err())
}

// end closes the manifest's log, once nobody appends to it.
func (m *manifestState) end() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended = true; m.log == nil {
		return nil
	}
	return m.log.Close()
}

// longCall begins a call that reads much or writes files beside the store's. Its
// context ends, with ErrClosed as the cause, once Close begins, and Close waits
// for end. It is ErrClosed if Close has begun.
func (db *DB) longCall(ctx context.Context) (_ context.Context, end func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	db.long.RLock()
	if db.isClosed() {
		db.long.RUnlock()
		return nil, nil, ErrClosed
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(db.workers.ctx, func() { cancel(ErrClosed) })
	return ctx, func() { stop(); cancel(nil); db.long.RUnlock() }, nil
}

// isClosed reports whether Close has begun.
func (db *DB) isClosed() bool { return db.closing.Load() }

func (db *DB) closedErr() error {
	if db.closing.Load() {
		return ErrClosed
	}
	return nil
}

// closeFiles flushes what is in memory and ends log and manifest cleanly.
func (db *DB) closeFiles() error {
	defer db.logs.closeAll(func(n base.FileNum) { db.removeFile(base.FileLog, n) })
	if db.poison.set() {
		_, _ = db.log.Close()
		return db.poison.err()
	}
	flushErr := db.flushAll()
	_, err := db.log.Close()
	if err = errors.Join(flushErr, err); err != nil || db.poison.set() {
		return err
	}
	db.removeObsolete()
	retired := db.logs.retire(db.section.mem.log + 1)
	err = db.applyEdit(&manifest.Edit{MinLog: db.section.mem.log + 1, LastSeq: db.section.lastSeq, Clean: true}, nil)
	if err != nil {
		return err
	}
	for _, n := range retired {
		db.removeFile(base.FileLog, n)
	}
	return nil
}

// flushAll flushes every memtable. The log goes on to the end: an empty
// memtable over it takes the last one's place.
func (db *DB) flushAll() error {
	if mem := db.currentMem(); !mem.Empty() {
		n, err := db.newFileNum()
		if err != nil {
			return err
		}
		db.seal(mem)
		fresh := &memState{Table: memtable.New(leastMemtable), log: n}
		db.section.Lock()
		db.section.mem = fresh
		db.section.Unlock()
		db.states.publish(func(rs *readState) {
			rs.imms = append([]*memState{mem}, rs.imms...)
			rs.mem = fresh
		})
	}
	for db.unflushed() > 0 {
		if _, err := db.flushStep(); err != nil {
			return err
		}
	}
	return db.log.Wait(db.log.Appended(), commit.Durable)
}
