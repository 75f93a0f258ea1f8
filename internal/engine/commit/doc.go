// Package commit is a change's way into the store.
//
//	caller                 │ commit section, under Section.mu        │ caller
//	                       │ (nothing waits, nothing can fail)       │
//	encode, hash           │                                         │
//	validate reads  ───────►  ladder: is there an obstacle?          │
//	throttle               │    turn · limit · space · memtable · log│
//	   ▲                   │       yes                     no        │
//	   └─ remove it ◄──────┼────────┘                       │        │
//	                       │    rest of the validation, in memory    │
//	                       │    sequences, log group, memtable,      │
//	                       │    visible sequence ─────────────────────► wait for the
//	                       │                                         │  durability level
//
// A full disk is a definite error, and only before the section: a change that was
// refused has changed nothing. A failure after the section is indeterminate:
// readers have seen the change. It poisons the store.
//
//	memtable   mutable ──rotate──► immutable ──flush──► table
//	log        active  ──rotate──► sealed    ──its records are in tables──► removed
//
// Locks, in the order in which they are taken:
//
//	Section.rotating   held by the caller who rotates, across file system calls
//	Section.mu         the commit section: no waiting, no I/O
//	flushQueue.mu      held for a few instructions, by callers who wait for flushes
//	Recycler.mu        held for a few instructions, by a state that ends
//
// readstate.States.mu, the locks of the log and the memtable, and those of the clock
// and the cache are taken inside Section.mu. docs/locks.md has all of them.
//
// Once the change is visible, and outside the section, those are woken who wait for a
// key that it wrote: see package waiters.
//
// The package imports readstate, commitlog and waiters, and below them memtable,
// internal/readset, internal/record and internal/keyspace. What it needs of the
// packages above comes in through Hooks, on slow paths only.
package commit
