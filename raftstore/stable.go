package raftstore

import (
	"errors"
	"runtime"
	"time"

	"github.com/hashicorp/raft"

	"github.com/siltstonedb/siltstone"
)

// stable is what raft notes of terms and votes. Raft panics when it cannot note a term, and
// with it the process. So a change for which there is no space waits for some: the replica
// is like one that is paused, and the others go on. After another error the replica stops.
type stable struct {
	*LogStore
	closing chan struct{}
	stop    func()            // ends raft
	giveUp  func(error) error // is called when a change has failed, and says what is returned
}

var _ raft.StableStore = (*stable)(nil)

// Set implements raft.StableStore.
func (s *stable) Set(key, value []byte) error {
	return s.patiently(func() error { return s.LogStore.Set(key, value) })
}

// SetUint64 implements raft.StableStore. What is there already is not written again: raft
// notes the term once more when it starts, and Open must not wait.
func (s *stable) SetUint64(key []byte, value uint64) error {
	if is, err := s.GetUint64(key); err == nil && is == value {
		return nil
	}
	return s.patiently(func() error { return s.LogStore.SetUint64(key, value) })
}

// patiently makes a change, once there is space for it. If the replica is closed before,
// raft's goroutine ends here: it can neither go on as if the change were made, nor without.
func (s *stable) patiently(change func() error) error {
	for {
		err := change()
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, siltstone.ErrNoSpace):
			return s.giveUp(err)
		}
		select {
		case <-s.closing:
			s.stop()
			runtime.Goexit()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
