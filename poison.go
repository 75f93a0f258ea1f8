package siltstone

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// poison is the store's memory of the first failure after which it takes no
// more writes. Safe for concurrent use.
type poison struct {
	is    atomic.Bool
	mu    sync.Mutex
	cause error
}

func (p *poison) set() bool { return p.is.Load() }

// err returns the error every later write gets.
func (p *poison) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cause == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrPoisoned, p.cause)
}

// poisonBy ends writing because of err, unless something else already has, and
// returns what writes get from now on. Background work stops; reads go on.
func (db *DB) poisonBy(err error) error {
	p := &db.poison
	p.mu.Lock()
	first := p.cause == nil && !errors.Is(err, ErrPoisoned)
	if first {
		p.cause = err
		p.is.Store(true)
	}
	p.mu.Unlock()
	if first {
		db.emit(Poisoned{Err: err})
		db.workers.wakeAll()
	}
	return p.err()
}
