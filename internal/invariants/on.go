//go:build invariants

package invariants

import (
	"fmt"
	"sync/atomic"
)

// Enabled reports whether the program was built with -tags invariants.
const Enabled = true

// fail is what happens when something is wrong.
var fail atomic.Pointer[func(string)]

// OnFailure has fn called with what is wrong, instead of a panic, until the
// returned function is called. It is for tests of one goroutine.
func OnFailure(fn func(string)) (restore func()) {
	before := fail.Swap(&fn)
	return func() { fail.Store(before) }
}

func failf(format string, args ...any) {
	s := "invariants: " + fmt.Sprintf(format, args...)
	if fn := fail.Load(); fn != nil {
		(*fn)(s)
		return
	}
	panic(s)
}

// Check fails unless what it is told is true.
func Check(is bool, format string, args ...any) {
	if !is {
		failf(format, args...)
	}
}

// poison is what memory holds that was given back.
const poison = 0xDB

// Poison fills b, of which nobody may see anything any more, up to its capacity.
func Poison(b []byte) {
	b = b[:cap(b)]
	for i := range b {
		b[i] = poison
	}
}
