package main

import (
	"math/bits"
	"sync"
	"time"
)

// latencies counts how long operations took, since the last time that they were taken.
type latencies struct {
	mu  sync.Mutex
	now window
}

// perPower is how many buckets there are between a duration and its double.
const perPower = 8

// window is the operations of a while: buckets of nanoseconds.
type window struct {
	counts  [64 * perPower]int64
	total   int64
	longest time.Duration
}

func (l *latencies) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now.counts[bucketOf(d)]++
	l.now.total++
	l.now.longest = max(l.now.longest, d)
}

// take returns what was added, and begins anew.
func (l *latencies) take() window {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.now
	l.now = window{}
	return w
}

func bucketOf(d time.Duration) int {
	n := uint64(max(d, perPower))
	power := bits.Len64(n) - 1
	return power*perPower + int(n>>(power-3)&(perPower-1))
}

// quantile returns a duration that the share q of the operations stay below, at most an
// eighth above the shortest such one.
func (w *window) quantile(q float64) time.Duration {
	left := int64(q * float64(w.total))
	for i, n := range w.counts {
		if left -= n; left < 0 {
			power, part := i/perPower, i%perPower
			return min(w.longest, time.Duration(perPower+part+1)<<(power-3))
		}
	}
	return w.longest
}
