package commitlog

import (
	"errors"
	"io"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/wal"
)

// Position is a place in the stream of everything ever appended, in bytes. It
// grows across log files.
type Position int64

// Segment is one log file as Prepared makes it: created, its name durable,
// without a header. The log writes the header when the segment is activated.
type Segment struct {
	Number   base.FileNum
	LogID    uint64
	File     wal.Sink
	Allocate func(size int64) error // reserves disk space for the first size bytes
	Closer   io.Closer              // called once nothing more is written
	Reserved int64                  // bytes reserved so far
	// Zero fills reserved space with zeros; nil if that would bring nothing.
	Zero func(from, to int64) error
}

const (
	// gatherLimit is how many bytes Buffered commits leave in memory before they
	// call a worker to write them out, or, without a worker, one of them does.
	gatherLimit = 64 << 10
	// leadLimit is how many bytes they leave to a worker that was called and has not
	// begun.
	leadLimit = 256 << 10
	// backlogLimit is how many bytes may wait in memory, while a predecessor is
	// synced for instance, before even Buffered commits wait.
	backlogLimit = 4 << 20
	// ownPiece is the size from which a group references a piece of a payload
	// instead of copying it.
	ownPiece = 16 << 10
	// reserveStep is the largest step by which a segment's reservation grows.
	reserveStep = 8 << 20
	// bufferBytes is the size of a group's buffers, and keepBuffers how many are
	// kept for later groups.
	bufferBytes = 2 * gatherLimit
	keepBuffers = 16
)

// Log is the group buffer over a chain of log files. It is safe for concurrent
// use, except that Append, Room and Rotate are called by one goroutine at a
// time: the one inside the store's commit section.
type Log struct {
	syncing invariants.Mutex // held while a segment's file is synced, ended or begun; taken before alloc
	alloc   invariants.Mutex // held while a segment's file is extended or closed; taken before mu

	room int64 // of the active segment, at least; of those who call Append, Room and Rotate

	mu       invariants.Mutex
	segs     []*segment // oldest first; the last one takes appends
	appended Position
	written  Position // in the file: survives the process
	durable  Position // synced: survives power loss
	busy     bool     // a caller leads
	called   bool     // crowded was called for the pending group
	waiting  waitList
	spares   [][]byte // emptied group buffers
	err      error    // first failure; final
	callers  int      // how many waited when the last group was done
	syncTime time.Duration
	stats    Stats
	movingFront
	unsynced unsynced

	// constant after New
	dbid      uint64
	made      time.Time
	gathering func() // see New
	crowded   func() // see OnCrowd; nil: none
	synced    func(time.Duration)
	kept      *Kept // nil: no notes are taken
}

// movingFront is how far the log is durable, for readers of changes. Log.mu guards it.
type movingFront struct {
	front Front
	moved chan struct{} // closed when the front moves; nil: nobody waits
}

// segment is a Segment in use. Its fields are guarded by Log.mu, but w is the
// leader's alone.
type segment struct {
	Segment
	w       *wal.Writer // nil until activated
	pending group
	end     int64 // offset behind everything written, taken or pending
	written int64 // offset behind everything written
	synced  int64 // offset up to which SyncBehind made it durable
	clock   int64 // largest reading of any frame written; the leader's
	zeroed  int64 // offset up to which reserved space was filled; the leader's
}

// New returns a log that will begin with segment first; see Activate.
// gathering, if not nil, is called inside Append each time the first bytes of a group
// gather. No caller may be waiting for them, so the store arranges for WriteOut soon.
func New(dbid uint64, first Segment, gathering func()) *Log {
	l := &Log{dbid: dbid, made: time.Now(), gathering: gathering}
	invariants.SetRank(&l.syncing, invariants.LogSync)
	invariants.SetRank(&l.alloc, invariants.LogSpace)
	l.segs = []*segment{{Segment: first, end: wal.HeaderSize}}
	return l
}

// OnSync has fn called with the duration of each group that was written and
// synced, with no lock held. It is called before Activate.
func (l *Log) OnSync(fn func(time.Duration)) { l.synced = fn }

// OnCrowd has fn called, with no lock held, when so much has gathered that it should be
// written out. fn wakes a worker, which calls WriteOut; without fn a commit writes.
// OnCrowd is called before Activate.
func (l *Log) OnCrowd(fn func()) { l.crowded = fn }

// Keep has the log enter each file that it begins in k, and say in the file's header
// that notes stand in front of commits: each Append then has one. It is called before
// Activate.
func (l *Log) Keep(k *Kept) { l.kept = k }

// Activate writes and syncs the first segment's header, which names what comes
// before it: prev, zero if there is no such log, and the largest sequence so
// far. It is called once, before anything is appended.
func (l *Log) Activate(prev wal.Predecessor, last base.SeqNum, clock int64) error {
	s := l.segs[0]
	if err := l.start(s, prev, last, clock); err != nil {
		return l.fail(err)
	}
	l.mu.Lock()
	l.advanceLocked(s.Number, wal.HeaderSize)
	l.mu.Unlock()
	return nil
}

func (l *Log) start(s *segment, prev wal.Predecessor, last base.SeqNum, clock int64) error {
	s.clock = max(s.clock, clock)
	s.w = wal.NewWriter(s.File, wal.Header{
		Number: s.Number, DBID: l.dbid, LogID: s.LogID, Prev: prev, LastSeq: last, Clock: clock, Notes: l.kept != nil,
	})
	if err := s.w.Start(); err != nil || l.kept == nil {
		return err
	}
	l.kept.began(s.w.Header())
	return nil
}

// Room reports whether n more payload bytes surely fit the space reserved for
// the active segment, its trailer included.
func (l *Log) Room(n int64) bool {
	if wal.FrameSize(n) > l.room {
		l.mu.Lock()
		s := l.segs[len(l.segs)-1]
		l.room = s.Reserved - s.end - wal.FrameSize(0)
		l.mu.Unlock()
	}
	return wal.FrameSize(n) <= l.room
}

// Extend reserves space for at least n more payload bytes in the active
// segment. It is called outside the commit section. An error is definite:
// nothing was changed.
func (l *Log) Extend(n int64) error {
	l.alloc.Lock()
	defer l.alloc.Unlock()
	l.mu.Lock()
	s := l.segs[len(l.segs)-1]
	need := s.end + wal.FrameSize(n) + wal.FrameSize(0)
	have := s.Reserved
	l.mu.Unlock()
	if need <= have {
		return nil
	}
	want := max(need, have+min(max(have, 64<<10), reserveStep))
	if err := s.Allocate(want); err != nil {
		if want == need {
			return err
		}
		if want, err = need, s.Allocate(need); err != nil {
			return err
		}
	}
	l.mu.Lock()
	s.Reserved = max(s.Reserved, want)
	l.mu.Unlock()
	return nil
}

// Append adds the payload of one commit, count operations from sequence first
// on, to the pending group and returns the position behind it. It copies the
// payload unless keep says that it will not change any more. It cannot fail: Room was
// called before, in the same commit section.
func (l *Log) Append(first base.SeqNum, count uint32, clock int64, payload []byte, keep bool) Position {
	return l.AppendNoted(nil, first, count, clock, nil, payload, keep)
}

// AppendNoted is Append of a commit with a note in front, which is copied. The payload
// comes in pieces, of which tail is the last.
func (l *Log) AppendNoted(note []byte, first base.SeqNum, count uint32, clock int64, pieces [][]byte, tail []byte, keep bool) Position {
	size := int64(len(note) + len(tail))
	for _, p := range pieces {
		size += int64(len(p))
	}
	l.room -= wal.FrameSize(size) // which is too much when a group is gathering
	l.mu.Lock()
	s := l.segs[len(l.segs)-1]
	g := &s.pending
	idle := g.size == 0
	if idle {
		g.frame = wal.Frame{First: first}
		s.end += wal.FrameSize(0)
	}
	g.frame.Count += count
	g.frame.Clock = max(g.frame.Clock, clock)
	if len(note) > 0 {
		l.gatherLocked(g, note, false)
	}
	for _, p := range pieces {
		l.gatherLocked(g, p, keep)
	}
	l.gatherLocked(g, tail, keep)
	g.size += size
	s.end += size
	l.appended += Position(size)
	l.stats.Commits++
	l.stats.Operations += int64(count)
	pos := l.appended
	l.mu.Unlock()
	if idle && l.gathering != nil {
		l.gathering()
	}
	return pos
}

// gatherLocked adds a piece to the group.
func (l *Log) gatherLocked(g *group, piece []byte, keep bool) {
	if keep && len(piece) >= ownPiece {
		g.reference(piece)
		return
	}
	if !g.fits(len(piece)) {
		g.turn(l.takeSpareLocked(len(piece)))
	}
	g.add(piece)
}

// Rotate makes next the segment that takes appends. The leader finishes the
// current one, syncs it and only then writes next's header, at whatever level callers
// wait.
func (l *Log) Rotate(next Segment) {
	l.room = 0
	l.mu.Lock()
	l.segs = append(l.segs, &segment{Segment: next, end: wal.HeaderSize})
	l.mu.Unlock()
}

// Reserved returns how many bytes of disk space the active segment has.
func (l *Log) Reserved() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.segs[len(l.segs)-1].Reserved
}

// Appended returns the position behind everything appended so far.
func (l *Log) Appended() Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.appended
}

// Unsynced returns how many bytes have been appended and are not durable.
func (l *Log) Unsynced() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(l.appended - l.durable)
}

// Err returns the failure after which the log takes nothing more.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// writeGroupLocked writes the oldest segment's pending group, synced if asked or
// if the segment is sealed. It releases mu meanwhile, and returns the channel that is to
// be closed without it, if the front has moved.
func (l *Log) writeGroupLocked(sync bool) (moved chan struct{}) {
	s := l.segs[0]
	g := l.takeLocked(s)
	sealed, reserved := len(l.segs) > 1, s.Reserved
	l.mu.Unlock()
	begin := time.Now()
	l.unsynced.writing.Store(int64(begin.Sub(l.made)))
	if sync && !sealed {
		s.zeroAhead(g.size, reserved)
	}
	err := l.write(s, &g, sync || sealed)
	if err == nil && sealed {
		err = l.finish(s)
	}
	took := time.Since(begin)
	if l.synced != nil && (sync || sealed) {
		l.synced(took)
	}
	l.mu.Lock()
	if err != nil {
		if l.err == nil {
			l.err = err
		}
		return l.takeMovedLocked()
	}
	l.unsynced.wrote(begin, g.size > 0, sync || sealed)
	l.written = max(l.written, g.end)
	s.written = s.w.Offset()
	l.stats.wrote(&g)
	if sync || sealed {
		l.durable = max(l.durable, g.end)
		l.advanceLocked(l.segs[0].Number, l.segs[0].w.Offset())
		moved = l.takeMovedLocked()
		l.syncTime += (took - l.syncTime) / 8
		l.stats.Syncs.Add(took)
	}
	l.recycleLocked(&g)
	if invariants.Enabled {
		invariants.Check(l.durable <= l.written && l.written <= l.appended, "log is durable up to %d, written to %d, appended to %d", l.durable, l.written, l.appended)
	}
	return moved
}

// takeLocked takes the segment's pending group and leaves an empty one.
func (l *Log) takeLocked(s *segment) group {
	g := s.pending
	g.synced = s.synced
	s.pending, l.called = group{}, false
	if len(l.segs) == 1 {
		g.end = l.appended
		return g
	}
	g.end = l.appended
	for _, later := range l.segs[1:] {
		g.end -= Position(later.pending.size)
	}
	return g
}

// write writes g as one frame and syncs the segment if asked.
func (l *Log) write(s *segment, g *group, sync bool) error {
	s.w.SyncedTo(g.synced)
	if g.size > 0 {
		tail := g.buf[g.cut:]
		s.clock = max(s.clock, g.frame.Clock)
		var err error
		if len(g.pieces) == 0 {
			err = s.w.Append(g.frame, tail)
		} else {
			err = s.w.Append(g.frame, append(g.pieces, tail)...)
		}
		if err != nil {
			return err
		}
	}
	if !sync {
		return nil
	}
	l.syncing.Lock()
	defer l.syncing.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	return s.w.Sync()
}

// finish writes the trailer of a sealed segment, syncs it, and activates its
// successor, whose header names where this one ended.
func (l *Log) finish(s *segment) error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	prev, err := end(s)
	if err != nil {
		return err
	}
	l.alloc.Lock()
	err = s.Closer.Close()
	l.alloc.Unlock()
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.segs = append(l.segs[:0], l.segs[1:]...)
	next := l.segs[0]
	l.mu.Unlock()
	return l.start(next, prev, prev.LastSeq, s.clock)
}

// end writes and syncs the trailer of s and returns what a successor's header
// says of it.
func end(s *segment) (wal.Predecessor, error) {
	if err := s.w.Finish(s.clock); err != nil {
		return wal.Predecessor{}, err
	}
	if err := s.w.Sync(); err != nil {
		return wal.Predecessor{}, err
	}
	prev, ok := s.w.Successor()
	if !ok {
		return prev, errNotEnded
	}
	return prev, nil
}

// recycleLocked keeps the buffers of a group that has been written.
func (l *Log) recycleLocked(g *group) {
	for _, buf := range append(g.full, g.buf) {
		if len(l.spares) < keepBuffers && cap(buf) == bufferBytes {
			invariants.Poison(buf)
			l.spares = append(l.spares, buf[:0])
		}
	}
}

// takeSpareLocked returns an empty buffer with room for n bytes.
func (l *Log) takeSpareLocked(n int) (buf []byte) {
	last := len(l.spares) - 1
	if last < 0 || n > bufferBytes {
		return make([]byte, 0, max(n, bufferBytes))
	}
	buf, l.spares[last], l.spares = l.spares[last], nil, l.spares[:last]
	return buf
}

func (l *Log) fail(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
	}
	return l.err
}

// ErrClosed is the error of Wait, after Close, for a position that the log never
// reached.
var ErrClosed = errors.New("log is closed")

var errNotEnded = errors.New("log was not ended")

// Close ends the log. A clean log is written out and synced; one that has failed is
// only released: its descriptors are never synced again. The last log gets no trailer:
// a trailer says that the file of a successor is there.
func (l *Log) Close() error {
	werr := l.Wait(l.Appended(), Durable)
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.mu.Lock()
	segs := l.segs
	if werr == nil {
		werr = l.err
	}
	if l.err == nil {
		l.err = ErrClosed
	}
	moved := l.takeMovedLocked()
	l.mu.Unlock()
	closeMoved(moved)
	l.alloc.Lock()
	defer l.alloc.Unlock()
	for _, s := range segs {
		werr = errors.Join(werr, s.Closer.Close())
	}
	return werr
}
