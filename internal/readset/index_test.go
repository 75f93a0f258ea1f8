package readset

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/seed"
)

func TestAnIndexAnswersAsAWalkOverAllReadsDoes(t *testing.T) {
	rng := rand.New(rand.NewPCG(seed.New(t), 1))
	row := func() []byte { return fmt.Appendf(nil, "%03d", rng.IntN(400)) }
	for range 200 {
		var s Set
		for range rng.IntN(40) {
			r := row()
			s.AddPoint(base.HashRow(r), r)
		}
		for range rng.IntN(5) {
			lo, hi := row(), row()
			if bytes.Compare(lo, hi) > 0 {
				lo, hi = hi, lo
			}
			if rng.IntN(10) == 0 {
				hi = nil
			}
			s.AddInterval(lo, hi, rng.IntN(2) == 0)
		}
		x := NewIndex(&s)
		x.Order()
		for range 50 {
			lo, hi := row(), row()
			if bytes.Compare(lo, hi) > 0 {
				lo, hi = hi, lo
			}
			hi = append(hi, 0)
			if got, want := x.Has(base.HashRow(lo), lo), meets(&s, lo, append(lo[:3:3], 0)); got != want {
				t.Fatalf("row %s: %v, want %v, of %v and %v", lo, got, want, s.points, s.intervals)
			}
			if got, want := x.Overlaps(lo, hi), meets(&s, lo, hi); got != want {
				t.Fatalf("[%s, %q): %v, want %v, of %v and %v", lo, hi, got, want, s.points, s.intervals)
			}
		}
	}
}

// meets reports whether anything in [lo, hi) was read.
func meets(s *Set, lo, hi []byte) bool {
	for _, p := range s.points {
		if bytes.Compare(lo, p.Row) <= 0 && bytes.Compare(p.Row, hi) < 0 {
			return true
		}
	}
	for i := range s.intervals {
		from, to := s.intervals[i].Lo, s.intervals[i].Upper()
		if bytes.Compare(from, hi) < 0 && (to == nil || bytes.Compare(lo, to) < 0 && bytes.Compare(from, to) < 0) {
			return true
		}
	}
	return false
}
