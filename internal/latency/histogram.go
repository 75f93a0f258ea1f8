package latency

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Buckets is how many buckets there are.
const Buckets = 32

// shortest is the bound of the first bucket, in nanoseconds.
const shortest = 125

// bucket returns the bucket of a duration: i has those below 125 ns · 2^i that no earlier
// one has, and the last one all longer ones.
func bucket(d time.Duration) int {
	return min(bits.Len64(uint64(max(d, 0))/shortest), Buckets-1)
}

// Counts is durations, counted. Max is the longest.
type Counts struct {
	Count      int64
	Total, Max time.Duration
	Buckets    [Buckets]int64
}

// Add counts one duration.
func (c *Counts) Add(d time.Duration) {
	c.Count++
	c.Total += d
	c.Max = max(c.Max, d)
	c.Buckets[bucket(d)]++
}

// Histogram is Counts of many goroutines. The zero Histogram is empty. It is safe for
// concurrent use.
type Histogram struct {
	total, max atomic.Int64
	buckets    [Buckets]atomic.Int64
}

// End counts an operation that began at a Moment and ends now, and all that it stands for.
// It does nothing if the operation is not measured.
func (h *Histogram) End(m Moment) {
	if m.measured() {
		h.end(m)
	}
}

//go:noinline
func (h *Histogram) end(m Moment) { h.add(time.Since(start)-m.at, m.weight) }

func (h *Histogram) add(d time.Duration, weight int64) {
	h.total.Add(int64(d) * weight)
	h.buckets[bucket(d)].Add(weight)
	for {
		was := h.max.Load()
		if int64(d) <= was || h.max.CompareAndSwap(was, int64(d)) {
			return
		}
	}
}

// Counts returns what was counted so far.
func (h *Histogram) Counts() Counts {
	c := Counts{Total: time.Duration(h.total.Load()), Max: time.Duration(h.max.Load())}
	for i := range h.buckets {
		c.Buckets[i] = h.buckets[i].Load()
		c.Count += c.Buckets[i]
	}
	return c
}
