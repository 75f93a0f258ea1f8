package resp

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone"
)

// conn is one connection. Its goroutine reads, runs and writes; nobody else does for it,
// but a command that wakes a client which waits for a key (see waiter).
type conn struct {
	s       *Server
	nc      net.Conn
	id      int64
	started time.Time

	in    reader
	ahead ahead
	call  call // the command being run, with its output
	last  struct {
		name []byte // as the client wrote it
		cmd  *command
	}

	user    login
	known   bool        // has logged in, or need not
	failed  int         // attempts to log in
	closing bool        // after the replies there are
	wrote   bool        // something that has not reached the durability level, maybe
	held    int         // bytes of buffers
	heldOut int         // of these, of the output
	striped *sync.Mutex // see stripes

	multi multi
	subs  subscriptions

	writeUntil time.Time // the deadline of writes
	lastRan    int64     // commands at the time of the last deadline of reads
	ran        atomic.Int64
	active     atomic.Int64 // time of the last command, unix seconds
	info       atomic.Pointer[clientInfo]

	mu     sync.Mutex // guards what others may change
	pushed []byte     // messages that nobody has written yet
	armed  bool       // the read deadline is the one of idle connections
	ending bool       // the server closes, or somebody ends this client
	waiter *waiter    // in a blocking command
}

// clientInfo is what CLIENT LIST tells of a connection.
type clientInfo struct {
	name, user, lib, libVersion, space string
	proto                              int
}

func newConn(s *Server, nc net.Conn, id int64) *conn {
	c := &conn{s: s, nc: nc, id: id, started: time.Now()}
	c.call.c, c.call.s = c, s
	c.call.out.proto = 2
	c.call.space = s.db
	c.info.Store(&clientInfo{user: defaultUser, proto: 2})
	c.active.Store(c.started.Unix())
	c.known = len(s.logins) == 0
	c.user = login{name: defaultUser}
	c.setLimits()
	return c
}

// setLimits follows whether the client has logged in.
func (c *conn) setLimits() {
	most := c.s.opts.MaxCommandBytes
	c.in.limits = limits{args: maxArgs, bulk: most, total: most}
	if !c.known {
		c.in.limits = strangerLimits
	}
}

// The errors that end a connection without a reply.
var (
	errIdle   = errors.New("idle")
	errEnding = errors.New("ending")
)

// serve runs commands until the connection ends.
func (c *conn) serve() {
	defer c.end()
	for !c.closing {
		args, err := c.next()
		switch {
		case err != nil:
			c.call.out.error("ERR " + err.Error())
			c.closing = true
		case args != nil:
			c.run(args)
			if len(c.call.out.buf) < flushAt {
				continue
			}
			err = c.flush()
		default:
			if err = c.flush(); err == nil {
				// While others run, the next command of this client arrives: mostly there is no
				// need to look for it in vain, sleep and be woken.
				runtime.Gosched()
				err = c.fill()
			}
		}
		if err != nil && !c.closing {
			return
		}
	}
	_ = c.flush()
}

// end gives everything back. A panic of a command ends its connection and no other.
func (c *conn) end() {
	if p := recover(); p != nil {
		c.s.opts.Logger.Error("a command panicked", "command", c.call.name(), "panic", p, "stack", string(debug.Stack()))
	}
	c.unstripe()
	c.unwatch()
	c.s.interest.leave(c)
	c.s.channels.leave(c)
	c.s.forget(c)
	c.grow(-c.held)
	c.wake(func() {
		c.ending = true // nobody leaves messages any more
		c.s.buffers.Add(-int64(len(c.pushed)))
		c.pushed = nil
	})
	_ = c.nc.Close()
}

// flushAt is how much is written before more commands of a pipeline run.
const flushAt = 64 << 10

// flush waits until what was written is as durable as was asked for, and sends the
// replies.
func (c *conn) flush() error {
	c.unstripe()
	out := &c.call.out
	if c.wrote {
		c.wrote = false
		// First those whose commands have arrived run them, so that one write to the log
		// carries what all of them wrote, and nobody waits for it in a queue.
		runtime.Gosched()
		if err := c.s.harden(); err != nil {
			out.buf = out.buf[:0]
			out.error(errorText(err))
			c.closing = true
		}
	}
	if len(out.buf) == 0 {
		return nil
	}
	now := time.Now()
	c.active.Store(now.Unix())
	if c.writeUntil.Sub(now) < c.s.opts.WriteTimeout/2 {
		c.writeUntil = now.Add(c.s.opts.WriteTimeout)
		c.mu.Lock()
		ending := c.ending
		c.mu.Unlock()
		if !ending { // Close has set a nearer one
			_ = c.nc.SetWriteDeadline(c.writeUntil)
		}
	}
	_, err := c.nc.Write(out.buf)
	out.buf = out.buf[:0]
	if cap(out.buf) > keptBuffer {
		out.buf = nil
		c.grow(-c.heldOut)
		c.heldOut = 0
	}
	return err
}

// harden waits until all commits have reached the level of the server.
func (s *Server) harden() error {
	if s.opts.Durability == siltstone.DefaultDurability {
		return nil
	}
	var none siltstone.Batch
	return s.db.Apply(&none, s.opts.Durability)
}

// fill reads what has arrived. While it waits others may wake it, for messages that they
// have left, or to end.
func (c *conn) fill() error {
	for {
		room, ok := c.in.room(c.grow)
		if !ok {
			c.call.out.error(string(errBuffersFull))
			c.closing = true
			return nil
		}
		switch pushed, err := c.prepare(time.Time{}); {
		case err != nil:
			return err
		case pushed:
			if err := c.flush(); err != nil {
				return err
			}
			continue
		}
		n, err := c.nc.Read(room)
		c.in.arrived(n)
		switch {
		case n > 0:
			return nil
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case c.isIdle():
			return errIdle
		}
	}
}

// prepare takes the messages that were left and sets the deadline of the next read: until,
// or the one of idle connections. Whoever wakes the connection later ends that read.
func (c *conn) prepare(until time.Time) (pushed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending {
		return false, errEnding
	}
	if len(c.pushed) > 0 {
		c.call.out.buf = append(c.call.out.buf, c.pushed...)
		c.s.buffers.Add(-int64(len(c.pushed)))
		c.pushed = c.pushed[:0]
		return true, nil
	}
	switch {
	case !until.IsZero():
		c.armed = false
		return false, c.nc.SetReadDeadline(until)
	case c.armed:
		return false, nil
	}
	c.armed = true
	c.lastRan = c.ran.Load()
	switch wait := c.patience(); {
	case wait < 0:
		return false, c.nc.SetReadDeadline(time.Time{})
	default:
		return false, c.nc.SetReadDeadline(time.Now().Add(wait))
	}
}

// patience is how long the client may be silent. Whoever has subscribed listens.
func (c *conn) patience() time.Duration {
	switch {
	case !c.known:
		return min(c.s.opts.WriteTimeout, 10*time.Second)
	case c.subs.count() > 0:
		return -1
	}
	return c.s.opts.IdleTimeout
}

// isIdle says of a read that met its deadline whether the client was silent all the time.
// The deadline stands since the command before it: a second one may be needed.
func (c *conn) isIdle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.armed {
		return false // somebody woke it
	}
	c.armed = false
	return c.lastRan == c.ran.Load() && c.subs.count() == 0
}

// wake changes something of the connection, and ends the read that it may be in.
func (c *conn) wake(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	c.armed = false
	_ = c.nc.SetReadDeadline(time.Unix(1, 0))
}

// kill ends the connection: at once, for a client that does not read.
func (c *conn) kill() {
	c.wake(func() { c.ending = true })
	_ = c.nc.Close()
}

// grow notes that the buffers of the connection become larger by n bytes, and reports
// whether there is room for them. A smaller n than 0 always fits.
func (c *conn) grow(n int) bool {
	before := max(c.held-keptBuffer, 0)
	after := max(c.held+n-keptBuffer, 0)
	if after > before {
		if all := c.s.buffers.Add(int64(after - before)); all > c.s.opts.MaxBufferBytes {
			c.s.buffers.Add(int64(before - after))
			return false
		}
	} else if after < before {
		c.s.buffers.Add(int64(after - before))
	}
	c.held += n
	return true
}

// remembered is what the server takes for a name that it remembers for a connection: of a
// channel, or of a key that is watched.
func remembered[T string | []byte](name T) int { return len(name) + 256 }

// wait sleeps until somebody has served the waiter, its time is over, or the client has
// gone. What the client sends meanwhile stays in the buffer.
func (c *conn) wait(w *waiter) error {
	for {
		again := w.wakeAt()
		room, pushed, ended, err := c.beforeListening(w, again)
		if err != nil || ended {
			return err
		}
		if pushed != nil {
			if _, err := c.nc.Write(pushed); err != nil {
				return err
			}
			continue
		}
		if err := c.listen(room, again); err != nil {
			return err
		}
		if !time.Now().Before(again) {
			c.s.retry(w)
		}
	}
}

// beforeListening returns room to read ahead into, nil if enough has been read, messages to
// write first, and whether the waiter has been served. The one who serves it uses the connection's output and counts
// its buffers: so the same lock is held here.
func (c *conn) beforeListening(w *waiter, until time.Time) (room, pushed []byte, ended bool, err error) {
	c.s.interest.mu.Lock()
	defer c.s.interest.mu.Unlock()
	if w.ended {
		return nil, nil, true, nil
	}
	some, err := c.prepare(until)
	switch {
	case err != nil:
		return nil, nil, false, err
	case some: // the client has subscribed, and waits for a key as well
		pushed, c.call.out.buf = c.call.out.buf, nil
		return nil, pushed, false, nil
	case c.in.end-c.in.start >= keptBuffer/2:
		return nil, nil, false, nil
	}
	room, ok := c.in.room(c.grow)
	if !ok {
		return nil, nil, false, io.ErrShortBuffer
	}
	return room, nil, false, nil
}

// listen reads ahead until the deadline, so that it notices the end of the client. Without
// room it sleeps: a client that sends as much is not looked at until its command ends.
func (c *conn) listen(room []byte, until time.Time) error {
	if room == nil {
		timer := time.NewTimer(min(time.Until(until), 50*time.Millisecond))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.s.done:
		}
		return nil
	}
	n, err := c.nc.Read(room)
	c.in.arrived(n)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return nil
}
