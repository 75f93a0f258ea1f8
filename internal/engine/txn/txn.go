package txn

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/clock"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/readset"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/manifest"
)

// Txn is one transaction. The first failure is kept: a transaction that failed
// cannot commit any more. It belongs to one goroutine.
type Txn struct {
	engine *Engine
	ks     *keyspace.Space // of a call; nil: the default one
	view   rows.View
	writes bool
	ofCall bool               // of a call on a typed value, which nobody else can use
	asked  bool               // for the time
	draws  *rand.PCG          // of RunAt: what is random comes from it
	pos    commitlog.Position // everything the transaction can see is before it
	err    error              // first failure

	change *commit.Change     // own writes, in order; nil while there are none
	own    ownWrites          // what is known of them
	reads  readset.Set        // only if it writes
	born   births             // collections that began in it
	dead   []manifest.IDRange // collections it ended
	spaces []*keyspace.Space  // named keyspaces it was asked to address
	walks  []*rows.Iter       // open ones, which note what they have read when they move on

	scratch collection.Scratch
	cursors []*cursor // open ones

	// how the state is held
	point  *readstate.Point // registered, for transactions that live long
	stripe int              // pinned, for calls
	pinned bool
	holds  bool              // held with Hold (must be dropped), no read point registered
	lock   *invariants.Mutex // of its key, held by a call that writes
	turn   *commit.Turn      // of a call that others wait for
}

// In is a transaction as calls in one of its keyspaces see it: they may be
// interleaved with calls in others.
type In struct {
	*Txn
	Space *keyspace.Space
}

var (
	_ collection.Txn = (*Txn)(nil)
	_ collection.Txn = (*In)(nil)
)

// Prefix implements collection.Txn.
func (t *In) Prefix() []byte { return t.Space.Prefix() }

// Dead implements collection.Txn.
func (t *In) Dead(id uint64) { t.deadIn(t.Space.ID(), id) }

// Prefix implements collection.Txn.
func (t *Txn) Prefix() []byte { return t.ks.Prefix() }

// Uint64 implements collection.Txn.
func (t *Txn) Uint64() uint64 {
	if t.draws != nil {
		return t.draws.Uint64()
	}
	return rand.Uint64()
}

// RunAt makes now the transaction's clock reading, and seed that of its draws. It is
// refused once the transaction has read or written, and if now is before the reading
// that it began with: merges need not have kept what had expired by then.
func (t *Txn) RunAt(now int64, seed uint64) error {
	switch {
	case t.draws != nil || t.change != nil || !t.reads.Empty():
		return base.Errorf(base.ErrBadOption, "RunAt after the transaction was used")
	case now < t.view.Now:
		return base.Errorf(base.ErrBadOption, "RunAt %d, before the transaction's clock, %d", now, t.view.Now)
	case now > clock.Latest:
		return base.Errorf(base.ErrBadOption, "RunAt %d, later than any clock shows", now)
	}
	t.view.Now, t.reads.Clock = now, now
	t.draws = rand.NewPCG(seed, 0)
	return nil
}

// Scratch implements collection.Txn.
func (t *Txn) Scratch() *collection.Scratch { return &t.scratch }

// Now implements collection.Txn. A call that asks may give a time to live.
func (t *Txn) Now() int64 {
	t.asked = true
	return t.now()
}

func (t *Txn) now() int64 {
	if t.view.Now == 0 {
		t.view.Now = t.engine.clock.Now()
		t.reads.Clock = t.view.Now
	}
	return t.view.Now
}

// Seq returns the sequence that the transaction reads at, and once it has committed
// writes that of the last of them.
func (t *Txn) Seq() base.SeqNum { return t.view.Seq }

// State returns the state that the transaction reads.
func (t *Txn) State() *readstate.State { return t.view.State }

// Writes reports whether the transaction may write.
func (t *Txn) Writes() bool { return t.writes }

// Err implements collection.Txn: the first failure of the transaction, or ErrTxDone
// once it has ended, or ErrClosed once the store has.
func (t *Txn) Err() error {
	switch {
	case t.view.State == nil:
		return base.ErrTxDone
	case t.err != nil:
		return t.err
	}
	return t.engine.life.ClosedErr()
}

// Address notes that the transaction addresses a named keyspace.
func (t *Txn) Address(ks *keyspace.Space) { t.spaces = append(t.spaces, ks) }

// Written loops over the own writes, in order. What is yielded is valid until the next
// write.
func (t *Txn) Written(yield func(record.Op) bool) {
	if t.change == nil {
		return
	}
	for i := range t.change.Len() {
		if !yield(t.change.Op(i)) {
			return
		}
	}
}

// Changed reports whether the transaction holds writes.
func (t *Txn) Changed() bool { return t.change != nil && t.change.Len() > 0 }

// begin makes a pooled or new transaction ready.
func (t *Txn) begin(e *Engine, ks *keyspace.Space, rs *readstate.State, seq base.SeqNum, now int64, write bool) {
	t.engine, t.ks, t.writes, t.ofCall, t.asked, t.err = e, ks, write, true, false, nil
	t.spaces = t.spaces[:0]
	if ks != nil {
		t.spaces = append(t.spaces, ks)
	}
	t.view = rows.View{State: rs, Seq: seq, Now: now}
	t.born.reset()
	t.dead = t.dead[:0]
	t.reads.Reset(seq, now, t)
}

// fail remembers the first failure: the transaction cannot commit any more.
func (t *Txn) fail(err error) error {
	if t.err == nil {
		t.err = err
	}
	return err
}

// Failed returns the first failure of the transaction.
func (t *Txn) Failed() error { return t.err }

// Commit validates the reads and applies the writes; it returns when both have
// reached the level. turn is that of the attempt, if others wait for it. The end of
// ctx ends a wait for others, not one for durability.
func (t *Txn) Commit(ctx context.Context, level commitlog.Level, turn *commit.Turn) error {
	if t.err != nil {
		return t.err
	}
	if !t.writes {
		return nil
	}
	t.removeUnborn()
	c := t.change
	if c == nil || c.Len() == 0 && c.Entered == nil {
		// The records that were read must be as durable as if they were written here.
		return t.engine.section.Wait(t.pos, level)
	}
	if invariants.Enabled {
		invariants.Check(t.reads.Seq == t.view.Seq, "read set of sequence %d in a transaction that reads at %d", t.reads.Seq, t.view.Seq)
	}
	for _, it := range t.walks {
		it.Note() // what open walks have passed was read
	}
	if !t.reads.Empty() {
		c.Reads = &t.reads
		if t.point == nil {
			c.State = t.view.State
		}
	}
	c.Spaces = append(c.Spaces, t.spaces...)
	c.Ctx, c.Turn, c.EndTurn = ctx, turn, turn != nil
	if t.ofCall && t.asked {
		c.CallFrom = t.view.Now
	}
	c.Lock, t.lock = t.lock, nil
	c.Own()
	t.offerTable(c)
	if t.engine.notes {
		if err := t.takeNote(c); err != nil {
			return err
		}
	}
	err := t.engine.section.Commit(c, level)
	t.lock = c.Lock // nil if the change became visible
	if err != nil {
		if err != commit.ErrStateChanged && commit.IsConflict(err) {
			t.engine.Conflicts.Add(1)
		}
		return err
	}
	t.engine.set.Nominations.Add(t.dead)
	t.view.Seq = c.Last
	return nil
}

// offerTable gives the change the table of the own writes. If it has nearly all of many,
// the others are added: to build another would take as much memory again.
func (t *Txn) offerTable(c *commit.Change) {
	if t.view.Own == nil {
		return
	}
	missing := c.Len() - int(t.view.OwnSeq-rows.OwnBase)
	if missing > 0 && missing < c.Len()/64 {
		t.index()
		missing = 0
	}
	if missing == 0 {
		c.UseTable(t.view.Own, rows.OwnBase+1)
	}
}

// End lets go of everything the transaction holds.
func (t *Txn) End() {
	for len(t.cursors) > 0 {
		t.cursors[len(t.cursors)-1].Close()
	}
	if t.change != nil {
		t.change.Free()
		t.change = nil
	}
	t.walks = slices.Delete(t.walks, 0, len(t.walks))
	if t.view.Own != nil {
		t.view.Own, t.view.OwnGaps = nil, nil
		t.own.gaps.reset()
	}
	t.own.large, t.own.unique = 0, 0
	t.tellHeld(0)
	states, rs := t.engine.states, t.view.State
	if t.point != nil {
		t.engine.states.Points.Release(t.point)
		states.Drop(rs)
		t.point = nil
	}
	if t.pinned {
		states.Unpin(rs, t.stripe)
		t.pinned = false
	}
	if t.holds {
		states.Drop(rs)
		t.holds = false
	}
	if t.lock != nil {
		t.lock.Unlock()
		t.lock = nil
	}
	if t.turn != nil {
		t.turn.End()
		t.turn = nil
	}
	t.view.State = nil
	t.reads.End()
}

// smallBuffer is how many own writes are searched one by one; more get an index.
const smallBuffer = 64

// bufferLimit bounds the index of a transaction's own writes: there is no limit.
const bufferLimit = math.MaxInt32
