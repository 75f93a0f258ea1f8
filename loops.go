package siltstone

import (
	"context"
	"errors"
	"path/filepath"
	"runtime/pprof"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/metrics"
)

// The store's goroutines, the only ones it has: one flusher, two compactors, a
// reaper of dead collections, one that counts garbage, one that makes memory for the
// memtable ahead, one that writes what Buffered commits leave, and a keeper of files
// that syncs the log behind, too. A store that is open for reading has one, which closes
// tables. Each calls step functions of the rooms below and is joined in Close. A test
// without goroutines calls step.

const (
	idleTick   = time.Second // how often compactors and the reaper look for work without a wake-up
	retryAfter = time.Second // pause after a failed flush or compaction

	// syncBehind is how many bytes of the log may be written and not synced: a
	// rotation waits until they are.
	syncBehind = 8 << 20
)

// worker is a goroutine of the store.
type worker struct {
	name string
	loop func()
}

// start starts the workers. Profiles tell them apart by their labels: siltstone is
// what a worker does, store the last part of the directory's name.
func (db *DB) start() {
	loops := []worker{
		{"flush", db.flushLoop}, {"compact", func() { db.compactLoop(false) }},
		{"compact2", func() { db.compactLoop(true) }}, {"keep", db.keepLoop}, {"reap", db.reapLoop},
		{"waste", db.wasteLoop}, {"page", db.pageLoop}, {"log", db.logLoop},
	}
	if db.opts.ReadOnly {
		loops = []worker{{"trim", db.trimLoop}}
	}
	for _, w := range loops {
		db.workers.running.Add(1)
		go pprof.Do(db.life.Context(), pprof.Labels("siltstone", w.name, "store", filepath.Base(db.dir.Path)), func(context.Context) {
			defer db.workers.running.Done()
			w.loop()
		})
	}
	db.workers.wakeAfterMerge()
}

// stop ends the workers, and what waits for them, and waits for both.
func (db *DB) stop() {
	db.section.EndWaiting()
	db.life.End()
	db.workers.running.Wait()
	db.work.Stop()
}

// whenever calls do each time c wakes it or the ticker ticks, until the store ends.
func (db *DB) whenever(c <-chan struct{}, tick time.Duration, do func()) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-db.life.Quit():
			return
		case <-c:
		case <-t.C:
		}
		do()
	}
}

func (db *DB) flushLoop() { db.whenever(db.workers.flush, idleTick, db.flushAllWaiting) }

// flushAllWaiting flushes memtables until none waits, or the store ends.
func (db *DB) flushAllWaiting() {
	for {
		did, err := db.work.FlushStep()
		if err != nil && !db.life.Poisoned() {
			db.report.corruption(err)
			if !db.life.Pause(retryAfter) {
				return
			}
			continue
		}
		if !did {
			return
		}
	}
}

// compactLoop runs compactions. The second compactor only helps out: when there is
// debt, or the store is idle.
func (db *DB) compactLoop(second bool) {
	reads := db.workers.reads
	if second {
		reads = nil
	}
	tick := time.NewTicker(idleTick)
	defer tick.Stop()
	for {
		select {
		case <-db.life.Quit():
			return
		case <-db.workers.compact:
		case <-reads:
			db.report.corruption(db.work.FlushForReaders())
		case <-tick.C:
			if !second {
				db.report.corruption(db.work.FlushIdle())
				db.report.corruption(db.work.FlushForReaders())
			}
		}
		for !second || db.work.InDebt() {
			did, err := db.work.CompactStep(db.life.Context(), nil)
			if err != nil && !errors.Is(err, context.Canceled) && !db.life.Poisoned() {
				db.report.corruption(err)
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
	for {
		select {
		case <-db.life.Quit():
			return
		case <-db.workers.logSync:
			db.noteLog(db.section.Log().SyncBehind())
		case <-db.workers.keep:
			db.keepStep()
		}
	}
}

// trimLoop closes tables beyond the limit in a store that is open for reading.
func (db *DB) trimLoop() {
	for {
		select {
		case <-db.life.Quit():
			return
		case <-db.workers.keep:
			db.trimStep()
		}
	}
}

// trimStep is a step of trimLoop. A reader beside the writer removes its links to tables,
// too, which Refresh makes: they take turns.
func (db *DB) trimStep() {
	if r := db.reader(); r != nil {
		if r.Begin(db.life.Context()) != nil {
			return // the store ends
		}
		defer r.End()
	}
	db.states.Trim()
	db.removeObsolete()
}

// keepStep keeps the space with which a full disk is left and prepares the next log if
// there is more, removes files that nothing lists any more, and closes tables beyond the
// limit.
func (db *DB) keepStep() {
	if !db.opts.ReadOnly && db.keepBallast(db.section.ReplayBytes()) {
		// A failure is met again, and reported, by the commit that needs the log.
		_ = db.section.Files().Make(1, 0)
	}
	db.states.Trim()
	db.removeObsolete()
	db.trimKept()
}

// trimKept removes logs that were kept for readers of changes and are beyond a bound.
func (db *DB) trimKept() {
	for _, n := range db.section.Files().Trim() {
		db.remove(base.FileLog, n)
	}
}

// logLoop writes out what Buffered commits left in memory: a moment later, or when it
// has become much. While a reader of changes waits, what is written is synced, too. On a
// machine with a processor to spare commits do not wait for it.
func (db *DB) logLoop() {
	gather, later := db.workers.logGather, time.NewTimer(gatherInterval)
	later.Stop()
	for {
		select {
		case <-db.life.Quit():
			return
		case <-gather:
			later.Reset(gatherInterval)
			gather = nil // or each synced commit would wake this goroutine
			continue
		case <-db.workers.logCrowd:
		case <-later.C:
			gather = db.workers.logGather
		}
		log := db.section.Log()
		db.noteLog(log.WriteOut())
		if n := log.Unsynced(); n > syncBehind || n > 0 && log.Followed() {
			wake(db.workers.logSync)
		}
	}
}

// noteLog poisons the store if its log has failed.
func (db *DB) noteLog(err error) {
	if err != nil && !db.life.Closing() {
		db.life.Poison(err)
	}
}

// pageLoop makes memory that the memtable will need next. On a machine with a processor
// to spare commits do not wait for it.
func (db *DB) pageLoop() {
	for {
		select {
		case <-db.life.Quit():
			return
		case <-db.workers.page:
			if rs, n := db.states.Pin(); rs != nil {
				rs.Mem.Prepare()
				db.states.Unpin(rs, n)
			}
		}
	}
}

// wasteLoop counts garbage in the memory budget: when it grows, and now and then
// until a collection has taken it. It also looks for a reader that keeps garbage.
func (db *DB) wasteLoop() {
	db.whenever(db.workers.waste, idleTick, func() {
		db.countWaste()
		db.noteOldReader()
		if db.opts.KeepChanges.Age > 0 {
			db.workers.wakeKeep()
		}
	})
}

// countWaste counts garbage in the memory budget.
func (db *DB) countWaste() {
	if rs, n := db.states.Pin(); rs != nil {
		held := db.memory(rs).Total()
		db.states.Unpin(rs, n)
		db.work.CountWaste(held)
	}
}

// memory returns what the store holds in memory, without garbage and without what each
// handle takes whatever it does.
func (db *DB) memory(rs *readstate.State) metrics.Memory {
	m := metrics.Memory{Limit: db.opts.MemoryLimit, Memtables: db.states.MemtableBytes(), Transactions: db.txns.Held.Load()}
	c := db.states.Tables.Cache().Metrics()
	m.Blocks, m.Rows, m.ReadAhead = c.Bytes, c.Rows, c.Lent
	kept, used := db.work.Writers.Bytes()
	m.TableWriters, m.Recycled = used, db.section.Recycler.Bytes()+kept
	if log := db.section.Log(); log != nil {
		m.LogBuffers = log.Stats().Buffered
	}
	for i := range rs.Runs {
		for _, t := range rs.Runs[i].Tables {
			if o := t.Opened(); o != nil {
				m.TableMetadata += o.MemoryBytes()
			}
		}
	}
	return m
}

// noteOldReader tells of the oldest snapshot, transaction or iterator if it has been
// open for long. Check and Checkpoint read as well, but are no handles.
func (db *DB) noteOldReader() {
	if db.handles.any() {
		if since, age, ok := db.states.Oldest(); ok {
			db.report.oldReader(since, age, db.opts.OldReaderAfter)
		}
	}
}

// reapLoop decides about collections that may be dead, and looks for timers that are
// due, and for callers whose time has come by a clock that was set forward.
func (db *DB) reapLoop() {
	db.whenever(db.workers.reap, idleTick, func() {
		if db.section.Waiters.Any() {
			db.section.Waiters.Due(db.clock.Now())
		}
		for did := true; did; {
			var err error
			did, err = db.reapStep()
			db.report.corruption(err)
			did = did && err == nil
		}
	})
}

func (db *DB) reapStep() (did bool, err error) {
	switch {
	case db.opts.ReadOnly:
		return false, nil
	case db.section.Replica():
		return db.reaper.Settle()
	}
	return db.reaper.Step()
}

// step does all background work there is, for tests that have no workers.
func (db *DB) step() error {
	for {
		if err := db.work.FlushForReaders(); err != nil {
			return err
		}
		flushed, err := db.work.FlushStep()
		if err != nil {
			return err
		}
		compacted, err := db.work.CompactStep(db.life.Context(), nil)
		if err != nil {
			return err
		}
		reaped, err := db.reapStep()
		if err != nil {
			return err
		}
		db.keepStep()
		db.noteOldReader()
		if !flushed && !compacted && !reaped {
			return nil
		}
	}
}

// removeObsolete removes table files that neither a version nor a read state lists
// any more.
func (db *DB) removeObsolete() {
	for _, n := range db.states.Tables.TakeObsolete() {
		db.remove(base.FileTable, n)
	}
}
