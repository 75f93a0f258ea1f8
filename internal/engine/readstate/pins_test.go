package readstate

import (
	"testing"

	"github.com/siltstonedb/siltstone/internal/latency"
)

func TestPinsAreCountedWhicheverCallsAreMeasured(t *testing.T) {
	var c PinCount
	if !c.Zero() {
		t.Error("a new count is not zero")
	}
	measured := 0
	for range 256 * 100 {
		c.pin(3)
		c.pin(3)
		if c.Begin(3) != (latency.Moment{}) {
			measured++
		}
		if c.Zero() || c.unpin(3) || c.Zero() {
			t.Fatal("a call ended, of two")
		}
		if !c.unpin(3) || !c.Zero() {
			t.Fatal("both calls have ended")
		}
	}
	if measured < 50 || measured > 150 {
		t.Errorf("%d of %d calls are measured", measured, 256*100)
	}
}
