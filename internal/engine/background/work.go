package background

import (
	"slices"
	"sync"
	"time"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/internal/lifecycle"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/sstable"
)

// Work is the background work of one store. It is safe for concurrent use, except
// that one goroutine at a time calls FlushStep.
type Work struct {
	mu       invariants.Mutex
	ended    sync.Cond                // a merge has ended, or the store is ending
	running  []*compaction.Compaction // flushes included; replaced, never changed
	changes  uint64                   // of running
	stopping bool
	lastSeq  base.SeqNum // at the last look, to tell an idle store
	since    time.Time   // when it last changed
	settled  settled
	frozen   frozen
	tooLarge []tooLarge

	// Writers keeps the memory of table writers.
	Writers compaction.Writers

	waste waste

	// constant
	cfg   Config
	hooks Hooks
}

// settled is the version in which Pick last found nothing to do, and when. Looking
// again costs milliseconds in a store of 100 GiB, so an unchanged version is looked
// at again only after a while, for what time alone may change.
type settled struct {
	version *manifest.Version
	at      time.Time
}

// Config is the parts of the store and the settings that Work uses.
type Config struct {
	Section *commit.Section
	States  *readstate.States
	Rows    *rows.Source
	Set     *manifest.Set
	Dir     storedir.Dir
	Ballast *storedir.Ballast // for flushes
	Life    *lifecycle.State

	Tables        TableConfig
	MemoryLimit   int64
	MemtableBytes int64
	Rate          int64 // bytes a second that merges may write; 0: no limit
	Manual        bool  // there are no workers; the store always counts as idle
}

// TableConfig says what tables are like. It is a value.
type TableConfig struct {
	BlockSize, FilterBits int   // 0: the default
	TableBytes            int64 // target size; 0: the default
	RunLimit              int   // runs of a level before they are merged; 0: the default
	Compression           sstable.Compression
	// TellEnded has each key that ends told of before a merge takes it out, by the hook
	// Ended.
	TellEnded bool
}

// Hooks report to the packages above. They are called with no lock of the package
// held.
type Hooks struct {
	Flushed   func(FlushResult)
	Compacted func(CompactionResult)
	Changed   func()                                // tables or merges have changed: there may be work
	Ended     func(rows [][]byte) error             // told of key rows that have ended, by a merge; with TellEnded
	Remove    func(t base.FileType, n base.FileNum) // removes a file that nothing refers to
}

// New returns the background work of a store.
func New(c Config, h Hooks) *Work {
	w := &Work{cfg: c, hooks: h}
	w.ended.L = &w.mu
	invariants.SetRank(&w.mu, invariants.Work)
	invariants.SetRank(&w.waste.mu, invariants.Waste)
	return w
}

// Merging returns the limits that decide when and how far tables are merged.
func (c TableConfig) Merging() compaction.Config {
	return compaction.Config{FlushRuns: c.RunLimit, TierRuns: c.RunLimit, TableSize: c.TableBytes, LastTableSize: c.TableBytes, TellEnded: c.TellEnded}
}

// Writer returns the options for tables of a level: values are compressed in the
// last one only, because the others are about to be rewritten.
func (c TableConfig) Writer(level uint8) sstable.WriterOptions {
	o := sstable.WriterOptions{BlockSize: c.BlockSize, FilterBits: c.FilterBits, Compression: sstable.NoCompression}
	if level == manifest.LastLevel {
		o.Compression = c.Compression
	}
	return o
}

// Stop ends the waits for a merge, and returns when no merge runs any more, those of
// callers of Compact included.
func (w *Work) Stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopping = true
	w.ended.Broadcast()
	for len(w.running) > 0 {
		w.ended.Wait()
	}
}

func (w *Work) isStopping() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stopping
}

// Running returns how many merges and flushes run.
func (w *Work) Running() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.running)
}

// beginLocked enters c among the merges that run.
func (w *Work) beginLocked(c *compaction.Compaction) {
	w.running = append(slices.Clip(w.running), c) // Pick may still be looking at the old one
	w.changes++
}

// end takes c from the merges that run. Its version was published before: a look at
// both finds c in one of them at least.
func (w *Work) end(c *compaction.Compaction) {
	w.mu.Lock()
	w.running = slices.DeleteFunc(slices.Clone(w.running), func(r *compaction.Compaction) bool { return r == c })
	w.changes++
	w.ended.Broadcast()
	w.mu.Unlock()
	w.hooks.Changed()
}

// idleAfter is how long a store has had no writes when it counts as idle.
const idleAfter = 500 * time.Millisecond

// idleLocked reports whether there was no write for a while, and for how long.
func (w *Work) idleLocked() (idle bool, since time.Duration) {
	if seq := w.cfg.Section.Visible(); seq != w.lastSeq {
		w.lastSeq, w.since = seq, time.Now()
	}
	since = time.Since(w.since)
	return w.cfg.Manual || since >= idleAfter, since
}

// activity is the merges that run at a moment. It is noted before a version is looked
// at: a merge that ended before is in the version, and one that ends later shows in
// the number of changes.
type activity struct {
	running []*compaction.Compaction
	changes uint64
	idle    bool
}

// active returns the present activity.
func (w *Work) active() (a activity) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a.running, a.changes = w.running, w.changes
	a.idle, _ = w.idleLocked()
	return a
}

// input returns the input of Pick beside the version. It is called after the version
// was pinned: a reader that registered before a tombstone in it was written must be
// among the read points.
func (w *Work) input(a activity) compaction.Input {
	points, now := w.cfg.States.Points.Capture()
	in := compaction.Input{
		Config: w.cfg.Tables.Merging(), Now: now, OldestReadSeq: base.SeqMax, OldestReadClock: now, Busy: a.running, Idle: a.idle,
	}
	for _, p := range points {
		in.OldestReadSeq = min(in.OldestReadSeq, p.Seq)
		in.OldestReadClock = min(in.OldestReadClock, p.Clock)
	}
	return in
}
