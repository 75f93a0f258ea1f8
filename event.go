package siltstone

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/siltstonedb/siltstone/internal/quantity"
)

// Event is an event of a store, as Options.OnEvent and Options.Logger receive it.
// String returns it as one line, LogValue as attributes.
type Event interface {
	String() string
	slog.LogValuer
	event()
}

// FlushEnd: a flush of a memtable has ended, or has failed.
type FlushEnd struct {
	Tables   int           // made: 1, or 0 for a memtable whose records all left
	Records  int64         // in the memtable
	Bytes    int64         // written
	Duration time.Duration // including the sync
	Err      error
}

// CompactionEnd: a compaction has ended, or has failed.
type CompactionEnd struct {
	Kind         string // "merge", or without reading anything: "move", "drop"
	Reason       string
	From         []int // tables taken from each run, newest first
	ToLevel      int
	Tables       int   // made
	BytesRead    int64 // of the input tables
	BytesWritten int64
	Dropped      int64 // records that left
	Duration     time.Duration
	Err          error
}

// StallBegin and StallEnd: writers wait because flushes cannot keep up.
type StallBegin struct{ Reason string }

// StallEnd ends a StallBegin.
type StallEnd struct{ Duration time.Duration }

// TornTail: recovery dropped the unfinished end of the newest log. No commit that had
// returned at SyncDurability was in it.
type TornTail struct {
	File   string
	Offset int64 // where the last whole frame ends
	Bytes  int64 // dropped
}

// Recovered: Open has replayed logs.
type Recovered struct {
	Logs     int
	Records  int64
	Duration time.Duration
}

// Corruption: background work met damage. The damaged files are kept.
type Corruption struct{ Err error }

// RemoveFailed: a file that the store no longer needs could not be removed. It
// takes space until the next Open, which tries again.
type RemoveFailed struct {
	File string // name in the store's directory
	Err  error
}

// Poisoned: a failed write or sync ended writing. Reads go on.
type Poisoned struct{ Err error }

// NoSpace: a write was refused for want of disk space.
type NoSpace struct{ Err error }

// SlowSync: writing and syncing the log took at least SlowSyncAfter. Commits at level
// SyncDurability waited for it.
type SlowSync struct{ Duration time.Duration }

// SlowSyncAfter is the least duration of a sync that is a SlowSync.
const SlowSyncAfter = 100 * time.Millisecond

// Reaped: collections that had ended were found and their elements deleted. The
// next merges free the space.
type Reaped struct{ Collections int64 }

func (e FlushEnd) String() string {
	if e.Err != nil {
		return fmt.Sprintf("flush failed: %v", e.Err)
	}
	return fmt.Sprintf("flush of %d records: %d bytes in %s", e.Records, e.Bytes, quantity.Count(e.Tables, "table"))
}

func (e CompactionEnd) String() string {
	from := 0
	for _, n := range e.From {
		from += n
	}
	what := fmt.Sprintf("%s of %s (%s)", e.Kind, quantity.Count(from, "table"), e.Reason)
	switch {
	case e.Err != nil:
		return fmt.Sprintf("%s failed: %v", what, e.Err)
	case e.Kind == "drop":
		return what
	case e.Kind == "move":
		return fmt.Sprintf("%s to level %d", what, e.ToLevel)
	}
	return fmt.Sprintf("%s to level %d: %d bytes in, %d out in %s, %d records gone",
		what, e.ToLevel, e.BytesRead, e.BytesWritten, quantity.Count(e.Tables, "table"), e.Dropped)
}

func (e StallBegin) String() string { return "writers wait: " + e.Reason }
func (e StallEnd) String() string   { return "writers go on" }
func (e TornTail) String() string {
	return fmt.Sprintf("dropped %d bytes of an unfinished commit behind offset %d of %s", e.Bytes, e.Offset, e.File)
}
func (e Recovered) String() string {
	return fmt.Sprintf("replayed %d records from %d logs", e.Records, e.Logs)
}
func (e Corruption) String() string { return e.Err.Error() }
func (e RemoveFailed) String() string {
	return fmt.Sprintf("%s, which is not needed any more, stays: %v", e.File, e.Err)
}
func (e Poisoned) String() string { return "no more writes: " + e.Err.Error() }
func (e NoSpace) String() string  { return "write refused: " + e.Err.Error() }
func (e SlowSync) String() string { return "slow sync of the log: " + e.Duration.String() }
func (e Reaped) String() string {
	return fmt.Sprintf("elements of %d ended collections deleted", e.Collections)
}

// LogValue is the event as attributes.
func (e FlushEnd) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("tables", e.Tables), slog.Int64("records", e.Records),
		slog.Int64("bytes", e.Bytes), slog.Duration("took", e.Duration), slog.Any("error", e.Err))
}

// LogValue is the event as attributes.
func (e CompactionEnd) LogValue() slog.Value {
	return slog.GroupValue(slog.String("kind", e.Kind), slog.String("reason", e.Reason), slog.Any("from", e.From), slog.Int("to_level", e.ToLevel),
		slog.Int("tables", e.Tables), slog.Int64("read", e.BytesRead), slog.Int64("written", e.BytesWritten),
		slog.Int64("dropped", e.Dropped), slog.Duration("took", e.Duration), slog.Any("error", e.Err))
}

// LogValue is the event as attributes.
func (e StallBegin) LogValue() slog.Value { return slog.GroupValue(slog.String("reason", e.Reason)) }

// LogValue is the event as attributes.
func (e StallEnd) LogValue() slog.Value { return slog.GroupValue(slog.Duration("took", e.Duration)) }

// LogValue is the event as attributes.
func (e TornTail) LogValue() slog.Value {
	return slog.GroupValue(slog.String("file", e.File), slog.Int64("offset", e.Offset), slog.Int64("bytes", e.Bytes))
}

// LogValue is the event as attributes.
func (e Recovered) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("logs", e.Logs), slog.Int64("records", e.Records), slog.Duration("took", e.Duration))
}

// LogValue is the event as attributes.
func (e Corruption) LogValue() slog.Value { return slog.GroupValue(slog.Any("error", e.Err)) }

// LogValue is the event as attributes.
func (e RemoveFailed) LogValue() slog.Value {
	return slog.GroupValue(slog.String("file", e.File), slog.Any("error", e.Err))
}

// LogValue is the event as attributes.
func (e Poisoned) LogValue() slog.Value { return slog.GroupValue(slog.Any("error", e.Err)) }

// LogValue is the event as attributes.
func (e NoSpace) LogValue() slog.Value { return slog.GroupValue(slog.Any("error", e.Err)) }

// LogValue is the event as attributes.
func (e SlowSync) LogValue() slog.Value { return slog.GroupValue(slog.Duration("took", e.Duration)) }

// LogValue is the event as attributes.
func (e Reaped) LogValue() slog.Value {
	return slog.GroupValue(slog.Int64("collections", e.Collections))
}

func (FlushEnd) event()      {}
func (CompactionEnd) event() {}
func (StallBegin) event()    {}
func (StallEnd) event()      {}
func (TornTail) event()      {}
func (Recovered) event()     {}
func (Corruption) event()    {}
func (RemoveFailed) event()  {}
func (Poisoned) event()      {}
func (NoSpace) event()       {}
func (SlowSync) event()      {}
func (Reaped) event()        {}
