package commitlog

import (
	"math/bits"
	"time"
)

// Stats counts the work of a log since New, and the bytes that it holds in memory.
type Stats struct {
	Commits    int64
	Operations int64 // in them
	Groups     int64 // written, each one frame
	Bytes      int64 // of payload written
	Syncs      Latency

	Unsynced int64 // bytes appended and not durable
	Buffered int64 // bytes of memory that pending groups take
}

// LatencyBuckets is how many buckets a Latency has.
const LatencyBuckets = 28

// Latency counts durations. Bucket i has those below 2^i microseconds and not
// below 2^(i-1); the last one has everything longer too.
type Latency struct {
	Count      int64
	Total, Max time.Duration
	Buckets    [LatencyBuckets]int64
}

// Add counts one duration.
func (l *Latency) Add(d time.Duration) {
	l.Count++
	l.Total += d
	l.Max = max(l.Max, d)
	l.Buckets[min(bits.Len64(uint64(max(d, 0).Microseconds())), LatencyBuckets-1)]++
}

// wrote counts a group that was written. One without payload is no frame.
func (s *Stats) wrote(g *group) {
	if g.size > 0 {
		s.Groups++
		s.Bytes += g.size
	}
}

// Stats returns the counts so far.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Unsynced = int64(l.appended - l.durable)
	for _, buf := range l.spares {
		s.Buffered += int64(cap(buf))
	}
	for _, seg := range l.segs {
		s.Buffered += seg.pending.held()
	}
	return s
}
