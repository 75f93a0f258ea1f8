package siltstone

import (
	"context"
	"errors"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/background"
	"github.com/siltstonedb/siltstone/internal/engine/check"
	"github.com/siltstonedb/siltstone/internal/engine/checkpoint"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/lifecycle"
	"github.com/siltstonedb/siltstone/internal/record"
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

// Check reads the whole store and returns every fault it finds, joined and each once;
// nil if there is none. It looks at one moment of the store, beside writers, and costs
// the reading of every table and log. Each fault is ErrCorruption and names a file,
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
func (db *DB) Checkpoint(ctx context.Context, dir string) error { return db.checkpoint(ctx, dir, nil) }

// CheckpointKeyspaces is Checkpoint of the named keyspaces alone; the empty name is the
// default keyspace. It is ErrNotFound if one of them does not exist.
//
// The others are dropped in the copy, in one commit of its own, before that gets its name.
// Tables with nothing but their rows leave it then, unread. Tables that they share with
// those that stay are linked, and merges free the space in them once the copy is open: so
// the call costs what Checkpoint and DropKeyspace do. Origin is that of any checkpoint.
// With KeepChanges the copy has one log, and a feed that goes on in it after Origin shows
// what was dropped.
func (db *DB) CheckpointKeyspaces(ctx context.Context, dir string, names ...string) error {
	for _, name := range names {
		if name == "" {
			continue
		}
		if _, err := db.Keyspace(name); err != nil {
			return base.In(err, "checkpoint of keyspace %s", base.Quote(name))
		}
	}
	if len(names) == 0 {
		return base.Errorf(errMisuse, "checkpoint: no keyspace is named")
	}
	return db.checkpoint(ctx, dir, names)
}

// checkpoint makes a checkpoint of the named keyspaces; nil: of all.
func (db *DB) checkpoint(ctx context.Context, dir string, names []string) error {
	ctx, end, err := db.longCall(ctx)
	if err != nil {
		return err
	}
	defer end()
	to, err := storedir.At(db.dir.FS, dir)
	if err != nil {
		return base.In(err, "checkpoint to %q", dir)
	}
	c := checkpoint.Config{Source: db.copied(), To: to, NewTable: background.CreateTable}
	if names != nil {
		c.Finish = func(path string) error {
			return keepOnly(path, &db.opts, names, func(only *DB) error {
				at := []byte{keyenc.SpaceNamed + 1} // no row: of what there is to do, what costs no merge
				return only.work.Compact(ctx, at, at)
			})
		}
	}
	if err := checkpoint.Run(ctx, c); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return base.In(storedir.NoSpace(err), "checkpoint to %q", dir)
	}
	return nil
}

// keepOnly drops everything from the store in dir but the named keyspaces, the empty name
// being the default one, and calls then with it.
func keepOnly(dir string, o *Options, names []string, then func(*DB) error) (err error) {
	opts := *o
	opts.ReadOnly, opts.Beside, opts.MustExist, opts.manualWork = false, false, true, true
	opts.OnEvent, opts.Logger = nil, nil
	db, err := Open(dir, &opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.dropOthers(names); err != nil {
		return err
	}
	return then(db)
}

// copied returns the store as one that is copied.
func (db *DB) copied() checkpoint.Source {
	s := checkpoint.Source{From: db.dir, Set: db.set, States: db.states, Clock: db.clock, Life: db.life, Flush: db.Flush}
	if db.opts.ReadOnly {
		s.Flush, s.LastSeq, s.Job = nil, db.lastShown, db.replayJob
	}
	return s
}

// lastShown returns the largest sequence that a state of a store that is open for reading
// shows. Beside a writer the store may show a later state meanwhile.
func (db *DB) lastShown(rs *readstate.State) base.SeqNum {
	if db.reader() != nil {
		return rs.LastSeq
	}
	return db.section.Visible()
}

// Refresh moves a store that was opened with Options.Beside on to a newer state: that
// after one commit, with every commit that had returned at SyncDurability or OSDurability
// when the call began, and none that a power cut could take back. All calls on the store
// and its handles that begin later read that state or a newer one. Snapshots,
// transactions, iterators and loops go on reading the state that they began with. A
// keyspace that has been dropped is ErrDropped from then on, its handle included.
//
// It costs the reading of the manifest and of what was added to the logs, a link for each
// new table, and a sync if there is a new commit in the logs. If nothing has changed it
// changes nothing. What only older states had is given back to the disk after the last who
// reads one of them has ended.
//
// After an error, also when ctx ends, the store shows what it showed before. If the
// directory holds another store by now, or an older copy of this one, the error says so.
// Calls from several goroutines take turns. Close ends the call with ErrClosed.
func (db *DB) Refresh(ctx context.Context) error {
	ctx, end, err := db.longCall(ctx)
	if err != nil {
		return err
	}
	defer end()
	r := db.reader()
	if r == nil {
		return errNotBeside
	}
	if err := r.Begin(ctx); err != nil {
		return err
	}
	defer r.End()
	found, err := r.Next(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return err
	case err != nil:
		return base.In(storedir.NoSpace(err), "refresh from %q", r.Store().Path)
	case found != nil:
		err = db.show(r, found)
	}
	db.states.Trim()
	db.removeObsolete() // with the turn: the next state may have what an error has let go of
	if err != nil {
		r.Discard()
	}
	return base.In(err, "refresh from %q", r.Store().Path)
}

// errNotBeside refuses Refresh where there is no other writer.
var errNotBeside = base.Errorf(errMisuse, "Refresh is for a store that was opened with Options.Beside")

// EstimateSize estimates the bytes that the keys of r, and the elements of their
// collections, take in tables on disk. It counts garbage among the keys that no merge
// has freed yet, and each block that has a part of r whole. It does not count
// memtables, logs, nor named keyspaces: Keyspace.EstimateSize does.
//
// If r is all keys it reads table indexes only. Otherwise elements lie elsewhere than
// their keys: the first 10,000 keys of r are read to find them, and beyond those it
// assumes that the rest of r has as many.
func (db *DB) EstimateSize(r Range) (int64, error) { return db.estimateSize(nil, r) }

// estimateKeys is how many keys of a range are asked for collections.
const estimateKeys = 10_000

// stretch is the rows [lo, hi).
type stretch struct{ lo, hi []byte }

func (db *DB) estimateSize(ks *keyspace.Space, r Range) (int64, error) {
	lo, hi, err := r.deleteRows(ks.Prefix())
	if err != nil {
		return 0, err
	}
	if db.unopened() {
		return 0, ErrClosed
	}
	rs := db.states.Hold()
	if rs == nil {
		return 0, ErrClosed
	}
	defer db.states.Drop(rs)
	if err := ks.Writable(); err != nil {
		return 0, err
	}
	keys, err := db.sizeOf(rs, stretch{lo, hi})
	if err != nil || len(r.Lower) == 0 && r.Upper == nil { // elements are among those rows
		return keys, err
	}
	found, next, err := db.elementsOf(rs, ks, lo, hi)
	if err != nil || len(found) == 0 {
		return keys, err
	}
	elements, err := db.sizeOf(rs, found...)
	if err != nil || next == nil {
		return keys + elements, err
	}
	read, err := db.sizeOf(rs, stretch{lo, next})
	if read > 0 && read < keys {
		elements = int64(float64(elements) * float64(keys) / float64(read))
	}
	return keys + elements, err
}

// elementsOf returns the element rows of the collections among the keys in [lo, hi),
// in order, and the key at which it gave up, if it did.
func (db *DB) elementsOf(rs *readstate.State, ks *keyspace.Space, lo, hi []byte) (found []stretch, next []byte, err error) {
	v := rows.View{State: rs, Seq: db.section.Visible(), Now: db.clock.Now()}
	it, err := rows.New(db.rows, v, lo, hi, true)
	if err != nil {
		return nil, nil, err
	}
	defer it.Release()
	var ids []uint64
	read := 0
	for ok := it.First(); ok; ok = it.Next() {
		if read++; read > estimateKeys {
			next = slices.Clone(it.Key())
			break
		}
		if t := record.Type(it.Attr().Type()); t.IsCollection() {
			f, err := rs.Look(it.Key(), base.HashRow(it.Key()), v.Seq, readstate.WantSmall)
			if err != nil {
				return nil, nil, db.states.ReadError(err)
			}
			if id, ok := record.CollectionID(t, f.Value); ok && f.OK {
				ids = append(ids, id)
			}
			f.Loan.Return()
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		first, behind := keyenc.CollectionRange(ks.Prefix(), id, id)
		found = append(found, stretch{first, behind})
	}
	return found, next, it.Err()
}

// sizeOf returns the bytes of the tables' blocks that have a part of the stretches,
// which are in order, each block once.
func (db *DB) sizeOf(rs *readstate.State, all ...stretch) (size int64, err error) {
	for i := range rs.Runs {
		for _, t := range rs.Runs[i].Tables {
			var counted int64 // offset up to which blocks were counted
			for _, s := range all {
				if !t.Overlaps(s.lo, s.hi, true) {
					continue
				}
				r, err := t.Get()
				if err != nil {
					return 0, db.states.ReadError(err)
				}
				n, end := r.SizeFrom(counted, s.lo, s.hi)
				size, counted = size+n, end
			}
		}
	}
	return size, nil
}
