package point

import (
	"fmt"
	"testing"
	"testing/synctest"
)

// Outcome is what became of a schedule.
type Outcome struct {
	Steps  int
	Hash   uint64 // of the trace
	Failed string // why it failed, with the last steps
}

// Run plays a schedule of the seed: main is its first client. main begins alone, and
// switches begin with Mix.
func Run(t *testing.T, seed uint64, main func()) (o Outcome) {
	synctest.Test(t, func(*testing.T) {
		s := newSchedule(seed)
		now.Store(s)
		defer now.Store(nil)
		Client("main", main)
		s.play()
		if s.failed == "" && s.alive > 0 {
			s.failed = fmt.Sprintf("%d goroutines are left\n%s", s.alive, s.standing())
		}
		o = Outcome{Steps: s.steps, Hash: s.hash, Failed: s.failed}
		if o.Failed != "" {
			o.Failed += "\nthe last steps:\n" + s.trace()
		}
		if s.failed != "" {
			Stop(o)
		}
	})
	return o
}

// Stop is told of a schedule that failed: its goroutines cannot be ended, so the
// process is.
var Stop func(Outcome)

// Mix begins or ends the switches.
func Mix(on bool) {
	if s := now.Load(); s != nil {
		s.plain = !on
	}
}

// Fail ends the schedule, which failed for the reason given. It does not return.
func Fail(format string, args ...any) {
	s := now.Load()
	s.failed = fmt.Sprintf(format, args...)
	Stop(Outcome{Steps: s.steps, Hash: s.hash, Failed: s.failed + "\nthe last steps:\n" + s.trace()})
	select {}
}
