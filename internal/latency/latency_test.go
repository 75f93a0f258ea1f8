package latency

import (
	"sync"
	"testing"
	"time"
)

func TestDurationsFallIntoBucketsOfDoublingWidth(t *testing.T) {
	var c Counts
	var h Histogram
	for d, bucket := range map[time.Duration]int{
		-1: 0, 124: 0, 125: 1, 249: 1, 250: 2, time.Microsecond: 4, 2 * time.Microsecond: 5, 3 * time.Microsecond: 5,
		time.Millisecond: 13, 134217 * time.Millisecond: Buckets - 2, 134218 * time.Millisecond: Buckets - 1, 100 * time.Hour: Buckets - 1,
	} {
		before := c.Buckets[bucket]
		c.Add(d)
		if h.add(d, 3); c.Buckets[bucket] != before+1 || h.Counts().Buckets[bucket] != 3*c.Buckets[bucket] {
			t.Errorf("%v is not in bucket %d: %v, %v", d, bucket, c.Buckets, h.Counts().Buckets)
		}
	}
	if got := h.Counts(); c.Count != 12 || c.Max != 100*time.Hour || got.Count != 36 || got.Max != c.Max || got.Total != 3*c.Total {
		t.Errorf("%+v, %+v", c, got)
	}
}

// Whatever the period of what a program does, the same part of each kind is measured.
func TestTheSamePartIsMeasuredOfEachKindOfOperation(t *testing.T) {
	for period := 1; period <= 64; period++ {
		s := NewSampler()
		measured := make([]int, period)
		const each = 100 * usual
		for i := range each * period {
			if s.Begin().measured() {
				measured[i%period]++
			}
		}
		for kind, n := range measured {
			if n < 50 || n > 150 {
				t.Errorf("of operation %d of %d, %d of %d are measured", kind, period, n, each)
			}
		}
	}
}

func TestSamplersOfOneOperationMeasureTheSamePart(t *testing.T) {
	n, slow := 0, 0
	for range 1000 * usual {
		if s := NewSampler(); s.Begin().measured() {
			n++
		}
		if s := NewSampler(); s.BeginSlow().measured() {
			slow++
		}
	}
	if n < 700 || n > 1300 || slow < n*12 || slow > n*21 {
		t.Errorf("of %d, %d are measured, and %d of the slow ones", 1000*usual, n, slow)
	}
}

func TestWhatIsMeasuredCountsForTheOthers(t *testing.T) {
	var h Histogram
	h.End(Moment{})
	if c := h.Counts(); c != (Counts{}) {
		t.Errorf("an operation that is not measured: %+v", c)
	}
	h.End(Sampled())
	h.End(now(often))
	if c := h.Counts(); c.Count != usual+often || c.Total <= 0 || c.Max <= 0 {
		t.Errorf("%+v", c)
	}
}

func TestManyGoroutinesCountTogether(t *testing.T) {
	var h Histogram
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 1000 {
				h.add(time.Duration(g*1000+i), 1)
			}
		})
	}
	all.Wait()
	if c := h.Counts(); c.Count != 8000 || c.Max != 7999 || c.Total != 7999*8000/2 {
		t.Errorf("%+v", c)
	}
}

func BenchmarkSampled(b *testing.B) {
	var h Histogram
	s := NewSampler()
	for range b.N {
		h.End(s.Begin())
	}
}
