package latency

import (
	"math/rand/v2"
	"time"
)

// start is what moments count from: to read the monotonic clock alone costs less.
var start = time.Now()

// Moment is when a measured operation began. The zero Moment is that of an operation that
// is not measured.
type Moment struct {
	at     time.Duration // since start
	weight int64         // for how many operations it counts
}

func (m Moment) measured() bool { return m.weight != 0 }

// A sampler measures one in usual operations, and one in often of those that are slow
// anyway.
const (
	usual = 256
	often = 16
)

// Step is what a sampler's state grows by with each operation, modulo 2^32. It is 2^32
// divided by the golden ratio: the states are spread evenly, and those of the operations
// that are measured have no period that a program could have as well.
const Step = 0x9E3779B1

// Chosen reports whether the operation of a state is measured: one in 256 is.
func Chosen(state uint32) bool { return state < 1<<32/usual }

// Sampler chooses the operations that are measured. It belongs to one goroutine.
type Sampler struct{ state uint32 }

// NewSampler returns a sampler that begins anywhere: of many that live for an operation
// each, one in 256 measures.
func NewSampler() Sampler { return Sampler{rand.Uint32()} }

// Begin returns the moment at which an operation begins.
func (s *Sampler) Begin() Moment {
	if s.state += Step; Chosen(s.state) {
		return Sampled()
	}
	return Moment{}
}

// BeginSlow returns the moment at which an operation begins that takes long enough to
// be measured more often, one time in 16.
func (s *Sampler) BeginSlow() Moment {
	if s.state += Step; s.state < 1<<32/often {
		return now(often)
	}
	return Moment{}
}

// Sampled returns the moment at which an operation begins that was chosen. It counts for
// those that were not.
func Sampled() Moment { return now(usual) }

//go:noinline
func now(weight int64) Moment { return Moment{time.Since(start), weight} }
