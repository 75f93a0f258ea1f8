package siltstone

import (
	"context"
	"errors"
	"path/filepath"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone/internal/lifecycle"
)

// workers are the store's goroutines, the only ones it has: one flusher, two
// compactors of which the second works when there is debt or nobody else does
// anything, a reaper of dead collections, one that has waste collected, one that
// makes memory ahead of the memtable, one that writes what Buffered commits leave,
// and a keeper for everything that takes no time. Each is woken through a channel
// that holds one wake-up, and joined in Close. What they do is a step function, so
// that a test may run the steps itself.
type workers struct {
	rotating sync.Mutex // held by the one who rotates

	mu       sync.Mutex
	flushed  sync.Cond // a memtable was flushed, or the store is ending
	stopping bool
	flushErr error   // why flushes fail, while they do
	merging  merging // running compactions

	flush, compact, reads, keep, reap, waste, page chan struct{}
	gather, crowd, sync                            chan struct{} // of the log

	running sync.WaitGroup

	owed atomic.Int64 // nanoseconds of delay not yet slept
}

const (
	idleTick     = time.Second // how often compactors look for work nobody announced
	retryAfter   = time.Second // pause after a failed flush or compaction
	workerYields = 48 << 10    // bytes of background work between yields
)

func (w *workers) init() {
	w.flushed.L = &w.mu
	for _, c := range []*chan struct{}{&w.flush, &w.compact, &w.reads, &w.keep, &w.reap, &w.waste, &w.page, &w.gather, &w.crowd, &w.sync} {
		*c = make(chan struct{}, 1)
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (db *DB) wakeFlush()   { wake(db.workers.flush); wake(db.workers.keep) }
func (db *DB) wakeCompact() { wake(db.workers.compact) }
func (db *DB) wakeKeep()    { wake(db.workers.keep) }

// wakeAll makes everybody look again, after a failure for instance.
func (w *workers) wakeAll() {
	w.mu.Lock()
	w.flushed.Broadcast()
	w.mu.Unlock()
	for _, c := range []chan struct{}{w.flush, w.compact, w.keep, w.reap} {
		wake(c)
	}
}

// start starts the workers. Profiles tell them apart by their labels: siltstone
// is what a worker does, store the last part of the directory's name.
func (db *DB) start() {
	w := &db.workers
	loops := map[string]func(){
		"flush": db.flushLoop, "compact": func() { db.compactLoop(false) },
		"compact2": func() { db.compactLoop(true) }, "keep": db.keepLoop, "reap": db.reapLoop,
		"collect": db.collectLoop, "page": db.pageLoop, "log": db.logLoop,
	}
	for name, loop := range loops {
		w.running.Add(1)
		go pprof.Do(db.life.Context(), pprof.Labels("siltstone", name, "store", filepath.Base(db.dir.Path)), func(context.Context) {
			defer w.running.Done()
			loop()
		})
	}
}

// stop ends the workers and waits for them.
func (w *workers) stop(life *lifecycle.State) {
	w.mu.Lock()
	w.stopping = true
	w.flushed.Broadcast()
	w.mu.Unlock()
	life.End()
	w.running.Wait()
	w.mu.Lock()
	for len(w.merging.running) > 0 { // of a Compact, in its caller's goroutine
		w.flushed.Wait()
	}
	w.mu.Unlock()
}

func (db *DB) flushLoop() {
	w := &db.workers
	for {
		select {
		case <-db.life.Quit():
			return
		case <-w.flush:
		}
		for {
			did, err := db.flushStep()
			db.noteFlush(err)
			if err != nil && !db.life.Poisoned() {
				db.reportCorruption(err)
				if !db.life.Pause(retryAfter) {
					return
				}
				continue
			}
			if !did {
				break
			}
		}
	}
}

// noteFlush remembers whether flushes fail, so that a write which needs one is
// refused and does not wait for what may never come.
func (db *DB) noteFlush(err error) {
	w := &db.workers
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.flushErr = err; err != nil {
		w.flushed.Broadcast()
	}
}

// flushDone tells those who wait for a flush.
func (db *DB) flushDone() {
	w := &db.workers
	w.mu.Lock()
	w.flushed.Broadcast()
	w.mu.Unlock()
	db.wakeCompact()
	db.wakeKeep()
}

// compactLoop runs compactions. The second compactor only helps out: when there
// is debt, or the store is idle.
func (db *DB) compactLoop(second bool) {
	w := &db.workers
	reads := w.reads
	if second {
		reads = nil
	}
	tick := time.NewTicker(idleTick)
	defer tick.Stop()
	for {
		select {
		case <-db.life.Quit():
			return
		case <-w.compact:
		case <-reads:
			db.reportCorruption(db.flushForReaders())
		case <-tick.C:
			if !second {
				db.reportCorruption(db.flushIdle())
				db.reportCorruption(db.flushForReaders())
			}
		}
		for !second || db.inDebt() {
			did, err := db.compactStep()
			if err != nil && !errors.Is(err, context.Canceled) && !db.life.Poisoned() {
				db.reportCorruption(err)
				if !db.life.Pause(retryAfter) {
					return
				}
			}
			if !did {
				break
			}
		}
	}
}

func (db *DB) keepLoop() {
	w := &db.workers
	for {
		select {
		case <-db.life.Quit():
			return
		case <-w.sync:
			db.noteLog(db.log.SyncBehind())
		case <-w.keep:
			db.keepStep()
		}
	}
}

// logLoop writes out what Buffered commits left in memory: a moment later, or when
// it has become much. On a machine with a processor to spare commits do not wait
// for it.
func (db *DB) logLoop() {
	w := &db.workers
	gather, later := w.gather, time.NewTimer(gatherInterval)
	later.Stop()
	for {
		select {
		case <-db.life.Quit():
			return
		case <-gather:
			later.Reset(gatherInterval)
			gather = nil // or each synced commit would wake this goroutine
			continue
		case <-w.crowd:
		case <-later.C:
			gather = w.gather
		}
		db.noteLog(db.log.WriteOut())
		if db.log.Unsynced() > syncBehind {
			wake(w.sync)
		}
	}
}

// noteLog poisons the store if its log has failed.
func (db *DB) noteLog(err error) {
	if err != nil && !db.life.Closing() {
		db.life.Poison(err)
	}
}

// collectLoop looks after waste.
func (db *DB) collectLoop() {
	w := &db.workers
	cycles := readHeap().cycles
	for {
		select {
		case <-db.life.Quit():
			return
		case <-w.waste:
			cycles = db.collect(cycles)
		}
	}
}

// pageLoop makes memory that the memtable will need next. On a machine with a
// processor to spare commits do not wait for it.
func (db *DB) pageLoop() {
	w := &db.workers
	for {
		select {
		case <-db.life.Quit():
			return
		case <-w.page:
			if rs := db.states.Current.Load(); rs != nil {
				rs.Mem.Prepare()
			}
		}
	}
}

// reapLoop decides about collections that may be dead, and looks for timers that
// are due.
func (db *DB) reapLoop() {
	w := &db.workers
	tick := time.NewTicker(idleTick)
	defer tick.Stop()
	for {
		select {
		case <-db.life.Quit():
			return
		case <-w.reap:
		case <-tick.C:
		}
		for {
			did, err := db.reapStep()
			db.reportCorruption(err)
			if !did || err != nil {
				break
			}
		}
	}
}

// syncBehind is how many bytes of the log may lie unsynced in the operating
// system's hands: what is left is what a rotation has to wait for.
const syncBehind = 8 << 20

// keepStep prepares the next log, removes files that nothing lists any more,
// and closes tables beyond the limit.
func (db *DB) keepStep() {
	if !db.life.Poisoned() && !db.opts.ReadOnly {
		// A failure is met again, and reported, by the commit that needs the log.
		_ = db.prepareLogs(1, 0)
	}
	db.states.Trim()
	db.removeObsolete()
}

// reportCorruption emits damage met in the background.
func (db *DB) reportCorruption(err error) {
	if errors.Is(err, ErrCorruption) {
		db.emit(Corruption{Err: err})
	}
}

// awaitNoUnflushed waits until every memtable that is full now has been
// flushed.
func (db *DB) awaitNoUnflushed(ctx context.Context) error {
	if db.opts.manualWork {
		for db.unflushed() > 0 {
			if _, err := db.flushStep(); err != nil {
				return err
			}
		}
		return nil
	}
	w := &db.workers
	rs := db.states.Current.Load()
	if rs == nil {
		return ErrClosed
	}
	target := rs.Mem.Log // every log below it must be retired
	defer context.AfterFunc(ctx, func() { w.mu.Lock(); w.flushed.Broadcast(); w.mu.Unlock() })()
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		rs := db.states.Current.Load()
		switch {
		case rs == nil || w.stopping:
			return ErrClosed
		case db.life.Poisoned():
			return db.life.PoisonErr()
		case ctx.Err() != nil:
			return ctx.Err()
		case len(rs.Imms) == 0 || rs.Imms[len(rs.Imms)-1].Log >= target:
			return nil
		}
		w.flushed.Wait()
	}
}

// step does all background work there is, for tests that have no workers.
func (db *DB) step() error {
	for {
		if err := db.flushForReaders(); err != nil {
			return err
		}
		flushed, err := db.flushStep()
		if err != nil {
			return err
		}
		compacted, err := db.compactStep()
		if err != nil {
			return err
		}
		reaped, err := db.reapStep()
		if err != nil {
			return err
		}
		db.keepStep()
		if !flushed && !compacted && !reaped {
			return nil
		}
	}
}
