// Package background is what a store does by itself, as steps that a goroutine of
// the root, or a test without goroutines, calls:
//
//	FlushStep        oldest full memtable ──► tables           makes room for writers
//	CompactStep      runs of tables ──► fewer, without garbage  Pick decides, merge acts
//	FlushForReaders  memtable that slows readers ──► tables
//	FlushIdle        memtable with tombstones of an idle store ──► tables
//	CountWaste       garbage ──► reserved in the budget
//
// Whatever changes the set of tables goes through one order: tables written and
// synced, directory synced, edit appended and synced, read state published, inputs
// removed once nobody reads them. A decision is a value (compaction.Compaction)
// that Pick returns; this package carries it out.
//
// Lock: Work.mu guards which merges run. It is held for a few instructions: no I/O
// and no Pick under it. Nothing else is taken under it.
//
// The package imports commit, rows and readstate, and below them compaction and
// manifest. The root is told of results through Hooks.
package background
