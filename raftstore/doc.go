// Package raftstore makes a Siltstone store a part of a cluster that agrees by raft, the
// consensus of github.com/hashicorp/raft.
//
// LogStore keeps raft's log and stable values in a store, in the place of raft-boltdb:
//
//	s, err := raftstore.OpenLogStore(filepath.Join(dir, "log"), nil)
//	…
//	r, err := raft.NewRaft(config, fsm, s, s, snapshots, transport)
package raftstore
