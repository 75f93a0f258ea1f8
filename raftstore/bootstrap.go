package raftstore

import (
	"bytes"
	"errors"

	"github.com/hashicorp/raft"

	"github.com/siltstonedb/siltstone"
)

// firstNotes is where raft notes that a cluster begins: a number, the term, and then an
// entry, the members. Between the two lies a replica that has a past and knows no members.
// It would be no candidate ever, and could not be begun again. So the numbers wait for the
// entry, and one commit has all of it.
type firstNotes struct {
	*LogStore
	numbers []number
}

type number struct {
	key   []byte
	value uint64
}

var (
	_ raft.LogStore    = (*firstNotes)(nil)
	_ raft.StableStore = (*firstNotes)(nil)
)

// SetUint64 implements raft.StableStore.
func (n *firstNotes) SetUint64(key []byte, value uint64) error {
	n.numbers = append(n.numbers, number{bytes.Clone(key), value})
	return nil
}

// StoreLog implements raft.LogStore.
func (n *firstNotes) StoreLog(l *raft.Log) error { return n.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore.
func (n *firstNotes) StoreLogs(logs []*raft.Log) error {
	return n.storeLogs(logs, func(b *siltstone.Batch) {
		stable := b.In(n.stable)
		for _, number := range n.numbers {
			stable.Put(number.key, numberValue(number.value))
		}
	})
}

// bootstrap makes a replica without a past the first state of a cluster.
func bootstrap(c *raft.Config, log *LogStore, taken raft.SnapshotStore, t raft.Transport, members []Member) error {
	var first raft.Configuration
	for _, m := range members {
		first.Servers = append(first.Servers, raft.Server{ID: raft.ServerID(m.ID), Address: raft.ServerAddress(m.Addr)})
	}
	notes := &firstNotes{LogStore: log}
	err := raft.BootstrapCluster(c, notes, notes, taken, t, first)
	if errors.Is(err, raft.ErrCantBootstrap) {
		return nil // there is a past
	}
	return err
}
