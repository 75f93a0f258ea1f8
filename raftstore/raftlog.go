package raftstore

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// raftLog is the log as raft has it. A leader that was refused entries for a while, since a
// disk was full, sends a snapshot in the end, which may be older than the log of the
// replica. Raft 1.7.3 then removes the whole log of a replica whose log has no gaps, and
// with it entries that the replica has acknowledged and that may be on no other one. So
// the log stays if the snapshot is of its past, which is what the paper on raft says.
type raftLog struct {
	*LogStore
	snapshots *snapshots
}

var (
	_ raft.LogStore          = (*raftLog)(nil)
	_ raft.MonotonicLogStore = (*raftLog)(nil)
)

// errOlder refuses a snapshot from whose end the log cannot go on.
var errOlder = errors.New("raftstore: the snapshot ends before the log begins")

// misses returns an error if a snapshot ends before the log begins. The log stays then, and
// would have a gap.
func (l *raftLog) misses(index uint64) error {
	first, err := l.FirstIndex()
	if err != nil || first == 0 || index >= first {
		return err
	}
	return fmt.Errorf("%w: they are %d and %d", errOlder, index, first)
}

// DeleteRange implements raft.LogStore.
func (l *raftLog) DeleteRange(from, to uint64) error {
	if s := l.snapshots.installed.Load(); s != nil && from <= s.Index && s.Index < to {
		last, err := l.LastIndex()
		if err != nil {
			return err
		}
		var e raft.Log
		switch err := l.GetLog(s.Index, &e); {
		case err == nil && e.Term == s.Term && to == last:
			return nil // these are entries behind the snapshot, and are removed with the next one
		case err != nil && !errors.Is(err, raft.ErrLogNotFound):
			return err
		}
	}
	return l.LogStore.DeleteRange(from, to)
}
