package commit

import (
	"context"
	"sync"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/invariants"
)

// flushQueue is where callers wait for full memtables to be flushed. Its lock is
// held for a few instructions; nothing else is taken under it.
type flushQueue struct {
	mu    invariants.Mutex
	done  sync.Cond // a flush has ended, or the store is ending
	err   error     // why flushes fail, while they do
	tries int       // how many have ended
	ended bool      // the store is ending
}

// maxUnflushed is how many full memtables may wait to be flushed.
const maxUnflushed = 2

// Flushed says that a flush has ended, with err if it failed. While flushes fail, a
// write that needs one is refused: it might wait for ever.
func (s *Section) Flushed(err error) {
	s.flushes.mu.Lock()
	defer s.flushes.mu.Unlock()
	s.flushes.err = err
	s.flushes.tries++
	s.flushes.done.Broadcast()
}

// EndWaiting ends every wait for a flush with ErrClosed.
func (s *Section) EndWaiting() {
	s.flushes.mu.Lock()
	defer s.flushes.mu.Unlock()
	s.flushes.ended = true
	s.flushes.done.Broadcast()
}

// LookAgain makes every caller that waits, for a flush or for a key, look again: the
// store may have been poisoned.
func (s *Section) LookAgain() {
	s.Waiters.LookAgain()
	s.flushes.mu.Lock()
	defer s.flushes.mu.Unlock()
	s.flushes.done.Broadcast()
}

// Unflushed returns how many memtables wait to be flushed.
func (s *Section) Unflushed() int {
	if rs := s.states.Current.Load(); rs != nil {
		return len(rs.Imms)
	}
	return 0
}

// behind reports whether so much waits to be flushed that a rotation has to wait,
// or a change with a table of its own, of the given bytes: all unflushed tables
// together may take the room of two memtables.
func (s *Section) behind(own int64) bool {
	rs := s.states.Current.Load()
	if rs == nil || len(rs.Imms) == 0 {
		return false
	}
	if own == 0 {
		return len(rs.Imms) >= maxUnflushed
	}
	for _, m := range rs.Imms {
		own += m.Bytes()
	}
	return own > maxUnflushed*s.cfg.MemtableBytes
}

// awaitFlushes waits while flushes are behind for a rotation, or for a change with
// a table of its own of the given bytes.
func (s *Section) awaitFlushes(own int64) error {
	if s.cfg.Manual {
		for s.behind(own) {
			if err := s.hooks.Flush(); err != nil {
				return err
			}
		}
		return nil
	}
	q := &s.flushes
	if !s.behind(own) {
		return nil
	}
	begin := time.Now()
	s.hooks.Stalled("memtables wait to be flushed")
	defer func() { s.hooks.Resumed(time.Since(begin)) }()
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		switch {
		case !s.behind(own):
			return nil
		case s.life.Poisoned():
			return s.life.PoisonErr()
		case q.ended:
			return base.ErrClosed
		case q.err != nil:
			return q.err
		}
		q.done.Wait()
	}
}

// nextFlush waits until the next flush has ended, whatever became of it; false if
// none is to come.
func (s *Section) nextFlush() bool {
	q := &s.flushes
	q.mu.Lock()
	defer q.mu.Unlock()
	for n := q.tries; q.tries == n; q.done.Wait() {
		if q.ended || s.life.Poisoned() || s.Unflushed() == 0 {
			return false
		}
	}
	return true
}

// Flush sets the memtable aside, unless it is empty, and waits until it has been
// flushed. If a flush fails Flush returns its error.
func (s *Section) Flush(ctx context.Context) error {
	if mem := s.Mem(); !mem.Empty() {
		if err := s.Rotate(mem); err != nil {
			return err
		}
	}
	if s.cfg.Manual {
		for s.Unflushed() > 0 {
			if err := s.hooks.Flush(); err != nil {
				return err
			}
		}
		return nil
	}
	rs := s.states.Current.Load()
	if rs == nil {
		return base.ErrClosed
	}
	target := rs.Mem.Log // every log below it must be retired
	defer context.AfterFunc(ctx, s.LookAgain)()
	q := &s.flushes
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		rs := s.states.Current.Load()
		switch {
		case rs == nil || q.ended:
			return base.ErrClosed
		case s.life.Poisoned():
			return s.life.PoisonErr()
		case ctx.Err() != nil:
			return ctx.Err()
		case flushedBelow(rs, target):
			return nil
		case q.err != nil:
			return q.err
		}
		q.done.Wait()
	}
}

// flushedBelow reports whether every memtable with a log below target was flushed.
func flushedBelow(rs *readstate.State, target base.FileNum) bool {
	return len(rs.Imms) == 0 || rs.Imms[len(rs.Imms)-1].Log >= target
}
