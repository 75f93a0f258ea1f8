package siltstone

import (
	"context"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/check"
)

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
	ctx, end, err := db.life.LongCall(ctx)
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
	return check.Pin(db.set, db.rows, &db.points, db.dir, db.logsInUse)
}

// logsInUse returns the logs that are not retired, oldest first.
func (db *DB) logsInUse() []base.FileNum {
	db.logs.mu.Lock()
	defer db.logs.mu.Unlock()
	return slices.Clone(db.logs.used)
}
