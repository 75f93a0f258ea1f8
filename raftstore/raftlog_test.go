package raftstore

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"
)

// TestASnapshotOfThePastLeavesTheLog that a replica has acknowledged. Raft removes the
// whole log once a snapshot was installed.
func TestASnapshotOfThePastLeavesTheLog(t *testing.T) {
	good := streamOf(t)
	for _, test := range []struct {
		name        string
		index, term uint64 // of the snapshot; the log is from 10 to 20, in term 3
		refused     bool
		first, last uint64 // of the log after it; 0: it is empty
	}{
		{"before the log", 9, 3, true, 10, 20},
		{"at its first entry", 10, 3, false, 10, 20},
		{"in the log", 15, 3, false, 10, 20},
		{"of another term", 15, 2, false, 0, 0},
		{"at its end", 20, 3, false, 0, 0},
		{"behind the log", 30, 3, false, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := openSnapshots(onDisk, filepath.Join(t.TempDir(), "snapshots"))
			if err != nil {
				t.Fatal(err)
			}
			store := openLog(t, filepath.Join(t.TempDir(), "log"), nil)
			if err := store.StoreLogs(entriesOf(10, 20, 3)); err != nil {
				t.Fatal(err)
			}
			log, err := newRaftLog(store, s)
			if err != nil {
				t.Fatal(err)
			}
			k, err := s.Create(1, test.index, test.term, raft.Configuration{}, 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := k.Write(good); err != nil {
				t.Fatal(err)
			}
			if err := k.Close(); test.refused != errors.Is(err, errOlder) || !test.refused && err != nil {
				t.Fatalf("%v", err)
			}
			if !test.refused { // as raft does
				if err := log.DeleteRange(10, 20); err != nil {
					t.Fatal(err)
				}
			}
			first, _ := log.FirstIndex()
			last, _ := log.LastIndex()
			if first != test.first || last != test.last {
				t.Errorf("the log is from %d to %d", first, last)
			}
			if left, _ := s.List(); len(left) > 0 == test.refused {
				t.Errorf("%d snapshots", len(left))
			}
			if !test.refused {
				return
			}
			if err := log.DeleteRange(12, 20); err != nil { // as for entries that a leader does not have
				t.Fatal(err)
			}
			if last, _ := log.LastIndex(); last != 11 {
				t.Errorf("the log ends with %d", last)
			}
		})
	}
}

// TestASnapshotOfThePastLeavesTheStore: a reader that has waited for a command is not shown
// a store without it.
func TestASnapshotOfThePastLeavesTheStore(t *testing.T) {
	c := newCluster(t, 1, seldom)
	c.forget(3)
	s := c.leader().store()
	all, err := s.machine.snapshots.List()
	if err != nil || len(all) != 1 {
		t.Fatalf("%v, %v", all, err)
	}
	_, r, err := s.machine.snapshots.Open(all[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := setCommand.Do(bg, s, setArg{"k", "v"}); err != nil {
		t.Fatal(err)
	}
	before, _ := s.machine.place()
	if err := s.machine.Restore(r); err != nil {
		t.Fatal(err)
	}
	if after, _ := s.machine.place(); after.index < before.index {
		t.Errorf("it was at %d and is at %d", before.index, after.index)
	}
	if got := c.get(c.nodes[0], LocalRead, "k"); got != "v" {
		t.Errorf("%q", got)
	}
}

// TestAReplicaIsSentANewerSnapshotIfTheOneThereIsIsTooOld for it: its log begins behind.
func TestAReplicaIsSentANewerSnapshotIfTheOneThereIsIsTooOld(t *testing.T) {
	c := newCluster(t, 3, seldom)
	c.forget(20)
	behind := c.follower()
	for i := range 30 {
		if _, err := tagCommand.Do(bg, c.leader().store(), tagArg{"l", fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	c.equal()
	if err := behind.store().Snapshot(); err != nil { // its log begins near its end now
		t.Fatal(err)
	}
	lead := c.leader().store()
	all, err := lead.machine.snapshots.List()
	if err != nil || len(all) != 1 {
		t.Fatalf("%v, %v", all, err)
	}
	meta, r, err := lead.machine.snapshots.Open(all[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	first, _ := behind.store().log.FirstIndex()
	if meta.Index >= first {
		t.Fatalf("the snapshot is of %d, the log from %d", meta.Index, first)
	}
	renewed := false
	tr := &transport{ask: lead.askTables, sent: func(SnapshotSent) {}, renew: func() { renewed = true }, refused: map[raft.ServerID]bool{}}
	tr.NetworkTransport = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{Stream: dialer{lead.net}, MaxPool: 1, Timeout: callTimeout * 10})
	defer tr.Close()
	args := &raft.InstallSnapshotRequest{
		RPCHeader:       raft.RPCHeader{ProtocolVersion: 3, ID: []byte(lead.opts.ID), Addr: []byte(lead.opts.Addr)},
		SnapshotVersion: 1, Term: lead.Metrics().Term, LastLogIndex: meta.Index, LastLogTerm: meta.Term, Size: meta.Size,
		Configuration: raft.EncodeConfiguration(meta.Configuration), ConfigurationIndex: meta.ConfigurationIndex,
	}
	err = tr.InstallSnapshot(raft.ServerID(behind.opts.ID), raft.ServerAddress(behind.opts.Addr), args, &raft.InstallSnapshotResponse{}, r)
	if err == nil || !renewed {
		t.Errorf("%v, a newer one is taken: %v", err, renewed)
	}
	if n, err := tagCommand.Do(bg, behind.store(), tagArg{"l", "last"}); err != nil || n != 31 {
		t.Errorf("%d, %v", n, err)
	}
	c.equal()
}

// dialer is a network that only dials.
type dialer struct{ *network }

func (c dialer) Accept() (net.Conn, error) {
	<-c.closed
	return nil, net.ErrClosed
}

func (c dialer) Close() error { return nil }

// TestEntriesBehindASnapshotFollowALogThatEndsBeforeIt: the power went, or there was no
// space, between the installing of the snapshot and the removing of the log.
func TestEntriesBehindASnapshotFollowALogThatEndsBeforeIt(t *testing.T) {
	s, err := openSnapshots(onDisk, filepath.Join(t.TempDir(), "snapshots"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "log")
	store := openLog(t, dir, nil)
	if err := store.StoreLogs(entriesOf(10, 20, 3)); err != nil {
		t.Fatal(err)
	}
	log, err := newRaftLog(store, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.StoreLogs(entriesOf(31, 31, 4)); err == nil {
		t.Error("there is a gap, and no snapshot")
	}
	k, err := s.Create(1, 30, 4, raft.Configuration{}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Write(streamOf(t)); err != nil {
		t.Fatal(err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if log, err = newRaftLog(store, s); err != nil { // as after a power cut
		t.Fatal(err)
	}
	for _, first := range []uint64{30, 32} {
		if err := log.StoreLogs(entriesOf(first, 33, 4)); err == nil {
			t.Errorf("from %d on there is a gap", first)
		}
	}
	var e raft.Log
	if err := log.GetLog(20, &e); err != nil { // it is in raft's cache
		t.Error(err)
	}
	if err := log.StoreLogs(entriesOf(31, 33, 4)); err != nil {
		t.Fatal(err)
	}
	first, _ := log.FirstIndex()
	last, _ := log.LastIndex()
	if first != 31 || last != 33 {
		t.Errorf("the log is from %d to %d", first, last)
	}
	if err := log.GetLog(20, &e); !errors.Is(err, raft.ErrLogNotFound) {
		t.Errorf("an entry of before: %v", err)
	}
}
