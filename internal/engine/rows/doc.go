// Package rows walks the live rows of one read state at one read point: the one
// place where visibility is decided for ranges.
//
//	Source ─── shared by the iterators of a store: its read states, and what their
//	  │        walks have lost to many sources
//	  ▼
//	Iter = Merging(own writes, memtables, runs)   every version of every key
//	         − versions that the View does not see
//	         − tombstones, and records under range tombstones
//	         − records that have expired at View.Now
//	         + the read set of the transaction that walks, if there is one
//
// Sample draws rows of a range at random, by look-ups.
//
// Inside a block, or the leaf of a memtable, in which no other source has a say,
// an Iter walks that source alone (a block run).
//
// A long stretch of deleted rows is passed once: it becomes a gap (readstate.Gaps),
// and later walks go on at its end.
//
// An Iter belongs to one goroutine and takes no lock of its own; Source is safe
// for concurrent use. The package imports readstate, and below it
// internal/iterator, internal/readset, internal/rangedel, memtable and sstable.
package rows
