package raftstore

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/siltstonedb/siltstone"
)

// Store is one replica of a store. All methods are safe for concurrent use. Open makes
// one; Close ends it.
type Store struct {
	opts    Options
	machine *machine
	log     *LogStore
	net     *network
	raft    *raft.Raft // set once, before started is closed; answers and raft's own goroutines come sooner

	shutdown func() raft.Future // ends raft, as often as it is called, and returns what waits for that; set with raft

	started chan struct{}
	closing chan struct{}
	end     sync.Once
	endErr  error
	work    sync.WaitGroup
	ready   atomic.Uint64 // the term in which this node leads and has all that was committed before
	rounds  rounds
	calls   atomic.Int64 // of Do that have not returned
	counts  counts
	teller  teller

	mu      sync.Mutex
	waiting int  // calls that wait for raft
	serving bool // there may be more: raft runs and Close was not called
}

// Memory of the log's store: raft reads the newest entries from a cache of its own.
const logMemory = 32 << 20

// Open opens the replica in o.Dir, which is made if it is missing, and joins the others.
// It does not wait for a leader: Do and View do.
func Open(o Options) (_ *Store, err error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	on := filesOf(&o)
	if err := on.makeDir(o.Dir); err != nil {
		return nil, err
	}
	s := &Store{opts: o, teller: teller{fn: o.OnEvent}, started: make(chan struct{}), closing: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.log, err = OpenLogStore(path.Join(o.Dir, "log"), &siltstone.Options{MemoryLimit: logMemory, FS: on.FS}); err != nil {
		return nil, err
	}
	taken, err := openSnapshots(on, path.Join(o.Dir, "snapshots"))
	if err != nil {
		return nil, err
	}
	s.machine = &machine{cfg: &s.opts, on: on, commands: o.Commands, closing: s.closing, snapshots: taken, stop: s.stopped, full: s.standAside, tell: s.note, members: make(chan struct{}, 1)}
	if err := s.machine.start(); err != nil {
		return nil, err
	}
	if s.net, err = openNetwork(&s.opts, s.answer); err != nil {
		return nil, err
	}
	taken.stalled = s.net.dropSilent
	if err := s.startRaft(taken); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.serving = true
	s.mu.Unlock()
	close(s.started)
	s.work.Go(s.keep)
	s.work.Go(s.watch)
	return s, nil
}

// start opens the store that counts. If raft has a newer snapshot, since the process
// ended between the two, that is restored first.
func (m *machine) start() error {
	number, err := findState(m.on, m.cfg.Dir)
	if err != nil {
		return err
	}
	db, spaces, at, err := m.open(stateDir(m.cfg.Dir, number))
	if err != nil {
		return err
	}
	m.use(db, number, spaces, at)
	all, err := m.snapshots.list()
	if err != nil || len(all) == 0 || all[0].Index <= at.index {
		return err
	}
	_, r, err := m.snapshots.Open(all[0].Raft.ID)
	if err != nil {
		return err
	}
	return m.Restore(r)
}

func (s *Store) startRaft(taken *snapshots) error {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(s.opts.ID)
	c.NoSnapshotRestoreOnStart = true // the store is there, and start has seen to it
	c.ShutdownOnRemove = false        // a leader that was removed may be added again
	c.LogOutput = s.opts.LogOutput
	if s.opts.LogOutput == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if s.opts.Raft != nil {
		s.opts.Raft(c)
	}
	transport := &transport{ask: s.askTables, sent: func(e SnapshotSent) { s.note(e) }, renew: s.renew, refused: map[raft.ServerID]bool{}}
	transport.NetworkTransport = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: s.net, MaxPool: 3, Timeout: 10 * time.Second, Logger: hclog.NewNullLogger(),
	})
	logs, err := newRaftLog(s.log, taken)
	if err != nil {
		return errors.Join(err, transport.Close())
	}
	if len(s.opts.Bootstrap) > 0 {
		if err := bootstrap(c, s.log, taken, transport, s.opts.Bootstrap); err != nil {
			return errors.Join(err, transport.Close())
		}
	}
	notes := &stable{s.log, s.closing, func() {
		<-s.started
		s.shutdown()
	}, s.giveUp}
	logs.giveUp = s.giveUp
	if s.raft, err = newRaft(c, s.machine, logs, notes, taken, transport); err != nil {
		return errors.Join(err, transport.Close())
	}
	s.shutdown = sync.OnceValue(s.raft.Shutdown) // raft itself tells only the first who asks when it has ended
	return nil
}

// newRaft is raft.NewRaft, but that an entry which cannot be read is an error and no panic.
func newRaft(c *raft.Config, m *machine, logs raft.LogStore, notes raft.StableStore, taken raft.SnapshotStore, t raft.Transport) (r *raft.Raft, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("raftstore: raft does not start: %v", p)
			if cause, is := p.(error); is {
				err = fmt.Errorf("raftstore: raft does not start: %w", cause)
			}
		}
	}()
	return raft.NewRaft(c, m, logs, notes, taken, t)
}

// giveUp stops a replica whose log cannot be read, or takes no term: raft would panic. Once
// raft runs it does not return: raft's goroutine ends. Until then Open returns the error.
func (s *Store) giveUp(err error) error {
	select {
	case <-s.started:
	default:
		return err
	}
	_ = s.machine.fail(err) // it has been told
	runtime.Goexit()
	return err
}

// stopped ends raft on a replica that must not go on. It is called by raft's goroutine.
func (s *Store) stopped(err error) {
	<-s.started
	if !errors.Is(err, ErrClosed) {
		s.note(Stopped{err})
	}
	s.shutdown()
}

// renew takes a snapshot, and does not wait for it. It is called by raft's goroutine.
func (s *Store) renew() {
	<-s.started
	s.raft.Snapshot() // if it fails, the one there is will be refused again
}

// standAside has another replica lead, if this one does and cannot apply what it commits.
// It is called by raft's goroutine, again and again.
func (s *Store) standAside() {
	<-s.started
	if s.raft.State() == raft.Leader {
		s.raft.LeadershipTransfer() // if it fails it is asked for again
	}
}

// keep makes the state durable now and then, and tells the time while this node leads.
func (s *Store) keep() {
	every := s.opts.Tick
	if every <= 0 {
		every = time.Second
	}
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-s.closing:
			return
		case <-t.C:
		}
		if err := s.machine.settle(); err != nil {
			if !errors.Is(err, ErrClosed) && !errors.Is(err, ErrStopped) {
				s.machine.fail(err)
			}
			continue
		}
		at, _ := s.machine.place()
		if s.opts.Tick >= 0 && s.raft.State() == raft.Leader && time.Since(time.UnixMilli(at.time)) >= every {
			s.propose(proposal{kind: kindTick}) // a lost one comes again
		}
	}
}

// Close leaves the cluster's work to the others and closes the replica. It waits for the
// functions of View that run.
func (s *Store) Close() error {
	s.end.Do(func() {
		close(s.closing)
		var errs []error
		ended := func() error { return nil }
		if s.raft != nil {
			s.letGo()
			ended = s.shutdown().Error
		}
		if s.net != nil { // raft waits for a snapshot on its way as long as there is a connection
			errs = append(errs, s.net.Close())
		}
		errs = append(errs, ended())
		if s.net != nil {
			s.net.work.Wait()
		}
		s.work.Wait()
		if s.machine != nil {
			errs = append(errs, s.machine.close())
		}
		if s.log != nil {
			errs = append(errs, s.log.Close())
		}
		s.endErr = errors.Join(errs...)
	})
	return s.endErr
}

// enter notes a call that is about to wait for raft, and reports whether it may: leave
// ends it. Raft never answers what it has not finished when it is shut down, so Close waits
// for those calls first.
func (s *Store) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serving {
		s.waiting++
	}
	return s.serving
}

func (s *Store) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting--
}

// callsWaiting returns how many calls wait for raft.
func (s *Store) callsWaiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting
}

// letGo waits until no call waits for raft. A leader without the others gives up its calls
// when its lease ends; one that has stopped has given up all.
func (s *Store) letGo() {
	for {
		s.mu.Lock()
		s.serving = false
		n := s.waiting
		s.mu.Unlock()
		if n == 0 || s.raft.State() == raft.Shutdown {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func (s *Store) closed() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// Read says what a View may miss.
type Read uint8

const (
	// LinearizableRead shows every command that had returned anywhere before the call.
	// The leader asks a majority whether it still leads.
	LinearizableRead Read = 0
	// LeasedRead shows what the leader has, by the word of the leader: it believes that it
	// leads for raft's LeaderLeaseTimeout after it last heard from a majority. A leader
	// that was paused may answer once more before it notices, and so may one whose clock
	// runs far slower than the others'.
	LeasedRead Read = 1
	// LocalRead shows what this replica has applied, and asks nobody.
	LocalRead Read = 2
)

func (r Read) String() string {
	switch r {
	case LinearizableRead:
		return "linearizable"
	case LeasedRead:
		return "leased"
	case LocalRead:
		return "local"
	}
	return fmt.Sprintf("read(%d)", uint8(r))
}

// View runs fn in a read-only transaction on this replica's store, at the time of the
// last command in it. In addresses keyspaces. fn holds up the restoring of a snapshot,
// and Close, and must not call View or Close itself.
func (s *Store) View(ctx context.Context, r Read, fn func(tx *siltstone.Tx) error) error {
	if ctx == nil || fn == nil {
		return errors.New("raftstore: View without a context or function")
	}
	if r > LocalRead {
		return fmt.Errorf("raftstore: there is no %v", r)
	}
	if r != LocalRead {
		index, err := s.readIndex(ctx, r)
		if err != nil {
			return err
		}
		if err := s.machine.wait(ctx, index); err != nil {
			return err
		}
	}
	if s.closed() {
		return ErrClosed
	}
	return s.machine.view(ctx, fn)
}
