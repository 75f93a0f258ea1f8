// Package invariants is what a build with -tags invariants checks and any other
// build leaves out: the order of locks, what is done under them, memory that is
// used after it was given back, and what the design takes for granted.
//
//	Enabled        const: if invariants.Enabled { … } costs nothing without the tag
//	Mutex, RWMutex sync's own without the tag; with it they know who holds them
//	SetRank        the place of a lock in the order, given where it is made
//	Outside        no file system call under the locks that forbid it
//	NotUnder       no Pick under Work.mu
//	Poison         fills memory that is given back, so that a late reader sees it
//	Check          says what must be true
//
// What is wrong is a panic; OnFailure, in a test, takes its place. A lock without a
// rank is a leaf: nothing is taken under it. The order itself is the table of ranks,
// in ranks.go.
//
// The package imports nothing of ours. Any package may import it.
package invariants
