// Package check finds every fault of a store and names it.
//
//	Pin ──► Store{View, State, Nominated}      one moment of an open store
//	           │
//	Run ───────┤  manifest   verifies, and is what the store goes by
//	           ├─ directory  has the manifest's tables, and none without a number
//	           ├─ tables     verify, and are what the manifest says
//	           ├─ logs       verify, as far as they are complete
//	           ├─ ages       newer places hold newer records
//	           ├─ Collections  metadata and element rows agree
//	           └─ Registered, RowsOfNoKeyspace
//
// Run reads everything and changes nothing. It looks at one moment of the store,
// beside writers, merges and the reaper: what these do afterwards is no fault.
// Collections, Registered and RowsOfNoKeyspace are for repair, too, which mends
// what they find.
//
// Locks: Pin takes the set's lock, and under it those of States and Nominations.
// Run takes the set's lock to read the manifest again, and none else.
//
// The package imports engine/rows and engine/readstate, and below them manifest,
// wal, internal/storedir, internal/keyspace, internal/record and others.
package check
