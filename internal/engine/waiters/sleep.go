package waiters

import (
	"context"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/clock"
)

// sleeper is one caller that sleeps until it is woken.
type sleeper struct {
	of    *Registry
	woken chan struct{} // holds one wake
	due   int64         // reading of the clock that ends the sleep, 0: none; guarded by Registry.mu
}

func newSleeper(r *Registry) sleeper { return sleeper{of: r, woken: make(chan struct{}, 1)} }

// wake wakes the caller, now or when it next sleeps.
func (s *sleeper) wake() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

const (
	// shortestAlarm is for how long a caller sleeps at least whose time has not quite
	// come: the clock counts milliseconds. It doubles while the clock stands still, as it
	// does in a turn.
	shortestAlarm = time.Millisecond
	// longestAlarm is for how long a caller sleeps at most before it looks at the clock.
	longestAlarm = 24 * time.Hour
)

// Sleep returns nil when the caller has been woken, or when the clock shows due, unless
// that is 0. It returns the error of ctx if that ends, and ErrClosed once quit is closed.
func (s *sleeper) Sleep(ctx context.Context, quit <-chan struct{}, c *clock.Clock, due int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.setDue(due)
	defer s.setDue(0)
	for least := shortestAlarm; ; least = min(2*least, longestAlarm) {
		if due != 0 && c.Now() >= due {
			return nil
		}
		if rang, err := s.sleep(ctx, quit, alarm(c, due, least)); !rang {
			return err
		}
	}
}

// alarm returns a timer for the moment when the clock shows due; nil if due is 0.
func alarm(c *clock.Clock, due int64, least time.Duration) *time.Timer {
	if due == 0 {
		return nil
	}
	left := min(due-c.Now(), longestAlarm.Milliseconds())
	return time.NewTimer(max(time.Duration(left)*time.Millisecond, least))
}

// sleep sleeps once. It reports true if nothing but the alarm has ended the sleep.
func (s *sleeper) sleep(ctx context.Context, quit <-chan struct{}, alarm *time.Timer) (rang bool, err error) {
	var ring <-chan time.Time
	if alarm != nil {
		defer alarm.Stop()
		ring = alarm.C
	}
	select {
	case <-s.woken:
		s.of.wakes.Add(1)
		return false, nil
	case <-ring:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	case <-quit:
		return false, base.ErrClosed
	}
}

func (s *sleeper) setDue(at int64) {
	if at == s.due {
		return // only the caller's goroutine writes it
	}
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.due = at
}
