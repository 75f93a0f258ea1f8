package siltstone

import (
	"context"

	"github.com/siltstonedb/siltstone/internal/keyspace"
)

// Flush writes everything committed before it to tables and returns when they
// are durable. It is never needed for durability; a checkpoint or a test may
// want it.
func (db *DB) Flush(ctx context.Context) error {
	if db.opts.ReadOnly {
		return ErrReadOnly
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if db.life.Closing() {
		return ErrClosed
	}
	return db.section.Flush(ctx)
}

// Compact merges every table that overlaps r down to the last level, so that no
// garbage is left there but what open snapshots still see. The elements of the
// collections in r count as overlapping only if r is all keys; then the named
// keyspaces are merged as well. Space comes back without it; a benchmark or a one-time load may want it now.
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
	if db.opts.ReadOnly {
		return ErrReadOnly
	}
	if db.life.Closing() {
		return ErrClosed
	}
	return db.work.Compact(ctx, lo, hi)
}

// EstimateSize returns about how many bytes of tables the keys of r take on
// disk. What is still in memory, garbage, and the elements of collections in
// the range are not counted, unless the range is all keys. Named keyspaces are
// not counted either: Keyspace.EstimateSize tells theirs. It reads table indexes
// only.
func (db *DB) EstimateSize(r Range) (int64, error) { return db.estimateSize(nil, r) }

func (db *DB) estimateSize(ks *keyspace.Space, r Range) (int64, error) {
	lo, hi, err := r.deleteRows(ks.Prefix())
	if err != nil {
		return 0, err
	}
	rs, n := db.states.Pin()
	if rs == nil {
		return 0, ErrClosed
	}
	defer db.states.Unpin(rs, n)
	if err := ks.Writable(); err != nil {
		return 0, err
	}
	var size int64
	for i := range rs.Runs {
		for _, t := range rs.Runs[i].Tables {
			if !t.Overlaps(lo, hi, true) {
				continue
			}
			rd, err := t.Get()
			if err != nil {
				return 0, db.states.ReadError(err)
			}
			size += rd.ApproximateSize(lo, hi)
		}
	}
	return size, nil
}
