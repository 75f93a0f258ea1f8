package raftstore

import (
	"sync"

	"github.com/hashicorp/raft"
)

// pipeline is raft's pipeline of entries to a replica, but that it always takes the
// answers off it. Raft 1.7.3 stops reading answers when one says no, or when it no longer
// leads, and may send once more after that. With nobody to read, the send waits for the
// answer before it to be read, for ever: the replica gets no entry from then on, and raft
// does not shut down (github.com/hashicorp/raft/issues/612).
type pipeline struct {
	raft.AppendPipeline
	answers chan raft.AppendFuture
	closed  chan struct{}
	end     sync.Once
}

func newPipeline(of raft.AppendPipeline) *pipeline {
	p := &pipeline{AppendPipeline: of, answers: make(chan raft.AppendFuture), closed: make(chan struct{})}
	go p.pass()
	return p
}

// pass passes answers on until the pipeline is closed. Raft closes it once its sender has
// seen that nobody reads, so that few wait here.
func (p *pipeline) pass() {
	var waiting []raft.AppendFuture
	for {
		var to chan raft.AppendFuture
		var first raft.AppendFuture
		if len(waiting) > 0 {
			to, first = p.answers, waiting[0]
		}
		select {
		case f := <-p.AppendPipeline.Consumer():
			waiting = append(waiting, f)
		case to <- first:
			waiting = waiting[1:]
		case <-p.closed:
			return
		}
	}
}

// Consumer implements raft.AppendPipeline.
func (p *pipeline) Consumer() <-chan raft.AppendFuture { return p.answers }

// Close implements raft.AppendPipeline.
func (p *pipeline) Close() error {
	p.end.Do(func() { close(p.closed) })
	return p.AppendPipeline.Close()
}
