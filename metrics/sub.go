package metrics

// Sub returns m with the counters of old taken off, an earlier reading of the same open
// store: the work that was done between the two. Gauges stay those of m.
func (m Metrics) Sub(old Metrics) Metrics {
	sub := func(n *int64, was int64) { *n -= was }
	sub(&m.Commits.Count, old.Commits.Count)
	sub(&m.Commits.Operations, old.Commits.Operations)
	sub(&m.Commits.Groups, old.Commits.Groups)
	sub(&m.Commits.Bytes, old.Commits.Bytes)
	sub(&m.Commits.Conflicts, old.Commits.Conflicts)
	m.Gets, m.Seeks = m.Gets.sub(old.Gets), m.Seeks.sub(old.Seeks)
	m.Commits.Latency = m.Commits.Latency.sub(old.Commits.Latency)
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
	sub(&m.Stalls.Count, old.Stalls.Count)
	m.Stalls.Duration -= old.Stalls.Duration
	m.Stalls.SlowedByFlushes -= old.Stalls.SlowedByFlushes
	m.Stalls.SlowedByMerges -= old.Stalls.SlowedByMerges
	m.Stalls.Space -= old.Stalls.Space
	m.Stalls.Turns -= old.Stalls.Turns
	sub(&m.Cache.Hits, old.Cache.Hits)
	sub(&m.Cache.Misses, old.Cache.Misses)
	sub(&m.Cache.Evictions, old.Cache.Evictions)
	sub(&m.Waits.Woken, old.Waits.Woken)
	sub(&m.Dead.Reaped, old.Dead.Reaped)
	sub(&m.Troubles.Corruptions, old.Troubles.Corruptions)
	sub(&m.Troubles.NoSpace, old.Troubles.NoSpace)
	sub(&m.Troubles.SlowSyncs, old.Troubles.SlowSyncs)
	return m
}

func (l Latency) sub(old Latency) Latency {
	l.Count -= old.Count
	l.Total -= old.Total
	for i := range l.Buckets {
		l.Buckets[i] -= old.Buckets[i]
	}
	return l
}
