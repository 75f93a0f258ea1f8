package siltstone

import (
	"context"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/background"
	"github.com/siltstonedb/siltstone/internal/engine/check"
	"github.com/siltstonedb/siltstone/internal/engine/checkpoint"
	"github.com/siltstonedb/siltstone/internal/lifecycle"
	"github.com/siltstonedb/siltstone/internal/storedir"
)

// Flush writes everything committed before it to tables and returns when they
// are durable. It is never needed for durability; a checkpoint or a test may
// want it.
func (db *DB) Flush(ctx context.Context) error {
	if err := db.mayWork(ctx); err != nil {
		return err
	}
	return db.section.Flush(ctx)
}

// mayWork returns why a call that writes tables cannot begin, or nil.
func (db *DB) mayWork(ctx context.Context) error {
	switch {
	case ctx == nil:
		return errNilContext
	case db.unopened():
		return ErrClosed
	}
	if db.opts.ReadOnly {
		return base.ErrReadOnlyStore
	}
	if err := lifecycle.Refused(ctx); err != nil {
		return err
	}
	if db.life.Closing() {
		return ErrClosed
	}
	return nil
}

// Compact merges every table that overlaps r down to the last level. It leaves no
// garbage there but versions that open snapshots still see. If r is all keys it
// merges the elements of collections and the named keyspaces as well; else it does
// not. Space comes back without Compact; a benchmark or a one-time load may want it
// at once.
func (db *DB) Compact(ctx context.Context, r Range) error {
	lo, hi, err := r.rows(nil)
	if err != nil {
		return err
	}
	if r.Lower == nil && r.Upper == nil {
		lo, hi = nil, nil
	}
	return db.compact(ctx, lo, hi)
}

// compact merges every table that overlaps the rows [lo, hi) down to the last
// level. Nil bounds are open.
func (db *DB) compact(ctx context.Context, lo, hi []byte) error {
	if err := db.mayWork(ctx); err != nil {
		return err
	}
	return db.work.Compact(ctx, lo, hi)
}

// longCall begins a call that reads much or writes files beside the store's.
func (db *DB) longCall(ctx context.Context) (context.Context, func(), error) {
	switch {
	case ctx == nil:
		return nil, nil, errNilContext
	case db.unopened():
		return nil, nil, ErrClosed
	}
	return db.life.LongCall(ctx)
}

// Check reads the whole store and returns every fault it finds, joined; nil if
// there is none. It looks at one moment of the store, beside writers, and costs the
// reading of every table and log. Each fault is ErrCorruption and names a file,
// with the offset where there is one, or the collection. Check verifies that
//
//   - the manifest can be read and is the one that the store goes by; every table
//     that it lists exists; no table has a number that was never reserved
//   - each table has the size, checksums, digest of the file, counts, bounds and
//     sequences that the manifest names; its records are in order, and its filter
//     admits them all
//   - complete logs can be read to their ends, and the log in use as far as it has
//     been synced
//   - the tables of a run do not overlap; of two records of a key, or a record and
//     a range tombstone over it, the one in the newer place is newer
//   - every keyspace has a number of its own, and no dropped keyspace has rows
//   - every collection counts its elements; the members of a sorted set and their
//     scores agree, and its buckets count their members; the items of a list lie
//     between its ends; the elements with a deadline are those in the order of
//     deadlines, and none of these is before the next due
//   - a collection that expires, or has elements that do, has a timer; and every
//     element row belongs to a collection
//
// Files that could not be removed are no fault, nor are the rows of collections that
// have ended and wait to be freed. The call ends soon after its context has ended.
func (db *DB) Check(ctx context.Context) error {
	ctx, end, err := db.longCall(ctx)
	if err != nil {
		return err
	}
	defer end()
	s, err := db.pinForCheck()
	if err != nil {
		return err
	}
	defer s.Release()
	return check.Run(ctx, s)
}

// pinForCheck returns the store as it is now, for Check and Repair. The caller
// releases it.
func (db *DB) pinForCheck() (check.Store, error) {
	return check.Pin(db.set, db.rows, &db.states.Points, db.dir, db.section.Files().InUse)
}

// Checkpoint makes dir a store of its own. The copy holds the state after one
// commit made at or after the call, and every commit that had returned before it.
// Writers, flushes and merges go on meanwhile. dir must not exist, else the error
// is fs.ErrExist and nothing is touched. Directories above it are made. When
// Checkpoint returns without an error the copy is durable.
//
// Tables are immutable, so the copy shares them by hard links: it costs a few
// syncs, and no space until the two stores part. On another file system, or one
// without links, tables are copied and their digests verified. The copy has no
// log. It has an id of its own, and notes that of its parent. Its file numbers,
// collection ids and clock begin above all that the parent has used.
//
//  1. memory is flushed to tables
//  2. the version is pinned: none of its files is unlinked while it is being linked
//  3. dir.NNNN.partial is made beside dir, NNNN random; tables are linked into it
//  4. its names are synced; the manifest is written, synced, and named by CURRENT
//  5. it is renamed to dir, and the name is synced
//
// A power cut therefore leaves a whole store in dir or nothing there. It leaves at
// most a directory that ends in ".partial", which may be removed. After an error
// its files are removed. The context can end the call until step 5.
//
// The tables of a store opened read-only are copied, not linked, for its files must
// not be changed in any way. The records of its logs are written to tables of the
// copy. A poisoned store is refused with ErrPoisoned: which of its last commits count
// is decided when it is opened again.
func (db *DB) Checkpoint(ctx context.Context, dir string) error {
	ctx, end, err := db.longCall(ctx)
	if err != nil {
		return err
	}
	defer end()
	to, err := storedir.At(db.dir.FS, dir)
	if err != nil {
		return base.In(err, "checkpoint to %q", dir)
	}
	c := checkpoint.Config{
		From: db.dir, To: to,
		Set: db.set, States: db.states, Clock: db.clock, Life: db.life,
		Flush: db.Flush, NewTable: background.CreateTable,
	}
	if db.opts.ReadOnly {
		c.Flush, c.LastSeq, c.Job = nil, db.section.Visible(), db.replayJob
	}
	if err := checkpoint.Run(ctx, c); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return storedir.NoSpace(err)
	}
	return nil
}
