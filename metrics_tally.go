package siltstone

import (
	"github.com/siltstonedb/siltstone/internal/invariants"
)

// tally counts the work that events report. No other lock is taken under its own.
// Safe for concurrent use.
type tally struct {
	mu          invariants.Mutex
	flushes     FlushMetrics
	compactions CompactionMetrics
	stalls      StallMetrics
	waiting     int // writers in a stall
	reaped      int64
	troubles    TroubleMetrics
}

// count enters an event.
func (t *tally) count(e Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e := e.(type) {
	case FlushEnd:
		t.flushes.add(e)
	case CompactionEnd:
		t.compactions.add(e)
	case StallBegin:
		t.stalls.Count++
		t.waiting++
		t.stalls.Reason = e.Reason
	case StallEnd:
		t.stalls.Duration += e.Duration
		if t.waiting--; t.waiting == 0 {
			t.stalls.Reason = ""
		}
	case Reaped:
		t.reaped += e.Collections
	case Corruption:
		t.troubles.Corruptions++
	case NoSpace:
		t.troubles.NoSpace++
	case SlowSync:
		t.troubles.SlowSyncs++
	case Poisoned:
		t.troubles.Poisoned = e.Err.Error()
	}
}

func (m *FlushMetrics) add(e FlushEnd) {
	m.Duration += e.Duration
	if e.Err != nil {
		m.Failed++
		return
	}
	m.Count++
	m.Records += e.Records
	m.Bytes += e.Bytes
}

func (m *CompactionMetrics) add(e CompactionEnd) {
	m.Duration += e.Duration
	switch {
	case e.Err != nil:
		m.Failed++
		return
	case e.Kind == "move":
		m.Moves++
	case e.Kind == "drop":
		m.Drops++
	default:
		m.Merges++
	}
	m.BytesIn += e.BytesRead
	m.BytesOut += e.BytesWritten
	m.Dropped += e.Dropped
}

// into copies the counts.
func (t *tally) into(m *Metrics) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m.Flushes, m.Compactions, m.Stalls, m.Troubles = t.flushes, t.compactions, t.stalls, t.troubles
	m.Dead.Reaped = t.reaped
}
