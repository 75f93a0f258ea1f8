package raftstore

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
)

// voter is a member of which nothing is there but the port. It answers questions with a
// term, and ends the connections of raft.
type voter struct{ term atomic.Uint64 }

func (v *voter) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go v.answer(c)
	}
}

func (v *voter) answer(c net.Conn) {
	defer c.Close()
	purpose := make([]byte, 1)
	if _, err := io.ReadFull(c, purpose); err != nil || purpose[0] != forQuestions {
		return
	}
	for {
		if q, err := readMessage(c); err != nil || len(q) != 1 || q[0] != askTerm {
			return
		}
		if writeMessage(c, binary.BigEndian.AppendUint64([]byte{answered}, v.term.Load())) != nil {
			return
		}
	}
}

// Raft's own messages go to and fro all the time, so that VerifyLeader finds nothing. A
// voter that has promised its vote in a later term makes the read look for another leader.
func TestALinearizableReadAsksAMajorityForALaterTerm(t *testing.T) {
	l, v := listener(t), &voter{}
	go v.serve(l)
	t.Cleanup(func() { l.Close() })
	members := []Member{{ID: "v", Addr: l.Addr().String()}}
	var listeners []net.Listener
	for _, id := range []string{"n0", "n1"} {
		at := listener(t)
		listeners = append(listeners, at)
		members = append(members, Member{ID: id, Addr: at.Addr().String()})
	}
	c := emptyCluster(t, quick)
	for i, m := range members[1:] {
		c.add(m, members, listeners[i])
	}
	lead := c.leader().store()
	for _, n := range c.nodes {
		if s := n.store(); s != lead { // it answers raft alone
			s.mu.Lock()
			s.serving = false
			s.mu.Unlock()
			defer func() {
				s.mu.Lock()
				s.serving = true
				s.mu.Unlock()
			}()
		}
	}
	term := lead.raft.CurrentTerm()
	v.term.Store(term)
	if _, err := lead.leaderIndex(LinearizableRead); err != nil {
		t.Fatalf("nobody knows of a later term: %v", err)
	}
	v.term.Store(term + 1)
	if _, err := lead.leaderIndex(LinearizableRead); !errors.Is(err, errElsewhere) {
		t.Errorf("a voter knows of a later term: %v", err)
	}
	if _, err := lead.leaderIndex(LeasedRead); err != nil {
		t.Errorf("a leased read asks nobody: %v", err)
	}
	v.term.Store(0) // no answer
	if _, err := lead.latestTerm(); !errors.Is(err, errNoMajority) {
		t.Errorf("one of three has answered: %v", err)
	}
}
