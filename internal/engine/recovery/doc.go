// Package recovery brings the records of logs back into memtables and tables.
//
//	logs ──Judge──► each frame verified and decoded, the chain of logs judged;
//	  │             nothing is kept and nothing is written
//	  ├──Memtables──► Loader ──► memtables              a store that is only read
//	  └──Tables─────► Loader ──► memtable ──► table     a store that is written to
//	                              └── let go of before the next one is filled
//
// Judge comes first: after its refusal the directory is as it was. The logs are
// then read a second time, so that memory holds one memtable, however long the
// logs are. Loader is for repair, too, which judges by other rules.
//
// The package takes no lock: all of it belongs to the goroutine that opens the
// store. It imports engine/readstate, and below it compaction, manifest, memtable,
// wal, internal/storedir, internal/clock, internal/record and internal/base.
package recovery
