package siltstone

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/siltstonedb/siltstone/event"
	"github.com/siltstonedb/siltstone/internal/engine/background"
	"github.com/siltstonedb/siltstone/internal/invariants"
)

// report counts events and hands them to Options.OnEvent and Options.Logger, one at a
// time. It is safe for concurrent use.
type report struct {
	mu    invariants.Mutex // held while an event is handed over
	tally tally

	// constant after Open
	onEvent func(event.Event)
	logger  *slog.Logger
}

// emit counts the event and hands it over. The caller may hold locks, but none that
// Metrics or OpenHandles take (docs/locks.md).
func (r *report) emit(e event.Event) {
	r.tally.count(e)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.onEvent != nil {
		r.onEvent(e)
	}
	if l := r.logger; l != nil && l.Enabled(context.Background(), level(e)) {
		l.LogAttrs(context.Background(), level(e), e.String(), slog.Any("event", e))
	}
}

// flushed tells of a flush.
func (r *report) flushed(f background.FlushResult) { r.emit(event.FlushEnd(f)) }

// compacted tells of a compaction.
func (r *report) compacted(c background.CompactionResult) { r.emit(event.CompactionEnd(c)) }

// synced tells of a sync of the log that took long.
func (r *report) synced(took time.Duration) {
	if took >= event.SlowSyncAfter {
		r.emit(event.SlowSync{Duration: took})
	}
}

// corruption tells of damage met in the background.
func (r *report) corruption(err error) {
	if errors.Is(err, ErrCorruption) {
		r.emit(event.Corruption{Err: err})
	}
}

// level is how loud an event is: routine work is at Debug, an event that an operator
// should know of is a warning, one that needs an operator is an error.
func level(e event.Event) slog.Level {
	switch e := e.(type) {
	case event.FlushEnd:
		return levelOf(slog.LevelDebug, e.Err)
	case event.CompactionEnd:
		return levelOf(slog.LevelDebug, e.Err)
	case event.Reaped:
		return slog.LevelDebug
	case event.Recovered:
		return slog.LevelInfo
	case event.StallBegin, event.StallEnd, event.TornTail, event.SlowSync, event.RemoveFailed:
		return slog.LevelWarn
	}
	return slog.LevelError // Corruption, Poisoned, NoSpace
}

// levelOf is usual, or Error for what has failed. What Close or the end of a context
// has interrupted has not: the work is done another time.
func levelOf(usual slog.Level, err error) slog.Level {
	if err != nil && !interrupted(err) {
		return slog.LevelError
	}
	return usual
}
