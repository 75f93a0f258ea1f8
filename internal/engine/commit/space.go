package commit

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/storedir"
)

// A write that is refused for want of disk space has changed nothing. Changes that
// delete go on beyond the limit, because they free space; so do flushes and merges.

const (
	// deleteReserve is how much of the log's reserved space is left to changes that
	// delete, so that they need not ask a full disk for more.
	deleteReserve = 32 << 10

	// The room that is kept free for merges on a disk that is filling up: the young
	// tables and a share of the last level, within bounds.
	mergeShare = 8
	maxMerge   = 128 << 20
	minMerge   = 1 << 20
)

// diskBytes returns about how many bytes the store's files take: tables, those
// still to be removed included, the logs' records, and logs that are kept for readers.
func (s *Section) diskBytes() int64 {
	bytes := s.states.Tables.FileBytes() + s.cfg.Files.Kept().Held()
	if rs := s.states.Current.Load(); rs != nil && s.log != nil {
		oldest := rs.Mem
		if n := len(rs.Imms); n > 0 {
			oldest = rs.Imms[n-1]
		}
		bytes += int64(s.log.Appended() - oldest.Begin)
	}
	return bytes
}

// overLimit returns the error of a change of n bytes that MaxDiskBytes does not
// allow.
func (s *Section) overLimit(c *Change, n int64) error {
	limit := s.cfg.MaxDiskBytes
	if limit == 0 || c.Urgent {
		return nil
	}
	used := s.diskBytes()
	if used+n <= limit || c.frees() {
		return nil
	}
	return fmt.Errorf("%w: %d bytes are used of MaxDiskBytes %d", base.ErrNoSpace, used, limit)
}

// headroom is the room that flushes and merges need on a disk to go on when there
// is that much in memory, in young tables and in the last level: a merge into the
// last level writes what it brings down once more. It is a pure function.
func headroom(unflushed, young, last int64) int64 {
	return unflushed + min(max(young+last/mergeShare, minMerge), maxMerge)
}

// diskFull returns the error of a change of n bytes for which the file system has
// too little room left. It asks the file system.
func (s *Section) diskFull(c *Change, n int64) error {
	free := s.cfg.Dir.Free()
	if free < 0 || c.Urgent || c.frees() {
		return nil
	}
	if keep := s.keptFree(); free < n+keep {
		return fmt.Errorf("%w: %d bytes are free and %d kept for flushes and merges", base.ErrNoSpace, free, keep)
	}
	return nil
}

// keptFree is headroom for the present memtables and tables, less what the ballast holds
// for the memtables.
func (s *Section) keptFree() int64 {
	rs := s.states.Current.Load()
	if rs == nil {
		return headroom(0, 0, s.states.Tables.FileBytes())
	}
	unflushed := -s.cfg.Ballast.Bytes()
	rs.EachMem(func(m *readstate.Mem) { unflushed += m.Filled() })
	young := rs.YoungBytes(maxMerge)
	return headroom(max(0, unflushed), young, s.states.Tables.FileBytes()-young)
}

// MergeRoom returns how many bytes may be written by a merge that need not be: one
// that keeps the store within MaxDiskBytes, and leaves on the disk what flushes and
// other merges need. It asks the file system, and may be negative.
func (s *Section) MergeRoom() int64 {
	room := int64(math.MaxInt64)
	if limit := s.cfg.MaxDiskBytes; limit > 0 {
		room = limit - s.diskBytes()
	}
	if free := s.cfg.Dir.Free(); free >= 0 {
		room = min(room, free-s.keptFree())
	}
	return room
}

// extend reserves log space. Its error is definite: nothing was changed.
func (s *Section) extend(c *Change) error {
	n := c.logged() + deleteReserve
	if err := s.diskFull(c, n); err != nil {
		return err
	}
	err := storedir.NoSpace(s.log.Extend(n))
	if err == nil {
		s.cfg.Ballast.Wanted()
	}
	return err
}

// ReplayBytes returns about how many bytes of tables a start makes of the logs, if the
// store ends now.
func (s *Section) ReplayBytes() int64 {
	bytes := s.log.Reserved()
	if rs := s.states.Current.Load(); rs != nil {
		for _, m := range rs.Imms {
			bytes += m.Bytes()
		}
	}
	return bytes + bytes/8
}

// prepareFor has the two logs made that a change with a table of its own needs.
// Its error is definite too.
func (s *Section) prepareFor(c *Change) error {
	n := c.logged()
	if err := s.diskFull(c, n+c.bytes); err != nil {
		return err
	}
	return s.cfg.Files.Make(2, n)
}

// spaceWaits is how many merges and flushes a change that deletes waits for on a full
// disk.
const spaceWaits = 6

// spaceMayCome reports whether a change that deletes and met a full disk tries once
// more: a merge fills the disk for a while, with what replaces its inputs, and gives
// the space back when it ends, whether it succeeds or not. It waits for that, and for
// the next attempt of a flush that met the full disk, too.
func (s *Section) spaceMayCome(c *Change, err error, waits int) bool {
	if s.cfg.Manual || c.OfMerge || waits > spaceWaits || !c.frees() || !errors.Is(err, base.ErrNoSpace) {
		return false
	}
	defer s.Waits.Space.add(time.Now())
	return s.hooks.Ended() || s.nextFlush() || waits == 1
}

// refuse returns the error of a write, and tells of the first one that was refused
// for want of space.
func (s *Section) refuse(err error) error {
	if errors.Is(err, base.ErrNoSpace) && !s.refused.Swap(true) {
		s.hooks.Refused(err)
	}
	return err
}
