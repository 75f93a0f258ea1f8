package siltstone

import (
	"context"
	"errors"
	"runtime"

	"github.com/siltstonedb/siltstone/internal/readset"
)

// txKey marks the context of a transaction, so that an Update inside a closure
// that is given it can be told from one beside it.
type txKey struct{}

// gateAfter is how many attempts of an Update run free before one runs behind
// the gate.
const gateAfter = 4

// View runs fn in a read-only transaction over one state. It never blocks and
// is never retried. A panic in fn goes on up, after everything was released.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error {
	tx, err := db.Begin(ctx, ReadOnly)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := fn(tx); err != nil {
		return err
	}
	if tx.t.err != nil {
		return tx.t.err
	}
	return tx.ctx.Err()
}

// Update runs fn in a serializable transaction and commits it when fn returns
// nil. If what fn read has changed, fn is run again, with nothing left of the
// attempt before, so fn must not change anything but through tx (OnCommit is
// for that). After a few lost attempts one runs while other writers wait, so
// that it cannot be starved. Update never returns ErrConflict.
//
// An error of fn, or a panic, rolls back; the panic goes on up. A write inside
// fn that does not go through tx, and that fn depends on, is ErrNested.
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	if ctx.Value(txKey{}) != nil {
		return ErrNested
	}
	var allowance gateAllowance
	for attempt := 1; ; attempt++ {
		var g *gatePass
		if attempt > gateAfter {
			var err error
			if g, err = db.gate.enter(ctx, &db.section, db.clock, allowance.next()); err != nil {
				return err
			}
		}
		hooks, err := db.attempt(ctx, fn, attempt, g)
		if g != nil {
			g.leave()
		}
		if err == nil {
			for _, hook := range hooks {
				hook()
			}
			return nil
		}
		if lost := new(lostAttempt); !errors.As(err, lost) {
			return err
		}
		if g != nil && g.ownWrite() {
			return ErrNested
		}
		runtime.Gosched()
	}
}

// lostAttempt marks a conflict of the transaction's own commit, which Update
// answers with another attempt, and tells it from an ErrConflict that fn made.
type lostAttempt struct{ error }

// attempt runs fn once.
func (db *DB) attempt(ctx context.Context, fn func(*Tx) error, n int, g *gatePass) (hooks []func(), err error) {
	tx, err := db.Begin(ctx, ReadWrite)
	if err != nil {
		return nil, err
	}
	tx.attempt = n
	defer tx.Rollback()
	if err := fn(tx); err != nil {
		return nil, err
	}
	if tx.done {
		return nil, ErrTxDone
	}
	if err := tx.commit(g); err != nil {
		if errors.Is(err, ErrConflict) {
			err = lostAttempt{err}
		}
		return nil, err
	}
	return tx.hooks, nil
}

// Begin begins a transaction that the caller ends with Commit or Rollback. One
// that is left open keeps old data on disk. Unlike Update's, its Commit may
// return a *ConflictError.
func (db *DB) Begin(ctx context.Context, mode Mode) (*Tx, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if mode == ReadWrite && db.opts.ReadOnly {
		return nil, ErrReadOnly
	}
	state := &txState{attempt: 1}
	tx, t := &state.first, &state.t
	tx.txState, tx.in.txn = state, t
	t.db, t.writes = db, mode == ReadWrite
	t.point = db.points.Register()
	if db.log != nil {
		t.pos = db.log.Appended()
	}
	// Registered first, held second: the state has all that the point can see,
	// and no merge may have dropped any of it.
	if t.view.State = db.states.Hold(); t.view.State == nil {
		db.points.Release(t.point)
		return nil, ErrClosed
	}
	t.view.Seq, t.view.Now = t.point.Seq, t.point.Now
	t.reads = readset.Set{Seq: t.view.Seq, Clock: t.view.Now}
	tx.ctx = context.WithValue(ctx, txKey{}, tx)
	db.holders.opened(holdTransaction, tx)
	return tx, nil
}
