package resp

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone"
)

// ErrServerClosed is what Serve returns after Close.
var ErrServerClosed = errors.New("resp: server closed")

// Server answers the commands of Redis over a store. All methods are safe for concurrent
// use. The store is closed by whoever opened it, after Close.
type Server struct {
	db      *siltstone.DB
	opts    Options
	logins  map[string]login
	started time.Time

	ctx    context.Context // of all transactions; ended when Close has waited a while
	cancel context.CancelFunc
	done   chan struct{} // closed by Close

	// writes is held shared by a command that writes, until those who are interested in
	// its keys know, and by EXEC of a client that watches keys exclusively: so nothing is
	// written between its look at the keys and its commit, or is noticed by neither.
	writes   sync.RWMutex
	interest interest
	stripes  stripes
	striped  bool
	channels channels
	cursors  cursors
	config   config

	mu        sync.Mutex
	conns     map[int64]*conn
	listeners map[net.Listener]struct{}
	lastID    int64
	closed    bool
	running   sync.WaitGroup

	buffers  atomic.Int64 // bytes beyond each connection's own, see Options.MaxBufferBytes
	served   atomic.Int64 // connections that were accepted
	refused  atomic.Int64 // that were not
	commands atomic.Int64 // that connections that ended have run
}

// NewServer returns a server for db. It serves for reading unless Options say otherwise,
// so that an embedded store can be looked into with redis-cli:
//
//	s, err := resp.NewServer(db, nil)
//	l, err := net.Listen("tcp", "127.0.0.1:6379")
//	go s.Serve(l)
//	defer s.Close()
func NewServer(db *siltstone.DB, o *Options) (*Server, error) {
	if db == nil {
		return nil, errors.New("resp: the store is nil")
	}
	s := &Server{
		db: db, started: time.Now(), done: make(chan struct{}),
		conns: map[int64]*conn{}, listeners: map[net.Listener]struct{}{},
	}
	if o != nil {
		s.opts = *o
	}
	if err := s.opts.fill(); err != nil {
		return nil, err
	}
	var err error
	if s.logins, err = s.opts.logins(); err != nil {
		return nil, err
	}
	s.striped = db.Options().Durability == siltstone.BufferedDurability
	if s.opts.Durability == db.Options().Durability {
		s.opts.Durability = siltstone.DefaultDurability // commits wait by themselves
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.config.init(&s.opts)
	return s, nil
}

// Serve accepts connections of l, and serves each in a goroutine of its own, until l fails
// or Close is called; then the error is ErrServerClosed. For TLS give it a tls.Listener.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errors.Join(ErrServerClosed, l.Close())
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
	}()
	for pause := time.Duration(0); ; {
		nc, err := l.Accept()
		if err == nil {
			pause = 0
			go s.ServeConn(nc)
			continue
		}
		if s.isClosed() {
			return ErrServerClosed
		}
		if !passing(err) {
			return err
		}
		// Of descriptors there are none left for a moment: others may end meanwhile.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.opts.Logger.Warn("accepting a connection failed", "error", err, "pause", pause)
		select {
		case <-time.After(pause):
		case <-s.done:
		}
	}
}

// passing reports whether another Accept may succeed after this error.
func passing(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && !errors.Is(err, net.ErrClosed)
}

func (s *Server) isClosed() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// ServeConn serves one connection until it ends, and closes it. For a connection that
// comes by another way than a listener.
func (s *Server) ServeConn(nc net.Conn) {
	c, err := s.admit(nc)
	if err != nil {
		s.refused.Add(1)
		_ = nc.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = nc.Write([]byte("-" + err.Error() + "\r\n"))
		_ = nc.Close()
		return
	}
	defer s.running.Done()
	c.serve()
}

// admit registers a connection.
func (s *Server) admit(nc net.Conn) (*conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, replyError("ERR server closed")
	case len(s.conns) >= s.opts.MaxClients:
		return nil, replyError("ERR max number of clients reached")
	}
	s.lastID++
	s.served.Add(1)
	c := newConn(s, nc, s.lastID)
	s.conns[c.id] = c
	s.running.Add(1)
	return c, nil
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c.id)
	s.mu.Unlock()
	s.commands.Add(c.ran.Load())
}

// grace is how long Close lets commands run and replies be written.
const grace = time.Second

// Close stops accepting, lets commands that are running end, and closes all connections.
// It returns when none is left.
func (s *Server) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.done)
	}
	for l := range s.listeners {
		_ = l.Close()
	}
	for _, c := range s.conns {
		_ = c.nc.SetWriteDeadline(time.Now().Add(grace))
		c.wake(func() { c.ending = true })
	}
	s.mu.Unlock()
	late := time.AfterFunc(grace, s.cancel)
	s.running.Wait()
	late.Stop()
	s.cancel()
	return nil
}

// clients returns the connections in the order of their numbers.
func (s *Server) clients() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*conn, 0, len(s.conns))
	for _, c := range s.conns {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *conn) int { return cmp.Compare(a.id, b.id) })
	return all
}

func (s *Server) client(id int64) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[id]
}
