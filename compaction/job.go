package compaction

import (
	"fmt"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/sstable"
)

// Job is all that a merge needs to know before it reads its first record. The
// order in which its fields are gathered matters: first the inputs are pinned,
// and only then are ReadPoints and Now captured, in one step under the lock
// under which readers register. The other way round a reader could register
// between the two and find its records gone.
type Job struct {
	Inputs     []Source         // newest first; a flush has the memtable alone
	ReadPoints []base.ReadPoint // every registered one, in any order
	Now        int64            // of the store clock, milliseconds since 1970
	Older      *Older           // what is older than the output; nil: nothing

	Level     uint8    // of the output
	Age       uint64   // of the run the output belongs to
	TableSize int64    // bytes at which a table ends
	Guards    [][]byte // ascending keys at which a table ends earlier; see Compaction.Guards
	Writer    sstable.WriterOptions
	// KeepEnded keeps records that have expired, but for those that are shadowed: a later
	// merge, which can tell of them, takes them out.
	KeepEnded bool
}

// Source is one input: a run's chosen tables, or a memtable.
type Source struct {
	Iter iterator.Iterator // closed by Merge, come what may
	// RangeDeletes are the tombstones of the tables that Iter reads, and of no
	// others; they must stay as they are until Merge has returned.
	RangeDeletes *rangedel.List
	// Records is how many point records Iter must yield; negative if unknown. A
	// source that yields another number is damaged.
	Records int64
}

// NewTable is a file that was made for the merge to write. The merge syncs and
// closes the sink.
type NewTable struct {
	Num  base.FileNum
	ID   uint64 // random
	Sink sstable.Sink
}

// Env is what a merge asks of the store while it runs.
type Env struct {
	// NewTable makes an empty file. Its name need not be durable before the
	// Result is installed.
	NewTable func() (NewTable, error)
	// Yield is called about every 64 KiB with the bytes read since: it gives way
	// to others, waits as long as a rate demands, and ends the merge by returning
	// an error. May be nil.
	Yield func(bytes int) error
	// Ended is told of keys whose newest record in the merge has expired, before the Result
	// that is without it is returned. The slices are its own; an error ends the merge. May
	// be nil.
	Ended func(keys [][]byte) error
	// Writers keeps table writers from one merge to the next. May be nil.
	Writers *Writers
}

// Result is what a merge made, or what it leaves to be cleaned up.
type Result struct {
	// Tables are the outputs in key order, synced and closed, with level, run and
	// properties set; not more than that is done for them: directory, manifest
	// and deleting the inputs are the caller's. Empty after an error, and if no
	// record was left.
	Tables []*manifest.Table
	// Nominated are the ids of collections that may have died: to go into the
	// version edit that installs Tables.
	Nominated []manifest.IDRange
	// Abandoned are files that were made and must be deleted; only after an error.
	Abandoned []base.FileNum
	Stats     Stats
}

// Stats counts what went in and out. In = Out + all that left.
type Stats struct {
	In, Out           uint64 // point records
	BytesIn, BytesOut uint64 // of keys and values in; of files out

	Zeroed uint64 // of Out: put on sequence 0
	Buried uint64 // of Out: expired, now tombstones

	// Records that left, by reason.
	Shadowed, Covered, Elided, Expired uint64

	RangesIn, RangesOut uint64 // range tombstones
}

// String returns the figures in words.
func (s Stats) String() string {
	return fmt.Sprintf("in %d out %d (zeroed %d, buried %d) shadowed %d covered %d elided %d expired %d; ranges %d→%d; bytes %d→%d",
		s.In, s.Out, s.Zeroed, s.Buried, s.Shadowed, s.Covered, s.Elided, s.Expired, s.RangesIn, s.RangesOut, s.BytesIn, s.BytesOut)
}
