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
//	rows      · · · (r)(r)(r)(r) · · ·               single records, by table and key
//
//	limit = reserved (memtables, filters, indexes, rows) + blocks in the queues
//
// A full cache takes no more blocks for point reads but, of those whose values
// stand in pages, the keys; and single records that are asked for often.
//
// The cache never frees a block: it drops its reference, and whoever still
// reads the block keeps it alive. There are no reference counts and a slice
// that points into a block never faults.
//
// Part of the engine; no compatibility promise.
package cache
