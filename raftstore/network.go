package raftstore

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// network is the one port of a replica. The first byte of a connection says what it is
// for: 'R' is raft's, 'Q' asks the replica, mostly one that leads. With TLS both are inside it.
//
// A question is its length (4 bytes, big-endian) and its bytes, and so is the answer; one
// follows the other.
type network struct {
	listener net.Listener
	dial     func(ctx context.Context, addr string) (net.Conn, error)
	tls      *tls.Config
	addr     net.Addr
	answer   func(question []byte) []byte

	raft   chan net.Conn
	closed chan struct{}
	end    sync.Once
	work   sync.WaitGroup

	sent, received atomic.Int64 // bytes

	mu    sync.Mutex
	conns map[*tracked]struct{} // accepted ones, and those of raft
	idle  map[string][]net.Conn // for questions
}

const (
	forRaft      = 'R'
	forQuestions = 'Q'

	greetTimeout = 10 * time.Second // for the first byte, TLS included
	maxIdle      = 16               // connections kept to an address
	maxAnswer    = maxProposal + 1<<10
)

var _ raft.StreamLayer = (*network)(nil)

// address is a net.Addr of a text.
type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }

func openNetwork(o *Options, answer func([]byte) []byte) (*network, error) {
	n := &network{
		listener: o.Listener, dial: o.Dial, tls: o.TLS, addr: address(o.Addr), answer: answer,
		raft: make(chan net.Conn), closed: make(chan struct{}), conns: map[*tracked]struct{}{}, idle: map[string][]net.Conn{},
	}
	if n.dial == nil {
		n.dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}
	}
	if n.listener == nil {
		var err error
		if n.listener, err = net.Listen("tcp", o.Addr); err != nil {
			return nil, err
		}
	}
	n.work.Go(n.listen)
	return n, nil
}

func (n *network) listen() {
	for {
		c, err := n.listener.Accept()
		if err != nil {
			select {
			case <-n.closed:
				return
			case <-time.After(10 * time.Millisecond): // out of descriptors, say
				continue
			}
		}
		n.work.Go(func() { n.greet(&counted{c, n}) })
	}
}

// greet reads what a connection is for.
func (n *network) greet(c net.Conn) {
	if n.tls != nil {
		c = tls.Server(c, n.tls)
	}
	var b [1]byte
	_ = c.SetDeadline(time.Now().Add(greetTimeout)) // an error shows in the read
	if _, err := io.ReadFull(c, b[:]); err != nil {
		c.Close()
		return
	}
	_ = c.SetDeadline(time.Time{})
	switch b[0] {
	case forRaft:
		if c = n.track(c); c == nil {
			return
		}
		select {
		case n.raft <- c:
		case <-n.closed:
			c.Close()
		}
	case forQuestions:
		n.answerAll(c)
	default:
		c.Close()
	}
}

// answerAll answers the questions of a connection until it ends.
func (n *network) answerAll(c net.Conn) {
	if c = n.track(c); c == nil {
		return
	}
	defer c.Close()
	for {
		question, err := readMessage(c)
		if err != nil {
			return
		}
		if err := writeMessage(c, n.answer(question)); err != nil {
			return
		}
	}
}

// counted is a connection whose bytes count.
type counted struct {
	net.Conn
	of *network
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.of.received.Add(int64(n))
	return n, err
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.of.sent.Add(int64(n))
	return n, err
}

// tracked is a connection that Close of the network ends.
type tracked struct {
	net.Conn
	of    *network
	heard atomic.Int64 // when a Read has returned, in nanoseconds since 1970
}

func (t *tracked) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.heard.Store(time.Now().UnixNano())
	return n, err
}

func (t *tracked) Close() error {
	t.of.mu.Lock()
	delete(t.of.conns, t)
	t.of.mu.Unlock()
	return t.Conn.Close()
}

// track notes a connection. It closes it and returns nil if the network has ended.
func (n *network) track(c net.Conn) net.Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.closed:
		c.Close()
		return nil
	default:
	}
	t := &tracked{Conn: c, of: n}
	t.heard.Store(time.Now().UnixNano())
	n.conns[t] = struct{}{}
	return t
}

// dropSilent closes the connections on which nothing has come for so long. Others are made
// when they are needed.
func (n *network) dropSilent(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for t := range n.conns {
		if time.Since(time.Unix(0, t.heard.Load())) >= d {
			t.Conn.Close()
		}
	}
}

func readMessage(r io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	left := int64(binary.BigEndian.Uint32(length[:]))
	if left > maxAnswer {
		return nil, fmt.Errorf("raftstore: a message of %d bytes, at most %d", left, maxAnswer)
	}
	// As much memory as bytes have come: the length alone takes none.
	b, err := io.ReadAll(io.LimitReader(r, left))
	if err == nil && int64(len(b)) < left {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

func writeMessage(w io.Writer, b []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
	return err
}

// connect makes a connection for a purpose.
func (n *network) connect(ctx context.Context, addr string, purpose byte) (net.Conn, error) {
	c, err := n.dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	c = &counted{c, n}
	if n.tls != nil {
		cfg := n.tls.Clone()
		if cfg.ServerName == "" {
			if cfg.ServerName, _, err = net.SplitHostPort(addr); err != nil {
				c.Close()
				return nil, err
			}
		}
		t := tls.Client(c, cfg)
		if err := t.HandshakeContext(ctx); err != nil {
			c.Close()
			return nil, err
		}
		c = t
	}
	if _, err := c.Write([]byte{purpose}); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// ask sends a question to addr and returns the answer. If sent is false the question has
// not left this node.
func (n *network) ask(ctx context.Context, addr string, question []byte) (answer []byte, sent bool, err error) {
	c := n.takeIdle(addr)
	if c == nil {
		if c, err = n.connect(ctx, addr, forQuestions); err != nil {
			return nil, false, err
		}
	}
	answer, err = n.exchange(ctx, addr, c, question)
	return answer, true, err
}

// askAnew is ask on a new connection: one that was idle may have ended with the process at
// its other end.
func (n *network) askAnew(ctx context.Context, addr string, question []byte) ([]byte, error) {
	c, err := n.connect(ctx, addr, forQuestions)
	if err != nil {
		return nil, err
	}
	return n.exchange(ctx, addr, c, question)
}

// exchange sends a question on c and returns the answer.
func (n *network) exchange(ctx context.Context, addr string, c net.Conn, question []byte) (answer []byte, err error) {
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	err = writeMessage(c, question)
	if err == nil {
		answer, err = readMessage(c)
	}
	if !stop() || err != nil {
		c.Close()
		if ctx.Err() != nil && err != nil {
			err = ctx.Err()
		}
		return answer, err
	}
	n.putIdle(addr, c)
	return answer, nil
}

func (n *network) takeIdle(addr string) net.Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.idle[addr]
	if len(all) == 0 {
		return nil
	}
	n.idle[addr] = all[:len(all)-1]
	return all[len(all)-1]
}

func (n *network) putIdle(addr string, c net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.closed:
		c.Close()
		return
	default:
	}
	if len(n.idle[addr]) >= maxIdle {
		c.Close()
		return
	}
	n.idle[addr] = append(n.idle[addr], c)
}

// Accept implements raft.StreamLayer.
func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.raft:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

// Close implements raft.StreamLayer. It ends every connection that was accepted, those of
// raft, and the idle ones.
func (n *network) Close() error {
	var err error
	n.end.Do(func() {
		n.mu.Lock()
		close(n.closed)
		for c := range n.conns {
			c.Conn.Close()
		}
		for _, all := range n.idle {
			for _, c := range all {
				c.Close()
			}
		}
		n.mu.Unlock()
		err = n.listener.Close()
	})
	return err
}

// Addr implements raft.StreamLayer.
func (n *network) Addr() net.Addr { return n.addr }

// Dial implements raft.StreamLayer.
func (n *network) Dial(addr raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	c, err := n.connect(ctx, string(addr), forRaft)
	if err != nil {
		return nil, err
	}
	if c = n.track(c); c == nil {
		return nil, net.ErrClosed
	}
	return c, nil
}
