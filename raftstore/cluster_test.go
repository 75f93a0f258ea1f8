package raftstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
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

// Commands of the tests.
type (
	setArg  struct{ Key, Value string }
	casArg  struct{ Key, Old, New string }
	tagArg  struct{ Key, Tag string }
	roamArg struct{ N int }
)

var (
	testCommands Commands

	setCommand = Register(&testCommands, "set", func(tx *siltstone.Tx, a setArg) (string, error) {
		in, err := In(tx, "registers")
		if err != nil {
			return "", err
		}
		return "", in.Put([]byte(a.Key), []byte(a.Value))
	})
	casCommand = Register(&testCommands, "cas", func(tx *siltstone.Tx, a casArg) (bool, error) {
		in, err := In(tx, "registers")
		if err != nil {
			return false, err
		}
		v, err := in.Get([]byte(a.Key))
		if err != nil && !errors.Is(err, siltstone.ErrNotFound) {
			return false, err
		}
		if string(v) != a.Old {
			return false, nil
		}
		return true, in.Put([]byte(a.Key), []byte(a.New))
	})
	// tag appends to a list, so that what was lost or done twice is seen.
	tagCommand = Register(&testCommands, "tag", func(tx *siltstone.Tx, a tagArg) (int64, error) {
		return tx.List(a.Key).PushBack([]byte(a.Tag))
	})
	// roam does what depends on time and chance.
	roamCommand = Register(&testCommands, "roam", func(tx *siltstone.Tx, a roamArg) ([]string, error) {
		set := tx.Set("roam")
		if _, err := set.Add(fmt.Sprint(a.N), fmt.Sprint(a.N*7)); err != nil {
			return nil, err
		}
		if _, err := set.AddTTL(time.Duration(1+a.N%50)*time.Millisecond, fmt.Sprint("soon ", a.N)); err != nil {
			return nil, err
		}
		got, err := set.Random(2)
		if err != nil {
			return nil, err
		}
		if n, err := set.Len(); err != nil {
			return nil, err
		} else if n > 120 {
			popped, err := set.Pop(20)
			if err != nil {
				return nil, err
			}
			got = append(got, popped...)
		}
		if err := tx.PutTTL(fmt.Appendf(nil, "ttl %d", a.N%100), []byte(fmt.Sprint(got)), time.Duration(1+a.N%300)*time.Millisecond); err != nil {
			return nil, err
		}
		if _, err := tx.Hash("drawn").Set(fmt.Sprint(a.N%50), []byte(fmt.Sprint(got, tx.Now().UnixNano()))); err != nil {
			return nil, err
		}
		if a.N%10 == 9 {
			return nil, fmt.Errorf("refused: %v", got) // and all of it is dropped
		}
		_, err = tx.ZSet("scores").Add(fmt.Sprint(a.N%200), float64(a.N))
		return got, err
	})
	// bulk returns more than a command may.
	bulkCommand = Register(&testCommands, "bulk", func(tx *siltstone.Tx, a int) (string, error) {
		return strings.Repeat("x", a), tx.Put([]byte("bulk"), nil)
	})
	_ = Register(&testCommands, "panics", func(tx *siltstone.Tx, a string) (string, error) {
		if err := tx.Put([]byte("panic"), nil); err != nil {
			return "", err
		}
		panic("at the disco of " + a)
	})
)

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

func newCluster(t testing.TB, n int, tune func(*raft.Config)) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir(), tune: tune, links: links{cut: map[[2]string]bool{}, conns: map[net.Conn][2]string{}}}
	t.Cleanup(c.close)
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

// join opens an empty replica and adds it.
func (c *cluster) join(id string) *node {
	c.t.Helper()
	l := listener(c.t)
	n := c.add(Member{ID: id, Addr: l.Addr().String()}, nil, l)
	if err := c.leader().store().AddVoter(id, l.Addr().String()); err != nil {
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

func TestEveryReplicaRunsWhatAnyWasAsked(t *testing.T) {
	c := newCluster(t, 3, quick)
	c.leader()
	for i, n := range c.nodes {
		value := fmt.Sprint("by ", n.opts.ID)
		if _, err := setCommand.Do(bg, n.store(), setArg{"k", value}); err != nil {
			t.Fatal(err)
		}
		for _, r := range []Read{LinearizableRead, LeasedRead} {
			if got := c.get(c.nodes[(i+1)%3], r, "k"); got != value {
				t.Errorf("%v: %q after %q", r, got, value)
			}
		}
		if done, err := casCommand.Do(bg, n.store(), casArg{"k", "other", "x"}); err != nil || done {
			t.Errorf("%v, %v", done, err)
		}
	}
	c.equal()
	if got := c.get(c.follower(), LocalRead, "k"); got != "by n2" {
		t.Errorf("local: %q", got)
	}
}

func TestTheErrorOfACommandIsItsResultEverywhere(t *testing.T) {
	c := newCluster(t, 3, quick)
	var refused *CommandError
	if _, err := bulkCommand.Do(bg, c.leader().store(), maxProposal); !errors.As(err, &refused) {
		t.Errorf("a result that is too large: %v", err)
	}
	for _, n := range []*node{c.leader(), c.follower()} {
		if _, err := roamCommand.Do(bg, n.store(), roamArg{9}); !errors.As(err, &refused) || refused.Command != "roam" {
			t.Errorf("%v", err)
		}
		if _, err := n.store().Do(bg, "panics", []byte(`"x"`)); !errors.As(err, &refused) || refused.Text != "panic: at the disco of x" {
			t.Errorf("%v", err)
		}
		if _, err := n.store().Do(bg, "roam", []byte(`"x"`)); !errors.As(err, &refused) {
			t.Errorf("a wrong argument: %v", err)
		}
		if _, err := n.store().Do(bg, "none", nil); !errors.Is(err, errUnknownCommand) {
			t.Errorf("an unknown command: %v", err)
		}
		err := n.store().View(bg, LinearizableRead, func(tx *siltstone.Tx) error {
			for _, err := range tx.Keys().All(typed.KeyOptions{}) {
				if err == nil {
					err = errors.New("there is a key")
				}
				return err
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	c.equal()
}

func TestACommandThatComesAgainIsRunOnce(t *testing.T) {
	c := newCluster(t, 3, quick)
	s := c.leader().store()
	for _, n := range c.nodes {
		if length, err := tagCommand.DoOnce(bg, n.store(), [16]byte{1}, tagArg{"l", "x"}); err != nil || length != 1 {
			t.Errorf("%d, %v", length, err)
		}
	}
	if m := s.Metrics(); m.Commands.Repeated != 2 || m.Commands.Applied != 1 {
		t.Errorf("%v", m)
	}
}

func TestTimeAndChanceAreThoseOfTheLog(t *testing.T) {
	c := newCluster(t, 3, often)
	lead := c.leader().store()
	for i := range 250 {
		var refused *CommandError
		if _, err := roamCommand.Do(bg, lead, roamArg{i}); err != nil && !errors.As(err, &refused) {
			t.Fatal(err)
		}
		if i == 100 {
			for _, n := range c.nodes { // stores whose rows lie differently
				if n.store() != lead {
					if err := n.store().machine.db.Flush(bg); err != nil {
						t.Fatal(err)
					}
					break
				}
			}
		}
	}
	c.equal()
	has := func() (has bool) {
		err := c.nodes[0].store().View(bg, LinearizableRead, func(tx *siltstone.Tx) (err error) {
			has, err = tx.Has([]byte("ttl 99"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return has
	}
	for range 1000 { // only the ticks move the time on
		if !has() {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if has() {
		t.Error("the key does not expire")
	}
	c.equal()
}

func TestAReplicaComesBackAndAnEmptyOneJoinsByASnapshot(t *testing.T) {
	c := newCluster(t, 3, often)
	c.leader()
	away := c.follower()
	c.stop(away)
	for i := range 300 {
		if _, err := tagCommand.Do(bg, c.leader().store(), tagArg{"l", fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.leader().store().Snapshot(); err != nil {
		t.Fatal(err)
	}
	c.start(away, nil)
	c.join("n3")
	c.equal()
	for _, n := range c.nodes { // and all of them once more, from their disks
		c.stop(n)
	}
	for _, n := range c.nodes {
		c.start(n, nil)
	}
	if n, err := tagCommand.Do(bg, c.nodes[3].store(), tagArg{"l", "last"}); err != nil || n != 301 {
		t.Errorf("%d, %v", n, err)
	}
	c.equal()
	if st := c.nodes[0].store().Metrics(); len(st.Members) != 4 || st.Stopped != "" || st.Leader == "" {
		t.Errorf("%+v", st)
	}
}

func TestLeadershipGoesWhereItIsSentAndAMemberLeaves(t *testing.T) {
	c := newCluster(t, 3, quick)
	before := c.leader()
	if err := before.store().TransferLeadership(); err != nil {
		t.Fatal(err)
	}
	if _, err := setCommand.Do(bg, before.store(), setArg{"k", "v"}); err != nil {
		t.Fatal(err)
	}
	if c.leader() == before {
		t.Log("it leads again")
	}
	gone := c.follower()
	if err := gone.store().Remove("n0"); !errors.Is(err, ErrNotLeader) {
		t.Errorf("a follower removes: %v", err)
	}
	if err := c.leader().store().Remove(gone.opts.ID); err != nil {
		t.Fatal(err)
	}
	if st := c.leader().store().Metrics(); len(st.Members) != 2 {
		t.Errorf("%+v", st.Members)
	}
}

func TestACommandWithoutALeaderIsNotApplied(t *testing.T) {
	c := newCluster(t, 3, quick)
	lead := c.leader()
	for _, n := range c.nodes {
		if n != lead {
			c.stop(n)
		}
	}
	ctx, cancel := context.WithTimeout(bg, 2*time.Second)
	defer cancel()
	if _, err := setCommand.Do(ctx, lead.store(), setArg{"k", "v"}); !errors.Is(err, ErrNoLeader) && !errors.Is(err, ErrIndeterminate) {
		t.Errorf("%v", err)
	}
	if err := lead.store().View(ctx, LinearizableRead, func(*siltstone.Tx) error { return nil }); !errors.Is(err, ErrNoLeader) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if err := lead.store().View(bg, LocalRead, func(*siltstone.Tx) error { return nil }); err != nil {
		t.Errorf("a local read needs nobody: %v", err)
	}
}
