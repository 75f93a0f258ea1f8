// Package raftstore makes a Siltstone store a part of a cluster whose replicas agree by
// raft, the consensus of github.com/hashicorp/raft.
//
// # A replicated store
//
// What changes the store is a function with a name. Every replica runs it, in the same
// order, at the time and with the draws that the leader chose:
//
//	var commands raftstore.Commands
//
//	var transfer = raftstore.Register(&commands, "transfer", func(tx *siltstone.Tx, t Transfer) (int64, error) {
//		…
//	})
//
//	s, err := raftstore.Open(raftstore.Options{ID: "a", Addr: "10.0.0.1:7000", Dir: dir, Commands: &commands, Bootstrap: members})
//	…
//	left, err := transfer.Do(ctx, s, Transfer{From: "ada", To: "bob", Amount: 5})
//	err = s.View(ctx, raftstore.LinearizableRead, func(tx *siltstone.Tx) error { … })
//
// How it hangs together:
//
//	Do ──► leader ──► raft's log: a LogStore, synced on a majority ──► every replica: Update
//	                                                                    │ at the entry's time, by its seed,
//	                                                                    │ with its index in the transaction
//	View ──► index from the leader ──► wait until applied ──► View      ▼
//	                                                     Dir/state-NNNNNNNN, a store that need
//	                                                     not be synced: the log is
//
// Time is that of the log. A replica's store has a clock of its own that stands still until
// an entry is applied and durable, so that no merge drops what is alive for an entry to
// come. While no command comes the leader tells the time once in Options.Tick. A leader
// whose clock is ahead takes the time of the log with it, and it never goes back.
//
// A snapshot is a checkpoint: links of files. So it costs the same whatever the size of
// the store, when it is taken and when it becomes the store of a replica. It is read when
// it is sent, and then without the tables that the receiver says it has, from a snapshot
// that it was given before. A stream that is refused is followed by a whole one.
//
// A replica whose disk is full applies nothing until there is space, gives up leading, and
// notes no term or vote; the others go on. What cannot be applied for another reason stops
// the replica before it differs.
//
// Store.Metrics has the figures of a replica, Options.OnEvent receives what happens: other
// leaders and members, snapshots, a full disk, the end.
//
// # A log for raft
//
// LogStore alone keeps raft's log and stable values in a store, in the place of raft-boltdb:
//
//	s, err := raftstore.OpenLogStore(filepath.Join(dir, "log"), nil)
//	…
//	r, err := raft.NewRaft(config, fsm, s, s, snapshots, transport)
package raftstore
