package raftstore

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/raft"
)

// A question begins with what it asks for. It is one to the leader, if nothing else is said.
const (
	askCommand      = 'C' // a proposal follows; the answer is the outcome of the command
	askLinearizable = 'L' // the answer is the index that a read waits for, 8 bytes
	askLeased       = 'l'
	askTerm         = 'E' // the answer is the latest term that this replica knows, 8 bytes. Any replica answers it
	askTables       = 'T' // a mark follows; the answer is one of the tables in it that this replica has. Any replica answers it
)

// An answer begins with what became of the question.
const (
	answered    = 0 // the answer follows
	notLeader   = 1 // the question has had no effect
	lostAnswer  = 2 // it may have, or may still
	badQuestion = 3 // it never will; a text follows
)

// errRefused is what the leader has of no use.
var errRefused = errors.New("raftstore: the leader refuses the question")

// Do runs the command of a name with its encoded argument on all replicas, and returns
// its encoded result: Command.Do is the same with Go types. It may be called on any
// replica, and returns when the command is durable on a majority and has been applied by
// the leader.
//
// If the leader is lost meanwhile Do asks the next one, for a minute at most or until ctx
// ends; the command is applied once however often it was asked for, as long as the clocks
// of the replicas are within minutes of one another. ErrNoLeader says that it was not
// applied, ErrIndeterminate that it may have been or may still be, a *CommandError that it
// returned an error and changed nothing.
func (s *Store) Do(ctx context.Context, name string, arg []byte) ([]byte, error) {
	var id [16]byte
	if _, err := crand.Read(id[:]); err != nil {
		return nil, err
	}
	return s.DoOnce(ctx, id, name, arg)
}

// DoOnce is Do with an id of the caller's, which it has drawn at random, for commands
// that the caller asks for again when it does not know what became of them, on this
// replica or another. Within ten minutes of the first time the command is not applied
// again: the outcome is that of the first time.
func (s *Store) DoOnce(ctx context.Context, id [16]byte, name string, arg []byte) ([]byte, error) {
	switch {
	case ctx == nil:
		return nil, errors.New("raftstore: Do without a context")
	case s.opts.Commands.find(name) == nil:
		return nil, fmt.Errorf("%w: %q", errUnknownCommand, name)
	case len(arg) > maxProposal:
		return nil, fmt.Errorf("%w: command %s: %d bytes, at most %d", ErrTooLarge, name, len(arg), maxProposal)
	}
	s.calls.Add(1)
	defer s.calls.Add(-1)
	p := proposal{kind: kindCommand, id: id, name: name, arg: arg}
	ctx, cancel := context.WithTimeout(ctx, retryFor)
	defer cancel()
	perhaps := false // an attempt may have been applied
	outcome, err := s.retry(ctx, &perhaps, func(lead leader) ([]byte, error) {
		if lead.here {
			return s.proposeAndWait(ctx, p)
		}
		return s.askLeader(ctx, lead.addr, p.append([]byte{askCommand}))
	})
	if err != nil {
		if perhaps {
			return nil, fmt.Errorf("%w: command %s: %w", ErrIndeterminate, name, err)
		}
		return nil, fmt.Errorf("command %s: %w", name, err)
	}
	return openOutcome(name, outcome)
}

// leader is where the leader is.
type leader struct {
	here bool
	addr string
}

// Errors of one attempt.
var (
	errElsewhere = errors.New("raftstore: the node asked does not lead")           // nothing has happened
	errLost      = errors.New("raftstore: the leader was lost before it answered") // it may have
)

// retry asks the leader until it answers. It sets perhaps when an attempt may have been
// applied.
func (s *Store) retry(ctx context.Context, perhaps *bool, attempt func(leader) ([]byte, error)) ([]byte, error) {
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		if s.closed() {
			return nil, ErrClosed
		}
		if _, err := s.machine.place(); err != nil {
			return nil, err
		}
		if addr, id := s.raft.LeaderWithID(); id != "" {
			lead := leader{here: string(id) == s.opts.ID, addr: string(addr)}
			b, err := attempt(lead)
			switch {
			case err == nil:
				return b, nil
			case errors.Is(err, errLost):
				*perhaps = true
			case !errors.Is(err, errElsewhere):
				return nil, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, givenUp(*perhaps, context.Cause(ctx))
		case <-s.closing:
		case <-time.After(wait/2 + rand.N(wait)):
		}
	}
}

// givenUp returns the error of a retry that has ended for a cause. ErrNoLeader says that
// nothing has happened, so it is not said once an attempt may have been applied, whatever the
// last one met.
func givenUp(perhaps bool, cause error) error {
	if perhaps {
		return fmt.Errorf("%w: %w", errLost, cause)
	}
	return fmt.Errorf("%w: %w", ErrNoLeader, cause)
}

// propose gives a proposal to raft on this node, which is to lead, with the time and seed
// that the leader chooses.
func (s *Store) propose(p proposal) raft.ApplyFuture {
	p.time, p.seed = time.Now().UnixMilli(), rand.Uint64()
	return s.raft.Apply(p.append(nil), 5*time.Second)
}

// proposeAndWait proposes, and returns the outcome.
func (s *Store) proposeAndWait(ctx context.Context, p proposal) ([]byte, error) {
	if !s.enter() {
		return nil, errElsewhere
	}
	stalled := s.machine.stalled()
	select {
	case <-stalled: // another one leads soon
		s.leave()
		return nil, errElsewhere
	default:
	}
	future := s.propose(p)
	done := make(chan error, 1)
	go func() {
		defer s.leave()
		done <- future.Error()
	}()
	select {
	case err := <-done:
		return s.judge(future, err)
	case <-ctx.Done():
	case <-stalled: // it comes to an answer when there is space: the next leader may know sooner
	case <-s.closing:
	}
	return nil, errLost
}

// judge says what became of a proposal.
func (s *Store) judge(future raft.ApplyFuture, err error) ([]byte, error) {
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrEnqueueTimeout), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return nil, errElsewhere
	case err != nil:
		return nil, errLost
	}
	switch r := future.Response().(type) {
	case []byte:
		if r != nil {
			return r, nil
		}
	case error:
		return nil, errLost // this replica has stopped, and others have not
	}
	return nil, errLost
}

// askLeader sends a question to another node.
func (s *Store) askLeader(ctx context.Context, addr string, question []byte) ([]byte, error) {
	answer, sent, err := s.net.ask(ctx, addr, question)
	switch {
	case err != nil && sent:
		return nil, errLost
	case err != nil:
		return nil, errElsewhere
	case len(answer) == 0:
		return nil, errLost
	case answer[0] == answered:
		return answer[1:], nil
	case answer[0] == notLeader:
		return nil, errElsewhere
	case answer[0] == badQuestion:
		return nil, fmt.Errorf("%w: %s", errRefused, answer[1:])
	}
	return nil, errLost
}

// answer answers a question of another node. It is not passed on: who asked looks for the
// leader again.
func (s *Store) answer(question []byte) []byte {
	if len(question) == 0 {
		return []byte{badQuestion}
	}
	ctx, cancel := context.WithTimeout(context.Background(), retryFor)
	defer cancel()
	var b []byte
	var err error
	switch question[0] {
	case askCommand:
		p, bad := decodeProposal(question[1:])
		if bad != nil || p.kind != kindCommand || s.opts.Commands.find(p.name) == nil {
			return append([]byte{badQuestion}, "it is no command of this node"...)
		}
		b, err = s.proposeAndWait(ctx, p)
	case askLinearizable:
		b, err = s.leaderIndex(LinearizableRead)
	case askLeased:
		b, err = s.leaderIndex(LeasedRead)
	case askTerm:
		b, err = s.answerTerm()
	case askTables:
		if b, err = s.answerTables(question[1:]); err != nil {
			return append([]byte{badQuestion}, err.Error()...)
		}
	default:
		return []byte{badQuestion}
	}
	switch {
	case err == nil:
		return append([]byte{answered}, b...)
	case errors.Is(err, errElsewhere):
		return []byte{notLeader}
	}
	return []byte{lostAnswer}
}

// readIndex returns the index up to which a read must have seen.
func (s *Store) readIndex(ctx context.Context, r Read) (uint64, error) {
	question := []byte{askLinearizable}
	if r == LeasedRead {
		question[0] = askLeased
	}
	b, err := s.retry(ctx, new(bool), func(lead leader) ([]byte, error) {
		if lead.here {
			return s.leaderIndex(r)
		}
		return s.askLeader(ctx, lead.addr, question)
	})
	if err != nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("raftstore: an index of %d bytes", len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}

// leaderIndex returns, on the leader, the index of the last command that may have been
// acknowledged. It counts only if this node leads after it was read, and has had, in the
// same term, a barrier: until then it need not know all that was committed before.
func (s *Store) leaderIndex(r Read) ([]byte, error) {
	if !s.enter() {
		return nil, errElsewhere
	}
	defer s.leave()
	term := s.raft.CurrentTerm()
	if s.raft.State() != raft.Leader {
		return nil, errElsewhere
	}
	if s.ready.Load() != term {
		if s.raft.Barrier(5*time.Second).Error() != nil || s.raft.CurrentTerm() != term {
			return nil, errElsewhere
		}
		s.ready.Store(term)
	}
	index, err := s.lastCommand(s.raft.CommitIndex())
	if err != nil {
		return nil, err
	}
	if r == LinearizableRead {
		if latest, err := s.latestTerm(); err != nil || latest > term {
			return nil, errElsewhere
		}
	}
	if s.raft.State() != raft.Leader || s.raft.CurrentTerm() != term {
		return nil, errElsewhere
	}
	return binary.BigEndian.AppendUint64(nil, index), nil
}

// lastCommand returns the index of the last command at or before index: only commands
// move the state on. What is no longer in the log has been applied here.
func (s *Store) lastCommand(index uint64) (uint64, error) {
	at, err := s.machine.place()
	if err != nil {
		return 0, err
	}
	for ; index > at.index; index-- {
		var l raft.Log
		err := s.log.GetLog(index, &l)
		switch {
		case errors.Is(err, raft.ErrLogNotFound):
			return at.index, nil
		case err != nil:
			return 0, err
		case l.Type == raft.LogCommand:
			return index, nil
		}
	}
	return index, nil
}
