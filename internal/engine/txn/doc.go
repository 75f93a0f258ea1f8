// Package txn runs one transaction over rows: reads at one point of one state,
// writes in a buffer of its own, and the set of its reads.
//
//	        ┌ own writes: buffer, and its index beyond a few
//	Get ────┤                                            │ read set: points, intervals,
//	        └ readstate.State at View.Seq                │ earliest expiry
//	Commit ─► commit.Change{Reads, …} ─► commit.Section
//
// There are two kinds of transactions. A long-lived one registers its read point, so
// that no merge drops a version that it can see. A call on a typed value pins the
// current state and demands that it is still the current one at its commit; a call
// that has lost a few times to a changing state runs as a registered transaction,
// and at last while other writers wait.
//
// A Txn belongs to one goroutine. Locks: keyLocks, one held by a call that reads,
// changes and writes back one key, from its beginning until its change is visible;
// commit.Section's are taken under it.
//
// The package imports commit, rows, readstate, commitlog for levels of durability, and
// waiters for calls that wait; and below them internal/collection, whose Txn it
// implements.
package txn
