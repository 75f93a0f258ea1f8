package siltstone

import (
	"errors"

	"github.com/siltstonedb/siltstone/event"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/metrics"
)

// tally counts the work that events report. No other lock is taken under its own.
// Safe for concurrent use.
type tally struct {
	mu          invariants.Mutex
	flushes     metrics.Flushes
	compactions metrics.Compactions
	stalls      metrics.Stalls
	waiting     int // writers in a stall
	reaped      int64
	troubles    metrics.Troubles
	damaged     map[string]bool // the files of which a Corruption was told
}

// count enters an event.
func (t *tally) count(e event.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e := e.(type) {
	case event.FlushEnd:
		addFlush(&t.flushes, e)
	case event.CompactionEnd:
		addCompaction(&t.compactions, e)
	case event.StallBegin:
		t.stalls.Count++
		t.waiting++
		t.stalls.Reason = e.Reason
	case event.StallEnd:
		t.stalls.Duration += e.Duration
		if t.waiting--; t.waiting == 0 {
			t.stalls.Reason = ""
		}
	case event.Reaped:
		t.reaped += e.Collections
	case event.Corruption:
		t.troubles.Corruptions++
	case event.NoSpace:
		t.troubles.NoSpace++
	case event.SlowSync:
		t.troubles.SlowSyncs++
	case event.Poisoned:
		t.troubles.Poisoned = e.Err.Error()
	}
}

// firstDamage notes the damaged file that err names, or err itself if it names none, and
// reports whether it is new.
func (t *tally) firstDamage(err error) bool {
	what := err.Error()
	var damage *base.CorruptionError
	if errors.As(err, &damage) {
		what = damage.File
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.damaged[what] {
		return false
	}
	if t.damaged == nil {
		t.damaged = map[string]bool{}
	}
	t.damaged[what] = true
	return true
}

func addFlush(m *metrics.Flushes, e event.FlushEnd) {
	m.Duration += e.Duration
	if e.Err != nil {
		m.Failed++
		return
	}
	m.Count++
	m.Records += e.Records
	m.Bytes += e.Bytes
}

func addCompaction(m *metrics.Compactions, e event.CompactionEnd) {
	m.Duration += e.Duration
	switch {
	case e.Err != nil && interrupted(e.Err):
		return
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
func (t *tally) into(m *metrics.Metrics) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m.Flushes, m.Compactions, m.Stalls, m.Troubles = t.flushes, t.compactions, t.stalls, t.troubles
	m.Dead.Reaped = t.reaped
}
