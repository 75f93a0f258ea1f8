package event

import (
	"log/slog"
	"time"
)

// Event is an event of a store. Only the types of this package are events.
type Event interface {
	// Name returns the name of the event's type in words, such as "flush ended". It is the
	// same for all events of the type, and the message of their log records.
	Name() string
	// String returns the event, with its figures, as one line. Its form may change.
	String() string
	// LogValue returns the event's fields as a group of attributes. An error that is nil
	// is left out.
	slog.LogValuer
	event()
}

// FlushEnd is sent when a flush of a memtable has ended or failed.
type FlushEnd struct {
	Tables   int           // made: 1, or 0 if every record of the memtable could be left out
	Records  int64         // in the memtable
	Bytes    int64         // written
	Duration time.Duration // including the sync
	Err      error         // why the flush failed, or nil
}

// CompactionEnd is sent when a compaction has ended or failed. One that Close or the end
// of a context has interrupted fails with context.Canceled, context.DeadlineExceeded or
// siltstone.ErrClosed: it is made another time.
type CompactionEnd struct {
	Kind         string // "merge", or without reading anything: "move", "drop"
	Reason       string
	From         []int // tables taken from each run, newest first
	ToLevel      int
	Tables       int   // made
	BytesRead    int64 // of the input tables
	BytesWritten int64
	Dropped      int64 // records that no reader needs any more and that were left out
	Duration     time.Duration
	Err          error // why the compaction failed, or nil
}

// StallBegin is sent when a writer begins to wait because flushes cannot keep up. Each
// is followed by one StallEnd.
type StallBegin struct{ Reason string }

// StallEnd is sent when a writer that had to wait goes on. Duration is how long it
// waited.
type StallEnd struct{ Duration time.Duration }

// TornTail is sent by Open when it has dropped the unfinished end of the newest log. No
// commit that had returned at SyncDurability was in it.
type TornTail struct {
	File   string // name in the store's directory
	Offset int64  // where the last whole frame ends
	Bytes  int64  // dropped
}

// Recovered is sent by Open when it has replayed logs.
type Recovered struct {
	Logs     int
	Records  int64
	Duration time.Duration
}

// Corruption is sent when background work or Compact met damage, once for each damaged
// file. The store keeps the file. Err names file and offset; errors.Is finds siltstone.ErrCorruption in it.
type Corruption struct{ Err error }

// RemoveFailed is sent when a file that the store no longer needs could not be removed.
// The file takes space until the next Open, which tries again.
type RemoveFailed struct {
	File string // name in the store's directory
	Err  error
}

// Poisoned is sent once, when a failed write or sync has ended writing. Reads go on.
type Poisoned struct{ Err error }

// NoSpace is sent when a write was refused for want of disk space.
type NoSpace struct{ Err error }

// SlowSync is sent when writing and syncing the log took at least SlowSyncAfter. Commits
// at SyncDurability waited for it.
type SlowSync struct{ Duration time.Duration }

// SlowSyncAfter is the least duration of a sync that is a SlowSync.
const SlowSyncAfter = 100 * time.Millisecond

// Reaped is sent when collections that had ended were found and their elements deleted.
// The next merges free the space.
type Reaped struct{ Collections int64 }

// OldReader is sent when the oldest snapshot, transaction or iterator has been open for
// Options.OldReaderAfter, once for each that has become the oldest. As long as it is open
// merges keep what it can read. DB.OpenHandles says who opened it.
type OldReader struct {
	Age time.Duration // as metrics.Handles.Oldest
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
func (OldReader) event()     {}
