package lifecycle

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
)

func TestTheFirstFailureIsTheOneThatIsTold(t *testing.T) {
	first, told := errors.New("first"), 0
	s := New(func(cause error) {
		if told++; cause != first {
			t.Errorf("told of %v", cause)
		}
	})
	if s.Poisoned() || s.PoisonErr() != nil {
		t.Error("a new store is poisoned")
	}
	for _, err := range []error{s.Poison(first), s.Poison(errors.New("second")), s.PoisonErr()} {
		if !errors.Is(err, base.ErrPoisoned) || !errors.Is(err, first) {
			t.Errorf("writers get %v", err)
		}
	}
	if told != 1 || !s.Poisoned() {
		t.Errorf("told %d times", told)
	}
}

// What writers were refused with comes back to Poison from those who wrap errors.
func TestBeingPoisonedIsNoCause(t *testing.T) {
	s := New(func(error) { t.Error("told of a failure that is none") })
	if err := s.Poison(base.ErrPoisoned); err != nil || s.Poisoned() {
		t.Errorf("poisoned by its own error: %v", err)
	}
}

func TestCloseEndsLongCallsAndWaitsForThem(t *testing.T) {
	s := New(nil)
	ctx, end, err := s.LongCall(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	s.BeginClose()
	if ctx.Err() != nil {
		t.Error("the call has ended before the store has")
	}
	s.End()
	<-ctx.Done()
	if cause := context.Cause(ctx); cause != base.ErrClosed {
		t.Errorf("the call ends with %v", cause)
	}
	awaited, ended := make(chan struct{}), make(chan struct{})
	go func() {
		s.AwaitLongCalls()
		select {
		case <-ended:
		default:
			t.Error("Close did not wait for a long call")
		}
		close(awaited)
	}()
	close(ended)
	end()
	<-awaited
}

func TestNoLongCallBeginsOnceCloseHas(t *testing.T) {
	s := New(nil)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := s.LongCall(ended); err != context.Canceled {
		t.Errorf("with a context that has ended: %v", err)
	}
	s.BeginClose()
	if _, _, err := s.LongCall(context.Background()); err != base.ErrClosed {
		t.Errorf("a long call of a store that closes: %v", err)
	}
	s.AwaitLongCalls() // neither holds it up
}

// TestALongCallInsideAnotherDoesNotWaitForClose: what a backup is written to may refresh
// the store, while Close waits for the backup.
func TestALongCallInsideAnotherDoesNotWaitForClose(t *testing.T) {
	s := New(nil)
	_, end, err := s.LongCall(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	_, endInner, err := s.LongCall(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	s.BeginClose()
	closed := make(chan struct{})
	go func() { s.AwaitLongCalls(); close(closed) }()
	for range 100 { // until it waits
		runtime.Gosched()
	}
	time.Sleep(time.Millisecond)
	if _, _, err := s.LongCall(context.Background()); err != base.ErrClosed {
		t.Errorf("a call inside a long call of a store that closes: %v", err)
	}
	endInner()
	select {
	case <-closed:
		t.Error("Close waited for one of two calls")
	default:
	}
	end()
	<-closed
}

func TestAPauseEndsWithTheStore(t *testing.T) {
	s := New(nil)
	if !s.Pause(time.Nanosecond) {
		t.Error("a pause of an open store was cut short")
	}
	s.End()
	if s.Pause(time.Hour) {
		t.Error("a pause outlasts its store")
	}
}
