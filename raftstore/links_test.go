package raftstore

import (
	"context"
	"errors"
	"net"
	"sync"
)

// links are the connections between nodes, by their addresses.
type links struct {
	mu    sync.Mutex
	cut   map[[2]string]bool
	conns map[net.Conn][2]string
}

// link is a connection that is forgotten when it is closed.
type link struct {
	net.Conn
	of *links
}

func (l *link) Close() error {
	l.of.mu.Lock()
	delete(l.of.conns, l)
	l.of.mu.Unlock()
	return l.Conn.Close()
}

func (l *links) dial(from string) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, to string) (net.Conn, error) {
		ends := [2]string{min(from, to), max(from, to)}
		l.mu.Lock()
		cut := l.cut[ends]
		l.mu.Unlock()
		if cut {
			return nil, errors.New("the link is cut")
		}
		c, err := new(net.Dialer).DialContext(ctx, "tcp", to)
		if err != nil {
			return nil, err
		}
		k := &link{c, l}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.conns[k] = ends
		if l.cut[ends] {
			c.Close()
		}
		return k, nil
	}
}

// isolate cuts a node off from all others; an empty address heals everything.
func (l *links) isolate(addr string, all []*node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.cut)
	for _, n := range all {
		if addr != "" && n.opts.Addr != addr {
			l.cut[[2]string{min(addr, n.opts.Addr), max(addr, n.opts.Addr)}] = true
		}
	}
	for c, ends := range l.conns {
		if l.cut[ends] {
			c.(*link).Conn.Close()
		}
	}
}
