// Package clock is a store's one clock.
//
//	wall clock ──► Clock.Now ──► never below a reading handed out before, nor below
//	                             the largest that the files of the store rely on
//
// While the wall is behind, the clock goes on by elapsed time, so that times to live
// keep running. Freeze stops it for a transaction that must not lose to time.
//
// Clock.mu is taken last and held while the wall is read. The package imports
// nothing of the store but the checks of the invariants build.
package clock
