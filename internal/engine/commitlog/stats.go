package commitlog

import (
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
	if since := l.unsynced.since; !since.IsZero() {
		s.Oldest = time.Since(since)
	}
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
// guards it.
type unsynced struct {
	since   time.Time // the oldest frame began to be written; zero if all are durable
	next    time.Time // the oldest one that the running sync does not cover began
	writing time.Time // the frame that the leader writes began; zero if there is none
}

// write notes that the leader begins to write a frame.
func (u *unsynced) write(now time.Time) {
	u.writing = now
	if u.since.IsZero() {
		u.since = now
	}
	if u.next.IsZero() {
		u.next = now
	}
}

// wrote notes that the leader has written, and synced if all is durable now.
func (u *unsynced) wrote(all bool) {
	if u.writing = (time.Time{}); all {
		u.since, u.next = time.Time{}, time.Time{}
	}
}

// syncs notes that a sync of all that was written begins.
func (u *unsynced) syncs() { u.next = u.writing }

// synced notes that it has ended well.
func (u *unsynced) synced() { u.since = u.next }
