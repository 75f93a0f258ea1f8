package raftstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// heard are the events of a replica.
type heard struct {
	mu  sync.Mutex
	all []Event
}

func (h *heard) hear(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, e)
}

// wait waits for an event of which is is true.
func (h *heard) wait(t *testing.T, what string, is func(Event) bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		h.mu.Lock()
		found := slices.ContainsFunc(h.all, is)
		h.mu.Unlock()
		if found {
			return
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	t.Fatalf("no event of %s; there were %v", what, h.all)
}

func TestAReplicaTellsWhatHappens(t *testing.T) {
	c := newCluster(t, 2, seldom)
	events := map[string]*heard{}
	for _, n := range c.nodes {
		c.stop(n)
		h := &heard{}
		events[n.opts.ID] = h
		n.opts.OnEvent = h.hear
		c.start(n, nil)
	}
	lead := c.leader()
	before := lead.store().Metrics()
	for _, h := range events {
		h.wait(t, "a leader", func(e Event) bool { e2, ok := e.(LeaderChange); return ok && e2.Leader == lead.opts.ID && e2.Term > 0 })
	}
	c.forget(20)
	events[lead.opts.ID].wait(t, "a snapshot taken", func(e Event) bool { e2, ok := e.(SnapshotTaken); return ok && e2.Err == nil && e2.Index > 0 })
	h := &heard{}
	l := listener(t)
	joined := &node{opts: lead.opts}
	joined.opts.ID, joined.opts.Addr, joined.opts.Dir, joined.opts.Bootstrap = "n2", l.Addr().String(), c.dir+"/n2", nil
	joined.opts.OnEvent, joined.opts.Dial = h.hear, c.links.dial(l.Addr().String())
	c.nodes = append(c.nodes, joined)
	c.start(joined, l)
	if err := lead.store().AddVoter("n2", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	for _, h := range append([]*heard{h}, events["n0"], events["n1"]) {
		h.wait(t, "members", func(e Event) bool { e2, ok := e.(MemberChange); return ok && len(e2.Members) == 3 })
	}
	events[lead.opts.ID].wait(t, "a snapshot sent", func(e Event) bool {
		e2, ok := e.(SnapshotSent)
		return ok && e2.Err == nil && e2.To == "n2" && e2.Bytes == e2.Size
	})
	h.wait(t, "a snapshot installed", func(e Event) bool { e2, ok := e.(SnapshotInstalled); return ok && e2.Err == nil && e2.Index > 0 })
	c.equal()
	m := lead.store().Metrics()
	if d := m.Sub(before); d.Commands.Applied != 20 || d.Snapshots.Taken != 1 || d.Snapshots.Sent != 1 || d.Snapshots.SentBytes == 0 || d.Network.SentBytes < d.Snapshots.SentBytes || d.Store.Commits.Count < 20 {
		t.Errorf("in between: %v", d)
	}
	if m.State != "Leader" || m.Leader != lead.opts.ID || m.Term == 0 || m.Contact != 0 || len(m.Members) != 3 || m.Applied == 0 || m.Log.Committed < m.Applied || m.Commands.Calls != 0 {
		t.Errorf("%v", m)
	}
	if m := joined.store().Metrics(); m.State != "Follower" || m.Contact <= 0 || m.Snapshots.Installed != 1 || m.Network.ReceivedBytes == 0 {
		t.Errorf("%v", m)
	}
	b, err := json.Marshal(m)
	var again Metrics
	if err := errors.Join(err, json.Unmarshal(b, &again)); err != nil || again.Snapshots != m.Snapshots || again.Term != m.Term {
		t.Errorf("%s: %v", b, err)
	}
	for _, word := range []string{lead.opts.ID, "Leader", "term", "20 applied", "1 sent", "stopped", "voter"} {
		if !strings.Contains(m.String(), word) {
			t.Errorf("there is no %q in\n%v", word, m)
		}
	}
}

func TestEventsAreLines(t *testing.T) {
	failure := errors.New("no luck")
	for want, e := range map[string]Event{
		"leader changed: leader n1, term 7":                          LeaderChange{"n1", 7},
		"members changed: members [{n1 a:1 true}]":                   MemberChange{[]Member{{"n1", "a:1", true}}},
		"snapshot taken: index 9, took 2s, error no luck":            SnapshotTaken{9, 2 * time.Second, failure},
		"snapshot sent: to n2, index 9, size 100, bytes 10, took 1s": SnapshotSent{"n2", 9, 100, 10, time.Second, nil},
		"snapshot installed: index 9, took 1s":                       SnapshotInstalled{9, time.Second, nil},
		"no space: ended true":                                       NoSpace{true},
		"replica stopped: error no luck":                             Stopped{failure},
	} {
		if got := fmt.Sprint(e); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
