package commitlog

import (
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/wal"
)

// Prepared are log files made ahead, so that a rotation need not wait for the file
// system: created, space reserved, their names durable, but without a header. A
// file without a header does not exist to recovery. It also knows the logs in use.
// It is safe for concurrent use.
//
// Locks: making is held while files are made and taken before mu.
type Prepared struct {
	making invariants.Mutex

	mu     invariants.Mutex
	closed bool           // nothing is made any more
	made   []Segment      // in the order of their numbers
	used   []base.FileNum // taken and not yet retired, oldest first

	// constant
	dir    storedir.Dir
	newNum func() (base.FileNum, error)
	remove func(base.FileNum)
	kept   *Kept        // nil: retired logs are removed
	now    func() int64 // the clock by which they age
}

// firstReserve is how much space a new log reserves: an idle store stays small.
const firstReserve = 64 << 10

// NewPrepared returns an empty set of log files in dir. newNum hands out file
// numbers; remove removes a log.
func NewPrepared(dir storedir.Dir, newNum func() (base.FileNum, error), remove func(base.FileNum)) *Prepared {
	p := &Prepared{dir: dir, newNum: newNum, remove: remove}
	invariants.SetRank(&p.making, invariants.LogFiles)
	return p
}

// Keep has logs that are retired kept in k, whose ages are counted by now. It is called
// before one is.
func (p *Prepared) Keep(k *Kept, now func() int64) { p.kept, p.now = k, now }

// Kept returns the logs that are kept for readers of changes; nil if none are.
func (p *Prepared) Kept() *Kept { return p.kept }

// Ready reports whether n logs are prepared, the first with room for a payload of
// size bytes.
func (p *Prepared) Ready(n int, size int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.made) >= n && roomFor(size) <= p.made[0].Reserved
}

func roomFor(payload int64) int64 {
	return wal.HeaderSize + wal.FrameSize(payload) + wal.FrameSize(0)
}

// Take takes the next prepared log. One goroutine at a time takes: the one inside
// the commit section, which has asked Ready there.
func (p *Prepared) Take() Segment {
	p.mu.Lock()
	defer p.mu.Unlock()
	seg := p.made[0]
	p.made = append(p.made[:0], p.made[1:]...)
	p.used = append(p.used, seg.Number)
	return seg
}

// First makes the first log of an opened store and takes it.
func (p *Prepared) First() (Segment, error) {
	seg, err := p.create()
	if err == nil {
		p.mu.Lock()
		p.used = append(p.used, seg.Number)
		p.mu.Unlock()
	}
	return seg, err
}

// InUse returns the logs in use, oldest first.
func (p *Prepared) InUse() []base.FileNum {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.used)
}

// Retire forgets the logs in use below the given number, and returns those that are to
// be removed: all of them, unless some are kept.
func (p *Prepared) Retire(below base.FileNum) (remove []base.FileNum) {
	retired := p.retire(below)
	if p.kept == nil {
		return retired
	}
	for _, n := range retired {
		if st, err := p.dir.FS.Stat(p.dir.Name(base.FileLog, n)); err == nil && p.kept.Has(n) {
			p.kept.Retire(n, st.Size())
		} else {
			remove = append(remove, n)
		}
	}
	return append(remove, p.Trim()...)
}

// Trim returns the kept logs that are to be removed, because they are beyond a bound.
func (p *Prepared) Trim() []base.FileNum {
	if p.kept == nil {
		return nil
	}
	return p.kept.Trim(p.now())
}

func (p *Prepared) retire(below base.FileNum) (retired []base.FileNum) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.used) > 0 && p.used[0] < below {
		retired = append(retired, p.used[0])
		p.used = p.used[1:]
	}
	return retired
}

// Make prepares logs until there are n, the first with room for a payload of size
// bytes. Its error is definite: nothing was changed.
func (p *Prepared) Make(n int, size int64) error {
	p.making.Lock()
	defer p.making.Unlock()
	for {
		have, first, err := p.first()
		switch {
		case err != nil:
			return err
		case have > 0 && first.Reserved < roomFor(size):
			err := storedir.NoSpace(first.Allocate(roomFor(size)))
			if there := p.reserved(first.Number, roomFor(size), err == nil); there && err != nil {
				return err
			}
		case have >= n:
			return nil
		default:
			seg, err := p.create()
			if err != nil {
				return err
			}
			p.mu.Lock()
			p.made = append(p.made, seg)
			p.mu.Unlock()
		}
	}
}

// first returns how many logs are prepared and a copy of the first: a commit may
// take it at any moment.
func (p *Prepared) first() (have int, s Segment, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, s, base.ErrClosed
	}
	if len(p.made) > 0 {
		s = p.made[0]
	}
	return len(p.made), s, nil
}

// reserved notes the space that a prepared log has, if it has it. It reports false if
// the log was taken meanwhile: then it may be closed, and an error of its file means
// nothing.
func (p *Prepared) reserved(n base.FileNum, bytes int64, has bool) (there bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.made, func(s Segment) bool { return s.Number == n })
	if i >= 0 && has {
		p.made[i].Reserved = max(p.made[i].Reserved, bytes)
	}
	return i >= 0
}

// create creates a log file and makes its length and its name durable. So a log that
// is missing or shorter than its header, where one was taken, is damage.
func (p *Prepared) create() (Segment, error) {
	num, err := p.newNum()
	if err != nil {
		return Segment{}, err
	}
	id, err := storedir.RandomID()
	if err != nil {
		return Segment{}, err
	}
	f, err := p.dir.Create(base.FileLog, num)
	if err != nil {
		return Segment{}, err
	}
	err = storedir.NoSpace(f.Allocate(firstReserve))
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = p.dir.Sync()
	}
	if err != nil {
		f.Close()
		p.remove(num)
		return Segment{}, err
	}
	seg := Segment{Number: num, LogID: id, File: f, Allocate: f.Allocate, Closer: f, Reserved: firstReserve}
	if z, ok := f.(vfs.Zeroer); ok {
		seg.Zero = z.Zero
	}
	return seg, nil
}

// Close closes and removes the logs that were prepared and never taken.
func (p *Prepared) Close() {
	p.making.Lock()
	defer p.making.Unlock()
	p.mu.Lock()
	left := p.made
	p.closed, p.made = true, nil
	p.mu.Unlock()
	for _, seg := range left {
		seg.Closer.Close()
		p.remove(seg.Number)
	}
}
