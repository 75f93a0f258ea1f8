package siltstone

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/base"
)

// readPoints is the list of registered read points: the (sequence, clock) pairs
// of open snapshots and read-write transactions. What a registered point can
// see, no merge may drop. Choosing a point and registering it is one step, and
// so is capturing the list; a merge pins its inputs first and captures second.
// Safe for concurrent use.
type readPoints struct {
	visible *atomic.Uint64 // the store's largest published sequence
	clock   *storeClock

	mu   sync.Mutex
	open []*readPoint
}

// readPoint is one registered point.
type readPoint struct {
	seq base.SeqNum
	now int64
}

// register chooses the current point and registers it. The sequence is taken
// first, so that the clock is never below the commit clock of anything visible.
func (p *readPoints) register() *readPoint {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &readPoint{seq: base.SeqNum(p.visible.Load())}
	r.now = p.clock.now()
	p.open = append(p.open, r)
	return r
}

// release ends a registration.
func (p *readPoints) release(r *readPoint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.open, r); i >= 0 {
		p.open = slices.Delete(p.open, i, i+1)
	}
}

// capture returns the registered points, by ascending sequence, and the clock.
func (p *readPoints) capture() (points []compaction.ReadPoint, now int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.open {
		points = append(points, compaction.ReadPoint{Seq: r.seq, Clock: r.now})
	}
	now = p.clock.now()
	slices.SortFunc(points, func(a, b compaction.ReadPoint) int {
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
