package raftstore

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// innerPipeline is raft's: it waits until each answer is read.
type innerPipeline struct {
	raft.AppendPipeline
	done   chan raft.AppendFuture
	closed bool
}

func (p *innerPipeline) Consumer() <-chan raft.AppendFuture { return p.done }
func (p *innerPipeline) Close() error                       { p.closed = true; return nil }

// answer is a future that is told apart.
type answer struct {
	raft.AppendFuture
	n int
}

func TestAPipelineGoesOnWhenNobodyReadsItsAnswers(t *testing.T) {
	inner := &innerPipeline{done: make(chan raft.AppendFuture)}
	p := newPipeline(inner)
	for n := range 100 {
		select {
		case inner.done <- answer{n: n}:
		case <-time.After(time.Minute):
			t.Fatalf("answer %d is not taken", n)
		}
	}
	for n := range 50 {
		if got := (<-p.Consumer()).(answer).n; got != n {
			t.Fatalf("answer %d comes as %d", n, got)
		}
	}
	for range 2 {
		if err := p.Close(); err != nil || !inner.closed {
			t.Errorf("%v", err)
		}
	}
}
