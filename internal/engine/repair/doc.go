// Package repair makes a whole store out of the readable parts of a damaged one.
//
//	Salvage   manifest ─ which files count ─┐
//	          tables ── blocks that verify ─┤ Merging, each record once ──► one run
//	          logs ──── frames that verify ─┘   of tables, manifest, CURRENT
//	Mend      keyspaces without a name ──► named
//	          collections ──► follow the elements that are left of them
//
// The caller opens the directory of Salvage as a store, has it mended and checked, and
// then publishes it: no call leads up from here. The damaged store is only read.
//
// The package takes no lock. It imports engine/check, whose faults it mends,
// engine/recovery, which loads the logs, and below them engine/rows,
// engine/readstate, compaction, manifest, sstable, wal and internal/storedir.
package repair
