package raftstore

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/raft"

	"github.com/siltstonedb/siltstone/internal/quantity"
	"github.com/siltstonedb/siltstone/metrics"
)

// Metrics are the figures of a replica at one moment. It is a plain value: print it as a
// table, encode it as JSON, or take the difference of two by Sub. Counters count from Open
// on, and sizes are in bytes.
type Metrics struct {
	ID      string
	State   string // Leader, Follower, Candidate or Shutdown
	Stopped string // why the replica has stopped; empty: it has not

	Term    uint64
	Leader  string        // its ID, as far as this replica knows; empty: none
	Contact time.Duration // since this replica last heard from the leader; 0 on the leader, and before the first time
	Members []Member

	Log     LogMetrics
	Applied uint64    // index of the last command that the store has
	Time    time.Time // of that command

	Commands  CommandMetrics
	Snapshots SnapshotMetrics
	Network   NetworkMetrics
	Store     metrics.Metrics // of the store, from Open or the last snapshot that was installed on
}

// LogMetrics are indices in the log.
type LogMetrics struct {
	First, Last uint64 // that are kept; 0: it is empty
	Committed   uint64 // that is durable on a majority, as far as this replica knows
}

// CommandMetrics say what became of commands.
type CommandMetrics struct {
	Calls   int // of Do and DoOnce on this replica that have not returned
	Waiting int // calls of all replicas, reads included, that wait for raft on this one

	Applied  int64 // were run
	Repeated int64 // came again and were answered by what had been kept
	Refused  int64 // of Applied: returned an error
}

// SnapshotMetrics say what became of snapshots.
type SnapshotMetrics struct {
	Taken, Sent, Installed int64
	Failed                 int64 // of all three
	SentBytes              int64 // of snapshots, failed ones included
	SparedBytes            int64 // of tables that were not sent, since the other had them
}

// NetworkMetrics are bytes of connections with other replicas, TLS included.
type NetworkMetrics struct {
	SentBytes, ReceivedBytes int64
}

// Metrics returns the figures of the replica. It asks nobody, and costs microseconds.
func (s *Store) Metrics() Metrics {
	at, err := s.machine.place()
	m := Metrics{
		ID: s.opts.ID, State: s.raft.State().String(), Term: s.raft.CurrentTerm(), Members: s.members(), Applied: at.index,
		Commands: CommandMetrics{
			Calls: int(s.calls.Load()), Waiting: s.callsWaiting(),
			Applied: s.machine.applied.Load(), Repeated: s.machine.repeated.Load(), Refused: s.machine.refused.Load(),
		},
		Snapshots: s.counts.metrics(),
		Network:   NetworkMetrics{s.net.sent.Load(), s.net.received.Load()},
		Store:     s.machine.metrics(),
	}
	if err != nil {
		m.Stopped = err.Error()
	}
	if at.index > 0 {
		m.Time = time.UnixMilli(at.time)
	}
	m.Leader, _ = s.Leader()
	m.Log.First, _ = s.log.FirstIndex()
	m.Log.Last, _ = s.log.LastIndex()
	m.Log.Committed = s.raft.CommitIndex()
	if last := s.raft.LastContact(); s.raft.State() != raft.Leader && !last.IsZero() {
		m.Contact = time.Since(last)
	}
	return m
}

// Err returns why the replica has stopped, an ErrStopped; nil: it has not.
func (s *Store) Err() error {
	_, err := s.machine.place()
	return err
}

// members returns the members as far as this replica knows.
func (s *Store) members() (all []Member) {
	f := s.raft.GetConfiguration()
	if f.Error() != nil {
		return nil
	}
	for _, m := range f.Configuration().Servers {
		all = append(all, Member{ID: string(m.ID), Addr: string(m.Address), Voter: m.Suffrage == raft.Voter})
	}
	return all
}

// metrics returns the figures of the store.
func (m *machine) metrics() metrics.Metrics {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.db == nil {
		return metrics.Metrics{}
	}
	return m.db.Metrics()
}

// Sub returns what happened since before, an earlier value of the same replica: counters
// are the difference, the rest is as in m.
func (m Metrics) Sub(before Metrics) Metrics {
	c, b := &m.Commands, before.Commands
	c.Applied, c.Repeated, c.Refused = c.Applied-b.Applied, c.Repeated-b.Repeated, c.Refused-b.Refused
	if k, b := &m.Snapshots, before.Snapshots; k.Installed == b.Installed {
		m.Store = m.Store.Sub(before.Store)
	}
	k, was := &m.Snapshots, before.Snapshots
	k.Taken, k.Sent, k.Installed, k.Failed = k.Taken-was.Taken, k.Sent-was.Sent, k.Installed-was.Installed, k.Failed-was.Failed
	k.SentBytes, k.SparedBytes = k.SentBytes-was.SentBytes, k.SparedBytes-was.SparedBytes
	m.Network.SentBytes -= before.Network.SentBytes
	m.Network.ReceivedBytes -= before.Network.ReceivedBytes
	return m
}

// String returns the figures as a table for people. Its form may change.
func (m Metrics) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(name string, parts ...string) { fmt.Fprintf(w, "%s\t%s\n", name, strings.Join(parts, "\t")) }
	line("replica", m.ID, m.State, fmt.Sprint("term ", m.Term), "led by "+cmp.Or(m.Leader, "nobody"), "heard "+quantity.Duration(m.Contact)+" ago")
	for _, member := range m.Members {
		role := "reader"
		if member.Voter {
			role = "voter"
		}
		line("", member.ID, member.Addr, role)
	}
	line("log", fmt.Sprintf("%d to %d", m.Log.First, m.Log.Last), fmt.Sprint("committed ", m.Log.Committed), fmt.Sprint("applied ", m.Applied))
	c, k := m.Commands, m.Snapshots
	line("commands", quantity.Count(c.Calls, "call"), fmt.Sprintf("%d waiting", c.Waiting), fmt.Sprintf("%d applied", c.Applied), fmt.Sprintf("%d repeated", c.Repeated), fmt.Sprintf("%d refused", c.Refused))
	line("snapshots", fmt.Sprintf("%d taken", k.Taken), fmt.Sprintf("%d sent", k.Sent), fmt.Sprintf("%d installed", k.Installed), fmt.Sprintf("%d failed", k.Failed), quantity.Bytes(k.SentBytes)+" sent", quantity.Bytes(k.SparedBytes)+" spared")
	line("network", quantity.Bytes(m.Network.SentBytes)+" sent", quantity.Bytes(m.Network.ReceivedBytes)+" received")
	line("stopped", cmp.Or(m.Stopped, "no"))
	w.Flush()
	return b.String()
}
