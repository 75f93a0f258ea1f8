//go:build unix

package raftstore

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// proxy is the way from one process to another: a port of its own, which the test cuts,
// silences or slows down.
type proxy struct {
	listener net.Listener
	work     sync.WaitGroup

	mu    sync.Mutex
	to    string // where the other one listens; empty: nowhere
	state linkState
	back  chan struct{} // closed when a silent one is no longer so
	conns map[net.Conn]bool
	done  bool
}

// linkState is how a link is.
type linkState struct {
	cut    bool          // connections end, and none is made
	silent bool          // what is sent arrives when it is over
	delay  time.Duration // of each piece that is sent
}

func newProxy(t testing.TB) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, back: make(chan struct{}), conns: map[net.Conn]bool{}}
	p.work.Go(p.accept)
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.work.Go(func() { p.join(c) })
	}
}

// join connects an accepted connection with the other process.
func (p *proxy) join(c net.Conn) {
	defer c.Close()
	p.mu.Lock()
	to := p.to
	p.mu.Unlock()
	if to == "" || !p.keep(c) {
		return
	}
	defer p.forget(c)
	d, err := net.DialTimeout("tcp", to, time.Second)
	if err != nil {
		return
	}
	defer d.Close()
	if !p.keep(d) {
		return
	}
	defer p.forget(d)
	var both sync.WaitGroup
	both.Go(func() { p.copy(d, c) })
	p.copy(c, d)
	both.Wait()
}

// copy passes bytes on until either end is closed, and closes both.
func (p *proxy) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if err != nil || !p.pass() {
			return
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// pass waits as the link has it, and reports whether the bytes arrive.
func (p *proxy) pass() bool {
	for {
		p.mu.Lock()
		s, back, done := p.state, p.back, p.done
		p.mu.Unlock()
		if s.cut || done {
			return false
		}
		if !s.silent {
			time.Sleep(s.delay)
			return true
		}
		<-back
	}
}

func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state.cut || p.done {
		return false
	}
	p.conns[c] = true
	return true
}

func (p *proxy) forget(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// set says where the link leads and how it is.
func (p *proxy) set(change func(to *string, s *linkState)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.to
	change(&p.to, &p.state)
	close(p.back)
	p.back = make(chan struct{})
	if p.state.cut || p.to != before {
		p.endLocked()
	}
}

func (p *proxy) endLocked() {
	for c := range p.conns {
		_ = c.Close() // the other side of the copy closes it, too
	}
}

func (p *proxy) close() {
	p.listener.Close()
	p.mu.Lock()
	p.done = true
	close(p.back)
	p.endLocked()
	p.mu.Unlock()
	p.work.Wait()
}

func TestAProxyPassesCutsAndHoldsBack(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(c, c)
			c.Close()
		}
	}()
	p := newProxy(t)
	defer p.close()
	p.set(func(to *string, _ *linkState) { *to = l.Addr().String() })
	c, err := net.Dial("tcp", p.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	echo := func(atMost time.Duration) error {
		_ = c.SetDeadline(time.Now().Add(atMost))
		if _, err := c.Write([]byte("x")); err != nil {
			return err
		}
		_, err := io.ReadFull(c, make([]byte, 1))
		return err
	}
	if err := echo(time.Minute); err != nil {
		t.Fatal(err)
	}
	p.set(func(_ *string, s *linkState) { s.silent = true })
	if err := echo(50 * time.Millisecond); err == nil {
		t.Error("a silent link answers")
	}
	p.set(func(_ *string, s *linkState) { *s = linkState{} })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Errorf("what was sent while it was silent: %v", err)
	}
	p.set(func(_ *string, s *linkState) { s.cut = true })
	if err := echo(time.Minute); err == nil {
		t.Error("a cut link answers")
	}
}
