package siltstone

import (
	"bytes"
	"errors"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/manifest"
)

// reaper decides about collections that may be dead and frees the rows of those
// that are. To nominate is to suspect: a typed call that ended a collection, a
// merge that dropped a metadata row, and a timer that is due all nominate; only
// the reaper kills, in a validated transaction at the newest sequence, by asking
// the owner row who owns the collection and that key's newest row whether it
// still does:
//
//	no owner row                              → dead already
//	the owner's row is live and carries the id → alive
//	otherwise                                 → range tombstone over the id's rows
//
// A timer leaves in the commit of the verdict it asked for, unless that is that
// the collection lives and some of its elements may be due: then it is purged, and
// the timer moves with its next due. A nomination leaves
// the manifest with the flush that makes the verdict durable, unless the
// collection was nominated again since. Duplicates are harmless. Safe for
// concurrent use.

// reapBatch is how many collections one transaction decides about at most.
const reapBatch = 1024

// reapStep decides about some collections; did tells whether there were any.
func (db *DB) reapStep() (did bool, err error) {
	if db.life.Poisoned() || db.opts.ReadOnly {
		return false, nil
	}
	timers, err := db.dueTimers()
	if err != nil {
		return false, err
	}
	due, timers, err := db.sortTimers(timers)
	if err != nil {
		return false, err
	}
	ids := db.set.Nominations.Take(reapBatch)
	if len(ids)+len(timers) == 0 {
		return len(due) > 0, db.purge(due)
	}
	for {
		err = db.reap(ids, timers)
		if !errors.Is(err, ErrConflict) {
			break
		}
	}
	if err != nil {
		db.set.Nominations.GiveBack(ids)
		return false, err
	}
	return true, db.purge(due)
}

// sortTimers tells the timers of collections that live and are to be purged from
// those that reap decides about. Writers change the metadata of the former all the
// time, so that a decision about many at once would hardly ever commit.
func (db *DB) sortTimers(timers []timer) (due, rest []timer, err error) {
	if len(timers) == 0 {
		return nil, nil, nil
	}
	tx, err := db.Begin(db.life.Context(), ReadOnly)
	if err != nil {
		return nil, nil, err
	}
	defer tx.Rollback()
	for _, at := range timers {
		v, err := tx.t.inspect(at.keyspace, at.id)
		switch {
		case err != nil:
			return nil, nil, err
		case v.alive && v.due == at.at:
			at.metadata = v.row
			due = append(due, at)
		default:
			rest = append(rest, at)
		}
	}
	return due, rest, nil
}

// reap decides about ids, and the collections of timers, in one transaction, and
// deletes the timers.
func (db *DB) reap(ids []manifest.IDRange, timers []timer) error {
	tx, err := db.Begin(db.life.Context(), ReadWrite)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	t := &tx.t
	var dead []manifest.IDRange
	judge := func(number uint32, id uint64) error {
		gone, err := t.judge(number, id)
		if gone {
			dead = append(dead, manifest.IDRange{Keyspace: number, First: id, Last: id})
		}
		return err
	}
	for _, r := range ids {
		for id := r.First; ; id++ {
			if err := judge(r.Keyspace, id); err != nil {
				return err
			}
			if id == r.Last {
				break
			}
		}
	}
	for _, due := range timers {
		if err := errors.Join(judge(due.keyspace, due.id), t.Delete(due.row)); err != nil {
			return err
		}
	}
	for _, r := range joinNeighbours(dead) {
		lo, hi := keyenc.CollectionRange(keyspace.Prefix(r.Keyspace), r.First, r.Last)
		if err := t.DeleteRange(lo, hi); err != nil {
			return err
		}
	}
	c, err := t.buffer()
	if err != nil {
		return err
	}
	c.urgent = true
	c.hooks = append(c.hooks, func() { db.set.Nominations.Decided(db.section.mem.Log) })
	if err := tx.commit(nil); err != nil {
		return err
	}
	if len(dead) > 0 {
		db.emit(Reaped{Collections: countIDs(dead)})
	}
	return nil
}

// finding is what is true of a collection that has an owner row.
type finding struct {
	row     []byte // key row of the owner; nil: no owner row, dead already
	alive   bool   // that row carries the id and has not expired
	expired bool   // it carries the id
	due     int64  // next due, if it is alive; 0: none
}

// inspect finds out about collection id.
func (t *txn) inspect(number uint32, id uint64) (v finding, err error) {
	owner := keyenc.AppendElementRow(nil, keyspace.Prefix(number), id, keyenc.TagOwner, "")
	row, _, err := t.Get(nil, owner)
	if errors.Is(err, ErrNotFound) {
		return v, nil
	}
	if err != nil {
		return v, err
	}
	f, err := t.look(row)
	if err != nil {
		return v, err
	}
	v.row = row
	held, carries := record.CollectionID(record.Type(f.Attr.Type()), f.Value)
	carries = carries && held == id && f.Attr.Kind() == base.KindPut
	v.alive, v.expired = carries && f.OK, carries && !f.OK
	if v.alive {
		// Metadata that is damaged is left to those who open it.
		m, _ := record.DecodeMeta(f.Value)
		v.due = m.NextDue
	}
	return v, nil
}

// judge reports whether collection id is dead and has rows left. A row that has
// expired becomes a tombstone, so that no slow writer revives it.
func (t *txn) judge(number uint32, id uint64) (dead bool, err error) {
	v, err := t.inspect(number, id)
	if err != nil || v.row == nil || v.alive {
		return false, err
	}
	if v.expired {
		if err := t.Delete(v.row); err != nil {
			return false, err
		}
	}
	return true, nil
}

// purge removes what is due from collections that live, in transactions of
// a thousand elements each. Who loses to a writer leaves the rest to it: writers
// purge what they write to, and the timer is still there.
func (db *DB) purge(due []timer) error {
	var errs []error
	for _, d := range due {
		for more := true; more; {
			var err error
			if more, err = db.purgeSome(d); err != nil && !errors.Is(err, ErrConflict) {
				errs = append(errs, err) // the others are purged all the same
			}
		}
	}
	return errors.Join(errs...)
}

func (db *DB) purgeSome(d timer) (more bool, err error) {
	tx, err := db.Begin(db.life.Context(), ReadWrite)
	if err != nil {
		return false, err
	}
	defer tx.Rollback()
	if more, err = collection.Purge(spaceTxn{&tx.t, keyspace.Prefix(d.keyspace)}, d.metadata); err != nil {
		return false, err
	}
	if tx.t.change == nil {
		return false, nil // somebody else was faster
	}
	tx.t.change.urgent = true
	if err := tx.commit(nil); err != nil {
		return false, err
	}
	return more, nil
}

// spaceTxn is a transaction over the rows of another keyspace.
type spaceTxn struct {
	*txn
	prefix []byte
}

func (t spaceTxn) Prefix() []byte { return t.prefix }

// joinNeighbours joins ranges of neighbouring ids, so that a storm of dead
// collections leaves few tombstones.
func joinNeighbours(r []manifest.IDRange) []manifest.IDRange {
	slices.SortFunc(r, func(a, b manifest.IDRange) int {
		if a.Keyspace != b.Keyspace {
			return int(a.Keyspace) - int(b.Keyspace)
		}
		if a.First < b.First {
			return -1
		}
		return 1
	})
	out := r[:0]
	for _, x := range r {
		if n := len(out); n > 0 && out[n-1].Keyspace == x.Keyspace && x.First <= out[n-1].Last+1 {
			out[n-1].Last = max(out[n-1].Last, x.Last)
			continue
		}
		out = append(out, x)
	}
	return out
}

// timer is a timer row, of a collection.
type timer struct {
	row      []byte
	at       int64
	keyspace uint32
	id       uint64
	metadata []byte // row of the collection, if it is to be purged
}

// dueTimers returns timers that are due, at most reapBatch.
func (db *DB) dueTimers() (due []timer, err error) {
	now := db.clock.Now()
	lo, hi := keyenc.TimerRange(now)
	rs := db.states.Hold()
	if rs == nil {
		return nil, ErrClosed
	}
	defer db.states.Drop(rs)
	v := rows.View{State: rs, Seq: base.SeqNum(db.visible.Load()), Now: now}
	it, err := rows.New(db.rows, v, lo, hi, false)
	if err != nil {
		return nil, err
	}
	defer it.Release()
	for ok := it.First(); ok && len(due) < reapBatch; ok = it.Next() {
		at, id, _ := keyenc.ParseTimerRow(it.Key()) // of a row that is none: 0, which nobody has
		due = append(due, timer{row: bytes.Clone(it.Key()), at: at, keyspace: keyspace.Number(it.Value()), id: id})
	}
	return due, it.Err()
}
