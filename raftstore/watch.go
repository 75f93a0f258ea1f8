package raftstore

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// counts are the counters of snapshots.
type counts struct {
	taken, sent, installed, failed, sentBytes, spared atomic.Int64
}

func (c *counts) metrics() SnapshotMetrics {
	return SnapshotMetrics{
		Taken: c.taken.Load(), Sent: c.sent.Load(), Installed: c.installed.Load(), Failed: c.failed.Load(),
		SentBytes: c.sentBytes.Load(), SparedBytes: c.spared.Load(),
	}
}

// add counts what has ended, in the counter of those that have done so well.
func (c *counts) add(to *atomic.Int64, err error) {
	if err != nil {
		to = &c.failed
	}
	to.Add(1)
}

// teller gives events to a function, one at a time.
type teller struct {
	mu sync.Mutex
	fn func(Event)
}

func (t *teller) tell(e Event) {
	if t.fn == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fn(e)
}

// note counts and tells what became of something in the machine or the transport.
func (s *Store) note(e Event) {
	switch e := e.(type) {
	case SnapshotTaken:
		s.counts.add(&s.counts.taken, e.Err)
	case SnapshotInstalled:
		s.counts.add(&s.counts.installed, e.Err)
	case SnapshotSent:
		s.counts.add(&s.counts.sent, e.Err)
		s.counts.sentBytes.Add(e.Bytes)
		if e.Err == nil {
			s.counts.spared.Add(e.Size - e.Bytes)
		}
	}
	s.teller.tell(e)
}

// watch tells of leaders and members until the replica is closed. It looks when raft says
// that something may have changed, and once in a second, since of some changes it says
// nothing.
func (s *Store) watch() {
	if s.opts.OnEvent == nil {
		return
	}
	heard := make(chan raft.Observation, 1)
	observer := raft.NewObserver(heard, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.RaftState, raft.PeerObservation:
			return true
		}
		return false
	})
	s.raft.RegisterObserver(observer)
	defer s.raft.DeregisterObserver(observer)
	t := time.NewTicker(time.Second)
	defer t.Stop()
	var leader LeaderChange
	members := s.members()
	for {
		now := LeaderChange{Term: s.raft.CurrentTerm()}
		if now.Leader, _ = s.Leader(); now != leader && (now.Leader != "" || leader.Leader != "") {
			leader = now
			s.note(leader)
		}
		if now := s.members(); !slices.Equal(now, members) {
			members = now
			s.note(MemberChange{now})
		}
		select {
		case <-s.closing:
			return
		case <-heard:
		case <-s.machine.members:
		case <-t.C:
		}
	}
}
