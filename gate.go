package siltstone

import (
	"bytes"
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone/internal/clock"
)

// gate lets one Update that has lost a few times run while other writing
// commits wait before they take a sequence, each attempt for a bounded time:
// then they pass, and the attempt that was overtaken runs again with twice the
// allowance. While it runs the store's clock stands still, so that it cannot
// lose to time. The store's own commits are never held back. Safe for
// concurrent use.
type gate struct {
	turn chan struct{} // one token: whose holder may be behind the gate
	now  atomic.Pointer[gatePass]
}

// gatePass is one attempt behind the gate.
type gatePass struct {
	gate      *gate
	until     time.Time
	done      chan struct{}
	thaw      func()
	timer     *time.Timer
	goroutine string
	overtaken atomic.Bool // somebody was let through
}

// gateAllowance doubles with each attempt.
type gateAllowance struct{ last time.Duration }

const (
	firstAllowance = 100 * time.Millisecond
	mostAllowance  = 10 * time.Second
)

func (a *gateAllowance) next() time.Duration {
	a.last = min(max(2*a.last, firstAllowance), mostAllowance)
	return a.last
}

func newGate() gate { return gate{turn: make(chan struct{}, 1)} }

// enter waits for the caller's turn and closes the gate behind it: inside the
// commit section, so that a commit that was let in before has taken its sequence
// when the attempt begins.
func (g *gate) enter(ctx context.Context, section sync.Locker, c *clock.Clock, d time.Duration) (*gatePass, error) {
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p := &gatePass{gate: g, until: time.Now().Add(d), done: make(chan struct{}), thaw: c.Freeze(), goroutine: goroutineID()}
	p.timer = time.AfterFunc(d, func() {
		p.overtaken.Store(true) // time goes on, and may overtake the attempt
		p.thaw()
	})
	section.Lock()
	g.now.Store(p)
	section.Unlock()
	return p, nil
}

// leave opens the gate.
func (p *gatePass) leave() {
	p.gate.now.Store(nil)
	p.timer.Stop()
	p.thaw()
	close(p.done)
	<-p.gate.turn
}

// ownWrite reports whether a conflict of this attempt can only have been caused
// by its own closure.
func (p *gatePass) ownWrite() bool { return !p.overtaken.Load() }

// blocks returns the pass that holds a commit back, or nil if it may go on.
// mine is the commit's own pass.
func (g *gate) blocks(mine *gatePass) *gatePass {
	p := g.now.Load()
	if p == nil || p == mine {
		return nil
	}
	if !time.Now().Before(p.until) {
		p.overtaken.Store(true)
		return nil
	}
	return p
}

// wait waits until the pass has ended or its time is over. The closure's own
// goroutine is not made to wait for itself: then self is true, and its commit
// goes on with the pass, alone.
func (p *gatePass) wait() (self bool) {
	if p.goroutine == goroutineID() {
		return true
	}
	t := time.NewTimer(time.Until(p.until))
	defer t.Stop()
	select {
	case <-p.done:
	case <-t.C:
	}
	return false
}

// goroutineID names the calling goroutine, from the first line of its stack. It
// is asked for on the slow path alone.
func goroutineID() string {
	var b [64]byte
	s := b[:runtime.Stack(b[:], false)]
	if i := bytes.IndexByte(s, '['); i > 0 {
		s = s[:i]
	}
	return string(s)
}
