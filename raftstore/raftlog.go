package raftstore

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// raftLog is the log as raft has it, with a cache of the newest entries. It mends two things
// of raft 1.7.3, both about a log without gaps and a snapshot that a leader has sent.
//
// A leader that was refused entries for a while, since a disk was full, sends a snapshot in
// the end, which may be older than the log of the replica. Raft then removes the whole log,
// and with it entries that the replica has acknowledged and that may be on no other one. So
// the log stays if the snapshot is of its past, which is what the paper on raft says.
//
// A snapshot that is newer than the log replaces it. If the power goes before the log is
// removed, or there is no space to do so, the entries behind the snapshot do not follow the
// log, and none would ever be taken. So the log is removed when they come.
type raftLog struct {
	*raft.LogCache
	snapshots *snapshots
	giveUp    func(error) error // is called when an entry cannot be read, and says what GetLog returns
}

var (
	_ raft.LogStore          = (*raftLog)(nil)
	_ raft.MonotonicLogStore = (*raftLog)(nil)
)

// cachedEntries is how many entries the cache has.
const cachedEntries = 512

// newRaftLog returns the log in store beside the snapshots in taken, which ask it what is of
// use from here on.
func newRaftLog(store *LogStore, taken *snapshots) (*raftLog, error) {
	cache, err := raft.NewLogCache(cachedEntries, store)
	if err != nil {
		return nil, err
	}
	l := &raftLog{cache, taken, func(err error) error { return err }}
	taken.log = l
	return l, nil
}

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

// GetLog implements raft.LogStore. Raft panics if it cannot read what is to be applied.
func (l *raftLog) GetLog(index uint64, entry *raft.Log) error {
	err := l.LogCache.GetLog(index, entry)
	if err == nil || errors.Is(err, raft.ErrLogNotFound) {
		return err
	}
	return l.giveUp(err)
}

// StoreLog implements raft.LogStore.
func (l *raftLog) StoreLog(entry *raft.Log) error { return l.StoreLogs([]*raft.Log{entry}) }

// StoreLogs implements raft.LogStore.
func (l *raftLog) StoreLogs(entries []*raft.Log) error {
	if err := l.makeRoom(entries); err != nil {
		return err
	}
	return l.LogCache.StoreLogs(entries)
}

// makeRoom removes a log that the newest snapshot has replaced, if entries follow that.
func (l *raftLog) makeRoom(entries []*raft.Log) error {
	first, err := l.FirstIndex()
	if err != nil || first == 0 || len(entries) == 0 {
		return err
	}
	last, err := l.LastIndex()
	if err != nil || entries[0].Index <= last+1 {
		return err
	}
	all, err := l.snapshots.list()
	if err != nil || len(all) == 0 || all[0].Raft.Index != entries[0].Index-1 {
		return err
	}
	return l.LogCache.DeleteRange(first, last)
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
	return l.LogCache.DeleteRange(from, to)
}
