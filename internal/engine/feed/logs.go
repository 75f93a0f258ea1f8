package feed

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
)

// Logs are the logs that readers of changes go through. They are safe for concurrent use.
type Logs interface {
	// Front returns how far readers may go now, a channel that is closed once they may go
	// further or nothing more will come, and why nothing more will come, if that is so.
	Front() (f commitlog.Front, moved <-chan struct{}, err error)
	// Logs returns the logs, oldest first, and the last sequence that may be shown:
	// base.SeqMax if the front alone says so. Then there is a log.
	Logs() (logs []commitlog.KeptLog, last base.SeqNum, err error)
	// Missing is told of a log whose file is not there. It reports whether it should be.
	Missing(n base.FileNum) bool
}

// Live are the logs of a store that is open for writing.
type Live struct {
	Log  *commitlog.Log
	Kept *commitlog.Kept
}

// Front implements Logs: readers may go as far as the log is durable.
func (l Live) Front() (commitlog.Front, <-chan struct{}, error) { return l.Log.Front() }

// Logs implements Logs.
func (l Live) Logs() ([]commitlog.KeptLog, base.SeqNum, error) {
	return l.Kept.Logs(), base.SeqMax, nil
}

// Missing implements Logs. What is still kept should be there.
func (l Live) Missing(n base.FileNum) bool { return l.Kept.Has(n) }
