package siltstone

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/siltstonedb/siltstone/internal/engine/background"
	"github.com/siltstonedb/siltstone/sstable"
	"github.com/siltstonedb/siltstone/vfs"
)

// Options are the settings of a store. The zero value, and nil, are good for
// most services. Open copies the struct.
type Options struct {
	// Durability of commits that do not choose their own. Zero is Sync.
	Durability Durability
	// MemoryLimit is the budget, in bytes, of what the store keeps in memory:
	// memtables, cached blocks, filters and indexes. The process may hold more for
	// a while: blocks that were evicted wait for the garbage collector. Zero is
	// 256 MiB; the least is 8 MiB.
	MemoryLimit int64
	// MaxDiskBytes bounds the files of the store, in bytes. Past it writes are
	// refused with ErrNoSpace and nothing is changed; reads, deletes, expiry and
	// merges go on, and when they have brought space back so do writes. Merges need
	// room of their own for a while, beside the limit. Zero: no limit. A disk that is
	// nearly full is treated alike.
	MaxDiskBytes int64
	// MemtableBytes is the size, indexes included, at which the memtable is flushed.
	// Larger means fewer, larger tables and a longer log to replay after a crash.
	// Zero is an eighth of MemoryLimit, at most 64 MiB: under load there are up to
	// three, one taking writes and two being flushed.
	MemtableBytes int64
	// MaxOpenFiles bounds the table files kept open. Zero is 256.
	MaxOpenFiles int
	// CompactionRate bounds how many bytes a second compactions write. Zero: no
	// bound.
	CompactionRate int64
	// Compression of values in the last level. Zero is S2. Young tables are not
	// compressed: they are about to be rewritten.
	Compression Compression
	// ReadOnly opens the store without changing a byte of it. Several read-only
	// openers may share a directory; none may share it with a writer.
	ReadOnly bool
	// MustExist fails with fs.ErrNotExist instead of creating a store.
	MustExist bool

	// FS is the file system. Nil is vfs.OS; vfs.NewMem() makes a store that lives
	// in memory.
	FS vfs.FS
	// Clock gives the time for expiry. It is called from several goroutines. Nil is
	// time.Now.
	Clock func() time.Time
	// Logger receives the store's events, each as one record: its text is the
	// message, its fields are the group "event". Routine work is at level Debug.
	// Nil is silence.
	Logger *slog.Logger
	// OnEvent receives the store's events, one at a time, in the goroutine that
	// met them, which may hold locks. It must not block; of the store it may call
	// Metrics, OpenHandles and Options, and nothing else. Nil is none.
	OnEvent func(Event)
	// TrackOpen remembers who opened each iterator, snapshot and transaction, at
	// the cost of a stack trace each, so that OpenHandles and the error of Close
	// can say it.
	TrackOpen bool

	// Extremes for tests; zero is the default.
	blockSize    int
	tableBytes   int64 // target size of a table
	runLimit     int   // flush runs before they are merged
	manualWork   bool  // no background workers: the test steps
	tableFilters int   // bits per key
}

// Durability says what a commit survives once it has returned.
type Durability uint8

const (
	// Default is the store's level, Options.Durability, and Sync there.
	Default Durability = 0
	// Sync survives power loss, with everything committed before it.
	Sync Durability = 1
	// OS survives the end of the process (kill -9), but not power loss: the
	// operating system has the bytes.
	OS Durability = 2
	// Buffered may lose the last moments when the process ends without Close: the
	// bytes are in process memory, for about 10 ms or 64 KiB, and up to 4 MiB while
	// the log is being written.
	Buffered Durability = 3
)

// check returns an error if there is no such level.
func (d Durability) check() error {
	if d > Buffered {
		return fmt.Errorf("siltstone: there is no %v", d)
	}
	return nil
}

func (d Durability) String() string {
	switch d {
	case Default:
		return "default"
	case Sync:
		return "sync (survives power loss)"
	case OS:
		return "os (survives kill -9, not power loss)"
	case Buffered:
		return "buffered (may lose the last moments on kill -9)"
	}
	return fmt.Sprintf("durability(%d)", uint8(d))
}

// Compression says how values in the last level are compressed.
type Compression uint8

const (
	// S2 is fast and the default.
	S2 Compression = 0
	// Zstd is smaller, and slower to write and to read.
	Zstd Compression = 1
	// None stores values as they are.
	None Compression = 2
)

func (c Compression) String() string {
	switch c {
	case S2:
		return "s2"
	case Zstd:
		return "zstd"
	case None:
		return "none"
	}
	return fmt.Sprintf("compression(%d)", uint8(c))
}

func (c Compression) table() sstable.Compression {
	switch c {
	case Zstd:
		return sstable.Zstd
	case None:
		return sstable.NoCompression
	}
	return sstable.S2
}

// tables returns what the options say of tables.
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
	leastOpen      = 16
	leastMemtable  = 64 << 10
	workShare      = 8                     // the part of MemoryLimit for log groups, table writers and what merges read
	gatherInterval = 10 * time.Millisecond // how long Buffered commits may stay in memory
)

// withDefaults returns a copy of o with every zero replaced, or an error naming
// the field that makes no sense. A nil o is all defaults.
func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	bad := func(field string, v any) (Options, error) {
		return c, fmt.Errorf("siltstone: option %s: %v makes no sense", field, v)
	}
	switch {
	case c.Durability > Buffered:
		return bad("Durability", c.Durability)
	case c.MemoryLimit < 0 || c.MemoryLimit > 0 && c.MemoryLimit < leastMemory:
		return bad("MemoryLimit", c.MemoryLimit)
	case c.MaxDiskBytes < 0:
		return bad("MaxDiskBytes", c.MaxDiskBytes)
	case c.MemtableBytes < 0 || c.MemtableBytes > 1<<30:
		return bad("MemtableBytes", c.MemtableBytes)
	case c.MaxOpenFiles < 0:
		return bad("MaxOpenFiles", c.MaxOpenFiles)
	case c.CompactionRate < 0:
		return bad("CompactionRate", c.CompactionRate)
	case c.Compression > None:
		return bad("Compression", c.Compression)
	}
	if c.Durability == Default {
		c.Durability = Sync
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
	if c.MaxOpenFiles == 0 {
		c.MaxOpenFiles = defaultOpen
	}
	c.MaxOpenFiles = max(c.MaxOpenFiles, leastOpen)
	if c.FS == nil {
		c.FS = vfs.OS
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c, nil
}
