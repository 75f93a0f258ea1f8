package main

import (
	"sync"
	"sync/atomic"
)

// inserter adds new keys from several goroutines and publishes a count below
// which every key has been stored. A key taken by one goroutine holds the count
// back until it is stored.
type inserter struct {
	b      *bed
	stored *atomic.Uint64

	mu   sync.Mutex
	next uint64
	done map[uint64]bool // stored, with an unfinished one below
}

func (in *inserter) insert(w *worker) error {
	in.mu.Lock()
	i := in.next
	in.next++
	in.mu.Unlock()
	if err := in.b.put(w, i, 0); err != nil {
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.done == nil {
		in.done = map[uint64]bool{}
	}
	in.done[i] = true
	for at := in.stored.Load(); in.done[at]; at++ {
		delete(in.done, at)
		in.stored.Store(at + 1)
	}
	return nil
}
