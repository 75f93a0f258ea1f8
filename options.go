package siltstone

import (
	"cmp"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/event"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/background"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/sstable"
	"github.com/siltstonedb/siltstone/vfs"
)

// Options are the settings of a store. The zero value, and nil, are good for
// most services. Open copies the struct.
type Options struct {
	// Durability of commits that do not choose their own. Zero is SyncDurability.
	Durability Durability
	// MemoryLimit is the budget, in bytes, of what the store keeps in memory:
	// memtables, cached blocks, filters and indexes. Memory that waits for the
	// garbage collector counts until it has been collected, but for at most a quarter
	// of the limit beyond the eighth that is kept free for it; so the process may
	// hold more for a while. Zero is 256 MiB; the least is 8 MiB.
	MemoryLimit int64
	// MaxDiskBytes bounds the tables and what the logs hold, in bytes: what is reserved
	// ahead, in logs and in the file BALLAST, is not counted. Beyond it a write is
	// ErrNoSpace and changes nothing. Reads, deletes, expiry and merges go on, and
	// writes are taken again once these have freed space. Merges need room of their
	// own for a while, beside the limit. A disk that is nearly full has the same
	// effect. Zero: no limit.
	MaxDiskBytes int64
	// KeepChanges keeps the past of the store for DB.Changes: how many bytes of log files,
	// and for how long. They count in MaxDiskBytes, below which Bytes must be. Each commit
	// then also writes down whose the elements are that it changes: some bytes, and a
	// look-up for each collection.
	// The zero value keeps nothing and costs nothing; then there is no feed. What was
	// kept goes with the next Open without it.
	KeepChanges changes.Keep
	// MemtableBytes is the size, indexes included, at which the memtable is flushed;
	// at most MemoryLimit.
	// Larger means fewer, larger tables and a longer log to replay after a crash.
	// Zero is an eighth of MemoryLimit, at most 64 MiB: under load there are up to
	// three, one taking writes and two being flushed.
	MemtableBytes int64
	// MaxTxBytes bounds what a transaction of Update or Begin may hold of its writes,
	// in memory and until it ends: a write beyond it is refused with ErrTxTooLarge.
	// Each operation counts its key, its value and about 45 bytes: its record in memory,
	// once it is committed, takes more. A call on a typed value may make several. An
	// index for reading own writes, and what was read, do not count.
	// Zero is half of MemoryLimit, at least 64 MiB. A Batch is as large as its maker
	// makes it, and has no bound.
	MaxTxBytes int64
	// MaxOpenFiles bounds the table files kept open. An open one keeps its index and its
	// filters in memory, some 128 KiB. Reads that go to more tables open them again and
	// again: then it should be above Metrics().Tables.Count. Zero is one for each 256 KiB of
	// MemoryLimit, at least 256, and at most a quarter of the files that the process may
	// have open.
	MaxOpenFiles int
	// CompactionRate bounds the bytes that compactions write in a second. Zero: no
	// bound.
	CompactionRate int64
	// Compression of values in the last level. Zero is S2Compression. Young tables are
	// not compressed: they are about to be rewritten.
	Compression Compression
	// ReadOnly opens the store without changing a byte of it. Several read-only
	// stores may be open in one directory, but not beside a writing one: see Beside.
	ReadOnly bool
	// Beside, with ReadOnly, opens a store that another process may be writing to, and
	// shows the state after the last commit that had reached its files. DB.Refresh moves
	// on to a newer one. Any number of readers may be beside one writer, which need not
	// know of them, and be killed and started meanwhile.
	//
	// The state has every commit that had returned at SyncDurability or OSDurability when
	// Open began, and none that a power cut could take back: Open syncs the newest log.
	// It changes no byte of the store's files. It makes a directory READER-NNNN in the
	// store's, NNNN random, with hard links of the tables, so it needs the right to write
	// there. Tables that the writer has replaced take space until no state that is read
	// has them. Close removes the directory. That of a reader that was killed goes with
	// the next Open of this kind.
	//
	// Where tables cannot be linked the error is vfs.ErrNoLink, and where an open file
	// cannot be replaced, as on windows, it is errors.ErrUnsupported.
	Beside bool
	// MustExist fails with fs.ErrNotExist instead of creating a store.
	MustExist bool

	// FS is the file system. Nil is vfs.OS; vfs.NewMem() makes a store that lives
	// in memory.
	FS vfs.FS
	// Clock gives the time for expiry. It is called from several goroutines, and
	// with locks held: it must not call the store. Nil is time.Now.
	Clock func() time.Time
	// LogicalClock says that the program moves Clock. The store's clock shows the largest
	// reading so far, those that its files rely on included, and stands still in between;
	// without it the clock goes on by elapsed time while Clock is behind. It is for a
	// replica, whose time is that of a log: see Tx.RunAt.
	LogicalClock bool
	// Logger receives one record for Open, one for Close, and one for each of the
	// store's events, which package event lists. The attribute "dir" is the store's
	// directory. The message of an event is its Name, its fields are the group "event".
	// Routine work is at level Debug. Nil is silence.
	Logger *slog.Logger
	// OnEvent receives the store's events, one at a time. It is called by the
	// goroutine in which the event happened, and that may hold locks. So OnEvent must
	// not block, and of the store it may call Metrics, OpenHandles and Options alone.
	// Nil is none.
	OnEvent func(event.Event)
	// TrackOpen keeps a stack trace of the opening of each iterator, snapshot and
	// transaction, for OpenHandles and the error of Close.
	TrackOpen bool
	// OldReaderAfter is the age at which the oldest open snapshot, transaction or iterator
	// is an event.OldReader, because merges keep all that it can read. The store looks about
	// once a second, and not at all if it is read-only. Zero is 10 minutes; negative: never.
	OldReaderAfter time.Duration

	// Extremes for tests; zero is the default.
	blockSize    int
	tableBytes   int64 // target size of a table
	runLimit     int   // flush runs before they are merged
	manualWork   bool  // no background workers: the test steps
	tableFilters int   // bits per key
}

// Durability is the kind of failure that a commit survives once it has returned.
type Durability uint8

const (
	// DefaultDurability is the store's level; in Options.Durability it is
	// SyncDurability.
	DefaultDurability Durability = 0
	// SyncDurability survives power loss, with everything committed before it.
	SyncDurability Durability = 1
	// OSDurability survives the end of the process (kill -9), but not power loss:
	// the operating system has the bytes.
	OSDurability Durability = 2
	// BufferedDurability may lose the last commits when the process ends without
	// Close. They stay in the memory of the process for about 10 ms or 64 KiB, and up to 4 MiB
	// while the log is being written.
	BufferedDurability Durability = 3
)

// check returns an error if there is no such level.
func (d Durability) check() error {
	if d > BufferedDurability {
		return base.Errorf(ErrBadOption, "there is no %v", d)
	}
	return nil
}

func (d Durability) String() string {
	switch d {
	case DefaultDurability:
		return "default"
	case SyncDurability:
		return "sync (survives power loss)"
	case OSDurability:
		return "os (survives kill -9, not power loss)"
	case BufferedDurability:
		return "buffered (may lose the last moments on kill -9)"
	}
	return fmt.Sprintf("durability(%d)", uint8(d))
}

// Compression says how values in the last level are compressed.
type Compression uint8

const (
	// S2Compression is fast and the default.
	S2Compression Compression = 0
	// ZstdCompression is smaller, and slower to write and to read.
	ZstdCompression Compression = 1
	// NoCompression stores values as they are.
	NoCompression Compression = 2
)

func (c Compression) String() string {
	switch c {
	case S2Compression:
		return "s2"
	case ZstdCompression:
		return "zstd"
	case NoCompression:
		return "none"
	}
	return fmt.Sprintf("compression(%d)", uint8(c))
}

func (c Compression) table() sstable.Compression {
	switch c {
	case ZstdCompression:
		return sstable.Zstd
	case NoCompression:
		return sstable.NoCompression
	}
	return sstable.S2
}

// tables returns the options of tables.
func (o *Options) tables() background.TableConfig {
	return background.TableConfig{
		BlockSize: o.blockSize, FilterBits: o.tableFilters, TableBytes: o.tableBytes, RunLimit: o.runLimit, Compression: o.Compression.table(),
	}
}

// NoTTL is the time to live of a key that does not expire: the largest
// Duration, so that "ttl < time.Minute" is never true of it.
const NoTTL time.Duration = 1<<63 - 1

const (
	defaultMemory  = 256 << 20
	leastMemory    = 8 << 20
	largestTable   = 64 << 20
	defaultOpen    = 256
	memoryOfOpen   = 256 << 10 // of MemoryLimit, for each table file kept open
	defaultOld     = 10 * time.Minute
	leastOpen      = 16
	leastMemtable  = 64 << 10
	mostMemtable   = 1 << 30
	leastTx        = 64 << 20              // of the default of MaxTxBytes
	workShare      = 8                     // the part of MemoryLimit for log groups, table writers and what merges read
	gatherInterval = 10 * time.Millisecond // how long Buffered commits may stay in memory
)

// openFiles returns how many table files a store with that much memory keeps open, in a
// process that may have so many files; 0: that is not known.
func openFiles(memory, most int64) int {
	n := max(memory/memoryOfOpen, defaultOpen)
	if most > 0 {
		n = min(n, most/4)
	}
	return int(n)
}

// check returns an error that names the field which makes no sense, and what would.
func (o *Options) check() error {
	for _, f := range [...]struct {
		name         string
		v, least, at int64 // at most; zero is the default
	}{
		{"MemoryLimit", o.MemoryLimit, leastMemory, math.MaxInt64},
		{"MaxDiskBytes", o.MaxDiskBytes, 0, math.MaxInt64},
		{"MemtableBytes", o.MemtableBytes, 0, min(mostMemtable, cmp.Or(o.MemoryLimit, defaultMemory))},
		{"MaxTxBytes", o.MaxTxBytes, 0, math.MaxInt64},
		{"MaxOpenFiles", int64(o.MaxOpenFiles), 0, math.MaxInt64},
		{"CompactionRate", o.CompactionRate, 0, math.MaxInt64},
		{"KeepChanges.Bytes", o.KeepChanges.Bytes, 0, math.MaxInt64},
		{"KeepChanges.Age", int64(o.KeepChanges.Age), 0, math.MaxInt64},
	} {
		switch {
		case f.v != 0 && f.v < f.least:
			return base.Errorf(ErrBadOption, "option %s: %d is below the least, %d", f.name, f.v, f.least)
		case f.v > f.at:
			return base.Errorf(ErrBadOption, "option %s: %d is above the most, %d", f.name, f.v, f.at)
		}
	}
	if o.KeepChanges.On() && o.MaxDiskBytes > 0 && (o.KeepChanges.Bytes == 0 || o.KeepChanges.Bytes >= o.MaxDiskBytes) {
		return base.Errorf(ErrBadOption, "option KeepChanges: with MaxDiskBytes it needs Bytes below that, or what is kept would leave no room")
	}
	if o.Beside && !o.ReadOnly {
		return base.Errorf(ErrBadOption, "option Beside: without ReadOnly there is no store beside its writer")
	}
	if o.Durability > BufferedDurability {
		return base.Errorf(ErrBadOption, "option Durability: there is no %v", o.Durability)
	}
	if o.Compression > NoCompression {
		return base.Errorf(ErrBadOption, "option Compression: there is no %v", o.Compression)
	}
	return nil
}

// withDefaults returns a copy of o with every zero replaced, or the error of check.
// A nil o is all defaults.
func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	if err := c.check(); err != nil {
		return c, err
	}
	if c.Durability == DefaultDurability {
		c.Durability = SyncDurability
	}
	if c.MemoryLimit == 0 {
		c.MemoryLimit = defaultMemory
	}
	if c.MemtableBytes == 0 {
		c.MemtableBytes = min(c.MemoryLimit/8, largestTable)
	}
	if c.MemtableBytes = max(c.MemtableBytes, leastMemtable); o != nil && o.MemtableBytes > 0 && o.blockSize > 0 {
		c.MemtableBytes = o.MemtableBytes // a test's extreme
	}
	if c.MaxTxBytes == 0 {
		c.MaxTxBytes = max(c.MemoryLimit/2, leastTx)
	}
	if c.MaxOpenFiles == 0 {
		c.MaxOpenFiles = openFiles(c.MemoryLimit, storedir.OpenFiles())
	}
	c.MaxOpenFiles = max(c.MaxOpenFiles, leastOpen)
	if c.OldReaderAfter == 0 {
		c.OldReaderAfter = defaultOld
	}
	if c.FS == nil {
		c.FS = vfs.OS
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c, nil
}
