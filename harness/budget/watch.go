package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// watcher samples the heap.
type watcher struct {
	peak atomic.Uint64
	quit chan struct{}
	done sync.WaitGroup
}

func watch() *watcher {
	w := &watcher{quit: make(chan struct{})}
	w.done.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-w.quit:
				return
			case <-tick.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				if m.HeapInuse > w.peak.Load() {
					w.peak.Store(m.HeapInuse)
				}
			}
		}
	})
	return w
}

// take returns the peak since the last time.
func (w *watcher) take() uint64 { return w.peak.Swap(0) }

func (w *watcher) stop() {
	close(w.quit)
	w.done.Wait()
}
