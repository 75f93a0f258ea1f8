package siltstone

import (
	"fmt"
	"time"
)

// OpenHandle is an iterator, snapshot or transaction that is open.
type OpenHandle struct {
	Kind  string // "iterator", "snapshot" or "transaction"
	Since time.Time
	// PinnedBytes estimates what its closing would free: the tables and memtables
	// that no other state in use has. Handles that share a state count it each. A
	// snapshot holds no files, but keeps merges from dropping old versions.
	PinnedBytes int64
	Stack       string // of the goroutine that opened it, at that moment
}

// String is the handle in one line, and its stack.
func (h OpenHandle) String() string {
	return fmt.Sprintf("%s since %s, pins %s\n%s", h.Kind, h.Since.UTC().Format(time.RFC3339), sizeText(h.PinnedBytes), h.Stack)
}

// OpenHandles returns what is open, oldest first, and who opened it. Without
// Options.TrackOpen nobody remembers, and it returns nil: Metrics().Open has the
// counts.
func (db *DB) OpenHandles() []OpenHandle {
	if !db.holders.track {
		return nil
	}
	all := []OpenHandle{}
	for _, o := range db.holders.list() {
		all = append(all, OpenHandle{
			Kind: o.kind.String(), Since: o.since, PinnedBytes: db.states.PinnedBy(o.state), Stack: o.stack,
		})
	}
	return all
}
