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
		first, second := c.pin(3), c.pin(3)
		if Begin(second) != (latency.Moment{}) {
			measured++
		}
		if c.Zero() || c.unpin(first) || c.Zero() {
			t.Fatal("a call ended, of two")
		}
		if !c.unpin(second) || !c.Zero() {
			t.Fatal("both calls have ended")
		}
	}
	if measured < 50 || measured > 150 {
		t.Errorf("%d of %d calls are measured", measured, 256*100)
	}
}
