package raftstore

import (
	"errors"
	"time"

	"github.com/hashicorp/raft"
)

// ErrNotLeader is returned by calls that only the leader carries out: Leader says where it is.
var ErrNotLeader = errors.New("raftstore: this replica does not lead")

// changeTimeout bounds the wait for a change of the members to begin.
const changeTimeout = 10 * time.Second

// leading makes ErrNotLeader of what raft says.
func leading(err error) error {
	if errors.Is(err, raft.ErrNotLeader) || errors.Is(err, raft.ErrLeadershipLost) {
		return ErrNotLeader
	}
	return err
}

// call makes a call of raft and waits for its answer. Raft that has ended may give none.
func (s *Store) call(begin func() raft.Future) error {
	if !s.enter() {
		return ErrClosed
	}
	future, answer := begin(), make(chan error, 1)
	go func() {
		defer s.leave()
		answer <- future.Error()
	}()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for ended := false; ; ended = s.raft.State() == raft.Shutdown {
		select {
		case err := <-answer:
			return leading(err)
		case <-look.C:
		}
		if ended { // it was so a while ago
			return errors.Join(ErrStopped, s.Err())
		}
	}
}

// AddVoter adds a replica, which was opened without Bootstrap, and returns when that is
// committed. The replica is sent a snapshot or the log. It is a call for the leader.
func (s *Store) AddVoter(id, addr string) error {
	return s.call(func() raft.Future {
		return s.raft.AddVoter(raft.ServerID(id), raft.ServerAddress(addr), 0, changeTimeout)
	})
}

// AddReader adds a replica that gets the log and has no vote: it serves LocalRead far
// from the others, and costs no commit. It is a call for the leader.
func (s *Store) AddReader(id, addr string) error {
	return s.call(func() raft.Future {
		return s.raft.AddNonvoter(raft.ServerID(id), raft.ServerAddress(addr), 0, changeTimeout)
	})
}

// Remove removes a replica, also the leader. It is a call for the leader.
func (s *Store) Remove(id string) error {
	return s.call(func() raft.Future { return s.raft.RemoveServer(raft.ServerID(id), 0, changeTimeout) })
}

// TransferLeadership has another voter lead, and returns when it does. Before a leader is
// stopped it saves the others the time until they notice.
func (s *Store) TransferLeadership() error {
	return s.call(s.raft.LeadershipTransfer)
}

// Leader returns the ID and address of the leader as far as this replica knows; empty:
// there is none.
func (s *Store) Leader() (id, addr string) {
	a, i := s.raft.LeaderWithID()
	return string(i), string(a)
}

// Snapshot takes a snapshot now, so that raft may forget the log up to here. It does so
// by itself, by the settings of Options.Raft.
func (s *Store) Snapshot() error {
	err := s.call(func() raft.Future { return s.raft.Snapshot() })
	if errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return nil
	}
	return err
}
