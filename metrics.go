package siltstone

import (
	"time"

	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
)

// Metrics are the figures of a store at one moment. Fields that are marked as
// counters count from Open on; the others are gauges. Metrics is a plain value: keep
// it, compare it, encode it as JSON.
type Metrics struct {
	Runs        []RunMetrics // of tables, newest first
	Tables      TableMetrics
	Memtables   MemtableMetrics
	Commits     CommitMetrics
	Log         LogMetrics
	Flushes     FlushMetrics
	Compactions CompactionMetrics
	Stalls      StallMetrics
	Memory      MemoryMetrics
	Cache       CacheMetrics
	Disk        DiskMetrics
	Open        OpenMetrics
	Dead        DeadMetrics
	Troubles    TroubleMetrics
}

// RunMetrics are the figures of one run, whose tables do not overlap. A read asks
// the runs in this order.
type RunMetrics struct {
	Age    uint64 // higher is newer
	Level  int    // 0: flushed, 6: the last
	Tables int
	Bytes  int64
}

// TableMetrics are the figures of the tables of all runs.
type TableMetrics struct {
	Count   int
	Bytes   int64
	Records int64 // puts and deletes, versions that merges will drop included
	Open    int   // files that are open
}

// MemtableMetrics are the figures of the memtables.
type MemtableMetrics struct {
	Waiting int   // full, to be flushed
	Records int64 // in all of them
	Bytes   int64 // of memory
}

// CommitMetrics are counters of commits.
type CommitMetrics struct {
	Count      int64
	Operations int64
	Groups     int64 // written together: Count/Groups commits share a write
	Bytes      int64 // of payload written to the log
	Conflicts  int64 // refused because what was read had changed; Update retries
}

// LogMetrics are the figures of the write-ahead log.
type LogMetrics struct {
	Unsynced int64          // bytes committed and not durable yet
	Syncs    LatencyMetrics // of writing and syncing a group
}

// LatencyMetrics count durations. All fields but Max are counters. Buckets[i] counts
// the durations below 2^i microseconds that no earlier bucket counts.
type LatencyMetrics struct {
	Count      int64
	Total, Max time.Duration
	Buckets    [commitlog.LatencyBuckets]int64
}

// Quantile returns a duration that the share q of all durations stay below; it is at
// most twice as long as the shortest such duration. Without durations it is 0.
func (l LatencyMetrics) Quantile(q float64) time.Duration {
	if l.Count <= 0 {
		return 0
	}
	left := int64(q * float64(l.Count))
	for i, n := range l.Buckets {
		if left -= n; left < 0 || i == len(l.Buckets)-1 {
			return min(time.Microsecond<<i, l.Max)
		}
	}
	return l.Max
}

// FlushMetrics are counters of flushes.
type FlushMetrics struct {
	Count, Failed int64
	Records       int64
	Bytes         int64 // written to tables
	Duration      time.Duration
}

// CompactionMetrics are counters of compactions; Running is a gauge.
type CompactionMetrics struct {
	Running            int   // now, flushes included
	Merges             int64 // read and written
	Moves, Drops       int64 // done without reading
	Failed             int64
	BytesIn, BytesOut  int64
	Dropped            int64 // records that left
	Duration           time.Duration
	WriteAmplification float64 // bytes of tables written for each byte flushed, 0 before the first flush
}

// StallMetrics are the figures of writers that waited for flushes. Count counts
// stalls, Duration adds up those that have ended; both are counters.
type StallMetrics struct {
	Count    int64
	Duration time.Duration
	Reason   string        // of the stall going on, or empty
	Delay    time.Duration // a writer of 1 MiB is slowed by now, while merges are behind
}

// MemoryMetrics are the parts of the memory that the store holds.
type MemoryMetrics struct {
	Limit         int64 // Options.MemoryLimit
	Memtables     int64 // that anything open still reads included
	Blocks        int64 // cached
	Rows          int64 // of single records beside them
	TableMetadata int64 // filters and indexes of open tables
	LogBuffers    int64 // commits on their way to the log
	ReadAhead     int64 // lent to iterators
	Spare         int64 // an emptied memtable and table writers, kept for the next flush
	Iterators     int64 // the open ones themselves, without what they have read
	Transactions  int64 // the open ones, with their writes and without their reads
}

// Total returns the sum of the parts.
func (m MemoryMetrics) Total() int64 {
	return m.Memtables + m.Blocks + m.Rows + m.TableMetadata + m.LogBuffers + m.ReadAhead + m.Spare + m.Iterators + m.Transactions
}

// CacheMetrics are the figures of the cache of table blocks. Hits, Misses and
// Evictions are counters. Readers report a sample of their hits, so Hits is inexact.
type CacheMetrics struct {
	Blocks, Bytes           int64
	Hits, Misses, Evictions int64
}

// DiskMetrics are the bytes of the store's files. Files that cannot be listed count
// as 0.
type DiskMetrics struct {
	Tables   int64 // of the newest state
	Obsolete int64 // tables that only open handles keep, or about to be removed
	Logs     int64 // space reserved ahead included
	Manifest int64
	Free     int64 // on the file system; negative if not known
}

// Total returns the sum of the files.
func (m DiskMetrics) Total() int64 { return m.Tables + m.Obsolete + m.Logs + m.Manifest }

// OpenMetrics count open iterators, snapshots and transactions, which keep files and
// memory.
type OpenMetrics struct {
	Iterators, Snapshots, Transactions int64
	Oldest                             time.Duration // with Options.TrackOpen, how long the oldest has been open
}

// DeadMetrics are the figures of collections that have ended and of keyspaces that
// were dropped.
type DeadMetrics struct {
	// Collections counts the collections that may have ended and about which the
	// store has not decided yet. Bytes estimates the bytes that the elements of these,
	// of collections that have ended, and the keys of dropped keyspaces still take in
	// tables. Both return to 0 by themselves.
	Collections int64
	Bytes       int64
	Reaped      int64 // counter: found dead
}

// TroubleMetrics are counters, but for Frozen and Poisoned, of events that an
// operator should look at.
type TroubleMetrics struct {
	Corruptions, NoSpace, SlowSyncs int64
	Frozen                          int    // damaged tables that merges leave alone, until Repair
	Poisoned                        string // why nothing is written any more, or empty
}

// Sub returns m less the counters of old, an earlier reading of the same store: the
// work that was done between the two. Gauges stay those of m.
func (m Metrics) Sub(old Metrics) Metrics {
	sub := func(n *int64, was int64) { *n -= was }
	sub(&m.Commits.Count, old.Commits.Count)
	sub(&m.Commits.Operations, old.Commits.Operations)
	sub(&m.Commits.Groups, old.Commits.Groups)
	sub(&m.Commits.Bytes, old.Commits.Bytes)
	sub(&m.Commits.Conflicts, old.Commits.Conflicts)
	m.Log.Syncs = m.Log.Syncs.sub(old.Log.Syncs)
	f, c := &m.Flushes, &m.Compactions
	sub(&f.Count, old.Flushes.Count)
	sub(&f.Failed, old.Flushes.Failed)
	sub(&f.Records, old.Flushes.Records)
	sub(&f.Bytes, old.Flushes.Bytes)
	f.Duration -= old.Flushes.Duration
	sub(&c.Merges, old.Compactions.Merges)
	sub(&c.Moves, old.Compactions.Moves)
	sub(&c.Drops, old.Compactions.Drops)
	sub(&c.Failed, old.Compactions.Failed)
	sub(&c.BytesIn, old.Compactions.BytesIn)
	sub(&c.BytesOut, old.Compactions.BytesOut)
	sub(&c.Dropped, old.Compactions.Dropped)
	c.Duration -= old.Compactions.Duration
	c.WriteAmplification = writeAmplification(f.Bytes, c.BytesOut)
	sub(&m.Stalls.Count, old.Stalls.Count)
	m.Stalls.Duration -= old.Stalls.Duration
	sub(&m.Cache.Hits, old.Cache.Hits)
	sub(&m.Cache.Misses, old.Cache.Misses)
	sub(&m.Cache.Evictions, old.Cache.Evictions)
	sub(&m.Dead.Reaped, old.Dead.Reaped)
	sub(&m.Troubles.Corruptions, old.Troubles.Corruptions)
	sub(&m.Troubles.NoSpace, old.Troubles.NoSpace)
	sub(&m.Troubles.SlowSyncs, old.Troubles.SlowSyncs)
	return m
}

func (l LatencyMetrics) sub(old LatencyMetrics) LatencyMetrics {
	l.Count -= old.Count
	l.Total -= old.Total
	for i := range l.Buckets {
		l.Buckets[i] -= old.Buckets[i]
	}
	return l
}

// writeAmplification returns the bytes written to tables for each byte that was
// flushed.
func writeAmplification(flushed, compacted int64) float64 {
	if flushed <= 0 {
		return 0
	}
	return float64(flushed+compacted) / float64(flushed)
}
