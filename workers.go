package siltstone

import (
	"sync"
)

// workers are the channels that wake the store's goroutines, each of which holds
// one wake-up, and the goroutines' number. What they do is in loops.go.
type workers struct {
	flush     chan struct{} // a memtable waits to be flushed
	compact   chan struct{} // there may be something to merge
	reads     chan struct{} // readers may have paid for a merge
	keep      chan struct{} // files may be removed, closed or made ahead
	reap      chan struct{} // collections were nominated
	waste     chan struct{} // garbage has grown
	page      chan struct{} // the memtable wants memory made ahead
	logGather chan struct{} // Buffered commits have begun to gather
	logCrowd  chan struct{} // so many that they should be written out
	logSync   chan struct{} // much of the log is written and not synced
	running   sync.WaitGroup
}

func (w *workers) init() {
	for _, c := range []*chan struct{}{&w.flush, &w.compact, &w.reads, &w.keep, &w.reap, &w.waste, &w.page, &w.logGather, &w.logCrowd, &w.logSync} {
		*c = make(chan struct{}, 1)
	}
}

// wake wakes the goroutine that reads from c, now or when it next reads.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (w *workers) wakeFlush() { wake(w.flush); wake(w.keep) }

func (w *workers) wakeKeep() { wake(w.keep) }

// wakeAfterMerge wakes the workers that may have work after a merge or flush.
func (w *workers) wakeAfterMerge() { wake(w.compact); wake(w.keep) }

// wakeAll makes the workers look again, after a failure for instance.
func (w *workers) wakeAll() {
	for _, c := range []chan struct{}{w.flush, w.compact, w.keep, w.reap} {
		wake(c)
	}
}
