// Package readstate holds the memtables and tables of one moment, which reads use, and
// publishes them whole.
//
//	States ──current──► State{Mem, Imms, Version, Runs}     immutable
//	   │                   ▲ pinned by a call, held by an iterator or transaction
//	   └──alive: every State that is in use
//	Tables ──► table handles, by the number of States that list them
//	Points ──► the (sequence, clock) pairs that no merge may drop
//	Gaps ──► stretches of keys in which walks have met tombstones only
//
// A reader pins the current State, then loads the visible sequence. Every record up to
// that sequence is in the pinned State, or was committed after the pin. A State ends
// when it is neither the current one nor in use: then its memtables go back to be
// filled again, and tables that no State lists are removed.
//
// Locks, in the order in which they are taken: States.mu, then Tables.mu;
// State.olderMu, then Table.opening, which is held while a file is opened, then
// Tables.mu; Points.mu, then the clock's; Gaps.mu, with nothing under it. Get takes
// none of them once its tables are open.
//
// The package imports engine/commitlog for positions in the log, and manifest,
// memtable, sstable, internal/clock and internal/storedir.
package readstate
