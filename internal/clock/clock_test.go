package clock_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/clock"
)

func TestClockNeverGoesBackWhileTheWallDoes(t *testing.T) {
	wall := time.UnixMilli(1_700_000_000_000)
	c := clock.New(func() time.Time { return wall })
	rng, last := rand.New(rand.NewPCG(3, 3)), int64(0)
	for range 1000 {
		wall = wall.Add(time.Duration(rng.IntN(2000)-900) * time.Millisecond)
		now := c.Now()
		if now < last {
			t.Fatalf("the clock showed %d after %d", now, last)
		}
		last = now
	}
}

func TestClockThatIsMovedStandsStillBetweenReadings(t *testing.T) {
	var wall time.Time
	c := clock.NewLogical(func() time.Time { return wall })
	want := func(ms int64) {
		t.Helper()
		if now := c.Now(); now != ms {
			t.Errorf("the clock shows %d, want %d", now, ms)
		}
	}
	want(1)
	c.Advance(5000) // by the files
	want(5000)
	wall = time.UnixMilli(4000)
	want(5000)
	wall = time.UnixMilli(9000)
	want(9000)
	wall = time.UnixMilli(8000)
	want(9000)
	c.Advance(9500)
	want(9500)
}

func TestAWallOfTheFarFutureStandsStill(t *testing.T) {
	for _, wall := range []int64{clock.Latest + 1, 1 << 62, math.MaxInt64} {
		now := func() time.Time { return time.UnixMilli(wall) }
		ahead := clock.New(time.Now)
		ahead.Advance(wall)
		for kind, c := range map[string]*clock.Clock{"a clock": clock.New(now), "one that is moved": clock.NewLogical(now), "one that files advance": ahead} {
			for range 2 {
				if at := c.Now(); at != clock.Latest {
					t.Errorf("%s shows %d where the wall is at %d", kind, at, wall)
				}
			}
		}
	}
}
