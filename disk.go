package siltstone

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
)

// diskUse decides whether there is room on disk for another write. A write that
// is refused has changed nothing. What deletes goes on beyond the limit, for that
// is what brings space back, and so do flushes and merges.
type diskUse struct {
	tables  atomic.Int64 // bytes of table files that the store has
	refused atomic.Bool  // a write was refused and none has been admitted since
}

const (
	// deleteReserve is how much of the log's reserved space is left to changes that
	// delete, so that they need not ask a full disk for more.
	deleteReserve = 32 << 10

	// What a disk that is filling up keeps free for merges: a share of the tables,
	// within bounds.
	mergeShare = 8
	mostMerge  = 128 << 20
	leastMerge = 1 << 20
)

// frees reports whether the change takes at least as much away as it writes:
// rows, as deletes do, or elements, which a small collection keeps in one row and
// a removal puts again without them.
func (c *change) frees() bool {
	puts := 0
	for i := range c.ops {
		if c.ops[i].op.Attr.Kind() == base.KindPut {
			puts++
		}
	}
	deletes := len(c.ops) - puts
	return uint64(puts) <= uint64(deletes)+c.removed
}

// diskBytes returns about how many bytes the store's files take: tables, those
// still to be removed included, and the logs' records.
func (db *DB) diskBytes() int64 {
	bytes := db.disk.tables.Load()
	if rs := db.states.Current.Load(); rs != nil && db.log != nil {
		oldest := rs.Mem
		if n := len(rs.Imms); n > 0 {
			oldest = rs.Imms[n-1]
		}
		bytes += int64(db.log.Appended() - oldest.Begin)
	}
	return bytes
}

// overLimit returns the error of a change of n bytes that MaxDiskBytes does not
// allow.
func (db *DB) overLimit(c *change, n int64) error {
	limit := db.opts.MaxDiskBytes
	if limit == 0 || c.urgent {
		return nil
	}
	used := db.diskBytes()
	if used+n <= limit || c.frees() {
		return nil
	}
	return fmt.Errorf("%w: %d bytes are used of MaxDiskBytes %d", ErrNoSpace, used, limit)
}

// headroom is what must stay free on a disk for flushes and merges to go on when
// there is that much in memory and in tables. It is a pure function.
func headroom(unflushed, tables int64) int64 {
	return unflushed + min(max(tables/mergeShare, leastMerge), mostMerge)
}

// diskFull returns the error of a change of n bytes for which the file system
// has too little room left. It asks the file system.
func (db *DB) diskFull(c *change, n int64) error {
	free := db.dir.Free()
	if free < 0 || c.urgent || c.frees() {
		return nil
	}
	if keep := db.keptFree(); free < n+keep {
		return fmt.Errorf("%w: %d bytes are free and %d kept for flushes and merges", ErrNoSpace, free, keep)
	}
	return nil
}

// keptFree is headroom for what there is now.
func (db *DB) keptFree() int64 {
	unflushed := int64(0)
	if rs := db.states.Current.Load(); rs != nil {
		rs.EachMem(func(m *readstate.Mem) { unflushed += m.Filled() })
	}
	return headroom(unflushed, db.disk.tables.Load())
}

// mergeRoom returns how many bytes may be written by a merge that need not be:
// one that keeps the store within MaxDiskBytes, and leaves on the disk what flushes
// and other merges need. It asks the file system, and may be negative.
func (db *DB) mergeRoom() int64 {
	room := int64(math.MaxInt64)
	if limit := db.opts.MaxDiskBytes; limit > 0 {
		room = limit - db.diskBytes()
	}
	if free := db.dir.Free(); free >= 0 {
		room = min(room, free-db.keptFree())
	}
	return room
}

// refuse reports that writes are refused, the first time, and returns the error
// of one.
func (db *DB) refuse(err error) error {
	if errors.Is(err, ErrNoSpace) && !db.disk.refused.Swap(true) {
		db.emit(NoSpace{Err: err})
	}
	return err
}
