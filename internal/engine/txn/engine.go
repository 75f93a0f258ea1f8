package txn

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/clock"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/lifecycle"
	"github.com/siltstonedb/siltstone/manifest"
)

// Engine begins the transactions of one store. It is safe for concurrent use.
type Engine struct {
	// Conflicts counts commits that were refused because reads had changed.
	Conflicts atomic.Int64
	// Held is about what the transactions hold of their writes and reads, in bytes.
	Held atomic.Int64

	locks keyLocks

	// constant after New
	section  *commit.Section
	states   *readstate.States
	rows     *rows.Source
	clock    *clock.Clock
	set      *manifest.Set
	life     *lifecycle.State
	level    commitlog.Level // of calls
	refusal  error           // of calls that write; nil: none
	notes    bool            // taken of commits, for readers of changes
	maxBytes int64           // of writes that a transaction of Begin may hold; 0: no limit
}

// Config is the parts of the store and the settings that an Engine uses.
type Config struct {
	Section *commit.Section
	States  *readstate.States
	Rows    *rows.Source
	Clock   *clock.Clock
	Set     *manifest.Set
	Life    *lifecycle.State
	Level   commitlog.Level // that calls wait for
	Refusal error           // of calls that write; nil: none
	Notes   bool            // a note stands in front of each commit, for readers of changes

	MaxTxBytes int64 // that a transaction of Begin may hold of its writes; 0: no limit
}

// New returns the engine of a store.
func New(c Config) *Engine {
	e := &Engine{
		section: c.Section, states: c.States, rows: c.Rows, clock: c.Clock, set: c.Set,
		life: c.Life, level: c.Level, refusal: c.Refusal, notes: c.Notes, maxBytes: c.MaxTxBytes,
	}
	for i := range e.locks.stripes {
		invariants.SetRank(&e.locks.stripes[i].Mutex, invariants.KeyLock)
	}
	return e
}

// Begin makes t a transaction at a registered read point. The caller ends it with
// End.
func (e *Engine) Begin(t *Txn, write bool) error {
	t.engine, t.writes, t.own.bounded = e, write, true
	if t.point, t.view.State = e.states.Register(); t.view.State == nil {
		return base.ErrClosed
	}
	if log := e.section.Log(); log != nil {
		t.pos = log.Appended() // what the point can see was appended before
	}
	t.view.Seq, t.view.Now = t.point.Seq, t.point.Now
	t.reads.Begin(t.view.Seq, t.view.Now, t)
	return nil
}

// BeginOwn is Begin of a transaction of the store's own, which no bound refuses. Nobody
// uses it after EndOwn: the next one has its memory.
func (e *Engine) BeginOwn(write bool) (*Txn, error) {
	t := pool.Get().(*Txn)
	point, rs := e.states.Register()
	if rs == nil {
		pool.Put(t)
		return nil, base.ErrClosed
	}
	t.begin(e, nil, rs, point.Seq, point.Now, write)
	t.ofCall, t.point = false, point
	if log := e.section.Log(); log != nil {
		t.pos = log.Appended()
	}
	return t, nil
}

// EndOwn is End of a transaction of BeginOwn.
func (t *Txn) EndOwn() { t.end() }

var pool = sync.Pool{New: func() any { return new(Txn) }}

const (
	// registerAfter is how many attempts of a call may lose to a state that was
	// replaced before it runs at a registered read point, where that does not matter.
	registerAfter = 1
	// turnAfter is how many attempts of a call run free before one runs while other
	// writers wait.
	turnAfter = 4
)

// BeginCall begins the transaction of a call on a typed value: attempt counts from
// 1. If it writes and key is not empty, it takes turns with other calls on the key.
// EndCall ends it.
func (e *Engine) BeginCall(ks *keyspace.Space, write bool, key string, attempt int) (*Txn, error) {
	if write && e.refusal != nil {
		return nil, e.refusal
	}
	t := pool.Get().(*Txn)
	if write && attempt > turnAfter {
		allowance := min(100*time.Millisecond<<min(attempt-turnAfter-1, 10), time.Minute)
		turn, err := e.section.BeginTurn(context.Background(), allowance)
		if err != nil {
			pool.Put(t)
			return nil, err
		}
		t.turn = turn
	}
	if write && key != "" && t.turn == nil {
		t.lock = e.locks.of(ks, key)
		t.lock.Lock()
	}
	if err := e.beginCall(t, ks, write, attempt); err != nil {
		t.end()
		return nil, err
	}
	return t, nil
}

// beginCall pins or registers the state that the call reads.
func (e *Engine) beginCall(t *Txn, ks *keyspace.Space, write bool, attempt int) error {
	t.engine = e
	if write && attempt > registerAfter {
		point, rs := e.states.Register()
		if rs == nil {
			return base.ErrClosed
		}
		t.begin(e, ks, rs, point.Seq, point.Now, write)
		t.point = point
	} else {
		// Pinned first: what is visible may be more than the state has. If the call
		// writes its commit is refused unless the state is still the current one.
		rs, n := e.states.Pin()
		if rs == nil {
			return base.ErrClosed
		}
		t.begin(e, ks, rs, e.section.Visible(), 0, write)
		t.stripe, t.pinned = n, true
	}
	return ks.ReadableAt(t.view.Seq)
}

// BeginRead begins the transaction of a call that reads a pinned state at seq and
// now. EndCall ends it, and unpins the state.
func (e *Engine) BeginRead(ks *keyspace.Space, rs *readstate.State, stripe int, seq base.SeqNum, now int64) *Txn {
	t := pool.Get().(*Txn)
	t.begin(e, ks, rs, seq, now, false)
	t.stripe, t.pinned = stripe, true
	return t
}

// EndCall ends the transaction of a call: err nil commits, anything else rolls
// back. If again is true it lost to another commit, nothing was changed, and the
// caller starts over.
func (e *Engine) EndCall(t *Txn, err error) (again bool, _ error) {
	wrote := t.Changed()
	if err == nil {
		err = t.err
	}
	if err == nil && wrote {
		err = t.Commit(context.Background(), e.level, t.turn)
		again = commit.IsConflict(err)
	}
	writes := t.writes
	t.end()
	switch {
	case again:
		return true, e.life.ClosedErr()
	case err == nil && writes && !wrote:
		// A write that found nothing to do answers by what it read, as an empty commit
		// does: those records must be as durable as the write would have been.
		err = e.section.Wait(e.section.Log().Appended(), e.level)
	}
	return false, err
}

// end returns a call's transaction to the pool.
func (t *Txn) end() {
	t.End()
	if invariants.Enabled {
		t.scratch.Poison()
		t.reads.Reset(0, 0, nil)
	}
	pool.Put(t)
}

// BeginTurn begins a turn for an attempt of an Update.
func (e *Engine) BeginTurn(ctx context.Context, d time.Duration) (*commit.Turn, error) {
	return e.section.BeginTurn(ctx, d)
}

// keyLocks keep calls that read, change and write back the same key from
// conflicting: they take turns.
type keyLocks struct {
	stripes [256]struct {
		invariants.Mutex
		_ [56]byte
	}
}

func (l *keyLocks) of(ks *keyspace.Space, key string) *invariants.Mutex {
	return &l.stripes[(xxhash.Sum64String(key)+uint64(ks.ID()))%uint64(len(l.stripes))].Mutex
}
