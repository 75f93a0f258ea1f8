package raftstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"github.com/siltstonedb/siltstone"
)

// Keyspaces of a LogStore.
const (
	entriesKeyspace = "raft/log"
	stableKeyspace  = "raft/stable"
)

// ErrKeyNotFound is what LogStore.Get and GetUint64 return for a key that was not set.
// Raft knows it by its text.
var ErrKeyNotFound = errors.New("not found")

// ErrNotContiguous is returned for a change of the log that would leave a gap in it.
var ErrNotContiguous = errors.New("raftstore: the log has no gaps")

// LogStore is the log and the stable values of a raft node: a raft.LogStore, a
// raft.StableStore and a raft.MonotonicLogStore. What StoreLogs, Set and DeleteRange
// have returned for survives a power cut, and each is there whole or not at all.
//
// The log has no gaps. StoreLogs takes the entries that follow the last one, in order,
// or any first one if the log is empty. DeleteRange takes entries off either end.
//
// It is safe for concurrent use.
type LogStore struct {
	db    *siltstone.DB
	owned bool // Close closes db

	entries, stable *siltstone.Keyspace

	first, last atomic.Uint64 // of the log; 0, 0 if it is empty

	mu    sync.Mutex // held by what changes the log
	batch siltstone.Batch
	value []byte
}

var (
	_ raft.LogStore          = (*LogStore)(nil)
	_ raft.StableStore       = (*LogStore)(nil)
	_ raft.MonotonicLogStore = (*LogStore)(nil)
)

// OpenLogStore opens the log in dir, which it makes if it is missing. The options are
// those of the store; nil is good. Close closes it.
func OpenLogStore(dir string, o *siltstone.Options) (*LogStore, error) {
	db, err := siltstone.Open(dir, o)
	if err != nil {
		return nil, err
	}
	s, err := NewLogStore(db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.owned = true
	return s, nil
}

// NewLogStore returns the log in db, which may hold other data beside it: the log takes
// the keyspaces raft/log and raft/stable. There must be one LogStore of a db at a time.
// The caller closes db.
func NewLogStore(db *siltstone.DB) (*LogStore, error) {
	s := &LogStore{db: db}
	var err error
	if s.entries, err = db.CreateKeyspace(entriesKeyspace); err != nil {
		return nil, err
	}
	if s.stable, err = db.CreateKeyspace(stableKeyspace); err != nil {
		return nil, err
	}
	return s, s.findEnds()
}

// findEnds reads the first and the last index of the log.
func (s *LogStore) findEnds() (err error) {
	it, err := s.entries.NewIter(&siltstone.IterOptions{KeysOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if !it.First() {
		return it.Err()
	}
	first, err := indexOf(it.Key())
	if err != nil {
		return err
	}
	if !it.Last() {
		return it.Err()
	}
	last, err := indexOf(it.Key())
	if err != nil {
		return err
	}
	s.first.Store(first)
	s.last.Store(last)
	return nil
}

// entryKey appends the key of an entry.
func entryKey(dst []byte, index uint64) []byte { return binary.BigEndian.AppendUint64(dst, index) }

func indexOf(key []byte) (uint64, error) {
	if len(key) != 8 {
		return 0, fmt.Errorf("raftstore: the log has a key of %d bytes: %w", len(key), siltstone.ErrCorruption)
	}
	return binary.BigEndian.Uint64(key), nil
}

// Close closes the store if OpenLogStore opened it.
func (s *LogStore) Close() error {
	if !s.owned {
		return nil
	}
	return s.db.Close()
}

// IsMonotonic returns true: the log has no gaps.
func (s *LogStore) IsMonotonic() bool { return true }

// FirstIndex returns the index of the first entry, 0 if there is none. It reads memory.
func (s *LogStore) FirstIndex() (uint64, error) { return s.first.Load(), nil }

// LastIndex returns the index of the last entry, 0 if there is none. It reads memory.
func (s *LogStore) LastIndex() (uint64, error) { return s.last.Load(), nil }

// GetLog fills l with the entry of index. Its bytes belong to the caller. An entry that
// is not there is raft.ErrLogNotFound, one that is damaged siltstone.ErrCorruption.
func (s *LogStore) GetLog(index uint64, l *raft.Log) error {
	if index < s.first.Load() || index > s.last.Load() {
		return raft.ErrLogNotFound
	}
	var key [8]byte
	value, err := s.entries.Get(entryKey(key[:0], index))
	if errors.Is(err, siltstone.ErrNotFound) {
		return raft.ErrLogNotFound
	}
	if err != nil {
		return err
	}
	return decodeEntry(l, index, value)
}

// StoreLog stores one entry, as StoreLogs does.
func (s *LogStore) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs stores entries that follow the last one, together and durably. If they do
// not follow it, or one another, the error is ErrNotContiguous and nothing is stored.
func (s *LogStore) StoreLogs(logs []*raft.Log) error { return s.storeLogs(logs, nil) }

// storeLogs stores entries, and in the same commit what more adds, if it is not nil.
func (s *LogStore) storeLogs(logs []*raft.Log, more func(*siltstone.Batch)) error {
	if len(logs) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.last.Load() + 1
	if s.first.Load() == 0 {
		next = logs[0].Index
	}
	s.batch.Reset()
	entries := s.batch.In(s.entries)
	var key [8]byte
	for _, l := range logs {
		if l.Index != next || l.Index == 0 {
			return fmt.Errorf("%w: entry %d where %d is next", ErrNotContiguous, l.Index, next)
		}
		next++
		s.value = appendEntry(s.value[:0], l)
		entries.Put(entryKey(key[:0], l.Index), s.value)
	}
	if more != nil {
		more(&s.batch)
	}
	err := s.db.Apply(&s.batch, siltstone.SyncDurability)
	s.shrink()
	if err != nil {
		return err
	}
	s.last.Store(logs[len(logs)-1].Index)
	if s.first.Load() == 0 {
		s.first.Store(logs[0].Index)
	}
	return nil
}

// keptBytes bounds the memory that is kept for the next StoreLogs.
const keptBytes = 1 << 20

// shrink lets go of the memory of a large StoreLogs.
func (s *LogStore) shrink() {
	if s.batch.Size() > keptBytes {
		s.batch = siltstone.Batch{}
	}
	if cap(s.value) > keptBytes {
		s.value = nil
	}
}

// DeleteRange deletes the entries from min to max, both included, at a cost that does
// not depend on how many there are. They must reach to one end of the log at least:
// what would leave a gap is ErrNotContiguous. Indexes that are not there are no error.
func (s *LogStore) DeleteRange(min, max uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	first, last := s.first.Load(), s.last.Load()
	switch {
	case first == 0 || min > max || max < first || min > last:
		return nil
	case min <= first && max >= last:
		if err := s.deleteRange(siltstone.Range{}); err != nil {
			return err
		}
		s.last.Store(0)
		s.first.Store(0)
	case min <= first:
		// All below goes with it, so that the newest such range covers the older ones.
		if err := s.deleteRange(siltstone.Range{Upper: entryKey(nil, max+1)}); err != nil {
			return err
		}
		s.first.Store(max + 1)
	case max >= last:
		if err := s.deleteRange(siltstone.Range{Lower: entryKey(nil, min)}); err != nil {
			return err
		}
		s.last.Store(min - 1)
	default:
		return fmt.Errorf("%w: %d to %d lie inside it, from %d to %d", ErrNotContiguous, min, max, first, last)
	}
	return nil
}

func (s *LogStore) deleteRange(r siltstone.Range) error {
	s.batch.Reset()
	s.batch.In(s.entries).DeleteRange(r)
	return s.db.Apply(&s.batch, siltstone.SyncDurability)
}

// Set sets a stable value, durably. A key has at least one byte.
func (s *LogStore) Set(key, value []byte) error {
	var b siltstone.Batch
	b.In(s.stable).Put(key, value)
	return s.db.Apply(&b, siltstone.SyncDurability)
}

// Get returns a copy of a stable value, or ErrKeyNotFound.
func (s *LogStore) Get(key []byte) ([]byte, error) {
	value, err := s.stable.Get(key)
	if errors.Is(err, siltstone.ErrNotFound) {
		return nil, ErrKeyNotFound
	}
	return value, err
}

// SetUint64 sets a stable number, durably.
func (s *LogStore) SetUint64(key []byte, value uint64) error {
	return s.Set(key, numberValue(value))
}

// numberValue returns how a stable number is stored.
func numberValue(value uint64) []byte { return binary.BigEndian.AppendUint64(nil, value) }

// GetUint64 returns a stable number, or ErrKeyNotFound.
func (s *LogStore) GetUint64(key []byte) (uint64, error) {
	value, err := s.Get(key)
	if err != nil {
		return 0, err
	}
	if len(value) != 8 {
		return 0, fmt.Errorf("raftstore: %q is no number: it has %d bytes", key, len(value))
	}
	return binary.BigEndian.Uint64(value), nil
}
