package changes

import (
	"fmt"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Keep says how much of the past a store keeps for its change feed. The zero value
// keeps none, and then there is no feed. The past is kept in log files, each as a
// whole: what is written to the newest of them is there in any case, and does not
// count.
type Keep struct {
	// Bytes bounds the log files that are kept for the feed alone. Zero: Age alone
	// bounds them.
	Bytes int64
	// Age is for how long a change is kept at least, as long as Bytes allows. Zero:
	// Bytes alone decides.
	Age time.Duration
}

// On reports whether changes are kept.
func (k Keep) On() bool { return k.Bytes > 0 || k.Age > 0 }

// ErrTooOld is what a TooOldError is to errors.Is.
var ErrTooOld = base.ErrTooOld

// TooOldError says that the changes after a position are not kept any more. A follower
// then begins anew: with the state of a snapshot and the feed after its Position, or with
// a checkpoint and the feed after its Origin.
type TooOldError struct {
	Oldest Position // the oldest that a feed can begin after
}

// Error names the oldest position.
func (e *TooOldError) Error() string {
	if e == nil {
		return base.ErrTooOld.Error()
	}
	return fmt.Sprintf("%v: the oldest position there is is %v", base.ErrTooOld, e.Oldest)
}

// Unwrap returns ErrTooOld.
func (e *TooOldError) Unwrap() error { return base.ErrTooOld }
