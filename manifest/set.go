package manifest

import (
	"bytes"
	"errors"
	"io/fs"
	"math"
	"path"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/clock"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/internal/lifecycle"
	"github.com/siltstonedb/siltstone/vfs"
)

// Set is the one way the state of an open store changes: an edit is applied to a
// copy of the state, made durable, and only then published. It hands out file
// numbers, collection ids and keyspace numbers from blocks that edits reserve. It
// is safe for concurrent use.
//
// Locks: ids is taken before mu. mu is held across an edit's write and sync and
// across its publication.
type Set struct {
	mu    invariants.Mutex
	state *State
	log   *Log         // nil in a store that is open for reading
	ended bool         // the log has been closed
	other bool         // the manifest is another process's: see Follow
	moved bool         // the branch has changed, and only a new manifest says so
	next  base.FileNum // next file number to hand out; below state.FileLimit

	rollFrom  int64        // size from which the log is replaced, if an attempt has failed
	lastTried base.FileNum // the number of the last attempt

	ids          invariants.Mutex // guards those below
	collections  block[uint64]
	keyspaces    block[uint32]
	lastReserved uint64 // how many collection ids the last reservation was for

	// constant after Open
	fs   vfs.FS
	dir  string
	clk  *clock.Clock
	life *lifecycle.State

	// Nominations are the collections that may be dead.
	Nominations Nominations
}

// block is numbers that are reserved and not handed out: [next, limit).
type block[T uint32 | uint64] struct{ next, limit T }

const (
	fileBlock     = 64
	keyspaceBlock = 16
	idBlockFirst  = 4 << 10

	// IDBlockLast is the most collection ids that one edit reserves.
	IDBlockLast = 1 << 20
)

// OpenSet returns a set of the given state, for reading. Writable makes it writable.
func OpenSet(fsys vfs.FS, dir string, s *State, c *clock.Clock, life *lifecycle.State) *Set {
	m := &Set{fs: fsys, dir: dir, state: s, clk: c, life: life}
	invariants.SetRank(&m.mu, invariants.Manifest)
	invariants.SetRank(&m.ids, invariants.NumberBlocks)
	invariants.SetRank(&m.Nominations.mu, invariants.Nominations)
	return m
}

// Writable makes the set writable, with file numbers reserved. If info is that of
// a manifest that ends cleanly it is continued; else, info being nil for a new
// store, a new manifest with a number of at least least is published, so that
// nothing is ever appended behind what may be torn.
func (m *Set) Writable(info *Info, clean bool, least base.FileNum) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next = max(m.state.FileLimit, 1)
	first := max(m.state.IDLimit, 1)
	m.collections = block[uint64]{first, first}
	// A clean store stays clean until the edit that names its first log: until then
	// there is none, and a start that is cut short is not to be asked for one.
	reserve := &Edit{FileLimit: m.next + fileBlock, Clock: m.clk.Now(), Clean: m.state.Clean}
	var err error
	if info != nil && clean && !m.moved {
		if m.log, err = Continue(m.fs, m.dir, *info); err != nil {
			return err
		}
		if err = m.applyLocked(reserve, nil); err != nil {
			_ = m.log.Close() // the first error is the one to tell
			m.log = nil
		}
		return err
	}
	if m.state, err = m.state.Apply(reserve); err != nil {
		return err
	}
	number := max(least, 1)
	if info != nil {
		number = max(number, info.Number+1)
	}
	m.log, err = Create(m.fs, m.dir, number, m.state)
	return err
}

// SetBranch makes all sequences up to last ones of the parent's history. It is called
// before Writable, which makes it durable.
func (m *Set) SetBranch(last base.SeqNum) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := *m.state
	next.Branch, m.state, m.moved = last, &next, true
}

// State returns the present state. It is immutable.
func (m *Set) State() *State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

// Pinned calls f with the present state, which does not change until f returns.
func (m *Set) Pinned(f func(*State)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(m.state)
}

// Follow takes over the state of a manifest that another process writes, and calls
// publish before anybody sees it. The set is open for reading.
func (m *Set) Follow(s *State, publish func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state, m.other = s, true
	publish()
}

// Following reports whether another process writes the manifest. Its directory is not the
// one of the tables then.
func (m *Set) Following() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.other
}

// Apply makes the edit durable, then calls publish, if it is not nil, with the
// version it leads to. The order, for everything that changes the set of files:
// tables synced, directory synced, edit appended and synced, made visible, later
// unlinked.
//
// An edit for which the disk has no room is refused with ErrNoSpace: nothing has
// happened. After any other failure nothing the edit names is deleted, added or
// removed: whether it happened is known when a manifest is read again.
func (m *Set) Apply(e *Edit, publish func(*Version)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.applyLocked(e, publish)
}

// ApplyFlush is Apply for the flush of the memtable whose log is mem. Verdicts on
// nominations that are in the memtable become durable with it: they are settled
// under the lock under which edits nominate.
func (m *Set) ApplyFlush(e *Edit, mem base.FileNum, publish func(*Version)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e.Settled = m.Nominations.settles(mem, e.Nominated)
	err := m.applyLocked(e, publish)
	if err == nil {
		m.Nominations.flushed(mem)
	}
	return err
}

func (m *Set) applyLocked(e *Edit, publish func(*Version)) error {
	switch {
	case m.life.Poisoned():
		return m.life.PoisonErr()
	case m.ended:
		return base.ErrClosed
	}
	e.Clock = max(e.Clock, m.clk.Now())
	next, err := m.state.Apply(e)
	if err != nil {
		return err
	}
	if err := m.log.Reserve(e); err != nil {
		return err
	}
	if err := m.log.Append(e); err != nil {
		return m.life.Poison(err)
	}
	if invariants.Enabled {
		m.checkLocked(next)
	}
	m.state = next
	m.Nominations.Add(e.Nominated)
	if publish != nil {
		publish(next.Version)
	}
	if m.log.Full() && m.log.Size() >= m.rollFrom {
		return m.rollLocked()
	}
	return nil
}

// checkLocked says what every state must be.
func (m *Set) checkLocked(next *State) {
	err := next.Version.Check()
	invariants.Check(err == nil, "version is impossible: %v", err)
	invariants.Check(m.next <= next.FileLimit, "next file number %d is above the limit %d", uint64(m.next), uint64(next.FileLimit))
	for _, t := range next.Version.AllTables() {
		invariants.Check(t.Num < next.FileLimit, "table %d is above the limit %d", uint64(t.Num), uint64(next.FileLimit))
	}
}

// rollLocked writes the state as a new manifest and removes the old one. If the new
// one cannot be written the old one goes on, and the next attempt is a good while
// of edits later.
func (m *Set) rollLocked() error {
	old := m.log
	m.lastTried = max(m.lastTried, old.Number()) + 1
	log, err := Create(m.fs, m.dir, m.lastTried, m.state)
	if errors.As(err, new(notNamed)) {
		m.rollFrom = old.Size() + fullSize/4
		return nil
	}
	if err != nil {
		return m.life.Poison(err)
	}
	m.log, m.rollFrom = log, 0
	_ = old.Close()
	_ = m.fs.Remove(path.Join(m.dir, base.Filename(base.FileManifest, old.Number())))
	return nil
}

// Close closes the manifest. Later edits are ErrClosed.
func (m *Set) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended = true; m.log == nil {
		return nil
	}
	return m.log.Close()
}

// NewLogBytes returns how much space another manifest takes at most.
func (m *Set) NewLogBytes() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.log.Size() + reserveStep
}

// LogName returns the name of the manifest in use, "manifest" in a store that is
// open for reading, and its number.
func (m *Set) LogName() (string, base.FileNum) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.log == nil {
		return "manifest", 0
	}
	return base.Filename(base.FileManifest, m.log.Number()), m.log.Number()
}

// NewFileNum hands out a file number, after it has reserved the next block of them
// in the manifest if need be.
func (m *Set) NewFileNum() (base.FileNum, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.next >= m.state.FileLimit {
		if err := m.applyLocked(&Edit{FileLimit: m.next + fileBlock}, nil); err != nil {
			return 0, err
		}
	}
	if invariants.Enabled {
		invariants.Check(m.next < m.state.FileLimit, "file number %d is handed out, %d is the limit", uint64(m.next), uint64(m.state.FileLimit))
	}
	n := m.next
	m.next++
	return n, nil
}

// NewID hands out a collection id, from blocks reserved like file numbers. Ids are
// never reused; the rest of a block is lost when the store closes. A call that needs
// a new block waits for a sync, and all calls that create a collection meanwhile wait
// with it. So each block is twice as large as the one before.
func (m *Set) NewID() (uint64, error) {
	m.ids.Lock()
	defer m.ids.Unlock()
	b := &m.collections
	if b.next >= b.limit {
		n := min(max(2*m.lastReserved, idBlockFirst), IDBlockLast)
		if err := m.Apply(&Edit{IDLimit: b.next + n}, nil); err != nil {
			return 0, err
		}
		b.limit, m.lastReserved = b.next+n, n
	}
	b.next++
	return b.next - 1, nil
}

// NewKeyspaceNumber hands out a number that no keyspace ever had.
func (m *Set) NewKeyspaceNumber() (uint32, error) {
	m.ids.Lock()
	defer m.ids.Unlock()
	b := &m.keyspaces
	if b.next == b.limit {
		first := max(m.State().KeyspaceLimit, 1) // 0 is the default keyspace
		if first > math.MaxUint32-keyspaceBlock {
			return 0, errors.New("siltstone: no keyspace number is left")
		}
		if err := m.Apply(&Edit{KeyspaceLimit: first + keyspaceBlock}, nil); err != nil {
			return 0, err
		}
		*b = block[uint32]{first, first + keyspaceBlock}
	}
	b.next++
	return b.next - 1, nil
}

// Raise makes ids and keyspace numbers count as handed out, up to those that are given.
// It is for a store that takes them from another one, and hands out none itself.
func (m *Set) Raise(id uint64, keyspace uint32) error {
	s, e := m.State(), &Edit{}
	if id >= s.IDLimit && id < math.MaxUint64-idBlockFirst {
		e.IDLimit = id + idBlockFirst
	}
	if keyspace >= s.KeyspaceLimit && keyspace <= math.MaxUint32-keyspaceBlock {
		e.KeyspaceLimit = keyspace + keyspaceBlock
	}
	if e.IDLimit == 0 && e.KeyspaceLimit == 0 {
		return nil
	}
	return m.Apply(e, nil)
}

// Check reads the manifest again and compares it with the state in memory. A
// poisoned store's may hold an edit more, and is not compared; nor is one that another
// process writes.
func (m *Set) Check() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.life.Poisoned() || m.other {
		return nil
	}
	s, info, err := Load(m.fs, m.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return base.Corruptf(base.Filename(base.FileCurrent, 0), -1, "missing")
	}
	if err != nil {
		return err
	}
	name := base.Filename(base.FileManifest, info.Number)
	switch {
	case m.log != nil && m.log.Number() != info.Number:
		return base.Corruptf(base.Filename(base.FileCurrent, 0), 0, "names %s, the store goes by manifest %d", name, uint64(m.log.Number()))
	case m.log != nil && m.log.Size() != info.End:
		return base.Corruptf(name, info.End, "ends here, %d bytes were written", m.log.Size())
	case s.DBID != m.state.DBID || !bytes.Equal(AppendEdit(nil, s.Snapshot()), AppendEdit(nil, m.state.Snapshot())):
		return base.Corruptf(name, -1, "does not say what the store goes by")
	}
	return nil
}
