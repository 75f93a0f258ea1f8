package siltstone

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/latency"
	"github.com/siltstonedb/siltstone/internal/lifecycle"
)

// turnAfter is how many attempts of an Update run free before one runs while other
// writers wait.
const turnAfter = 4

// View runs fn in a read-only transaction over one state. It never blocks, and runs
// fn once. A panic in fn goes on up after the transaction was released.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error {
	if fn == nil {
		return errNilFunction
	}
	tx, err := db.Begin(ctx, ReadOnlyMode)
	if err != nil {
		return err
	}
	tx.managed = true
	defer tx.rollback()
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.t.Failed(); err != nil {
		return err
	}
	return tx.ctx.Err()
}

// Update runs fn in a serializable transaction and commits it when fn returns nil.
// If something that fn read has changed, Update drops the writes of the attempt and
// runs fn again. So fn may run several times: reset captured variables at its start,
// and put side effects in OnCommit. After a few lost attempts one runs while other
// writers wait, so Update does not starve. It never returns ErrConflict for a
// conflict of its own.
//
// If fn returns an error or panics, Update rolls back; the panic goes on up. A write
// inside fn that does not go through tx, and on which fn depends, is ErrNested.
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	switch {
	case ctx == nil:
		return errNilContext
	case fn == nil:
		return errNilFunction
	case db.unopened():
		return ErrClosed
	}
	if ctx.Value(txKey{db.life}) != nil {
		return base.Errorf(ErrNested, "Update called with the context of a running Update; use its Tx")
	}
	var allowance commit.Allowance
	var longest time.Duration
	for attempt := 1; ; attempt++ {
		a := updateAttempt{number: attempt}
		if attempt > turnAfter {
			a.turn = allowance.Next(longest)
		}
		begin := time.Now()
		hooks, err := db.attempt(ctx, fn, &a)
		longest = max(longest, time.Since(begin))
		if err == nil {
			for _, hook := range hooks {
				hook()
			}
			return nil
		}
		if lost := new(lostAttempt); !errors.As(err, lost) {
			return err
		}
		if a.undisturbed {
			return ErrNested
		}
		runtime.Gosched()
	}
}

// updateAttempt is one run of an Update's closure.
type updateAttempt struct {
	number      int
	turn        time.Duration // for how long other writers wait; 0: they do not
	undisturbed bool          // nobody else committed: a conflict is the closure's own
}

// lostAttempt marks a conflict of the transaction's own commit: Update makes another
// attempt after it, and not after an ErrConflict that fn returned.
type lostAttempt struct{ error }

// attempt runs fn once. Its turn ends in any case, also after a panic or Goexit.
func (db *DB) attempt(ctx context.Context, fn func(*Tx) error, a *updateAttempt) (hooks []func(), err error) {
	var turn *commit.Turn
	if a.turn > 0 {
		if turn, err = db.section.BeginTurn(ctx, a.turn); err != nil {
			return nil, err
		}
		defer turn.End()
	}
	tx, err := db.Begin(ctx, ReadWriteMode)
	if err != nil {
		return nil, err
	}
	tx.attempt, tx.managed = a.number, true
	defer tx.rollback()
	if err := fn(tx); err != nil {
		return nil, err
	}
	if err := tx.commit(turn); err != nil {
		if errors.Is(err, ErrConflict) {
			err = lostAttempt{err}
			a.undisturbed = turn != nil && turn.Undisturbed()
		}
		return nil, err
	}
	return tx.hooks, nil
}

// Begin begins a transaction, which the caller ends with Commit or Rollback. A
// transaction that is left open keeps old data on disk. Its Commit may return a
// *ConflictError; the caller may then run all of it again, as Update does.
func (db *DB) Begin(ctx context.Context, mode Mode) (*Tx, error) {
	if err := lifecycle.Refused(ctx); err != nil {
		return nil, err
	}
	if mode != ReadOnlyMode && mode != ReadWriteMode {
		return nil, base.Errorf(ErrBadOption, "there is no transaction mode %d: it is ReadOnlyMode or ReadWriteMode", mode)
	}
	if db.unopened() {
		return nil, ErrClosed
	}
	if err := db.refusal(); err != nil && mode == ReadWriteMode {
		return nil, err
	}
	state := &txState{db: db, attempt: 1, sampler: latency.NewSampler()}
	tx := &state.first
	tx.txState, tx.in.Txn = state, &state.t
	if err := db.txns.Begin(&state.t, mode == ReadWriteMode); err != nil {
		return nil, err
	}
	tx.ctx = context.WithValue(ctx, txKey{db.life}, tx)
	db.handles.opened(holdTransaction, tx, tx.t.State())
	return tx, nil
}
