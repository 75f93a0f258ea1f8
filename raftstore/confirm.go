package raftstore

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// rounds ask a majority whether it knows of a later term, for linearizable reads. Reads that
// come while a round is asked share the next one.
//
//	read ─┬─ index of the last commit ─ round begins ─ answers of a majority: no later term
//	read ─┘                              └── a leader of a later term needs the vote of one of
//	                                         them, who would have said so
//
// Raft's VerifyLeader is not enough. It takes any answer to a message of this node, and one
// that a follower gave before the read, and that was under way for long, says nothing of what
// that follower has promised since.
type rounds struct {
	turn sync.Mutex // of the round that is asked

	mu   sync.Mutex
	next *round // that has not begun; nil: nobody waits for one
}

// round is one of them. term and err are set when done is closed.
type round struct {
	done chan struct{}
	term uint64 // the latest that a majority knows
	err  error
}

// roundTime is how long a round waits for its answers. A leader that has lost the majority
// knows it sooner, by raft's LeaderLeaseTimeout, unless that was set to more.
const roundTime = 5 * time.Second

// lateAnswer is how long answers that are not needed any more may still come: a question
// that is given up takes its connection along, and the next round would have to make another.
const lateAnswer = 100 * time.Millisecond

var errNoMajority = errors.New("raftstore: no majority has answered")

// latestTerm returns the latest term that a majority of the voters knows, after the call
// began.
func (s *Store) latestTerm() (uint64, error) {
	s.rounds.mu.Lock()
	r, mine := s.rounds.next, false
	if mine = r == nil; mine {
		r = &round{done: make(chan struct{})}
		s.rounds.next = r
	}
	s.rounds.mu.Unlock()
	if !mine {
		<-r.done
		return r.term, r.err
	}
	s.rounds.turn.Lock()
	defer s.rounds.turn.Unlock()
	s.rounds.mu.Lock()
	s.rounds.next = nil
	s.rounds.mu.Unlock()
	r.term, r.err = s.askTerms()
	close(r.done)
	return r.term, r.err
}

// askTerms asks all voters for their terms, and returns the latest of the first majority
// that answers, this node included.
func (s *Store) askTerms() (latest uint64, err error) {
	members := s.raft.GetConfiguration()
	if err := members.Error(); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), roundTime)
	late := time.Duration(0)
	defer func() { time.AfterFunc(late, cancel) }()
	voters := 0
	terms := make(chan uint64, len(members.Configuration().Servers))
	for _, m := range members.Configuration().Servers {
		if m.Suffrage != raft.Voter {
			continue
		}
		if voters++; string(m.ID) == s.opts.ID {
			terms <- s.raft.CurrentTerm()
			continue
		}
		s.work.Go(func() { terms <- s.askTerm(ctx, string(m.Address)) })
	}
	for heard, asked := 0, 0; asked < voters; asked++ {
		select {
		case term := <-terms:
			if term == 0 { // no answer
				continue
			}
			latest = max(latest, term)
			if heard++; heard > voters/2 {
				late = lateAnswer
				return latest, nil
			}
		case <-s.closing:
			return 0, ErrClosed
		}
	}
	return 0, errNoMajority
}

// askTerm returns the term of a replica, 0 if it does not answer.
func (s *Store) askTerm(ctx context.Context, addr string) uint64 {
	question := []byte{askTerm}
	b, _, err := s.net.ask(ctx, addr, question)
	if err != nil { // the connection may be one to a process that has ended
		b, err = s.net.askAnew(ctx, addr, question)
	}
	if err != nil || len(b) != 1+8 || b[0] != answered {
		return 0
	}
	return binary.BigEndian.Uint64(b[1:])
}

// answerTerm returns the latest term that this replica knows. It knows a term before it
// votes in it.
func (s *Store) answerTerm() ([]byte, error) {
	if !s.enter() {
		return nil, ErrClosed
	}
	defer s.leave()
	return binary.BigEndian.AppendUint64(nil, s.raft.CurrentTerm()), nil
}
