// Package cache holds decoded table blocks and keeps all large memory of
// a store inside one limit.
//
//	table's slots        [ • ][   ][ • ][ • ]        one per block, owned by the open table
//	                       │         │    │          a hit: one atomic load
//	                       ▼         ▼    ▼
//	entries              (E) ◂──── (E)  (E)          the collector frees them
//	                       ╲         │   ╱
//	queues    probation  ──▶ · · · ──▶ evicted       a tenth: what came once
//	          main       ──▶ · · · ──▶ evicted       what was asked for again
//
//	limit = reserved (memtables, filters, indexes) + blocks in the queues
//
// The cache never frees a block: it drops its reference, and whoever still
// reads the block keeps it alive. There are no reference counts and a slice
// that points into a block never faults.
//
// Part of the engine; no compatibility promise.
package cache
