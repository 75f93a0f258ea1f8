package raftstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/siltstonedb/siltstone"
)

const (
	// metaKeyspace is what a replica knows of itself. It is in snapshots, and equal on
	// all replicas.
	metaKeyspace = "raftstore"
	// idLife is how long, in the time of the log, the outcome of a command is kept for a
	// proposal that comes again. retryFor, the time in which Do proposes again, is far less.
	idLife   = 10 * time.Minute
	retryFor = time.Minute
)

var appliedKey = []byte("applied")

// point is how far a store has come in the log: the index of the last command, and its
// time in milliseconds.
type point struct {
	index uint64
	time  int64
}

// machine is the state that raft's log makes: a store, and its place in the log. Raft
// calls Apply, ApplyBatch, Snapshot and Restore from one goroutine.
type machine struct {
	cfg      *Options
	on       files
	commands *Commands
	closing  chan struct{}

	clock atomic.Int64 // of the store, in milliseconds: the time of what is durable

	// mu is held to read db and spaces, and locked to put another store in their place.
	mu     sync.RWMutex
	db     *siltstone.DB
	number uint64 // of its directory
	spaces map[string]*siltstone.Keyspace
	ctx    context.Context // of transactions; it has the spaces

	at struct {
		sync.Mutex
		point
		moved  chan struct{} // closed when index moves on; nil: nobody waits
		failed error         // why the replica has stopped
		full   chan struct{} // closed while there is no space to apply a command
	}
	stop func(error) // is called once when it does
	full func()      // is called, again and again, while there is no space to apply a command
	tell func(Event)

	members chan struct{} // has one when the members may have changed

	snapshots *snapshots

	applied, repeated, refused atomic.Int64 // commands: run, known by their id, ended with an error
}

var (
	_ raft.FSM         = (*machine)(nil)
	_ raft.BatchingFSM = (*machine)(nil)
)

// open opens the store in dir and reads its place in the log.
func (m *machine) open(dir string) (db *siltstone.DB, spaces map[string]*siltstone.Keyspace, at point, err error) {
	var o siltstone.Options
	if m.cfg.Store != nil {
		o = *m.cfg.Store
	}
	o.LogicalClock, o.Durability = true, siltstone.BufferedDurability
	// What a transaction holds depends on what has been purged in the background, so that
	// a bound would be met on one replica and not on another.
	o.MaxTxBytes = math.MaxInt64
	o.Clock = func() time.Time { return time.UnixMilli(m.clock.Load()) }
	if db, err = siltstone.Open(dir, &o); err != nil {
		return nil, nil, at, err
	}
	spaces = map[string]*siltstone.Keyspace{}
	for _, name := range append([]string{metaKeyspace}, m.cfg.Keyspaces...) {
		if spaces[name], err = db.CreateKeyspace(name); err != nil {
			return nil, nil, at, errors.Join(err, db.Close())
		}
	}
	err = db.View(context.Background(), func(tx *siltstone.Tx) (err error) {
		at, err = placeIn(tx, spaces[metaKeyspace])
		return err
	})
	if err != nil {
		return nil, nil, at, errors.Join(err, db.Close())
	}
	return db, spaces, at, nil
}

// use makes db the state.
func (m *machine) use(db *siltstone.DB, number uint64, spaces map[string]*siltstone.Keyspace, at point) {
	m.db, m.number, m.spaces = db, number, spaces
	m.ctx = context.WithValue(context.Background(), spacesKey{}, spaces)
	m.clock.Store(at.time)
	m.move(at)
}

// move notes that the state has come to a point, and wakes who waits for it.
func (m *machine) move(to point) {
	m.at.Lock()
	defer m.at.Unlock()
	m.at.point = to
	m.wakeLocked()
}

func (m *machine) wakeLocked() {
	if m.at.moved != nil {
		close(m.at.moved)
		m.at.moved = nil
	}
}

// place returns how far the state has come, and why it goes no further if it has failed.
func (m *machine) place() (point, error) {
	m.at.Lock()
	defer m.at.Unlock()
	return m.at.point, m.at.failed
}

// wait returns when the state has come to index.
func (m *machine) wait(ctx context.Context, index uint64) error {
	for {
		m.at.Lock()
		if m.at.index >= index || m.at.failed != nil {
			defer m.at.Unlock()
			return m.at.failed
		}
		if m.at.moved == nil {
			m.at.moved = make(chan struct{})
		}
		moved := m.at.moved
		m.at.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		case <-m.closing:
			return ErrClosed
		}
	}
}

// fail stops the replica: what it would apply next could differ from the others.
func (m *machine) fail(err error) error {
	m.at.Lock()
	first := m.at.failed == nil
	if first {
		m.at.failed = fmt.Errorf("%w: %w", ErrStopped, err)
		m.wakeLocked()
	}
	err = m.at.failed
	m.at.Unlock()
	if first {
		m.stop(err)
	}
	return err
}

// Apply implements raft.FSM.
func (m *machine) Apply(l *raft.Log) any { return m.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch implements raft.BatchingFSM. A response is the outcome of a command, or an
// error of the replica.
func (m *machine) ApplyBatch(logs []*raft.Log) []any {
	responses := make([]any, len(logs))
	for i, l := range logs {
		if l.Type != raft.LogCommand {
			select { // only a change of the members comes here, too
			case m.members <- struct{}{}:
			default: // one waits
			}
			continue
		}
		outcome, err := m.apply(l)
		if err != nil {
			responses[i] = m.fail(err)
			continue
		}
		responses[i] = outcome
	}
	return responses
}

// apply runs one entry, unless the state has it already.
func (m *machine) apply(l *raft.Log) ([]byte, error) {
	at, err := m.place()
	if err != nil || l.Index <= at.index {
		return nil, err
	}
	p, err := decodeProposal(l.Data)
	if err != nil {
		return nil, fmt.Errorf("entry %d: %w", l.Index, err)
	}
	at.index, at.time = l.Index, max(at.time, p.time)
	var outcome []byte
	for stalled := false; ; {
		if outcome, err = m.run(&p, at); !errors.Is(err, siltstone.ErrNoSpace) {
			if stalled {
				m.stall(false)
				m.tell(NoSpace{Ended: true})
			}
			break
		}
		if !stalled {
			stalled = true
			m.stall(true)
			m.tell(NoSpace{})
		}
		m.full()
		select { // nothing was changed, and the others go on without this replica meanwhile
		case <-m.closing:
			return nil, ErrClosed
		case <-time.After(100 * time.Millisecond):
		}
	}
	if err != nil {
		return nil, fmt.Errorf("entry %d: %w", l.Index, err)
	}
	m.move(at)
	return outcome, nil
}

// stall notes that a stall begins, or is over.
func (m *machine) stall(begins bool) {
	m.at.Lock()
	defer m.at.Unlock()
	if begins {
		close(m.stalledLocked())
	} else {
		m.at.full = nil
	}
}

func (m *machine) stalledLocked() chan struct{} {
	if m.at.full == nil {
		m.at.full = make(chan struct{})
	}
	return m.at.full
}

// stalled returns a channel that is closed while there is no space to apply a command.
func (m *machine) stalled() <-chan struct{} {
	m.at.Lock()
	defer m.at.Unlock()
	return m.stalledLocked()
}

// errDropped drops the transaction of a command that returned an error.
var errDropped = errors.New("the command returned an error")

// run runs a proposal in one transaction, which also notes the place in the log and the
// outcome. A command that returned an error is dropped, and noted in a second one.
func (m *machine) run(p *proposal, at point) (outcome []byte, err error) {
	if p.kind == kindTick {
		return nil, m.update(p, at, func(tx *siltstone.Tx) error { return m.note(tx, at) })
	}
	command := m.commands.find(p.name)
	if command == nil {
		return nil, fmt.Errorf("%w: %q", errUnknownCommand, p.name)
	}
	id := append([]byte("id/"), p.id[:]...)
	known := false
	err = m.update(p, at, func(tx *siltstone.Tx) error {
		meta := tx.In(m.spaces[metaKeyspace])
		before, err := meta.Get(id)
		if known = err == nil; known {
			outcome = before
			return m.note(tx, at)
		} else if !errors.Is(err, siltstone.ErrNotFound) {
			return err
		}
		result, refusal := guarded(command, tx, p.arg)
		if refusal != nil {
			if _, err := meta.Has(appliedKey); err != nil {
				return err // the transaction has failed, and the command with it
			}
			outcome = append([]byte{outcomeError}, refusal.Error()...)
			return errDropped
		}
		outcome = append([]byte{outcomeResult}, result...)
		if len(result) > maxProposal {
			outcome = append([]byte{outcomeError}, "its result is too large"...)
			return errDropped
		}
		return errors.Join(m.note(tx, at), meta.PutTTL(id, outcome, idLife))
	})
	if errors.Is(err, errDropped) {
		err = m.update(p, at, func(tx *siltstone.Tx) error {
			return errors.Join(m.note(tx, at), tx.In(m.spaces[metaKeyspace]).PutTTL(id, outcome, idLife))
		})
		m.refused.Add(1)
	}
	if known {
		m.repeated.Add(1)
	} else {
		m.applied.Add(1)
	}
	return outcome, err
}

// update runs fn at the time and with the seed of a proposal.
func (m *machine) update(p *proposal, at point, fn func(*siltstone.Tx) error) error {
	return m.db.Update(m.ctx, func(tx *siltstone.Tx) error {
		if err := tx.RunAt(time.UnixMilli(at.time), p.seed); err != nil {
			return err
		}
		return fn(tx)
	})
}

// note writes the place in the log.
func (m *machine) note(tx *siltstone.Tx, at point) error {
	value := binary.BigEndian.AppendUint64(nil, at.index)
	value = binary.BigEndian.AppendUint64(value, uint64(at.time))
	return tx.In(m.spaces[metaKeyspace]).Put(appliedKey, value)
}

// view runs fn in a transaction that reads one state, at the time of the last command
// that it has.
func (m *machine) view(ctx context.Context, fn func(*siltstone.Tx) error) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.db == nil {
		return ErrClosed
	}
	ctx = context.WithValue(ctx, spacesKey{}, m.spaces)
	for {
		again := false
		err := m.db.View(ctx, func(tx *siltstone.Tx) error {
			at, err := placeIn(tx, m.spaces[metaKeyspace])
			if err != nil {
				return err
			}
			if at.index == 0 {
				return fn(tx)
			}
			if again = tx.Now().UnixMilli() > at.time; again {
				return nil // the clock went on, to the time of a later state, while this one was taken
			}
			if err := tx.RunAt(time.UnixMilli(at.time), at.index); err != nil {
				return err
			}
			return fn(tx)
		})
		if !again {
			return err
		}
	}
}

// placeIn returns the place in the log of the state that tx reads.
func placeIn(tx *siltstone.Tx, meta *siltstone.Keyspace) (point, error) {
	value, err := tx.In(meta).Get(appliedKey)
	switch {
	case errors.Is(err, siltstone.ErrNotFound):
		return point{}, nil
	case err != nil:
		return point{}, err
	case len(value) != 16:
		return point{}, fmt.Errorf("raftstore: the place in the log has %d bytes: %w", len(value), siltstone.ErrCorruption)
	}
	return point{binary.BigEndian.Uint64(value), int64(binary.BigEndian.Uint64(value[8:]))}, nil
}

// settle makes the state durable, and lets the store's clock go on to its time. The clock
// stays behind what is durable: a merge drops for good what has expired by it, and after
// a power cut the log is applied again from there.
func (m *machine) settle() error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.db == nil {
		return ErrClosed
	}
	at, err := m.place()
	if err != nil {
		return err
	}
	if err := m.db.Sync(); err != nil {
		return err
	}
	for now := m.clock.Load(); now < at.time && !m.clock.CompareAndSwap(now, at.time); now = m.clock.Load() {
	}
	return nil
}

// close closes the store, once no transaction of view runs.
func (m *machine) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.db == nil {
		return nil
	}
	db := m.db
	m.db = nil
	return db.Close()
}
