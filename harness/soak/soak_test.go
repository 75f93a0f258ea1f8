package main

import (
	"math"
	"testing"
	"time"
)

func TestAQuantileIsAtMostAnEighthTooHigh(t *testing.T) {
	t.Parallel()
	var l latencies
	for i := range 1000 {
		l.add(time.Duration(i+1) * time.Microsecond)
	}
	w := l.take()
	for q, want := range map[float64]time.Duration{0: 1000, 0.5: 501_000, 0.99: 991_000, 0.999: 1_000_000} {
		if got := w.quantile(q); got < want || got > want*9/8+1 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if w := l.take(); w.total != 0 || w.quantile(0.999) != 0 {
		t.Errorf("what was taken is still there: %d", w.total)
	}
}

func TestATrendTellsARiseFromNoise(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		of         func(i int) float64
		grew, rise float64
	}{
		"a rise":   {func(i int) float64 { return float64(i) }, 50, 49},
		"a spike":  {func(i int) float64 { return 1e6 * float64(i/99) }, 0, math.NaN()}, // the rise is not compared
		"the same": {func(int) float64 { return 7 }, 0, 0},
	} {
		var v []float64
		var times []time.Duration
		for i := range 100 {
			v, times = append(v, c.of(i)), append(times, time.Duration(i)*time.Second)
		}
		got := trendOf(v, times)
		if got.grew() != c.grew || math.Abs(got.rise-c.rise) > 1e-6 {
			t.Errorf("%s: grew by %v and rises by %v, want %v and %v", name, got.grew(), got.rise, c.grew, c.rise)
		}
	}
}

func TestAnItemIsThereUntilItEnds(t *testing.T) {
	t.Parallel()
	now := time.Now().UnixMilli()
	for _, c := range []struct {
		item
		there, wrong bool
	}{
		{item{}, false, false},
		{item{}, true, true},
		{item{1, now + 1e6, now + 1e6}, true, false},
		{item{1, now + 1e6, now + 1e6}, false, true},
		{item{1, now - 1e6, now - 1e6}, true, true},
		{item{1, now - 1e6, now - 1e6}, false, false},
		{item{1, now - 1e6, now + 1e6}, true, false},
		{item{1, now - 1e6, now + 1e6}, false, false},
	} {
		if err := c.ends("x", func() (bool, error) { return c.there, nil }); (err != nil) != c.wrong {
			t.Errorf("%+v at %d: %v", c, now, err)
		}
	}
}
