package commitlog

import (
	"testing"
	"testing/synctest"
	"time"
)

// In a bubble time goes on only when all sleep: a leader who looks at the clock until it
// has gone on looks for ever.
func TestALeaderGoesOnWhereTimeStandsStill(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		l := &Log{callers: 64, syncTime: time.Hour}
		l.mu.Lock()
		l.settleLocked()
		l.mu.Unlock()
	})
}
