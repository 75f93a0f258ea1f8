package main

import (
	"sync/atomic"
	"time"
)

// pace puts operations at fixed times, the same whether or not the engine keeps up: an
// open loop. What an operation took counts from when it was due, so that one that
// stalls makes all those behind it late, as it would for the clients of a service.
type pace struct {
	rate  float64       // operations a second
	first time.Duration // when the first is due
	limit time.Duration // none is begun after it, but the first; 0: until stop
	clock clock
	stop  *atomic.Bool // ends it; nil: nothing does but the limit
}

// paced is what operations at fixed times came to. Those that were due and not begun when
// it ended have waited until then, at the least, and count with that.
type paced struct {
	rate    float64
	ops     int64     // done
	missed  int64     // due, never begun
	timing  histogram // from when an operation was due until it was done
	late    histogram // from when it was due until it was begun
	elapsed time.Duration
}

// due returns when operation i is to begin.
func (p pace) due(i int64) time.Duration {
	return p.first + time.Duration(float64(i)/p.rate*float64(time.Second))
}

// run calls op for 0, 1, 2 and so on, each when it is due or, if those before it took
// longer, as soon as they are done. The first error ends it.
func (p pace) run(op func(i int64) error) (*paced, error) {
	out := &paced{rate: p.rate}
	for i := int64(0); ; i++ {
		due := p.due(i)
		if i > 0 && p.over(due) {
			break
		}
		behind := p.clock.now() > due
		if !behind {
			p.clock.sleep(due)
		}
		now := p.clock.now()
		if i > 0 && p.over(now) {
			if behind {
				out.miss(p, i, now)
			}
			break
		}
		if err := op(i); err != nil {
			return nil, err
		}
		out.late.record(now - due)
		out.timing.record(p.clock.now() - due)
		out.ops++
	}
	out.elapsed = p.clock.now()
	return out, nil
}

// over reports whether nothing may begin at a time any more.
func (p pace) over(at time.Duration) bool {
	return p.limit > 0 && at >= p.limit || p.stop != nil && p.stop.Load()
}

// miss counts the operations from i on that were due before now.
func (o *paced) miss(p pace, i int64, now time.Duration) {
	for ; p.due(i) < now; i++ {
		o.late.record(now - p.due(i))
		o.timing.record(now - p.due(i))
		o.missed++
	}
}

// measure returns it as a row of reads or puts whose figure is the latency that one in a
// thousand exceeds.
func (o *paced) measure() *measure {
	return &measure{
		ops: o.ops, units: o.ops, elapsed: o.elapsed, timing: o.timing, stall: o.timing.max,
		value: o.timing.quantile(0.999).Seconds() * 1e6, rate: o.rate, missed: o.missed,
	}
}

// add joins what another goroutine did at the same time.
func (o *paced) add(other *paced) {
	o.rate += other.rate
	o.ops += other.ops
	o.missed += other.missed
	o.timing.add(&other.timing)
	o.late.add(&other.late)
	o.elapsed = max(o.elapsed, other.elapsed)
}
