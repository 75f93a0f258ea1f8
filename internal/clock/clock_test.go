package clock_test

import (
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
