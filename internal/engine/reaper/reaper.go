package reaper

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/clock"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/engine/txn"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/lifecycle"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/manifest"
)

// Reaper decides about the collections of one store.
type Reaper struct {
	Txns        *txn.Engine
	Section     *commit.Section
	States      *readstate.States
	Rows        *rows.Source
	Clock       *clock.Clock
	Life        *lifecycle.State
	Nominations *manifest.Nominations
	Level       commitlog.Level // that its commits wait for
	Reaped      func(n int64)   // told of collections that were found dead
}

// Batch is how many collections one transaction decides about at most.
const Batch = 1024

// Step decides about some collections; did tells whether there were any.
func (r *Reaper) Step() (did bool, err error) {
	if r.Life.Poisoned() {
		return false, nil
	}
	timers, err := r.dueTimers()
	if err != nil {
		return false, err
	}
	due, timers, err := r.sortTimers(timers)
	if err != nil {
		return false, err
	}
	ids := r.Nominations.Take(Batch)
	if len(ids)+len(timers) == 0 {
		return len(due) > 0, r.purge(due)
	}
	for {
		err = r.decide(ids, timers)
		if !errors.Is(err, base.ErrConflict) {
			break
		}
	}
	if err != nil {
		r.Nominations.GiveBack(ids)
		return false, err
	}
	return true, r.purge(due)
}

// Settle decides about some collections in a replica: it strikes those out that live, or
// are dead and freed. The others wait until the store that it follows has freed them. It
// writes nothing. did tells whether there were any.
func (r *Reaper) Settle() (did bool, err error) {
	if r.Life.Poisoned() {
		return false, nil
	}
	ids := r.Nominations.Take(Batch)
	if len(ids) == 0 {
		return false, nil
	}
	settled, rest, err := r.settled(ids)
	if err != nil {
		r.Nominations.GiveBack(ids)
		return false, err
	}
	r.Nominations.DecidedSome(r.Section.Mem().Log, settled, rest)
	return len(settled) > 0, nil
}

// settled tells collections that live, or have no rows, from others.
func (r *Reaper) settled(ids []manifest.IDRange) (settled, rest []manifest.IDRange, err error) {
	t, err := r.begin(false)
	if err != nil {
		return nil, nil, err
	}
	defer t.EndOwn()
	for _, of := range ids {
		for id := of.First; ; id++ {
			v, err := inspect(t, of.Keyspace, id)
			if err != nil {
				return nil, nil, err
			}
			one := manifest.IDRange{Keyspace: of.Keyspace, First: id, Last: id}
			if v.row == nil || v.alive {
				settled = append(settled, one)
			} else {
				rest = append(rest, one)
			}
			if id == of.Last {
				break
			}
		}
	}
	return joinNeighbours(settled), joinNeighbours(rest), nil
}

// begin begins a transaction. The caller ends it with EndOwn.
func (r *Reaper) begin(write bool) (*txn.Txn, error) {
	if err := r.Life.ClosedErr(); err != nil {
		return nil, err
	}
	return r.Txns.BeginOwn(write)
}

// sortTimers tells the timers of collections that live and are to be purged from
// those that decide asks about. Writers change the metadata of the former all the
// time, so that a decision about many at once would hardly ever commit.
func (r *Reaper) sortTimers(timers []timer) (due, rest []timer, err error) {
	if len(timers) == 0 {
		return nil, nil, nil
	}
	t, err := r.begin(false)
	if err != nil {
		return nil, nil, err
	}
	defer t.EndOwn()
	for _, at := range timers {
		v, err := inspect(t, at.keyspace, at.id)
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

// decide decides about ids, and the collections of timers, in one transaction, and
// deletes the timers.
func (r *Reaper) decide(ids []manifest.IDRange, timers []timer) error {
	t, err := r.begin(true)
	if err != nil {
		return err
	}
	defer t.EndOwn()
	dead, err := judgeAll(t, ids, timers)
	if err != nil {
		return err
	}
	reaped := count(dead)
	for _, d := range joinNeighbours(dead) {
		lo, hi := keyenc.CollectionRange(keyspace.Prefix(d.Keyspace), d.First, d.Last)
		if err := t.DeleteRange(lo, hi); err != nil {
			return err
		}
	}
	c, err := t.Buffer()
	if err != nil {
		return err
	}
	c.Urgent = true
	c.Entered = r.Nominations.Decided
	if err := t.Commit(context.Background(), r.Level, nil); err != nil {
		return err
	}
	if reaped > 0 {
		r.Reaped(reaped)
	}
	return nil
}

// judgeAll returns which of the collections are dead, and deletes the timers.
func judgeAll(t *txn.Txn, ids []manifest.IDRange, timers []timer) (dead []manifest.IDRange, err error) {
	one := func(number uint32, id uint64) error {
		gone, err := judge(t, number, id)
		if gone {
			dead = append(dead, manifest.IDRange{Keyspace: number, First: id, Last: id})
		}
		return err
	}
	for _, r := range ids {
		for id := r.First; ; id++ {
			if err := one(r.Keyspace, id); err != nil {
				return nil, err
			}
			if id == r.Last {
				break
			}
		}
	}
	for _, due := range timers {
		if err := errors.Join(one(due.keyspace, due.id), t.Delete(due.row)); err != nil {
			return nil, err
		}
	}
	return dead, nil
}

// finding is the state of a collection that has an owner row.
type finding struct {
	row     []byte // key row of the owner; nil: no owner row, dead already
	alive   bool   // that row carries the id and has not expired
	expired bool   // it carries the id
	due     int64  // next due, if it is alive; 0: none
}

// inspect finds out about collection id.
func inspect(t *txn.Txn, number uint32, id uint64) (v finding, err error) {
	owner := keyenc.AppendElementRow(nil, keyspace.Prefix(number), id, keyenc.TagOwner, "")
	row, _, err := t.Get(nil, owner)
	if errors.Is(err, base.ErrNotFound) {
		return v, nil
	}
	if err != nil {
		return v, err
	}
	f, err := t.Look(row, readstate.WantValue)
	if err != nil {
		return v, err
	}
	defer f.Loan.Return()
	v.row = row
	held, carries := record.CollectionID(record.Type(f.Attr.Type()), f.Value)
	carries = carries && held == id && f.Attr.Kind() == base.KindPut
	v.alive, v.expired = carries && f.OK, carries && !f.OK
	if v.alive {
		// Damaged metadata is reported by the next call that opens it.
		m, _ := record.DecodeMeta(f.Value)
		v.due = m.NextDue
	}
	return v, nil
}

// judge reports whether collection id is dead and has rows left. A row that has
// expired becomes a tombstone, so that no slow writer revives it.
func judge(t *txn.Txn, number uint32, id uint64) (dead bool, err error) {
	v, err := inspect(t, number, id)
	if err != nil || v.row == nil || v.alive {
		return false, err
	}
	if v.expired {
		if err := t.Delete(v.row); err != nil {
			return false, err
		}
		t.NoteExpired(v.row)
	}
	return true, nil
}

// purge removes due elements from collections that live, in transactions of a
// thousand elements each. A purge that loses to a writer leaves the rest to it:
// a writer purges its collection, and the timer is still there.
func (r *Reaper) purge(due []timer) error {
	var errs []error
	for _, d := range due {
		for more := true; more; {
			var err error
			if more, err = r.purgeSome(d); err != nil && !errors.Is(err, base.ErrConflict) {
				errs = append(errs, err) // the others are purged all the same
			}
		}
	}
	return errors.Join(errs...)
}

func (r *Reaper) purgeSome(d timer) (more bool, err error) {
	t, err := r.begin(true)
	if err != nil {
		return false, err
	}
	defer t.EndOwn()
	if more, err = collection.Purge(inSpace{t, keyspace.Prefix(d.keyspace)}, d.metadata); err != nil {
		return false, err
	}
	if !t.Changed() {
		return false, nil // somebody else was faster
	}
	c, err := t.Buffer()
	if err != nil {
		return false, err
	}
	c.Urgent = true
	if err := t.Commit(context.Background(), r.Level, nil); err != nil {
		return false, err
	}
	return more, nil
}

// inSpace is a transaction over the rows of another keyspace.
type inSpace struct {
	*txn.Txn
	prefix []byte
}

func (t inSpace) Prefix() []byte { return t.prefix }

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

// count returns how many collections the ranges hold.
func count(ranges []manifest.IDRange) (n int64) {
	for _, r := range ranges {
		n += int64(r.Last - r.First + 1)
	}
	return n
}

// timer is a timer row, of a collection.
type timer struct {
	row      []byte
	at       int64
	keyspace uint32
	id       uint64
	metadata []byte // row of the collection, if it is to be purged
}

// dueTimers returns timers that are due, at most Batch.
func (r *Reaper) dueTimers() (due []timer, err error) {
	now := r.Clock.Now()
	lo, hi := keyenc.TimerRange(now)
	rs := r.States.Hold()
	if rs == nil {
		return nil, base.ErrClosed
	}
	defer r.States.Drop(rs)
	it, err := rows.New(r.Rows, rows.View{State: rs, Seq: r.Section.Visible(), Now: now}, lo, hi, false)
	if err != nil {
		return nil, err
	}
	defer it.Release()
	for ok := it.First(); ok && len(due) < Batch; ok = it.Next() {
		at, id, _ := keyenc.ParseTimerRow(it.Key()) // of a row that is none: 0, which nobody has
		due = append(due, timer{row: bytes.Clone(it.Key()), at: at, keyspace: keyspace.Number(it.Value()), id: id})
	}
	return due, it.Err()
}
