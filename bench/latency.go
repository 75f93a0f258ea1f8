package main

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets whose width is a sixteenth of their
// size, so that a quantile is off by at most 6 %. It is used by one goroutine;
// histograms of several are added.
type histogram struct {
	counts [64 * subBuckets]int64
	total  int64
	max    time.Duration
}

const (
	subBits    = 4
	subBuckets = 1 << subBits
)

func (h *histogram) record(d time.Duration) {
	h.counts[bucketOf(uint64(max(d, 0)))]++
	h.total++
	h.max = max(h.max, d)
}

// bucketOf returns the bucket of n nanoseconds: its bit length and the bits below
// the leading one.
func bucketOf(n uint64) int {
	if n < subBuckets {
		return int(n)
	}
	exp := bits.Len64(n) - subBits - 1
	return (exp+1)*subBuckets + int(n>>exp)&(subBuckets-1)
}

// bucketEnd returns the largest number of a bucket.
func bucketEnd(b int) uint64 {
	if b < subBuckets {
		return uint64(b)
	}
	exp := b/subBuckets - 1
	return (uint64(subBuckets+b%subBuckets)+1)<<exp - 1
}

func (h *histogram) add(o *histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.total += o.total
	h.max = max(h.max, o.max)
}

// quantile returns a duration that the share q of all does not exceed; 0 for an
// empty histogram.
func (h *histogram) quantile(q float64) time.Duration {
	left := int64(float64(h.total) * q)
	for b, n := range h.counts {
		if left -= n; left < 0 && n > 0 {
			return min(time.Duration(bucketEnd(b)), h.max)
		}
	}
	return h.max
}
