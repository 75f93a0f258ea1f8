package main

import "math"

// choice picks key numbers.
type choice interface {
	// pick returns a number in [0, n).
	pick(r *rng) uint64
}

// uniform picks every number alike.
type uniform struct{ n uint64 }

func (u uniform) pick(r *rng) uint64 { return r.below(u.n) }

// zipf picks a few numbers very often, with the exponent 0.99 that YCSB uses
// (after Gray et al., Quickly Generating Billion-Record Synthetic Databases). It
// is immutable.
type zipf struct {
	n                 uint64
	alpha, zetan, eta float64
	scatter           bool // popular numbers lie anywhere, else 0 is the most popular
}

const zipfTheta = 0.99

func newZipf(n uint64, scatter bool) zipf {
	zetan := 0.0
	for i := uint64(1); i <= n; i++ {
		zetan += math.Pow(float64(i), -zipfTheta)
	}
	zeta2 := 1 + math.Pow(0.5, zipfTheta)
	return zipf{
		n:       n,
		alpha:   1 / (1 - zipfTheta),
		zetan:   zetan,
		eta:     (1 - math.Pow(2/float64(n), 1-zipfTheta)) / (1 - zeta2/zetan),
		scatter: scatter,
	}
}

func (z zipf) pick(r *rng) uint64 {
	rank := z.rank(r.unit())
	if z.scatter {
		return mix(rank) % z.n
	}
	return rank
}

func (z zipf) rank(u float64) uint64 {
	uz := u * z.zetan
	switch {
	case uz < 1:
		return 0
	case uz < 1+math.Pow(0.5, zipfTheta):
		return min(1, z.n-1)
	}
	return min(uint64(float64(z.n)*math.Pow(z.eta*u-z.eta+1, z.alpha)), z.n-1)
}

// latest picks numbers near the end of a growing store.
type latest struct {
	zipf
	end func() uint64 // how many keys there are now
}

func (l latest) pick(r *rng) uint64 {
	end := l.end()
	return end - 1 - min(l.zipf.pick(r), end-1)
}
