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

// Close ends the store. It waits for calls in progress. It does not wait for open
// iterators, snapshots and transactions: they end with ErrClosed, and the error of
// Close counts them (with Options.TrackOpen it has the stacks of their opening).
// Afterwards every commit that had returned is durable, whatever its level. Close may
// be called again: each call returns when the store is closed, with the same result.
//
//  1. no more commits, workers joined
//  2. memtables flushed to tables, so that the next Open has nothing to replay; the
//     last of these edits says that the store is clean, for the log that it names as
//     the next has no file
//  3. log synced; an edit that says the store is clean and retires the log
//  4. files closed, lock released
//
// A store that was poisoned, or whose last flush fails, is only released: the
// next Open recovers it.
func (db *DB) Close() error {
	if db.unopened() {
		return nil
	}
	return db.life.Close(db.close)
}

func (db *DB) close() error {
	begin := time.Now()
	err := db.closeAll()
	db.report.closedStore(time.Since(begin), err)
	return err
}

func (db *DB) closeAll() error {
	db.section.Close()
	db.life.BeginClose()
	db.stop()
	db.life.AwaitLongCalls() // Check and Checkpoint end early

	var err error
	if !db.opts.ReadOnly {
		err = db.closeFiles()
	}
	if last := db.states.End(); last != nil {
		for !last.Idle() {
			time.Sleep(50 * time.Microsecond)
		}
	}
	db.states.Tables.Close()
	err = errors.Join(err, db.set.Close())
	if db.lock != nil {
		err = errors.Join(err, db.lock.Close())
	}
	return errors.Join(err, db.handles.err())
}

// closeFiles flushes the memtables and ends log and manifest cleanly.
func (db *DB) closeFiles() error {
	files, log := db.section.Files(), db.section.Log()
	// Last of all, when the logs have gone: the space for the next start.
	defer db.keepBallast(0)
	defer files.Close()
	if db.life.Poisoned() {
		_ = log.Close()
		return db.life.PoisonErr()
	}
	flushErr := db.flushAll()
	err := log.Close()
	if err = errors.Join(flushErr, err); err != nil || db.life.Poisoned() {
		return err
	}
	db.removeObsolete()
	next := db.section.Mem().Log + 1
	retired := files.Retire(next)
	err = db.section.Ballast().Try(func() error {
		return db.set.Apply(&manifest.Edit{MinLog: next, LastSeq: db.section.LastSeq(), Clean: true}, nil)
	})
	if err != nil {
		return err
	}
	for _, n := range retired {
		db.remove(base.FileLog, n)
	}
	return nil
}

// flushAll flushes every memtable. The log goes on to the end: an empty
// memtable over it takes the last one's place.
func (db *DB) flushAll() error {
	if mem := db.section.Mem(); !mem.Empty() {
		var n base.FileNum
		err := db.section.Ballast().Try(func() (err error) { n, err = db.set.NewFileNum(); return err })
		if err != nil {
			return err
		}
		db.section.SealLast(&readstate.Mem{Table: memtable.New(leastMemtable), Log: n})
	}
	for db.section.Unflushed() > 0 {
		if _, err := db.work.FlushStep(); err != nil {
			return err
		}
	}
	log := db.section.Log()
	return log.Wait(log.Appended(), commitlog.Durable)
}
