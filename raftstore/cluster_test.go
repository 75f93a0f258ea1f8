package raftstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/siltstonedb/siltstone"
)

var bg = context.Background()

// A cluster is replicas in this process, on loopback, whose connections a test cuts.
type cluster struct {
	t     testing.TB
	dir   string
	tune  func(*raft.Config)
	nodes []*node
	links links
}

// node is a replica; s is nil while it is down.
type node struct {
	mu   sync.Mutex
	s    *Store
	opts Options
}

func (n *node) store() *Store {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.s
}

// quick makes raft elect and notice within a fraction of a second, also on a machine that
// is busy.
func quick(c *raft.Config) {
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = 300*time.Millisecond, 300*time.Millisecond, 200*time.Millisecond
	c.CommitTimeout = 5 * time.Millisecond
}

// often makes it take snapshots all the time, and keep little of the log.
func often(c *raft.Config) {
	quick(c)
	c.SnapshotInterval, c.SnapshotThreshold, c.TrailingLogs = 250*time.Millisecond, 50, 10
}

func listener(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// emptyCluster returns a cluster without replicas.
func emptyCluster(t testing.TB, tune func(*raft.Config)) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir(), tune: tune, links: links{cut: map[[2]string]bool{}, conns: map[net.Conn][2]string{}}}
	t.Cleanup(c.close)
	return c
}

func newCluster(t testing.TB, n int, tune func(*raft.Config)) *cluster {
	t.Helper()
	c := emptyCluster(t, tune)
	var members []Member
	var listeners []net.Listener
	for i := range n {
		l := listener(t)
		listeners = append(listeners, l)
		members = append(members, Member{ID: fmt.Sprintf("n%d", i), Addr: l.Addr().String()})
	}
	for i, m := range members {
		c.add(m, members, listeners[i])
	}
	return c
}

// add opens a replica.
func (c *cluster) add(m Member, bootstrap []Member, l net.Listener) *node {
	c.t.Helper()
	n := &node{opts: Options{
		ID: m.ID, Addr: m.Addr, Dir: filepath.Join(c.dir, m.ID), Commands: &testCommands, Keyspaces: []string{"registers"},
		Bootstrap: bootstrap, Store: &siltstone.Options{MemoryLimit: 8 << 20}, Tick: 50 * time.Millisecond,
		Raft: c.tune, Dial: c.links.dial(m.Addr),
	}}
	c.nodes = append(c.nodes, n)
	c.start(n, l)
	return n
}

// join opens an empty replica and adds it as a voter.
func (c *cluster) join(id string) *node {
	c.t.Helper()
	return c.joinBy(id, (*Store).AddVoter)
}

// joinBy opens an empty replica and adds it by a call of the leader.
func (c *cluster) joinBy(id string, add func(s *Store, id, addr string) error) *node {
	c.t.Helper()
	l := listener(c.t)
	n := c.add(Member{ID: id, Addr: l.Addr().String()}, nil, l)
	if err := add(c.leader().store(), id, l.Addr().String()); err != nil {
		c.t.Fatal(err)
	}
	return n
}

func (c *cluster) start(n *node, l net.Listener) {
	c.t.Helper()
	o := n.opts
	o.Listener = l
	s, err := Open(o)
	if err != nil {
		c.t.Fatal(err)
	}
	n.mu.Lock()
	n.s = s
	n.mu.Unlock()
}

func (c *cluster) stop(n *node) {
	c.t.Helper()
	n.mu.Lock()
	s := n.s
	n.s = nil
	n.mu.Unlock()
	if s != nil {
		if err := s.Close(); err != nil {
			c.t.Error(err)
		}
	}
}

func (c *cluster) close() {
	for _, n := range c.nodes {
		c.stop(n)
	}
}

// leader waits for one.
func (c *cluster) leader() *node {
	c.t.Helper()
	for range 3000 {
		for _, n := range c.nodes {
			if s := n.store(); s != nil && s.raft.State() == raft.Leader {
				return n
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.t.Fatal("there is no leader")
	return nil
}

// follower returns a node that does not lead.
func (c *cluster) follower() *node {
	lead := c.leader()
	for _, n := range c.nodes {
		if n != lead && n.store() != nil {
			return n
		}
	}
	return nil
}

// equal waits until all replicas are at one index, and compares them.
func (c *cluster) equal() {
	c.t.Helper()
	c.leader()
	for range 600 {
		var first Checksum
		same, sums := true, ""
		for i, n := range c.nodes {
			sum, err := n.store().Checksum(bg)
			if err != nil {
				c.t.Fatal(err)
			}
			sums += fmt.Sprintf(" %s: %v", n.opts.ID, sum)
			if i == 0 {
				first = sum
			}
			if same = same && sum.Index == first.Index; same && sum != first {
				c.t.Fatalf("replicas differ:%s", sums)
			}
		}
		if same {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	c.t.Fatal("the replicas do not come to one index")
}

func (c *cluster) get(n *node, r Read, key string) (value string) {
	c.t.Helper()
	err := n.store().View(bg, r, func(tx *siltstone.Tx) error {
		in, err := In(tx, "registers")
		if err != nil {
			return err
		}
		v, err := in.Get([]byte(key))
		if value = string(v); errors.Is(err, siltstone.ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return value
}
