// Package background is the work that a store does by itself, in steps. A goroutine
// of the root calls them, or a test that has no goroutines:
//
//	FlushStep        oldest full memtable ──► tables           makes room for writers
//	CompactStep      runs of tables ──► fewer, without garbage  Pick decides, merge acts
//	FlushForReaders  memtable that slows readers ──► tables
//	FlushIdle        memtable with tombstones of an idle store ──► tables
//	CountWaste       garbage ──► reserved in the budget
//
// Every change of the set of tables has one order: tables written and
// synced, directory synced, edit appended and synced, read state published, inputs
// removed once no state lists them. A decision is a value (compaction.Compaction)
// that Pick returns; this package carries it out.
//
// Locks: Work.mu guards which merges run. It is held for a few instructions: no I/O
// and no Pick under it, and nothing else is taken under it. waste.mu guards when garbage
// was counted last; the cache's is taken under it.
//
// The package imports commit, rows, readstate and commitlog, and below them compaction
// and manifest. The root is told of results through Hooks.
package background
