// Package checkpoint makes a copy of an open store beside it.
//
//	memory ──Flush──► tables
//	State, held under the set's lock ──► Version ──► tables linked, or copied
//	                              └──► manifest of the copy: an id of its own, clean
//	dst.NNNN.partial ──Publish──► dst
//
// Writers, flushes and merges go on meanwhile: the held State keeps the files of its
// Version. A store that is open for reading is not flushed: the records of its logs
// are written to tables of the copy.
//
// Locks: the set's, while the state is held, and under it those of States. The
// package imports engine/recovery, which writes memtables to tables,
// engine/readstate, and below them compaction, manifest, internal/storedir,
// internal/lifecycle and internal/clock.
package checkpoint
