package siltstone

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone/event"
	"github.com/siltstonedb/siltstone/internal/engine/background"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/internal/latency"
)

// report counts events and hands them to Options.OnEvent and Options.Logger, one at a
// time. It is safe for concurrent use.
type report struct {
	mu    invariants.Mutex // held while an event is handed over
	tally tally
	gets  latency.Histogram // of the reads of values
	seeks latency.Histogram // of iterators

	flushes, merges failing // of mu

	toldReader struct { // the OldReader of which was told last; of its loop
		ok    bool
		since int64
	}

	// constant after Open
	onEvent func(event.Event)
	logger  *slog.Logger // of records that name the store's directory; nil: none
	opened  time.Time    // when Open began
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
	if l := r.logger; l != nil {
		if level := r.levelLocked(e); l.Enabled(context.Background(), level) {
			l.LogAttrs(context.Background(), level, e.Name(), slog.Any("event", e))
		}
	}
}

// levelLocked is the level of an event: work that fails at each try is an error once, and
// routine until that changes or minutes have passed.
func (r *report) levelLocked(e event.Event) slog.Level {
	l, again := level(e), false
	switch e := e.(type) {
	case event.FlushEnd:
		again = r.flushes.again(e.Err)
	case event.CompactionEnd:
		again = r.merges.again(e.Err)
	}
	if again {
		return slog.LevelDebug
	}
	return l
}

// failing is what a kind of work last failed with.
type failing struct {
	text string
	told time.Time
}

// tellAgain is after how long an error that stays the same is told again.
const tellAgain = 5 * time.Minute

// again reports whether err was told a short time ago. Numbers in it do not count: each try
// makes a file of its own. Work that succeeds begins anew.
func (f *failing) again(err error) bool {
	if err == nil {
		*f = failing{}
		return false
	}
	text := strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, err.Error())
	if text == f.text && time.Since(f.told) < tellAgain {
		return true
	}
	*f = failing{text, time.Now()}
	return false
}

// flushed tells of a flush.
func (r *report) flushed(f background.FlushResult) {
	r.emit(event.FlushEnd(f))
	r.corruption(f.Err)
}

// compacted tells of a compaction.
func (r *report) compacted(c background.CompactionResult) {
	r.emit(event.CompactionEnd(c))
	r.corruption(c.Err)
}

// synced tells of a sync of the log that took long.
func (r *report) synced(took time.Duration) {
	if took >= event.SlowSyncAfter {
		r.emit(event.SlowSync{Duration: took})
	}
}

// corruption tells of damage that work met, once for each file: work that needs the file
// meets it each time that it tries again.
func (r *report) corruption(err error) {
	if errors.Is(err, ErrCorruption) && r.tally.firstDamage(err) {
		r.emit(event.Corruption{Err: err})
	}
}

// oldReader tells of the oldest reader, which has been open since the reading since of
// the store's clock. One goroutine at a time calls it.
func (r *report) oldReader(since int64, age, most time.Duration) {
	told := &r.toldReader
	if most < 0 || age < most || told.ok && since == told.since {
		return
	}
	told.ok, told.since = true, since
	r.emit(event.OldReader{Age: age})
}

// openedStore logs that Open has opened the store.
func (r *report) openedStore(took time.Duration, attrs ...slog.Attr) {
	if r.logger != nil {
		r.logger.LogAttrs(context.Background(), slog.LevelInfo, "store opened", append(attrs, slog.Duration("took", took))...)
	}
}

// closedStore logs that Close has ended the store, with the error that it returns.
func (r *report) closedStore(took time.Duration, err error) {
	if r.logger == nil {
		return
	}
	attrs, level := []slog.Attr{slog.Duration("took", took)}, slog.LevelInfo
	if err != nil {
		attrs, level = append(attrs, slog.Any("error", err)), slog.LevelWarn
	}
	r.logger.LogAttrs(context.Background(), level, "store closed", attrs...)
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
	case event.StallBegin, event.StallEnd, event.TornTail, event.SlowSync, event.RemoveFailed, event.OldReader:
		return slog.LevelWarn
	}
	return slog.LevelError // Corruption, Poisoned, NoSpace
}

// levelOf is usual, or Error for what has failed. What Close or the end of a context
// has interrupted has not: the work is done another time. What damage has stopped is told
// by a Corruption, once; the work meets it again each time that it tries.
func levelOf(usual slog.Level, err error) slog.Level {
	if err != nil && !interrupted(err) && !errors.Is(err, ErrCorruption) {
		return slog.LevelError
	}
	return usual
}
