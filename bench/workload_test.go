package main

import (
	"bytes"
	"compress/flate"
	"errors"
	"math"
	"slices"
	"testing"
	"time"
)

func TestKeysAreDistinctAndOfOneLength(t *testing.T) {
	for _, s := range []keyShape{{}, {random: true}, {prefix: "user", random: true}} {
		seen := map[string]bool{}
		for i := range uint64(10_000) {
			for _, j := range []uint64{i, absentKeys + i} {
				k := string(s.append(nil, j))
				if len(k) != s.len() || seen[k] {
					t.Fatalf("%+v: key %d is %q, seen %v", s, j, k, seen[k])
				}
				seen[k] = true
			}
		}
	}
}

func TestRisingKeysRise(t *testing.T) {
	var last []byte
	for i := range uint64(1000) {
		k := keyShape{}.append(nil, i)
		if bytes.Compare(last, k) >= 0 {
			t.Fatalf("%s after %s", k, last)
		}
		last = k
	}
}

func TestValuesCompressToAboutHalf(t *testing.T) {
	v := newValues(100<<10).of(1, 0)
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestSpeed)
	w.Write(v)
	w.Close()
	if share := float64(b.Len()) / float64(len(v)); share < 0.45 || share > 0.65 {
		t.Errorf("compressed to %.2f", share)
	}
}

func TestAnOverwriteChangesTheValue(t *testing.T) {
	v := newValues(16)
	if !v.holds(7, v.of(7, 0)) || v.holds(7, v.of(7, 1)) || v.holds(7, v.of(8, 0)) {
		t.Error("values of different keys or versions are alike")
	}
}

// Rank r has the share 1/(r+1)^theta/zeta(n); the method is exact for the first
// two and 16 % off for the third.
func TestZipfFavoursAsItShould(t *testing.T) {
	const n, draws = 1000, 200_000
	z := newZipf(n, false)
	counts := make([]int, n)
	r := rng(1)
	for range draws {
		counts[z.pick(&r)]++
	}
	for rank := range 3 {
		want := 1 / math.Pow(float64(rank+1), zipfTheta) / z.zetan
		got := float64(counts[rank]) / draws
		if math.Abs(got-want) > want/5 {
			t.Errorf("rank %d: %.4f of the draws, want %.4f", rank, got, want)
		}
	}
	if slices.Max(counts) != counts[0] {
		t.Error("0 is not the most popular")
	}
}

func TestLatestStaysBelowTheEnd(t *testing.T) {
	end := uint64(100)
	l := latest{newZipf(1000, false), func() uint64 { return end }}
	r := rng(1)
	for range 10_000 {
		if got := l.pick(&r); got >= end {
			t.Fatalf("picked %d of %d", got, end)
		}
	}
}

func TestQuantilesAreWithinABucket(t *testing.T) {
	var h, other histogram
	for i := range 1000 {
		into := &h
		if i%2 == 0 {
			into = &other
		}
		into.record(time.Duration(i+1) * time.Microsecond)
	}
	h.add(&other)
	for _, c := range []struct {
		q    float64
		want time.Duration
	}{{0, time.Microsecond}, {0.5, 500 * time.Microsecond}, {0.99, 990 * time.Microsecond}, {1, time.Millisecond}} {
		got := h.quantile(c.q)
		if diff := math.Abs(float64(got-c.want)) / float64(c.want); diff > 0.07 {
			t.Errorf("quantile %v: %v, want %v", c.q, got, c.want)
		}
	}
}

func TestBucketsTileTheNumbers(t *testing.T) {
	last := -1
	for n := uint64(0); n < 1<<16; n++ {
		b := bucketOf(n)
		if b != last && b != last+1 || n > bucketEnd(b) {
			t.Fatalf("%d is in bucket %d, which ends at %d, after bucket %d", n, b, bucketEnd(b), last)
		}
		last = b
	}
	if b := bucketOf(math.MaxInt64); b >= len(histogram{}.counts) {
		t.Errorf("bucket %d", b)
	}
}

func TestDriveSharesOutEveryOperationOnce(t *testing.T) {
	for _, workers := range []int{1, 3} {
		for _, every := range []int64{1, 8} {
			seen := make([]int32, 100)
			m, err := drive{workers: workers, ops: 100, every: every}.run(func(_ *worker, i int64) (int, error) {
				seen[i]++
				return 2, nil
			})
			if err != nil || m.ops != 100 || m.units != 200 {
				t.Fatalf("%d workers: %v, %+v", workers, err, m)
			}
			if slices.Min(seen) != 1 || slices.Max(seen) != 1 {
				t.Errorf("%d workers: operations done %v times", workers, seen)
			}
			if every == 1 && m.timing.total != 100 {
				t.Errorf("%d of 100 timed", m.timing.total)
			}
		}
	}
}

func TestAStallIsSeenThoughItsOperationWasNotTimed(t *testing.T) {
	m, err := drive{workers: 1, ops: 64, every: 8}.run(func(_ *worker, i int64) (int, error) {
		if i == 13 {
			for start := time.Now(); time.Since(start) < 3*time.Millisecond; {
			}
		}
		return 1, nil
	})
	if err != nil || m.stall < 3*time.Millisecond {
		t.Errorf("stall %v, %v", m.stall, err)
	}
}

func TestTheFirstErrorEndsARow(t *testing.T) {
	broken := errors.New("broken")
	_, err := drive{workers: 2, ops: 1000}.run(func(_ *worker, i int64) (int, error) {
		if i == 700 {
			return 0, broken
		}
		return 1, nil
	})
	if err != broken {
		t.Errorf("got %v", err)
	}
}
