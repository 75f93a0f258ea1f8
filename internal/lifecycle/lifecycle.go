package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/invariants"
)

// State is the life of one store. It is safe for concurrent use.
type State struct {
	mu    invariants.Mutex
	cause error     // of the first failure
	long  int       // calls that are under way: one may begin inside another
	idle  sync.Cond // there is none

	once   sync.Once // of Close
	result error     // of the one that closed

	poisoned atomic.Bool
	closing  atomic.Bool
	ctx      context.Context // done once Close has begun
	cancel   context.CancelFunc

	// constant
	onPoison func(cause error)
}

// New returns the state of an open store. onPoison is called once, by the call of
// Poison that comes first. State holds no lock then, but the caller of Poison may.
func New(onPoison func(cause error)) *State {
	s := &State{onPoison: onPoison}
	s.idle.L = &s.mu
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Closing reports whether Close has begun.
func (s *State) Closing() bool { return s.closing.Load() }

// ClosedErr returns ErrClosed once Close has begun.
func (s *State) ClosedErr() error {
	if s.closing.Load() {
		return base.ErrClosed
	}
	return nil
}

// Close runs do in the first call. Every call waits until do has ended and returns its
// error, so after any of them the store is closed.
func (s *State) Close(do func() error) error {
	s.once.Do(func() { s.result = do() })
	return s.result
}

// BeginClose says that Close has begun: Closing is true from now on. The context
// goes on until End.
func (s *State) BeginClose() { s.closing.Store(true) }

// End ends the context.
func (s *State) End() { s.cancel() }

// Context returns a context that ends when Close has begun.
func (s *State) Context() context.Context { return s.ctx }

// Quit is closed when Close has begun.
func (s *State) Quit() <-chan struct{} { return s.ctx.Done() }

// Pause waits for d; it returns false if the store is ending.
func (s *State) Pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-s.Quit():
		return false
	case <-t.C:
		return true
	}
}

var errNilContext = errors.New("siltstone: the context is nil")

// Refused returns why a call under ctx does not begin: ctx is nil or has ended.
func Refused(ctx context.Context) error {
	if ctx == nil {
		return errNilContext
	}
	return ctx.Err()
}

// LongCall begins a call that reads much or writes files beside the store's. Its
// context ends, with ErrClosed as the cause, once Close begins, and Close waits
// for end. It is ErrClosed if Close has begun, also inside another long call.
func (s *State) LongCall(ctx context.Context) (_ context.Context, end func(), err error) {
	if err := Refused(ctx); err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Closing() {
		return nil, nil, base.ErrClosed
	}
	s.long++
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.ctx, func() { cancel(base.ErrClosed) })
	return ctx, func() { stop(); cancel(nil); s.endLongCall() }, nil
}

func (s *State) endLongCall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.long--; s.long == 0 {
		s.idle.Broadcast()
	}
}

// AwaitLongCalls returns when every long call has ended. None begins after
// BeginClose.
func (s *State) AwaitLongCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.long > 0 {
		s.idle.Wait()
	}
}

// Poisoned reports whether writing has ended because of a failure.
func (s *State) Poisoned() bool { return s.poisoned.Load() }

// PoisonErr returns the error that every write gets after a failure: ErrPoisoned,
// wrapping the first cause; nil if there was none.
func (s *State) PoisonErr() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", base.ErrPoisoned, s.cause)
}

// Poison ends writing because of err, unless something else already has, and
// returns what writes get from now on. Reads go on.
func (s *State) Poison(err error) error {
	s.mu.Lock()
	first := s.cause == nil && !errors.Is(err, base.ErrPoisoned)
	if first {
		s.cause = err
		s.poisoned.Store(true)
	}
	s.mu.Unlock()
	if first {
		s.onPoison(err)
	}
	return s.PoisonErr()
}
