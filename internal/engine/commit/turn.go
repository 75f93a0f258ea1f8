package commit

import (
	"bytes"
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Turns let one Update that has lost a few times run while other writing commits
// wait before they take a sequence. A turn lasts for a bounded time; then the
// others pass, the next one has its turn, and the attempt that was overtaken runs
// again with a longer one. While a turn lasts the store's clock stands still, so
// that the attempt cannot lose to time. The store's own commits never wait. Turns
// are safe for concurrent use.
type Turns struct {
	token chan struct{} // holds one while an attempt has a turn
	now   atomic.Pointer[Turn]
}

// Turn is one attempt that others wait for.
type Turn struct {
	turns     *Turns
	until     time.Time
	goroutine string // that runs the attempt
	thaw      func()
	timer     *time.Timer

	over      sync.Once
	done      chan struct{} // closed once it is over
	overtaken atomic.Bool   // another commit was let through, or may have been
}

// Allowance is how long the attempts of one Update may make others wait. The zero
// value is ready.
type Allowance struct{ last time.Duration }

const (
	minAllowance = 100 * time.Millisecond
	maxAllowance = time.Minute
)

// Next returns the allowance of the next attempt: twice that of the one before,
// and half as much again as the longest attempt so far took, within bounds.
func (a *Allowance) Next(longest time.Duration) time.Duration {
	a.last = min(max(2*a.last, longest+longest/2, minAllowance), maxAllowance)
	return a.last
}

// BeginTurn waits until no other attempt has a turn and begins one of duration d. The
// turn begins inside the commit section, so that a commit that was let in before has
// taken its sequence when the attempt begins. In the goroutine of the attempt that has
// its turn now, which would wait for itself, BeginTurn returns ErrNested; once the
// store ends, ErrClosed.
func (s *Section) BeginTurn(ctx context.Context, d time.Duration) (*Turn, error) {
	g := &s.Turns
	me := goroutineID()
	if t := g.now.Load(); t != nil && t.goroutine == me {
		return nil, base.ErrNested
	}
	select {
	case g.token <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.life.Quit():
		return nil, base.ErrClosed
	}
	t := &Turn{turns: g, done: make(chan struct{}), thaw: s.clock.Freeze(), goroutine: me}
	s.mu.Lock()
	t.until = time.Now().Add(d)
	g.now.Store(t)
	s.mu.Unlock()
	// Begun when others can see the turn: one that ended before that would be seen for ever.
	t.timer = time.AfterFunc(d, func() {
		t.overtaken.Store(true) // time goes on, and may overtake the attempt
		t.end()
	})
	return t, nil
}

// End ends the turn: waiting commits go on, and the next attempt has its turn. It is
// called when the attempt was published or has failed. Ending twice is no error.
func (t *Turn) End() {
	t.timer.Stop()
	t.end()
}

func (t *Turn) end() {
	t.over.Do(func() {
		t.thaw() // before anybody who waits goes on, and looks at the time
		t.turns.now.CompareAndSwap(t, nil)
		close(t.done)
		<-t.turns.token
	})
}

// Undisturbed reports whether a conflict of this attempt can only have been caused
// by its own closure: no other commit was let through.
func (t *Turn) Undisturbed() bool { return !t.overtaken.Load() }

// Free reports whether nobody has a turn.
func (g *Turns) Free() bool { return g.now.Load() == nil }

// holdsBack reports whether the change has to wait for somebody's turn to end. It
// is asked inside the commit section.
func (g *Turns) holdsBack(c *Change) bool {
	t := g.now.Load()
	if t == nil || t == c.Turn {
		return false
	}
	if c.Urgent || c.waited >= mostTurns || !time.Now().Before(t.until) {
		t.overtaken.Store(true)
		return false
	}
	return true
}

// mostTurns is for how many turns, one after the other, a change waits.
const mostTurns = 8

// wait waits until the turn is over, or the change's context ends. A commit from the
// goroutine of the attempt itself is not made to wait for itself: it goes on with the
// turn, alone. t is nil if the turn ended meanwhile.
func (t *Turn) wait(c *Change, quit <-chan struct{}) error {
	if t == nil {
		return nil
	}
	if t.goroutine == goroutineID() {
		c.Turn = t
		return nil
	}
	c.waited++
	var canceled <-chan struct{}
	if c.Ctx != nil {
		canceled = c.Ctx.Done()
	}
	select {
	case <-t.done:
		return nil
	case <-canceled:
		return c.Ctx.Err()
	case <-quit:
		return base.ErrClosed
	}
}

// goroutineID names the calling goroutine, from the first line of its stack. It is
// asked for on the slow path alone.
func goroutineID() string {
	var b [64]byte
	s := b[:runtime.Stack(b[:], false)]
	if i := bytes.IndexByte(s, '['); i > 0 {
		s = s[:i]
	}
	return string(s)
}
