//go:build invariants

package invariants

// goroutine returns what tells the calling goroutine from all others that run: the
// address of what the runtime keeps of it. Asking the runtime in the portable way
// costs a walk over the stack with each lock, and the tests ten times as long.
func goroutine() uint64
