// Package check finds every fault of a store and names it.
//
//	Pin ──► Store{View, State, Nominated}      one moment of an open store
//	           │
//	Run ───────┤  manifest   verifies, and agrees with the state in memory
//	           ├─ directory  has the manifest's tables, and none without a number
//	           ├─ tables     verify, and agree with the manifest
//	           ├─ logs       verify, as far as they are complete
//	           ├─ ages       newer places hold newer records
//	           ├─ Collections  metadata and element rows agree
//	           └─ Registered, RowsOfNoKeyspace
//
// Run reads everything and changes nothing. It looks at one moment of the store,
// beside writers, merges and the reaper: their later work is no fault.
// Collections, Registered and RowsOfNoKeyspace are for repair, too, which mends
// their faults.
//
// Locks: Pin takes the set's lock, and under it those of States and Nominations.
// Run takes the set's lock to read the manifest again, and none else.
//
// The package imports engine/rows and engine/readstate, and below them manifest,
// wal, internal/storedir, internal/keyspace, internal/record and others.
package check
