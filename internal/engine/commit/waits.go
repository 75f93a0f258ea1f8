package commit

import (
	"sync/atomic"
	"time"
)

// Waits is how long writers have waited, by the cause, beside the waits for flushes that
// Hooks.Stalled tells of. Waits that last are not in it yet. Safe for concurrent use.
type Waits struct {
	Flushes waited // slept, because flushes are behind
	Merges  waited // slept, because merges are
	Space   waited // for a merge or flush that gives space back on a full disk
	Turns   waited // for an Update that has lost several times
}

// waited sums waits.
type waited struct{ sum atomic.Int64 }

// add counts a wait that began at a time and ends now.
func (w *waited) add(begin time.Time) { w.sum.Add(int64(time.Since(begin))) }

// Duration returns the sum.
func (w *waited) Duration() time.Duration { return time.Duration(w.sum.Load()) }
