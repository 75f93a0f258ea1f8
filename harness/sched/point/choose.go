package point

import (
	"math/rand/v2"
	"time"
)

// chooser decides, by a seed, who goes on. A third of the seeds each
//
//	choose among all at each point
//	choose anew at few points only, so that an actor goes far while others stand
//	give each actor a rank, the highest goes on, and at a few steps it falls to the
//	lowest (PCT: a race that takes d switches is found with a known probability)
type chooser struct {
	rand  *rand.Rand
	kind  int
	stay  float64 // probability of going on at a point
	falls []int   // steps at which the highest rank falls; ascending
	low   uint64  // the next lowest rank
	clock float64 // probability that time passes at a point
}

const (
	anyone = iota
	sticky
	ranked
	kinds
)

// lowest is where ranks given at the start begin; those that fell are below it.
const lowest = 1 << 32

func newChooser(seed uint64) chooser {
	r := rand.New(rand.NewPCG(seed, 0x5c4ed))
	c := chooser{rand: r, kind: r.IntN(kinds), low: lowest, clock: []float64{0, 0.001, 0.01, 0.05}[r.IntN(4)]}
	switch c.kind {
	case sticky:
		c.stay = []float64{0.5, 0.8, 0.9, 0.97, 0.99}[r.IntN(5)]
	case ranked:
		span := 1 << (6 + r.IntN(7))
		at := 0
		for range 1 + r.IntN(8) {
			at += r.IntN(span)
			c.falls = append(c.falls, at)
		}
	}
	return c
}

func (c *chooser) rank() uint64 { return lowest + 1 + uint64(c.rand.Uint32()) }

// goesOn reports whether an actor at a point goes on without a choice.
func (c *chooser) goesOn() bool { return c.kind == sticky && c.rand.Float64() < c.stay }

// timePasses reports whether time passes before the next actor goes on.
func (c *chooser) timePasses() bool { return c.clock > 0 && c.rand.Float64() < c.clock }

// moment returns how much time passes: from a microsecond to seconds.
func (c *chooser) moment() time.Duration {
	return time.Duration(1+c.rand.IntN(4)) * time.Microsecond << (2 * c.rand.IntN(11))
}

// from chooses one of those that can go on; step is the number of steps so far.
func (c *chooser) from(all []*actor, step int) *actor {
	if c.kind != ranked {
		return all[c.rand.IntN(len(all))]
	}
	best := highest(all)
	if len(c.falls) > 0 && step >= c.falls[0] {
		c.falls = c.falls[1:]
		c.fall(best)
		best = highest(all)
	}
	return best
}

// fall makes the actor's rank the lowest.
func (c *chooser) fall(a *actor) {
	c.low--
	a.rank = c.low
}

func highest(all []*actor) *actor {
	best := all[0]
	for _, a := range all[1:] {
		if a.rank > best.rank {
			best = a
		}
	}
	return best
}

// order returns the numbers below n in an order of the seed's.
func (c *chooser) order(n int) []int { return c.rand.Perm(n) }
