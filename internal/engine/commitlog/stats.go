package commitlog

import (
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone/internal/latency"
)

// Stats counts the work of a log since New, and the bytes that it holds in memory.
type Stats struct {
	Commits    int64
	Operations int64 // in them
	Groups     int64 // written, each one frame
	Bytes      int64 // of payload written
	Syncs      latency.Counts

	Unsynced int64 // bytes appended and not durable
	// Oldest is for how long the oldest commit that is not durable has been on its way to
	// the disk. Those that gather in memory are not.
	Oldest   time.Duration
	Buffered int64 // bytes of memory that pending groups take
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
	s.Oldest = l.oldestLocked()
	for _, buf := range l.spares {
		s.Buffered += int64(cap(buf))
	}
	for _, seg := range l.segs {
		s.Buffered += seg.pending.held()
	}
	return s
}

// unsynced is since when there are frames that are not durable. A sync covers what was
// written when it began; frames that are written meanwhile are the next one's. Log.mu
// guards all but writing.
type unsynced struct {
	since time.Time // the oldest frame that is written began; zero if all are durable
	next  time.Time // the oldest one that the running sync does not cover began
	// writing is when the frame that the leader writes, and perhaps syncs, began, in
	// nanoseconds since the log was made; 0 if there is none. It is set without the lock,
	// because those who append wait for that.
	writing atomic.Int64
}

// wrote notes that the leader has written frames that began at a time, and synced them if
// all is durable now.
func (u *unsynced) wrote(begin time.Time, frames, all bool) {
	u.writing.Store(0)
	switch {
	case all:
		u.since, u.next = time.Time{}, time.Time{}
	case frames:
		if u.since.IsZero() {
			u.since = begin
		}
		if u.next.IsZero() {
			u.next = begin
		}
	}
}

// syncs notes that a sync of all that was written begins.
func (u *unsynced) syncs() { u.next = time.Time{} }

// synced notes that it has ended well.
func (u *unsynced) synced() { u.since = u.next }

// oldestLocked returns for how long the oldest frame has been on its way.
func (l *Log) oldestLocked() time.Duration {
	u := &l.unsynced
	if !u.since.IsZero() {
		return time.Since(u.since)
	}
	if writing := u.writing.Load(); writing != 0 {
		return time.Since(l.made) - time.Duration(writing)
	}
	return 0
}
