// Package reaper decides about collections that may be dead and frees the rows of
// those that are. A nomination is a suspicion: a typed call that ended a collection,
// a merge that dropped a metadata row, and a timer that is due all nominate. Only the
// reaper decides, in a validated transaction at the newest sequence. It asks the
// owner row which key owns the collection, and that key's newest row whether it still
// does:
//
//	no owner row                              → dead already
//	the owner's row is live and carries the id → alive
//	otherwise                                 → range tombstone over the id's rows
//
// The commit that records the verdict also deletes the timer that asked for it.
// Exception: if the collection is alive and has due elements, the reaper purges them
// and the timer moves to the next deadline. manifest.Nominations draws the way of a
// nomination.
//
// TellEnded is for merges while changes are kept: it writes down which keys have ended.
//
// One goroutine at a time calls Step. The package has no lock. It imports txn, commit,
// rows, readstate and commitlog, and below them internal/collection and manifest.
package reaper
