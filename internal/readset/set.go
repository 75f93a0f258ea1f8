// Package readset remembers what a transaction read, so that its commit can
// ask whether any of it has changed: points, the intervals its scans really
// consumed, gaps and empty scans included, and the earliest expiry of any live
// row it saw. Time makes rows vanish without a sequence number; a commit
// compares that expiry with the clock as it compares sequences.
package readset

import (
	"bytes"
	"sync"
	"unsafe"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/invariants"
)

// Point is one key that was looked up, found or not.
type Point struct {
	Hash uint64
	Row  []byte
}

// Interval is a stretch of keys that a scan consumed: [Lo, Hi], or [Lo, Hi) if
// the upper end is exclusive. A nil Hi is the end of all keys.
type Interval struct {
	Lo, Hi      []byte
	HiInclusive bool
}

// Set is what one transaction read at sequence Seq and clock Clock. It is not
// safe for concurrent use.
type Set struct {
	Seq   base.SeqNum
	Clock int64

	points    []Point
	intervals []Interval
	expiry    int64  // earliest of any live row read; 0: none expires
	expires   []byte // its row
	arena     []byte // rows are cut from it
	last      []byte // the row noted last: many calls read one row twice in a row
	rows      int64  // bytes of memory that rows lie in, the arena's included
	began     int64  // Memory when it was emptied last
	owner     Owner  // nil: nobody
	home      *Set   // where the memory goes in the end; nil: nowhere
}

// Owner is told that a set needs more memory. It may ask for Grown.
type Owner interface{ ReadsGrown() }

// ended is the memory of sets that have ended, as sets that are empty.
var ended = sync.Pool{New: func() any { return new(Set) }}

// Begin makes s an empty set for a read at seq and clock, with the memory of one that
// has ended.
func (s *Set) Begin(seq base.SeqNum, clock int64, owner Owner) {
	from := ended.Get().(*Set)
	*s = Set{points: from.points, intervals: from.intervals, arena: from.arena, home: from}
	*from = Set{}
	s.Reset(seq, clock, owner)
}

// End empties a set that Begin has begun and gives its memory to the next one. What is
// noted all the same goes to memory of its own.
func (s *Set) End() {
	to := s.home
	if to == nil {
		return
	}
	s.Reset(0, 0, nil)
	to.points, to.intervals, to.arena = s.points, s.intervals, s.arena
	*s = Set{}
	ended.Put(to)
}

// keptReads is how many points and how many intervals there is room for at most in
// memory that the next set has.
const keptReads = 1 << 10

// Reset empties the set for a read at another point, keeping its memory: what it
// handed out is overwritten by what is noted next.
func (s *Set) Reset(seq base.SeqNum, clock int64, owner Owner) {
	clear(s.points)
	clear(s.intervals)
	invariants.Poison(s.arena)
	*s = Set{Seq: seq, Clock: clock, points: s.points[:0], intervals: s.intervals[:0], arena: s.arena[:0], owner: owner, home: s.home}
	if cap(s.points) > keptReads || cap(s.intervals) > keptReads {
		s.points, s.intervals = nil, nil
	}
	if cap(s.arena) > arenaMax {
		s.arena = nil
	}
	s.rows = int64(cap(s.arena))
	s.began = s.memory()
}

// memory returns the bytes of memory that the set holds.
func (s *Set) memory() int64 {
	return s.rows + int64(cap(s.points))*int64(unsafe.Sizeof(Point{})) + int64(cap(s.intervals))*int64(unsafe.Sizeof(Interval{}))
}

// Grown returns how many bytes of memory the set holds beyond those that it had when it
// was empty.
func (s *Set) Grown() int64 { return s.memory() - s.began }

// grown tells the owner.
func (s *Set) grown() {
	if s.owner != nil {
		s.owner.ReadsGrown()
	}
}

// arenaMax is the largest arena that is made unless a single row needs more, and
// the largest that Reset keeps.
const arenaMax = 64 << 10

// keep copies b into the set's own memory.
func (s *Set) keep(b []byte) []byte {
	if len(s.arena)+len(b) > cap(s.arena) {
		s.arena = make([]byte, 0, max(1024, len(b), min(2*cap(s.arena), arenaMax)))
		s.rows += int64(cap(s.arena))
		s.grown()
	}
	at := len(s.arena)
	s.arena = append(s.arena, b...)
	return s.arena[at:len(s.arena):len(s.arena)]
}

// AddPoint notes that row was looked up. It copies row.
func (s *Set) AddPoint(hash uint64, row []byte) {
	if s.last != nil && bytes.Equal(s.last, row) {
		return
	}
	s.last = s.keep(row)
	room := cap(s.points)
	if s.points = append(s.points, Point{Hash: hash, Row: s.last}); cap(s.points) > room {
		s.grown()
	}
}

// AddInterval notes that a scan consumed [lo, hi], or [lo, hi) if inclusive is
// false; a nil hi is the end of all keys. It copies both.
func (s *Set) AddInterval(lo, hi []byte, inclusive bool) {
	i := Interval{Lo: s.keep(lo), HiInclusive: inclusive}
	if hi != nil {
		i.Hi = s.keep(hi)
	}
	room := cap(s.intervals)
	if s.intervals = append(s.intervals, i); cap(s.intervals) > room {
		s.grown()
	}
}

// AddExpiry notes that row was seen alive with the given expiry; 0 is none.
func (s *Set) AddExpiry(row []byte, expiry int64) {
	if expiry == 0 || s.expiry != 0 && s.expiry <= expiry {
		return
	}
	s.expiry, s.expires = expiry, s.keep(row)
}

// Points returns what was looked up. It belongs to the set.
func (s *Set) Points() []Point { return s.points }

// Intervals returns what scans consumed. They belong to the set.
func (s *Set) Intervals() []Interval { return s.intervals }

// Len returns how many points and intervals there are.
func (s *Set) Len() int { return len(s.points) + len(s.intervals) }

// Expiry returns the earliest expiry of a live row that was read, and the row;
// 0 if none expires.
func (s *Set) Expiry() (int64, []byte) { return s.expiry, s.expires }

// Empty reports whether nothing was read.
func (s *Set) Empty() bool {
	return len(s.points) == 0 && len(s.intervals) == 0 && s.expiry == 0
}

// Upper returns the exclusive upper end of the interval; nil is the end of all
// keys.
func (i *Interval) Upper() []byte {
	if i.Hi == nil || !i.HiInclusive {
		return i.Hi
	}
	return append(i.Hi[:len(i.Hi):len(i.Hi)], 0)
}
