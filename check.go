package siltstone

import (
	"context"
	"errors"

	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/manifest"
)

// Check reads the whole store and returns every fault it finds, joined; nil if
// there is none. It looks at one state, beside writers, and costs the reading of
// every table and log. Each fault is ErrCorruption and names a file, with the
// offset where there is one, or the collection:
//
//   - the directory is the manifest's: that verifies and says what the store
//     goes by, its tables are there, no other has a number it never gave out
//   - each table has the size, checksums, whole-file digest, counts, bounds and
//     sequences the manifest names; its records are in order, and the filter
//     admits them all
//   - logs that are complete verify to their end, the one in use as far as it has
//     been synced
//   - runs are disjoint inside, and of two records of a key, or a record and
//     a range tombstone over it, the one in the newer place is newer
//   - every keyspace has a number of its own, and no dropped one has a row left
//   - every collection's count is the number of its elements, the members of a
//     sorted set and their scores agree, its buckets count what lies in them, the
//     items of a list lie between its ends, the elements with a deadline are those
//     in the order of deadlines, and none of these is before the next due
//   - a collection that expires, or has elements that do, has a timer; and no
//     element row is left that nothing names
//
// Files that a failed removal left behind are no fault. The context is looked at
// often.
func (db *DB) Check(ctx context.Context) error {
	ctx, end, err := db.life.LongCall(ctx)
	if err != nil {
		return err
	}
	defer end()
	c, err := db.newChecker(ctx)
	if err != nil {
		return err
	}
	defer db.states.Drop(c.view.State)
	for _, look := range []func() error{db.set.Check, c.directory, c.version, c.tables, c.logs, c.ages, c.collections, c.keyspaces} {
		err := look()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		c.errs = append(c.errs, err)
	}
	return errors.Join(c.errs...)
}

// newChecker pins the newest version and notes the state that goes with it.
func (db *DB) newChecker(ctx context.Context) (*checker, error) {
	var state *manifest.State
	var rs *readstate.State
	db.set.Pinned(func(s *manifest.State) { state, rs = s, db.states.Hold() })
	if rs == nil {
		return nil, ErrClosed
	}
	view := rows.View{State: rs, Seq: db.section.Visible(), Now: db.clock.Now()}
	return &checker{db: db, ctx: ctx, state: state, view: view}, nil
}

// checker is one Check. It belongs to one goroutine.
type checker struct {
	db    *DB
	ctx   context.Context
	state *manifest.State // when it began
	view  rows.View
	errs  []error
	steps int

	inlineFaults []error // of collections in their metadata
}

// tick looks at the context now and then.
func (c *checker) tick() error {
	if c.steps++; c.steps%1000 == 0 {
		return c.ctx.Err()
	}
	return nil
}
