package metrics

type values = []FigureValue

var figures = []Figure{
	{Name: "uptime", Help: "Time since the store was opened", Unit: "seconds", Kind: GaugeFigure,
		values: func(m *Metrics) values { return seconds(m.Uptime) }},

	{Name: "runs", Help: "Runs of tables, by level; each that overlaps makes reads slower", Kind: GaugeFigure, Label: "level",
		values: func(m *Metrics) values { return ofLevels(m, func(Run) float64 { return 1 }) }},
	{Name: "run.size", Help: "Bytes of the tables of runs, by level", Unit: "bytes", Kind: GaugeFigure, Label: "level",
		values: func(m *Metrics) values { return ofLevels(m, func(r Run) float64 { return float64(r.Bytes) }) }},
	{Name: "tables", Help: "Tables of all runs", Kind: GaugeFigure,
		values: func(m *Metrics) values { return one(m.Tables.Count) }},
	{Name: "table.size", Help: "Bytes of the tables of all runs", Unit: "bytes", Kind: GaugeFigure,
		values: func(m *Metrics) values { return one(m.Tables.Bytes) }},
	{Name: "table.records", Help: "Records in tables, versions that merges will drop included", Kind: GaugeFigure,
		values: func(m *Metrics) values { return one(m.Tables.Records) }},
	{Name: "table.open", Help: "Table files that are open", Kind: GaugeFigure,
		values: func(m *Metrics) values { return one(m.Tables.Open) }},
	{Name: "table.frozen", Help: "Damaged tables that merges leave alone until the store is repaired", Kind: GaugeFigure,
		values: func(m *Metrics) values { return one(m.Troubles.Frozen) }},

	{Name: "memtable.waiting", Help: "Full memtables that wait to be flushed", Kind: GaugeFigure,
		values: func(m *Metrics) values { return one(m.Memtables.Waiting) }},
	{Name: "memtable.records", Help: "Records in memtables", Kind: GaugeFigure,
		values: func(m *Metrics) values { return one(m.Memtables.Records) }},
	{Name: "memtable.size", Help: "Bytes of memory of the memtables that reads use", Unit: "bytes", Kind: GaugeFigure,
		values: func(m *Metrics) values { return one(m.Memtables.Bytes) }},

	{Name: "get.duration", Help: "Reads of a value; one in 256 is measured and counts for all", Unit: "seconds", Kind: LatencyFigure,
		values: func(m *Metrics) values { return latency(&m.Gets) }},
	{Name: "seek.duration", Help: "Seeks of iterators, one in each loop over keys; one in 256 is measured and counts for all", Unit: "seconds", Kind: LatencyFigure,
		values: func(m *Metrics) values { return latency(&m.Seeks) }},
	{Name: "commit.duration", Help: "Commits until they had reached their durability; one in 256, or in 16 of those that wait for a sync, is measured and counts for all", Unit: "seconds", Kind: LatencyFigure,
		values: func(m *Metrics) values { return latency(&m.Commits.Latency) }},
	{Name: "log.sync.duration", Help: "Writing and syncing groups of commits to the log", Unit: "seconds", Kind: LatencyFigure,
		values: func(m *Metrics) values { return latency(&m.Log.Syncs) }},
	{Name: "latency.max", Help: "The longest duration that was measured since the store was opened, by operation", Unit: "seconds", Kind: GaugeFigure, Label: "operation",
		values: func(m *Metrics) values {
			return values{{"get", m.Gets.Max.Seconds(), nil}, {"seek", m.Seeks.Max.Seconds(), nil}, {"commit", m.Commits.Latency.Max.Seconds(), nil}, {"log_sync", m.Log.Syncs.Max.Seconds(), nil}}
		}},

	{Name: "commits", Help: "Commits", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Commits.Count) }},
	{Name: "commit.operations", Help: "Puts, deletes and range deletes in commits", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Commits.Operations) }},
	{Name: "commit.groups", Help: "Writes to the log, each of the commits that had gathered", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Commits.Groups) }},
	{Name: "commit.payload", Help: "Bytes of commits written to the log", Unit: "bytes", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Commits.Bytes) }},
	{Name: "commit.conflicts", Help: "Commits refused because what was read had changed; Update retries them", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Commits.Conflicts) }},

	{Name: "log.unsynced.size", Help: "Bytes of commits that are not durable yet", Unit: "bytes", Kind: GaugeFigure,
		values: func(m *Metrics) values { return one(m.Log.Unsynced) }},
	{Name: "log.unsynced.age", Help: "Age of the oldest commit that is not durable: what a power failure takes back", Unit: "seconds", Kind: GaugeFigure,
		values: func(m *Metrics) values { return seconds(m.Log.Oldest) }},
	{Name: "log.slow.syncs", Help: "Syncs of the log that took longer than 100 ms", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Troubles.SlowSyncs) }},

	{Name: "flushes", Help: "Flushes of memtables to tables", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Flushes.Count) }},
	{Name: "flush.failures", Help: "Flushes that failed and are tried again", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Flushes.Failed) }},
	{Name: "flush.records", Help: "Records flushed", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Flushes.Records) }},
	{Name: "flush.written", Help: "Bytes of tables written by flushes", Unit: "bytes", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Flushes.Bytes) }},
	{Name: "flush.time", Help: "Time spent in flushes", Unit: "seconds", Kind: CounterFigure,
		values: func(m *Metrics) values { return seconds(m.Flushes.Duration) }},

	{Name: "compactions", Help: "Compactions, by kind: merges read and write, moves and drops do not read", Kind: CounterFigure, Label: "kind",
		values: func(m *Metrics) values {
			c := m.Compactions
			return values{{"merge", float64(c.Merges), nil}, {"move", float64(c.Moves), nil}, {"drop", float64(c.Drops), nil}}
		}},
	{Name: "compaction.running", Help: "Compactions and flushes that run now", Kind: GaugeFigure,
		values: func(m *Metrics) values { return one(m.Compactions.Running) }},
	{Name: "compaction.waiting", Help: "Bytes of tables above the last level, which merges bring there in time", Unit: "bytes", Kind: GaugeFigure,
		values: func(m *Metrics) values { return one(m.Compactions.Waiting) }},
	{Name: "compaction.failures", Help: "Compactions that failed and are tried again", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Compactions.Failed) }},
	{Name: "compaction.read", Help: "Bytes of tables read by compactions", Unit: "bytes", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Compactions.BytesIn) }},
	{Name: "compaction.written", Help: "Bytes of tables written by compactions", Unit: "bytes", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Compactions.BytesOut) }},
	{Name: "compaction.dropped.records", Help: "Records that no reader needed any more and that compactions left out", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Compactions.Dropped) }},
	{Name: "compaction.time", Help: "Time spent in compactions", Unit: "seconds", Kind: CounterFigure,
		values: func(m *Metrics) values { return seconds(m.Compactions.Duration) }},

	{Name: "stalls", Help: "Times that a writer had to stop until a flush was done", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Stalls.Count) }},
	{Name: "write.stalled", Help: "1 while a writer is stopped until a flush is done, else 0", Kind: GaugeFigure,
		values: func(m *Metrics) values { return truth(m.Stalls.Reason != "") }},
	{Name: "write.wait", Help: "Time that writers have waited, by cause: stopped for flushes (stall), slowed because flushes or merges are behind, for space on a full disk, for another Update's turn", Unit: "seconds", Kind: CounterFigure, Label: "cause",
		values: func(m *Metrics) values {
			s := m.Stalls
			return values{{"stall", s.Duration.Seconds(), nil}, {"flushes", s.SlowedByFlushes.Seconds(), nil}, {"merges", s.SlowedByMerges.Seconds(), nil}, {"space", s.Space.Seconds(), nil}, {"turns", s.Turns.Seconds(), nil}}
		}},
	{Name: "write.delay", Help: "How long a writer of 1 MiB sleeps now, by what is behind", Unit: "seconds", Kind: GaugeFigure, Label: "behind",
		values: func(m *Metrics) values {
			delays := values{{Label: "flushes"}, {Label: "merges"}}
			for i := range delays {
				if delays[i].Label == m.Stalls.Behind {
					delays[i].Number = m.Stalls.Delay.Seconds()
				}
			}
			return delays
		}},
	{Name: "write.poisoned", Help: "1 once nothing is written any more, because a write or sync of the log or manifest failed; else 0", Kind: GaugeFigure,
		values: func(m *Metrics) values { return truth(m.Troubles.Poisoned != "") }},

	{Name: "memory.used", Help: "Bytes of memory that the store holds, by part", Unit: "bytes", Kind: GaugeFigure, Label: "part",
		values: func(m *Metrics) values { return m.Memory.parts() }},
	{Name: "memory.limit", Help: "Options.MemoryLimit", Unit: "bytes", Kind: GaugeFigure,
		values: func(m *Metrics) values { return one(m.Memory.Limit) }},
	{Name: "cache.blocks", Help: "Blocks in the cache", Kind: GaugeFigure,
		values: func(m *Metrics) values { return one(m.Cache.Blocks) }},
	{Name: "cache.size", Help: "Bytes of the blocks in the cache", Unit: "bytes", Kind: GaugeFigure,
		values: func(m *Metrics) values { return one(m.Cache.Bytes) }},
	{Name: "cache.hits", Help: "Reads of blocks that the cache answered, about", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Cache.Hits) }},
	{Name: "cache.misses", Help: "Reads of blocks from files", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Cache.Misses) }},
	{Name: "cache.evictions", Help: "Blocks that made room for others", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Cache.Evictions) }},

	{Name: "disk.used", Help: "Bytes of the store's files, by what they are", Unit: "bytes", Kind: GaugeFigure, Label: "files",
		values: func(m *Metrics) values {
			d := m.Disk
			return values{{"tables", float64(d.Tables), nil}, {"obsolete", float64(d.Obsolete), nil}, {"logs", float64(d.Logs), nil}, {"manifest", float64(d.Manifest), nil}, {"ballast", float64(d.Ballast), nil}}
		}},
	{Name: "disk.kept", Help: "Bytes of logs that are kept for readers of changes alone", Unit: "bytes", Kind: GaugeFigure,
		values: func(m *Metrics) values { return one(m.Disk.Kept) }},
	{Name: "disk.free", Help: "Bytes free on the store's file system", Unit: "bytes", Kind: GaugeFigure,
		values: func(m *Metrics) values {
			if m.Disk.Free < 0 {
				return nil
			}
			return one(m.Disk.Free)
		}},
	{Name: "disk.full", Help: "Times that writes began to be refused for want of disk space", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Troubles.NoSpace) }},

	{Name: "open.handles", Help: "Iterators, snapshots and transactions that are open", Kind: GaugeFigure, Label: "kind",
		values: func(m *Metrics) values {
			o := m.Open
			return values{{"iterator", float64(o.Iterators), nil}, {"snapshot", float64(o.Snapshots), nil}, {"transaction", float64(o.Transactions), nil}}
		}},
	{Name: "open.oldest", Help: "For how long the oldest iterator, snapshot or transaction has been open", Unit: "seconds", Kind: GaugeFigure,
		values: func(m *Metrics) values { return seconds(m.Open.Oldest) }},
	{Name: "snapshot.oldest", Help: "For how long the oldest snapshot has been open", Unit: "seconds", Kind: GaugeFigure,
		values: func(m *Metrics) values { return seconds(m.Open.OldestSnapshot) }},
	{Name: "wait.callers", Help: "Calls that wait for a key to be written", Kind: GaugeFigure,
		values: func(m *Metrics) values { return one(m.Waits.Callers) }},
	{Name: "wait.woken", Help: "Times that a call which waits for a key was woken", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Waits.Woken) }},

	{Name: "dead.collections", Help: "Collections that may have ended and are to be looked at", Kind: GaugeFigure,
		values: func(m *Metrics) values { return one(m.Dead.Collections) }},
	{Name: "dead.size", Help: "Bytes in tables of collections that have ended and of dropped keyspaces, about", Unit: "bytes", Kind: GaugeFigure,
		values: func(m *Metrics) values { return one(m.Dead.Bytes) }},
	{Name: "dead.reaped", Help: "Collections that had ended and whose elements were deleted", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Dead.Reaped) }},

	{Name: "corruptions", Help: "Damaged files that were found", Kind: CounterFigure,
		values: func(m *Metrics) values { return one(m.Troubles.Corruptions) }},
}

// parts are all fields but Limit.
func (m Memory) parts() values {
	return values{
		{"memtables", float64(m.Memtables), nil}, {"blocks", float64(m.Blocks), nil}, {"rows", float64(m.Rows), nil},
		{"table_metadata", float64(m.TableMetadata), nil}, {"log_buffers", float64(m.LogBuffers), nil}, {"read_ahead", float64(m.ReadAhead), nil},
		{"table_writers", float64(m.TableWriters), nil}, {"recycled", float64(m.Recycled), nil}, {"iterators", float64(m.Iterators), nil},
		{"transactions", float64(m.Transactions), nil}, {"garbage", float64(m.Garbage), nil},
	}
}
