package siltstone

import (
	"errors"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
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
	db.life.BeginClose()
	db.workers.stop(db.life)
	db.life.AwaitLongCalls() // Check and Checkpoint end early

	var err error
	if !db.opts.ReadOnly {
		err = db.closeFiles()
	}
	if last := db.states.End(); last != nil {
		for !last.Calls.Zero() {
			time.Sleep(50 * time.Microsecond)
		}
	}
	db.tables.Close()
	err = errors.Join(err, db.set.Close())
	if db.lock != nil {
		err = errors.Join(err, db.lock.Close())
	}
	return errors.Join(err, db.holders.err())
}

// closeFiles flushes what is in memory and ends log and manifest cleanly.
func (db *DB) closeFiles() error {
	defer db.logs.closeAll(func(n base.FileNum) { db.removeFile(base.FileLog, n) })
	if db.life.Poisoned() {
		_, _ = db.log.Close()
		return db.life.PoisonErr()
	}
	flushErr := db.flushAll()
	_, err := db.log.Close()
	if err = errors.Join(flushErr, err); err != nil || db.life.Poisoned() {
		return err
	}
	db.removeObsolete()
	retired := db.logs.retire(db.section.mem.Log + 1)
	err = db.set.Apply(&manifest.Edit{MinLog: db.section.mem.Log + 1, LastSeq: db.section.lastSeq, Clean: true}, nil)
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
		n, err := db.set.NewFileNum()
		if err != nil {
			return err
		}
		db.seal(mem)
		fresh := &readstate.Mem{Table: memtable.New(leastMemtable), Log: n}
		db.section.Lock()
		db.section.mem = fresh
		db.section.Unlock()
		db.states.Publish(func(rs *readstate.State) {
			rs.Imms = append([]*readstate.Mem{mem}, rs.Imms...)
			rs.Mem = fresh
		})
	}
	for db.unflushed() > 0 {
		if _, err := db.flushStep(); err != nil {
			return err
		}
	}
	return db.log.Wait(db.log.Appended(), commitlog.Durable)
}
