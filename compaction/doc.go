// Package compaction decides what to merge and merges it.
//
//	newest  memtables        ▒▒ ▒▒
//	   │    L0  flush runs   ▁▁▁▁▁▁▁▁▁▁▁▁▁▁  each flush is a run of its own
//	   │                     ▁▁▁▁▁▁▁▁▁▁▁▁▁▁  too many: one run of a tier
//	   │    L1… tiers        ▂▂▂▂▂▂▂▂▂▂▂▂▂▂
//	   │                     ▂▂▂▂▂▂▂▂▂▂▂▂▂▂  a quarter of the last level: down, a key
//	   ▼                       └──┐            range at a time
//	oldest  L6  last level   ██████████████  one run, sorted and disjoint
//
// This is lazy levelling: young runs are tiered, so a byte is rewritten once per
// tier; the last level is one run, so space and reads stay close to a levelled
// store's.
//
// Pick is the decision: a pure function of a version and a few facts, without
// I/O, clock or lock. It returns a value that prints itself. Merge is the act:
// it streams records through one rule (decide) into new tables, and touches
// neither manifest nor directory. Between the two the caller opens the inputs;
// after them it installs the Result.
//
// The contract: merging changes no answer. Whatever any registered read point or
// anybody who comes later reads, point or range, is the same before and after,
// for any sequence of picks and merges. A merge takes runs that are neighbours in
// age, and its output takes their place.
//
// Nothing here starts a goroutine. Part of the engine; no compatibility promise.
package compaction
