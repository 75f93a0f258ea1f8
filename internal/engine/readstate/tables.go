package readstate

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync/atomic"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/sstable"
	"github.com/siltstonedb/siltstone/vfs"
)

// Tables owns the handles of every table that some read state lists: their
// readers, opened when first needed and closed when too many are open, and
// their files, removed when the last read state that lists them has ended. Safe
// for concurrent use.
type Tables struct {
	dir    storedir.Dir
	blocks *cache.Cache
	limit  int          // open files
	full   func()       // called when more are open; must not block
	bytes  atomic.Int64 // of the files of all tables

	epoch atomic.Uint32 // ticks with each open, to date the use of readers

	mu       invariants.Mutex
	tables   map[base.FileNum]*Table
	open     int
	closed   bool           // no reader is opened any more
	obsolete []base.FileNum // in no version, listed by no read state: to be removed
	retired  []retiredReader
	ended    []*OpenTable // in use no more: to be closed before obsolete is removed
}

// Table is the handle of one table file. It stays the same object as long as
// any read state lists the table.
type Table struct {
	*manifest.Table
	cache *Tables

	reader  atomic.Pointer[OpenTable]
	opening invariants.Mutex // held while the reader is opened

	refs int // read states that list it; guarded by Tables.mu
}

// OpenTable is a table's reader and its file.
type OpenTable struct {
	*sstable.Reader
	file vfs.File
	used atomic.Uint32 // epoch of the last use, about
}

// retiredReader is a reader that was put out of use while read states that may
// be using it were alive. It is closed when they have all ended.
type retiredReader struct {
	*OpenTable
	holders map[*State]struct{}
}

// NewTables returns the tables of a directory. full is called when more files than
// the limit are open; it must not block.
func NewTables(dir storedir.Dir, limit int, blocks *cache.Cache, full func()) *Tables {
	c := &Tables{
		dir: dir, blocks: blocks, limit: limit, full: full,
		tables: map[base.FileNum]*Table{},
	}
	invariants.SetRank(&c.mu, invariants.Tables)
	return c
}

// Cache returns the cache of blocks, which is also the memory budget.
func (c *Tables) Cache() *cache.Cache { return c.blocks }

// FileBytes returns how many bytes the files of all tables take, those still to be
// removed included.
func (c *Tables) FileBytes() int64 { return c.bytes.Load() }

// acquire returns the handle of each table of v, run by run, and the largest
// sequence in any of them. It counts one more read state that lists them.
func (c *Tables) acquire(v *manifest.Version) (runs []Run, maxSeq base.SeqNum) {
	c.mu.Lock()
	defer c.mu.Unlock()
	runs = make([]Run, 0, len(v.Runs))
	for _, r := range v.Runs {
		rv := Run{Tables: make([]*Table, 0, len(r.Tables))}
		for _, m := range r.Tables {
			t := c.tables[m.Num]
			if t == nil || t.Table != m && !sameFile(t.Table, m) {
				t = &Table{cache: c}
				invariants.SetRank(&t.opening, invariants.OpenTable)
				c.tables[m.Num] = t
				c.bytes.Add(int64(m.Size))
			}
			if t.Table == nil || t.refs == 0 {
				t.Table = m
			}
			t.refs++
			rv.Tables = append(rv.Tables, t)
			rv.rangeDeletes = rv.rangeDeletes || m.RangeDeletes > 0
			maxSeq = max(maxSeq, m.MaxSeq)
		}
		rv.prepare()
		runs = append(runs, rv)
	}
	return runs, maxSeq
}

// sameFile reports whether two table records name the same file: a trivial move
// changes only the record.
func sameFile(a, b *manifest.Table) bool { return a.Num == b.Num && a.ID == b.ID }

// release counts one read state less. A table that no read state lists any more is
// obsolete: the current state would list it if a version had it. Readers that were
// retired while the read state was alive may be closed now.
func (c *Tables) release(rs *State) {
	c.mu.Lock()
	var closing []*OpenTable
	var obsolete []base.FileNum
	for _, rv := range rs.Runs {
		for _, t := range rv.Tables {
			if invariants.Enabled {
				invariants.Check(t.refs > 0, "table %d is let go of once too often", uint64(t.Num))
			}
			if t.refs--; t.refs > 0 {
				continue
			}
			delete(c.tables, t.Num)
			c.bytes.Add(-int64(t.Size))
			obsolete = append(obsolete, t.Num)
			if o := t.reader.Swap(nil); o != nil {
				c.open--
				closing = append(closing, o)
			}
		}
	}
	kept := c.retired[:0]
	for _, r := range c.retired {
		delete(r.holders, rs)
		if len(r.holders) == 0 {
			closing = append(closing, r.OpenTable)
		} else {
			kept = append(kept, r)
		}
	}
	clear(c.retired[len(kept):])
	c.retired = kept
	// A commit may be the caller, with its lock held: TakeObsolete closes them.
	c.ended = append(c.ended, closing...)
	c.obsolete = append(c.obsolete, obsolete...)
	c.mu.Unlock()
}

// TakeObsolete closes the readers that nobody uses any more, returns the numbers of
// the table files to be removed, and forgets them.
func (c *Tables) TakeObsolete() []base.FileNum {
	c.mu.Lock()
	ended, obsolete := c.ended, c.obsolete
	c.ended, c.obsolete = nil, nil
	c.mu.Unlock()
	for _, o := range ended {
		o.close()
	}
	return obsolete
}

func (o *OpenTable) close() {
	o.Reader.Close()
	_ = o.file.Close()
}

// Opened returns the table's reader if it is open.
func (t *Table) Opened() *OpenTable { return t.reader.Load() }

// Get returns the table's reader, opening it if need be. It is valid as long as
// the caller's read state is pinned.
func (t *Table) Get() (*sstable.Reader, error) {
	if o := t.reader.Load(); o != nil {
		if e := t.cache.epoch.Load(); o.used.Load() != e {
			o.used.Store(e)
		}
		return o.Reader, nil
	}
	return t.open()
}

// walk returns a reader for a walk, which goes on to other tables. Where as many
// files are open as may be, it is one that nobody else has: own, which the caller
// closes. One that all share could not be closed before the walk's state ends, and a
// walk may meet every table of the store.
func (t *Table) walk() (r *sstable.Reader, own *OpenTable, err error) {
	if t.reader.Load() == nil && t.cache.crowded() {
		if own, err = t.cache.openFile(t.Table); err != nil {
			return nil, nil, err
		}
		return own.Reader, own, nil
	}
	r, err = t.Get()
	return r, nil, err
}

// crowded reports whether as many files are open as may be, those counted that wait
// for read states to end.
func (c *Tables) crowded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closed && c.open+len(c.retired) >= c.limit
}

func (t *Table) open() (*sstable.Reader, error) {
	t.opening.Lock()
	defer t.opening.Unlock()
	if o := t.reader.Load(); o != nil {
		return o.Reader, nil
	}
	o, err := t.cache.openFile(t.Table)
	if err != nil {
		return nil, err
	}
	o.used.Store(t.cache.epoch.Add(1))
	t.cache.mu.Lock()
	if t.cache.closed {
		t.cache.mu.Unlock()
		o.close()
		return nil, base.ErrClosed
	}
	t.cache.open++
	full := t.cache.open > t.cache.limit
	t.reader.Store(o)
	t.cache.mu.Unlock()
	if full {
		t.cache.full()
	}
	return o.Reader, nil
}

// openFile opens the file of m and checks that it is the file the manifest
// means. The caller owns the result.
func (c *Tables) openFile(m *manifest.Table) (*OpenTable, error) {
	name := base.Filename(base.FileTable, m.Num)
	f, err := c.dir.FS.Open(c.dir.Join(name))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, base.Corruptf(name, -1, "table is missing")
		}
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	if uint64(st.Size()) != m.Size {
		f.Close()
		return nil, base.Corruptf(name, -1, "table has %d bytes, the manifest says %d", st.Size(), m.Size)
	}
	if h, ok := f.(vfs.Hinter); ok {
		h.ReadAhead(false) // readers and merges say themselves what they want ahead
	}
	r, err := sstable.Open(f, st.Size(), sstable.ReaderOptions{Name: name, ID: m.ID, Digest: m.Digest, Cache: c.blocks})
	if err != nil {
		f.Close()
		return nil, err
	}
	return &OpenTable{Reader: r, file: f}, nil
}

// trim puts the readers that were used least recently out of use while more
// than the limit are open, and returns how many. alive are the read states that
// may be using them.
func (c *Tables) trim(alive map[*State]struct{}) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ; c.open > c.limit; n++ {
		var oldest *Table
		var age uint32
		now := c.epoch.Load()
		for _, t := range c.tables {
			if o := t.reader.Load(); o != nil && (oldest == nil || now-o.used.Load() > age) {
				oldest, age = t, now-o.used.Load()
			}
		}
		if oldest == nil {
			break
		}
		c.retired = append(c.retired, retiredReader{OpenTable: oldest.reader.Swap(nil), holders: listing(alive, oldest)})
		c.open--
	}
	return n
}

// listing returns the read states that list t. No other can be using its reader, and
// to wait for one would keep the file open when it is to be removed.
func listing(alive map[*State]struct{}, t *Table) map[*State]struct{} {
	holders := map[*State]struct{}{}
	for rs := range alive {
		for _, r := range rs.Runs {
			if slices.Contains(r.Tables, t) {
				holders[rs] = struct{}{}
			}
		}
	}
	return holders
}

// Forget closes every reader that is open, in a test that has replaced files under
// them and makes no call meanwhile.
func (c *Tables) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.tables {
		if o := t.reader.Swap(nil); o != nil {
			c.open--
			o.close()
		}
	}
}

// Close closes every reader. No read state is in use any more.
func (c *Tables) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.tables {
		if o := t.reader.Swap(nil); o != nil {
			o.close()
		}
	}
	for _, r := range c.retired {
		r.close()
	}
	for _, o := range c.ended {
		o.close()
	}
	c.retired, c.ended, c.open, c.closed = nil, nil, 0, true
}

func (t *Table) String() string { return fmt.Sprintf("%06d", uint64(t.Num)) }
