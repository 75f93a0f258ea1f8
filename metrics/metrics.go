package metrics

import "time"

// Metrics are the figures of a store at one moment. The fields of Commits, Flushes and
// Compactions are counters, and so are those whose documentation says it; all others are
// gauges. A copy shares Runs with its original.
//
// Gets, Seeks and Commits.Latency are of samples, because to read the clock takes as long
// as a read: of 256 operations one is measured, of commits that wait for a sync one in 16,
// and it counts for all of them. So after few operations they may be empty.
type Metrics struct {
	Dir         string        // of the store, as an absolute path on a file system that has those
	Uptime      time.Duration // since Open
	Runs        []Run         // of tables, newest first
	Tables      Tables
	Memtables   Memtables
	Gets        Latency // of reads of a value: Get and AppendGet, not those of typed handles
	Seeks       Latency // of iterators: First, Last and seeks, one in each loop over keys
	Commits     Commits
	Log         Log
	Flushes     Flushes
	Compactions Compactions
	Stalls      Stalls
	Memory      Memory
	Cache       Cache
	Disk        Disk
	Open        Handles
	Waits       Waits
	Dead        Dead
	Troubles    Troubles
}

// WriteAmplification returns the bytes written to tables, by flushes and compactions,
// for each byte that was flushed. Before the first flush it is 0.
func (m Metrics) WriteAmplification() float64 {
	if m.Flushes.Bytes <= 0 {
		return 0
	}
	return float64(m.Flushes.Bytes+m.Compactions.BytesOut) / float64(m.Flushes.Bytes)
}

// Run has the figures of one run: tables that do not overlap. A read asks the runs in
// the order of Metrics.Runs.
type Run struct {
	Age    uint64 // higher is newer
	Level  int    // 0: flushed, 6: the last
	Tables int
	Bytes  int64
}

// Tables has the figures of the tables of all runs.
type Tables struct {
	Count   int
	Bytes   int64
	Records int64 // puts and deletes, versions that merges will drop included
	Open    int   // files that are open
}

// Memtables has the figures of the memtables.
type Memtables struct {
	Waiting int   // full, to be flushed
	Records int64 // in all of them
	Bytes   int64 // of memory
}

// Commits are counters of commits.
type Commits struct {
	Count      int64
	Operations int64
	Groups     int64 // written together: Count/Groups commits share a write
	Bytes      int64 // of payload written to the log
	Conflicts  int64 // refused because what was read had changed; Update retries
	// Latency is of those that succeeded, until they had reached their durability. It is of
	// samples.
	Latency Latency
}

// Log has the figures of the write-ahead log.
type Log struct {
	Unsynced int64 // bytes committed and not durable yet
	// Oldest is for how long the oldest commit that is not durable has been on its way to
	// the disk: what a power failure would take back. At BufferedDurability a commit
	// gathers in memory for some 10 ms before.
	Oldest time.Duration
	Syncs  Latency // of writing and syncing a group, all of them
}

// LatencyBuckets is how many buckets a Latency has.
const LatencyBuckets = 32

// Latency counts durations. All fields but Max are counters; Max is the longest duration
// since Open. Buckets[i] counts the durations below LatencyBound(i) that no earlier
// bucket counts; the last bucket also counts all longer ones.
type Latency struct {
	Count      int64
	Total, Max time.Duration
	Buckets    [LatencyBuckets]int64
}

// LatencyBound returns the bound of bucket i: 125 ns, doubled i times. The last bucket has
// none.
func LatencyBound(i int) time.Duration { return 125 * time.Nanosecond << i }

// Quantile returns a duration that the share q of all durations, from 0 to 1, stay
// below. It is at most twice as long as the shortest such duration. Without durations it
// is 0.
func (l Latency) Quantile(q float64) time.Duration {
	if l.Count <= 0 {
		return 0
	}
	left := int64(q * float64(l.Count))
	for i, n := range l.Buckets {
		if left -= n; left < 0 || i == len(l.Buckets)-1 {
			return min(LatencyBound(i), l.Max)
		}
	}
	return l.Max
}

// Flushes are counters of flushes.
type Flushes struct {
	Count, Failed int64
	Records       int64
	Bytes         int64 // written to tables
	Duration      time.Duration
}

// Compactions are counters of compactions; Running and Waiting are gauges.
type Compactions struct {
	Running           int   // now, flushes included
	Waiting           int64 // bytes of tables above the last level, which merges bring there in time
	Merges            int64 // read and written
	Moves, Drops      int64 // done without reading
	Failed            int64
	BytesIn, BytesOut int64
	Dropped           int64 // records that no reader needed any more and that were left out
	Duration          time.Duration
}

// Stalls has the figures of writers that had to wait. A stall is a wait of a writer for
// flushes, with no end until one is done. Count is a counter of stalls, and so are the
// durations but Delay: of each cause, the sum of the waits that have ended.
type Stalls struct {
	Count           int64
	Duration        time.Duration // of stalls
	SlowedByFlushes time.Duration // slept before writes, so that flushes need not stop them
	SlowedByMerges  time.Duration // slept before writes, because there are too many runs
	Space           time.Duration // deletes on a full disk waited for a merge or flush to give space back
	Turns           time.Duration // waited for an Update that had lost several times

	Reason string        // of the stall going on, or empty
	Delay  time.Duration // how long a writer of 1 MiB sleeps now
	Behind string        // why there is a Delay: "flushes" or "merges", or empty
}

// Memory has the parts of the memory that the store takes of the Go heap, in bytes. Their
// sum compares with the heap in use, HeapInuse of runtime.MemStats: in a process that does
// little else they are less than 15 % apart.
type Memory struct {
	Limit         int64 // Options.MemoryLimit
	Memtables     int64 // including flushed ones that something open still reads
	Blocks        int64 // cached
	Rows          int64 // cached records, which are kept one by one beside the blocks
	TableMetadata int64 // filters and indexes of open tables
	LogBuffers    int64 // commits on their way to the log
	ReadAhead     int64 // in use by iterators
	TableWriters  int64 // of the flushes and merges that run
	Recycled      int64 // memory of flushed memtables and finished table writers, kept for the next ones
	Iterators     int64 // the open ones themselves, without what they have read
	Transactions  int64 // the open ones, with what they have written and what they have to remember of their reads

	// Garbage is what of the heap in use holds nothing alive and is there for the store:
	// what it has let go of and the collector has not taken yet, and the room between
	// objects. It is an estimate: the runtime tells how much there is in the process, and
	// the store's part of that is taken to be as large as its part of what is live.
	Garbage int64
}

// Total returns the sum of the parts. Limit is none of them.
func (m Memory) Total() int64 {
	return m.Memtables + m.Blocks + m.Rows + m.TableMetadata + m.LogBuffers + m.ReadAhead + m.TableWriters + m.Recycled +
		m.Iterators + m.Transactions + m.Garbage
}

// Cache has the figures of the cache of table blocks. Hits, Misses and Evictions are
// counters. Readers report a sample of their hits, point reads one in 64 and walks 16
// blocks at a time, so Hits is inexact.
type Cache struct {
	Blocks, Bytes           int64
	Hits, Misses, Evictions int64
}

// HitRatio returns the share of the block reads that the cache answered, from 0 to 1.
// Without any it is 0. After Sub it is that of the time in between.
func (c Cache) HitRatio() float64 {
	if c.Hits+c.Misses <= 0 {
		return 0
	}
	return float64(c.Hits) / float64(c.Hits+c.Misses)
}

// Disk has the bytes of the store's files. Files that cannot be listed count as 0.
type Disk struct {
	Tables   int64 // of the newest state
	Obsolete int64 // tables that only open handles keep, or about to be removed
	Logs     int64 // space reserved ahead included
	Manifest int64
	Ballast  int64 // reserved for what brings space back on a full disk
	Kept     int64 // of the logs: kept for readers of changes alone, see Options.KeepChanges
	Free     int64 // on the file system; negative if not known
}

// Total returns the sum of the files.
func (d Disk) Total() int64 { return d.Tables + d.Obsolete + d.Logs + d.Manifest + d.Ballast }

// Handles counts the iterators, snapshots and transactions that the user has open. They
// keep files and memory.
type Handles struct {
	Iterators, Snapshots, Transactions int64

	// Oldest is for how long the oldest of them has been open, on the store's clock. An
	// iterator counts from the flush or merge after its opening, because it keeps nothing
	// before; with Options.TrackOpen it counts from its opening.
	Oldest         time.Duration
	OldestSnapshot time.Duration // the same, of the oldest snapshot
}

// Waits has the figures of the calls that wait for a key to be written: DB.Wait, and
// WaitFront, WaitBack and WaitMin of lists and sorted sets.
type Waits struct {
	Callers int64 // that wait now
	// Woken counts how often one of them was woken, or looked at once because it was the
	// first to wait for its key. It is a counter.
	Woken int64
}

// Dead has the figures of collections that have ended and of keyspaces that were
// dropped.
type Dead struct {
	// Collections counts the collections that may have ended and about which the
	// store has not decided yet. Bytes estimates the bytes that the elements of these,
	// of collections that have ended, and the keys of dropped keyspaces still take in
	// tables; it counts whole blocks, so it is at most Tables.Bytes. Both return to 0 by
	// themselves.
	Collections int64
	Bytes       int64
	Reaped      int64 // counter: collections that had ended and whose elements were deleted
}

// Troubles has the figures that an operator should look at. Corruptions, NoSpace and
// SlowSyncs are counters of the events of these names.
type Troubles struct {
	Corruptions, NoSpace, SlowSyncs int64
	Frozen                          int    // damaged tables that merges leave alone, until Repair
	Poisoned                        string // why nothing is written any more, or empty
}
