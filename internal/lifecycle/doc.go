// Package lifecycle is how a store ends: by Close, or for writers by a failure
// after which nothing may be written any more.
//
//	open ──BeginClose──► closing      Context is done, ClosedErr is ErrClosed
//	open ──Poison──────► poisoned     reads go on, writers get PoisonErr
//
// Locks: mu guards the cause of a failure, and the number of long calls, which Close waits
// for. It is taken last and held for a few instructions. The package imports internal/base alone.
package lifecycle
