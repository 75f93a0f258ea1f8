package raftstore

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// patience is how long a test waits for what is to happen soon.
const patience = 40 * time.Second

// soon fails the test if fn does not return.
func soon(t *testing.T, what string, fn func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		b := make([]byte, 1<<20)
		t.Fatalf("%s does not end:\n%s", what, b[:runtime.Stack(b, true)])
	}
}

// stalledSnapshot sends the beginning of a snapshot to a replica, as a leader that is paused
// then. What it returns ends it.
func stalledSnapshot(t *testing.T, to *node) (end func()) {
	t.Helper()
	n := &network{closed: make(chan struct{}), dial: func(ctx context.Context, addr string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	}, conns: map[*tracked]struct{}{}}
	tr := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{Stream: dialer{n}, MaxPool: 1, Timeout: time.Hour})
	r, w := io.Pipe()
	sent := make(chan error, 1)
	go func() {
		sent <- tr.InstallSnapshot(raft.ServerID(to.opts.ID), raft.ServerAddress(to.opts.Addr), &raft.InstallSnapshotRequest{
			RPCHeader:       raft.RPCHeader{ProtocolVersion: 3, ID: []byte("paused"), Addr: []byte("paused")},
			SnapshotVersion: 1, Term: 7, LastLogIndex: 9, LastLogTerm: 7, Size: 1 << 20, Configuration: raft.EncodeConfiguration(raft.Configuration{}),
		}, &raft.InstallSnapshotResponse{}, r)
	}()
	if _, err := w.Write(append([]byte(streamMagic), make([]byte, 512<<10)...)); err != nil {
		t.Fatal(err)
	}
	s := to.store()
	for s.raft.CurrentTerm() != 7 {
		time.Sleep(time.Millisecond)
	}
	return func() {
		w.Close()
		<-sent
		tr.Close()
		close(n.closed)
	}
}

// alone returns a replica that has no members.
func alone(t *testing.T) *node {
	t.Helper()
	c := emptyCluster(t, quick)
	l := listener(t)
	return c.add(Member{ID: "n0", Addr: l.Addr().String()}, nil, l)
}

// TestClosingDoesNotWaitForASnapshotThatStalls: who sends it may be paused for ever.
func TestClosingDoesNotWaitForASnapshotThatStalls(t *testing.T) {
	t.Parallel()
	n := alone(t)
	defer stalledSnapshot(t, n)()
	soon(t, "Close", func() {
		if err := n.store().Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestASnapshotThatStallsIsGivenUp: while raft reads it the replica neither votes nor
// follows another leader.
func TestASnapshotThatStallsIsGivenUp(t *testing.T) {
	t.Parallel()
	n := alone(t)
	defer stalledSnapshot(t, n)()
	s := n.store()
	soon(t, "the snapshot", func() {
		if err := s.raft.GetConfiguration().Error(); err != nil { // raft answers again
			t.Error(err)
		}
		if err := s.raft.VerifyLeader().Error(); err != raft.ErrNotLeader {
			t.Error(err)
		}
	})
}

// TestClosingDoesNotWaitForAReplicaThatReadsNothing: raft waits for what it sends, and for a
// large snapshot it does so for hours.
func TestClosingDoesNotWaitForAReplicaThatReadsNothing(t *testing.T) {
	t.Parallel()
	l := listener(t)
	defer l.Close()
	n, err := openNetwork(&Options{Listener: listener(t)}, func([]byte) []byte { return nil })
	if err != nil {
		t.Fatal(err)
	}
	c, err := n.Dial(raft.ServerAddress(l.Addr().String()), patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ended := make(chan error)
	go func() {
		for b := make([]byte, 1<<20); ; {
			if _, err := c.Write(b); err != nil {
				ended <- err
				return
			}
		}
	}()
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	soon(t, "what is sent", func() { t.Log(<-ended) })
	if _, err := n.Dial(raft.ServerAddress(l.Addr().String()), patience); err == nil {
		t.Error("a connection of a network that has ended")
	}
}

// TestAReplicaThatIsRemovedIsOneAgainWhenItIsAdded: also a leader that has removed itself.
func TestAReplicaThatIsRemovedIsOneAgainWhenItIsAdded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name           string
		leads, restart bool
	}{{"the leader", true, false}, {"a follower", false, false}, {"a follower, opened again", false, true}} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t, 3, seldom)
			lead := c.leader()
			gone := lead
			if !test.leads {
				gone = c.follower()
			}
			if err := lead.store().Remove(gone.opts.ID); err != nil {
				t.Fatal(err)
			}
			rest := &cluster{t: t}
			for _, n := range c.nodes {
				if n != gone {
					rest.nodes = append(rest.nodes, n)
				}
			}
			if test.restart {
				c.stop(gone)
			}
			rest.forget(20)
			if test.restart {
				c.start(gone, nil)
			}
			if err := rest.leader().store().AddVoter(gone.opts.ID, gone.opts.Addr); err != nil {
				t.Fatal(err)
			}
			soon(t, "joining again", c.equal)
			if n, err := tagCommand.Do(bg, gone.store(), tagArg{"l", "back"}); err != nil || n != 1 {
				t.Errorf("%d, %v", n, err)
			}
		})
	}
}

// TestALogThatCannotBeReadOrWrittenStopsItsReplica: raft panics without an entry or a term.
func TestALogThatCannotBeReadOrWrittenStopsItsReplica(t *testing.T) {
	t.Parallel()
	for _, fails := range []string{"term", "entry"} {
		t.Run(fails, func(t *testing.T) {
			c := newCluster(t, 3, quick)
			victim := c.follower()
			c.stop(victim)
			disk := vfstest.NewFaults(vfs.OS)
			victim.opts.Store = &siltstone.Options{MemoryLimit: 8 << 20, FS: disk}
			c.start(victim, nil)
			for range 2 {
				if _, err := setCommand.Do(bg, c.leader().store(), setArg{"k", "v"}); err != nil {
					t.Fatal(err)
				}
			}
			c.equal()
			if fails == "entry" {
				log := victim.store().log
				last, _ := log.LastIndex()
				if err := log.entries.Put(entryKey(nil, last-1), []byte("damaged")); err != nil {
					t.Fatal(err)
				}
				c.stop(victim)
				o := victim.opts
				o.Listener = listener(t)
				defer o.Listener.Close()
				if s, err := Open(o); !errors.Is(err, siltstone.ErrCorruption) {
					t.Errorf("%v, %v", s, err)
				}
				return
			}
			disk.Inject(vfstest.Fault{Match: vfstest.OnName("/log/", vfstest.Write, vfstest.Sync), Times: vfstest.Forever})
			for range 50 {
				if victim.store().Err() != nil {
					break
				}
				if err := c.leader().store().TransferLeadership(); err != nil {
					t.Log(err)
				}
				time.Sleep(100 * time.Millisecond)
			}
			if err := victim.store().Err(); !errors.Is(err, ErrStopped) {
				t.Errorf("%v", err)
			}
			disk.Clear()
			victim.mu.Lock()
			t.Log(victim.s.Close()) // its log is poisoned
			victim.s = nil
			victim.mu.Unlock()
			c.start(victim, nil)
			c.equal()
		})
	}
}

// TestCallsOfMembersEndWithTheirReplica: raft never answers what it has not finished when it
// is shut down.
func TestCallsOfMembersEndWithTheirReplica(t *testing.T) {
	t.Parallel()
	calls := []func(s *Store) error{
		func(s *Store) error { return s.AddReader("n9", "127.0.0.1:1") },
		func(s *Store) error { return s.Remove("n9") },
		func(s *Store) error { return s.TransferLeadership() },
		func(s *Store) error { return s.Snapshot() },
	}
	for range 3 {
		c := newCluster(t, 3, quick)
		s := c.leader().store()
		var work sync.WaitGroup
		for _, call := range calls {
			for range 4 {
				work.Go(func() {
					for !s.closed() {
						_ = call(s) // an error is as good
					}
					if err := call(s); err == nil {
						t.Error("a call of a replica that is closed")
					}
				})
			}
		}
		time.Sleep(50 * time.Millisecond)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		soon(t, "a call", work.Wait)
		c.close()
	}
}
