package readstate

import (
	"slices"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/clock"
	"github.com/siltstonedb/siltstone/internal/invariants"
)

// Points is the list of registered read points: the (sequence, clock) pairs of open
// snapshots and transactions. What a registered point can see, no merge may drop.
// Choosing a point and registering it is one step, and so is capturing the list; a
// merge pins its inputs first and captures second. Safe for concurrent use.
type Points struct {
	Visible func() base.SeqNum // the store's largest published sequence; constant after Open
	Clock   *clock.Clock       // constant after Open

	mu   invariants.Mutex
	open []*Point // in the order of their registration
}

// Point is one registered point.
type Point struct {
	Seq base.SeqNum
	Now int64

	snapshot bool // of a snapshot, and not of a transaction
}

// Register chooses the current point and registers it. The sequence is taken
// first, so that the clock is never below the commit clock of anything visible.
func (p *Points) Register() *Point {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.registerLocked(p.Visible())
}

// MarkSnapshot says that the registered point r is a snapshot's.
func (p *Points) MarkSnapshot(r *Point) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.snapshot = true
}

// OldestSnapshot returns for how long, by the clock, the oldest snapshot has been open; 0 if
// none is.
func (p *Points) OldestSnapshot() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.open {
		if r.snapshot {
			return time.Duration(max(0, p.Clock.Now()-r.Now)) * time.Millisecond
		}
	}
	return 0
}

// registerAt is Register at a sequence.
func (p *Points) registerAt(seq base.SeqNum) *Point {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.registerLocked(seq)
}

func (p *Points) registerLocked(seq base.SeqNum) *Point {
	r := &Point{Seq: seq}
	r.Now = p.Clock.Now()
	p.open = append(p.open, r)
	return r
}

// Release ends a registration.
func (p *Points) Release(r *Point) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.open, r); i >= 0 {
		p.open = slices.Delete(p.open, i, i+1)
	}
}

// oldest returns the clock reading of the oldest registered point; ok is false if there is
// none.
func (p *Points) oldest() (now int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.open) == 0 {
		return 0, false
	}
	return p.open[0].Now, true
}

// Capture returns the registered points, by ascending sequence, and the clock.
func (p *Points) Capture() (points []base.ReadPoint, now int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.open {
		points = append(points, base.ReadPoint{Seq: r.Seq, Clock: r.Now})
	}
	now = p.Clock.Now()
	slices.SortFunc(points, func(a, b base.ReadPoint) int {
		if a.Seq != b.Seq {
			if a.Seq < b.Seq {
				return -1
			}
			return 1
		}
		return int(min(max(a.Clock-b.Clock, -1), 1))
	})
	return points, now
}
