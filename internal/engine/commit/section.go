package commit

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/clock"
	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/waiters"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/internal/latency"
	"github.com/siltstonedb/siltstone/internal/lifecycle"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/memtable"
)

// Section is the commit section: everything that a commit changes, one commit at a
// time. It is safe for concurrent use.
type Section struct {
	mu       invariants.Mutex
	mem      *readstate.Mem // takes writes
	reserved int64          // of the memory budget, for mem: see reserveLocked
	lastSeq  base.SeqNum
	closed   bool
	watches  []*watch // of large sets of reads that are being validated

	visible atomic.Uint64 // largest sequence readers may see

	rotating invariants.Mutex // held by a caller that rotates
	flushes  flushQueue
	owed     atomic.Int64 // nanoseconds of delay that writers have not slept yet
	refused  atomic.Bool  // a write was refused for want of space and none admitted since

	// Turns lets one starving Update run while other writers wait.
	Turns Turns
	// Recycler keeps the memory of flushed memtables for the next ones.
	Recycler Recycler
	// Waiters are told of each commit that has become visible.
	Waiters waiters.Registry

	// constant after Start
	log    *commitlog.Log
	states *readstate.States
	clock  *clock.Clock
	life   *lifecycle.State
	cfg    Config
	hooks  Hooks

	Commits latency.Histogram // until they have reached their level
	Waits   Waits
}

// Config is the parts of the store and the settings that a Section uses.
type Config struct {
	States        *readstate.States
	Clock         *clock.Clock
	Life          *lifecycle.State
	Dir           storedir.Dir
	Files         *commitlog.Prepared
	Ballast       *storedir.Ballast // for changes that delete
	MemtableBytes int64
	MaxDiskBytes  int64 // 0: no limit
	Notes         bool  // a note stands in front of each commit, for readers of changes
	Manual        bool  // there are no workers: a caller that waits for a flush makes it
	Replica       bool  // only changes of another store are taken: see Replay
}

// Hooks report to the packages above. They must not commit: Stalled,
// Resumed and Flush are called with rotating held. Rotated is called inside the
// commit section, too, and Wanted is, so they must not block.
type Hooks struct {
	Rotated func()              // a memtable waits to be flushed
	Stalled func(reason string) // a writer begins to wait
	Resumed func(time.Duration) // … and has waited
	Wanted  func()              // the memtable wants memory made ahead: somebody calls Prepare
	Refused func(error)         // the first write was refused for want of space
	Flush   func() error        // with Config.Manual: flushes one memtable
	Ended   func() bool         // waits until a running merge or flush has ended; false if none runs
}

// New returns a section without a log: nothing can be committed before Start.
func New(c Config, h Hooks) *Section {
	s := &Section{cfg: c, hooks: h, states: c.States, clock: c.Clock, life: c.Life}
	invariants.SetRank(&s.rotating, invariants.Rotating)
	invariants.SetRank(&s.mu, invariants.Section)
	invariants.SetRank(&s.flushes.mu, invariants.FlushQueue)
	invariants.SetRank(&s.Recycler.mu, invariants.Recycler)
	s.flushes.done.L = &s.flushes.mu
	s.states.Gaps.Settled = s.LastSeq
	s.Turns.token = make(chan struct{}, 1)
	s.Recycler.section, s.Recycler.blocks, s.Recycler.most = s, c.States.Tables.Cache(), c.MemtableBytes
	return s
}

// Start makes the section take commits, into mem and log, after the sequence last.
func (s *Section) Start(log *commitlog.Log, mem *readstate.Mem, last base.SeqNum) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log, s.mem = log, mem
	s.reserveLocked()
	s.startLocked(last)
}

// StartReading makes the sequence last visible, in a store without a log.
func (s *Section) StartReading(last base.SeqNum) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.startLocked(last)
}

func (s *Section) startLocked(last base.SeqNum) {
	s.lastSeq = last
	s.visible.Store(uint64(last))
}

// Close ends committing: later commits are ErrClosed.
func (s *Section) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// Visible returns the largest sequence that readers may see.
func (s *Section) Visible() base.SeqNum { return base.SeqNum(s.visible.Load()) }

// LastSeq returns the largest sequence that was given out.
func (s *Section) LastSeq() base.SeqNum {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastSeq
}

// SkipSeqs makes n sequences count as given out, as after so many operations.
func (s *Section) SkipSeqs(n base.SeqNum) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.startLocked(s.lastSeq + n)
}

// Mem returns the memtable that takes writes.
func (s *Section) Mem() *readstate.Mem {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mem
}

// Tombstones returns the memtable that takes writes and how many deletes and range
// deletes it holds.
func (s *Section) Tombstones() (*readstate.Mem, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mem, s.mem.Tombstones
}

// Files returns the log files that are prepared and in use.
func (s *Section) Files() *commitlog.Prepared { return s.cfg.Files }

// Ballast returns the space that is kept for a full disk; nil in a store that is open
// for reading.
func (s *Section) Ballast() *storedir.Ballast { return s.cfg.Ballast }

// Log returns the log; nil in a store that is open for reading.
func (s *Section) Log() *commitlog.Log { return s.log }

// Commit makes the change visible, whole, and returns when it has reached the
// level. A change that holds nothing waits for all that was appended.
func (s *Section) Commit(c *Change, level commitlog.Level) error {
	if c.count == 0 && c.Reads == nil {
		if err := s.life.ClosedErr(); err != nil {
			return err
		}
		return s.Wait(s.log.Appended(), level)
	}
	begin := c.begin(level)
	pos, err := s.enter(c)
	if err != nil {
		return err
	}
	c.published()
	if s.Waiters.Any() {
		s.Waiters.Published(c, c.Last, c.Place)
	}
	if err = s.Wait(pos, level); err == nil {
		s.Commits.End(begin)
	}
	return err
}

// begin returns the moment at which the commit begins.
func (c *Change) begin(level commitlog.Level) latency.Moment {
	if level == commitlog.Durable {
		return c.sampler.BeginSlow()
	}
	return c.sampler.Begin()
}

// published releases the key lock and the turn: others wait for them until the change
// is visible, and not until it is durable.
func (c *Change) published() {
	if c.Lock != nil {
		c.Lock.Unlock()
		c.Lock = nil
	}
	if c.EndTurn {
		c.Turn.End()
	}
}

// enter brings the change into the commit section, removing one obstacle after the
// other, and returns its position in the log.
func (s *Section) enter(c *Change) (pos commitlog.Position, err error) {
	var v validation
	if c.Reads != nil {
		v.checked = c.Reads.Seq
		if c.Reads.Len() >= watchFrom {
			v.watch = s.beginWatch(c.Reads)
			defer s.endWatch(v.watch)
		}
		if err = s.validate(c, &v); err != nil {
			return 0, err
		}
	}
	if !c.Urgent && !s.cfg.Manual && s.throttle(c.bytes) {
		c.postpone(s.clock.Now())
	}
	if s.cfg.Notes {
		c.takeNote()
		s.clock.Now() // readers are told when it was, and the log has the last reading
	}
	s.fetch(c)
	sealed := s.sealedOf(c)
	waits, gave := 0, false
	for {
		s.mu.Lock()
		o, err := s.obstacleLocked(c, sealed, &v)
		if o == none && err == nil {
			pos = s.insertLocked(c, sealed)
			s.mu.Unlock()
			return pos, nil
		}
		mem, turn := s.mem, s.Turns.now.Load()
		s.mu.Unlock()
		if err != nil {
			return 0, s.refuse(err)
		}
		switch o {
		case turnTaken:
			begin := time.Now()
			err = turn.wait(c, s.life.Quit())
			s.Waits.Turns.add(begin)
		case logsMissing:
			err = s.prepareFor(c)
		case flushesBehind:
			err = s.awaitFlushes(sealed.Bytes())
		case memtableFull:
			err = s.Rotate(mem)
		case logShort:
			err = s.extend(c)
		case readsUnchecked:
			err = s.validate(c, &v)
		}
		if err != nil {
			if !gave && c.frees() && errors.Is(err, base.ErrNoSpace) && s.cfg.Ballast.Give() {
				gave = true
				defer s.cfg.Ballast.Done()
				continue
			}
			if waits++; s.spaceMayCome(c, err, waits) {
				continue
			}
			return 0, s.refuse(err)
		}
		if now := s.clock.Now(); c.late(now) {
			return 0, ErrStateChanged
		} else if c.postpone(now) {
			sealed = s.sealedOf(c)
		}
	}
}

// fetchAhead is how many operations' hash slots are asked for ahead: more would push
// the first ones out of the cache again.
const fetchAhead = 256

// fetch asks for the hash slots that the memtable will look into, so that they are
// there when the commit section needs them.
func (s *Section) fetch(c *Change) {
	rs := s.states.Current.Load()
	if rs == nil || c.count > fetchAhead {
		return
	}
	for i := range c.ops {
		rs.Mem.Fetch(c.ops[i].hash)
	}
}

// sealedOf returns a table of the change's own if it needs one.
func (s *Section) sealedOf(c *Change) *memtable.Table {
	if memtable.Footprint(c.count, c.bytes) > s.cfg.MemtableBytes/4 {
		return c.sealedTable()
	}
	return nil
}

// obstacle is a reason why a change cannot be inserted right now.
type obstacle uint8

const (
	none           obstacle = iota
	turnTaken               // another transaction has its turn
	logsMissing             // two log files must be there for a table of its own
	flushesBehind           // too much waits to be flushed
	memtableFull            // it must be rotated
	logShort                // its file must be extended
	readsUnchecked          // records that the reads are to be compared with have left memory
)

var errRevalidate = errors.New("records have left memory")

// obstacleLocked returns the first obstacle to the change, or the error that refuses
// it.
func (s *Section) obstacleLocked(c *Change, sealed *memtable.Table, v *validation) (obstacle, error) {
	if s.closed {
		return none, base.ErrClosed
	}
	if s.life.Poisoned() {
		return none, s.life.PoisonErr()
	}
	if err := c.refusal(); err != nil {
		return none, err
	}
	if s.cfg.Replica && !c.replayed {
		return none, base.ErrReplica
	}
	if s.Turns.holdsBack(c) {
		return turnTaken, nil
	}
	size := c.logged()
	if err := s.overLimit(c, size); err != nil {
		return none, err
	}
	switch {
	case sealed != nil && s.behind(sealed.Bytes()):
		return flushesBehind, nil
	case sealed != nil && !s.cfg.Files.Ready(2, size):
		return logsMissing, nil
	case sealed == nil && !s.mem.Fits(c.count, c.bytes):
		return memtableFull, nil
	case sealed == nil && !s.log.Room(size+deleteReserve) && !(c.frees() && s.log.Room(size)):
		return logShort, nil
	}
	if c.Reads != nil {
		if err := s.revalidateLocked(c, v); err == errRevalidate {
			return readsUnchecked, nil
		} else if err != nil {
			return none, err
		}
	}
	if s.refused.Load() && !c.frees() {
		s.refused.Store(false)
	}
	return none, nil
}

// insertLocked is the heart of the commit section: it cannot fail.
func (s *Section) insertLocked(c *Change, sealed *memtable.Table) (pos commitlog.Position) {
	for _, ks := range c.Drops {
		ks.End(s.lastSeq + 1) // before the drop is visible
	}
	if s.states.Gaps.Noting() {
		s.noteGapsLocked(c)
	}
	switch {
	case c.count == 0:
		pos = s.log.Appended()
	case sealed != nil:
		pos = s.insertSealedLocked(c, sealed)
	default:
		if invariants.Enabled {
			invariants.Check(s.mem.MaxSeq() <= s.lastSeq, "memtable holds sequence %d, the last one is %d", s.mem.MaxSeq(), s.lastSeq)
		}
		// The frame carries the largest clock reading that any caller has seen, because
		// the change may rest on it: a blind put that follows a read of an expired key
		// does.
		pos = s.log.AppendNoted(c.head, s.lastSeq+1, uint32(c.count), s.clock.Shown(), c.full, c.tail, c.owned)
		c.InsertInto(s.mem.Table, 0, s.lastSeq+1, c.owned)
		s.mem.Tombstones += c.tombstones()
		s.publishLocked(c.count)
		if s.mem.Wants() {
			s.hooks.Wanted()
		}
		if s.reserved < s.cfg.MemtableBytes {
			s.reserveLocked()
		}
	}
	for _, w := range s.watches {
		w.noteLocked(c)
	}
	c.Last = s.lastSeq
	if c.Entered != nil {
		c.Entered(s.mem.Log)
	}
	return pos
}

// noteGapsLocked notes which keys the change puts, before it is visible.
func (s *Section) noteGapsLocked(c *Change) {
	g := &s.states.Gaps
	g.Begin(s.lastSeq + base.SeqNum(c.count))
	defer g.Done()
	for i := range c.count {
		if o := c.Op(i); o.Attr.Kind() == base.KindPut {
			g.PutLocked(o.Key)
		}
	}
}

// publishLocked makes the next n operations visible.
func (s *Section) publishLocked(n int) {
	if invariants.Enabled {
		s.checkSequencesLocked(n)
	}
	s.lastSeq += base.SeqNum(n)
	s.visible.Store(uint64(s.lastSeq))
}

// insertSealedLocked links the change's own table between the current memtable and
// a new one. Each gets a log of its own, so that the flush of a memtable retires
// exactly the log that holds its records.
func (s *Section) insertSealedLocked(c *Change, sealed *memtable.Table) commitlog.Position {
	first := s.lastSeq + 1
	sealed.Rebase(first - c.tableFirst) // wraps round to get below a transaction's own numbers
	own, after := s.cfg.Files.Take(), s.cfg.Files.Take()
	old := s.mem
	s.sealLocked(old)
	s.log.Rotate(own)
	pos := s.log.AppendNoted(c.head, first, uint32(c.count), s.clock.Shown(), c.full, c.tail, c.owned)
	s.log.Rotate(after)
	batch := &readstate.Mem{Table: sealed, Log: own.Number, Begin: old.End}
	s.sealLocked(batch)
	fresh := &readstate.Mem{Table: s.Recycler.New(), Log: after.Number, Begin: pos, Usual: true}
	s.mem = fresh
	s.states.Publish(func(rs *readstate.State) {
		rs.Imms = append([]*readstate.Mem{batch, old}, rs.Imms...)
		rs.Mem = fresh
	})
	s.publishLocked(c.count)
	s.hooks.Rotated()
	return pos
}

// Wait waits until everything up to pos has reached the level. A failure is
// indeterminate: readers have seen the commit, and whether it survives is known
// when the store is opened again.
func (s *Section) Wait(pos commitlog.Position, level commitlog.Level) error {
	err := s.log.Wait(pos, level)
	if err == nil {
		return nil
	}
	if errors.Is(err, commitlog.ErrClosed) {
		return base.ErrClosed
	}
	return fmt.Errorf("%w: %w", base.ErrIndeterminate, s.life.Poison(err))
}
