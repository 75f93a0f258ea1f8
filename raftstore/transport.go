package raftstore

import (
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/siltstonedb/siltstone/archive"
)

// transport is raft's transport, but that a replica which has a part of a snapshot is not
// sent that part. Tables never change, and a replica that was given a snapshot once goes on
// with its tables until merges have replaced them:
//
//	leader ── askTables: id, size and digest of each table of the snapshot ──► replica
//	leader ◄── those that it has in snapshots of its own, read and verified ── replica
//	leader ── the snapshot, as a stream that names these and has the others ──► replica
//
// The replica promises nothing: if it has dropped a table meanwhile the stream is refused,
// and the next one is whole. So is the first one to a replica that gives no answer.
type transport struct {
	*raft.NetworkTransport
	ask     func(addr string, snapshot *opened) (archive.Mark, error)
	sent    func(SnapshotSent)
	renew   func() // takes a newer snapshot: the last one was too old for a replica
	mu      sync.Mutex
	refused map[raft.ServerID]bool // replicas whose next one is to be whole
}

// AppendEntriesPipeline implements raft.Transport.
func (t *transport) AppendEntriesPipeline(id raft.ServerID, addr raft.ServerAddress) (raft.AppendPipeline, error) {
	p, err := t.NetworkTransport.AppendEntriesPipeline(id, addr)
	if err != nil {
		return nil, err
	}
	return newPipeline(p), nil
}

// InstallSnapshot implements raft.Transport.
func (t *transport) InstallSnapshot(id raft.ServerID, addr raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	o, ours := data.(*opened)
	if !ours {
		return t.NetworkTransport.InstallSnapshot(id, addr, args, resp, data)
	}
	t.mu.Lock()
	whole := t.refused[id]
	t.mu.Unlock()
	if !whole {
		if has, err := t.ask(string(addr), o); err == nil {
			o.leaveOut(has)
		}
	}
	part := *args
	length, err := o.length()
	if err != nil {
		return err
	}
	part.Size = length
	begun, counted := time.Now(), &counter{r: o}
	err = t.NetworkTransport.InstallSnapshot(id, addr, &part, resp, counted)
	if err == nil && !resp.Success {
		err = errors.New("raftstore: the replica has not taken the snapshot")
	}
	if err != nil && strings.Contains(err.Error(), errOlder.Error()) {
		t.renew()
	}
	t.mu.Lock()
	t.refused[id] = err != nil && len(o.has.Tables) > 0
	t.mu.Unlock()
	t.sent(SnapshotSent{To: string(id), Index: args.LastLogIndex, Size: args.Size, Bytes: counted.n, Duration: time.Since(begun), Err: err})
	return err
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
