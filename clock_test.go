package siltstone

import (
	"testing"
	"time"
)

func TestClockNeverGoesBackWhileTheWallDoes(t *testing.T) {
	clock := newHandClock()
	c := newStoreClock(clock.Now)
	rng, last := seeded(3), int64(0)
	for range 1000 {
		clock.advance(time.Duration(rng.IntN(2000)-900) * time.Millisecond)
		now := c.now()
		if now < last {
			t.Fatalf("the clock showed %d after %d", now, last)
		}
		last = now
	}
}
