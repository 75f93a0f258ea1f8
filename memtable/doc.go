// Package memtable holds the newest records of the store in memory: a sorted
// map of every version of every key, filled by one writer and read by many
// goroutines beside it, until it is flushed to a table file.
//
//	hash index                         ordered index
//	point reads, overwrites            iterators, new keys
//	┌──────┬──────┬──────┐             skiplist of branches, by fence
//	│tag·at│      │tag·at│             ┌─ "" ────────────┐  ┌─ "q" ─────
//	└──┬───┴──────┴──┬───┘             │ "f"   "k"   "m" │  │ "s"   …
//	   │             │                 └─┬─────┬─────┬───┘  └─┬─────
//	   │             │          leaves   ▼     ▼     ▼        ▼
//	   │             │          8-byte ┌───┐ ┌───┐ ┌───┐    ┌───┐
//	   │             │         prefix, │   │⇄│   │⇄│   │⇄ … ⇄│   │
//	   │             │              at └─┬─┘ └─┬─┘ └─┬─┘    └─┬─┘
//	   ▼             ▼                   ▼     ▼     ▼        ▼
//	┌──────────────────────────────────────────────────────────────────────┐
//	│ arena   node{head,key} ──► version #9 ──► version #7 ──► version #2  │
//	└──────────────────────────────────────────────────────────────────────┘
//
// A node stands for one user key; leaves and hash slots point at nodes, so an
// overwrite only hangs a new version in front of the others and touches
// neither index. Nothing is ever moved, pruned or freed before the table as
// a whole is, so that a read at an old sequence finds what it found before.
// Range tombstones stand apart, as immutable lists behind an atomic pointer.
//
// The contract:
//   - One goroutine at a time adds. Everything else may run beside it.
//   - The writer publishes: bytes, then head, leaf and slot, then whatever the
//     caller uses to say which sequence is visible. A reader that loads that
//     first and then asks the table finds every record up to it.
//   - What the table hands out is borrowed: it does not change until the table is
//     released, and never faults, for the arena is ordinary Go memory. Only bounds
//     of range tombstones may be kept beyond that.
//   - A Builder sorts and indexes a table of records that come before any reader does.
//   - Release hands the chunks of a table that nobody reads any more to those being
//     filled; Reset then takes it back to empty, with its indexes.
//
// Part of the engine; no compatibility promise.
package memtable
