package siltstone

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/vfs"
)

// Checkpoint makes dir a store of its own that holds the state after one commit
// made at or after the call, with everything that had returned before it. Writers,
// flushes and merges go on meanwhile. dir must not exist, else the error is
// fs.ErrExist and nothing is touched; directories above it are made. When it
// returns the copy is durable.
//
// Tables are immutable, so the copy shares them by hard links: it costs a few
// syncs and no space until the two stores part. On another file system, or one
// without links, they are copied and their digests verified. The copy has no
// log. It has an id of its own, notes that of its parent, and goes on above
// every file number, collection id and clock reading the parent has used.
//
//  1. memory flushed to tables
//  2. the version pinned: none of its files is unlinked while it is being linked
//  3. dir.NNNN.partial made beside dir, NNNN random; tables linked into it
//  4. its names synced; manifest written, synced, and named by CURRENT
//  5. renamed to dir, the name synced
//
// So a power cut leaves a whole store in dir or nothing there, and at most a
// directory that ends in ".partial", which is nobody's and may be removed. After
// an error, or once ctx ends, which is looked at until step 5, what was made is
// removed.
//
// A store opened read-only is copied, not linked, for its files are not to be
// changed in any way; what its logs hold is written to tables of the copy. A
// poisoned store is refused with ErrPoisoned: which of its last commits count is
// decided when it is opened again.
func (db *DB) Checkpoint(ctx context.Context, dir string) error {
	ctx, end, err := db.longCall(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := db.checkpoint(ctx, dir); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return noSpace(err)
	}
	return nil
}

func (db *DB) checkpoint(ctx context.Context, dir string) error {
	if err := mustBeAbsent(db.opts.FS, dir); err != nil {
		return err
	}
	if !db.opts.ReadOnly {
		if err := db.Flush(ctx); err != nil {
			return err
		}
	}
	if db.poison.set() {
		return db.poison.err()
	}
	c, err := db.newCheckpoint(ctx, dir)
	if err != nil {
		return err
	}
	defer db.states.drop(c.rs)
	err = makeDir(c.partial, db.opts.FS)
	if err == nil {
		err = c.fill()
	}
	if err == nil {
		err = c.publish(dir)
	}
	if err != nil {
		c.remove()
	}
	return err
}

// mustBeAbsent refuses a target that is there.
func mustBeAbsent(f vfs.FS, dir string) error {
	_, err := f.Stat(dir)
	if err == nil {
		return &fs.PathError{Op: "create", Path: dir, Err: fs.ErrExist}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// checkpoint is one Checkpoint. It belongs to one goroutine.
type checkpoint struct {
	ctx     context.Context
	db      *DB
	rs      *readState      // holds the files of state
	state   *manifest.State // of the copy
	partial string          // where it is made; at last the name it was asked for by
	made    []string        // files in it
}

// newCheckpoint pins the newest version and notes the state that goes with it.
func (db *DB) newCheckpoint(ctx context.Context, dir string) (*checkpoint, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, err
	}
	id, err := randomID()
	if err != nil {
		return nil, err
	}
	m := &db.store
	m.mu.Lock()
	state := *m.state
	rs := db.states.hold() // under the lock under which versions change
	m.mu.Unlock()
	if rs == nil {
		return nil, ErrClosed
	}
	state.DBID, state.Parent = id, state.DBID
	state.Clock = max(state.Clock, db.clock.now())
	state.Clean = true
	partial := fmt.Sprintf("%s.%x.partial", path.Clean(dir), binary.LittleEndian.Uint64(b[:]))
	return &checkpoint{ctx: ctx, db: db, rs: rs, state: &state, partial: partial}, nil
}

// fill puts everything into the partial directory.
func (c *checkpoint) fill() error {
	for _, t := range c.state.Version.AllTables() {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if err := c.table(t); err != nil {
			return err
		}
	}
	if c.db.opts.ReadOnly {
		if err := c.memtables(); err != nil {
			return err
		}
	}
	// A reader of the copy locks out writers only if there is a file to lock.
	if err := c.create(base.Filename(base.FileLock, 0), func(vfs.File) error { return nil }); err != nil {
		return err
	}
	c.made = append(c.made, base.Filename(base.FileManifest, 1), base.Filename(base.FileCurrent, 0))
	log, err := manifest.Create(c.db.opts.FS, c.partial, 1, c.state)
	if err != nil {
		return err
	}
	return log.Close()
}

// publish gives the directory its name.
func (c *checkpoint) publish(dir string) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if err := c.db.closedErr(); err != nil { // the context may hear of it later
		return err
	}
	f := c.db.opts.FS
	if err := mustBeAbsent(f, dir); err != nil {
		return err
	}
	if err := f.Rename(c.partial, dir); err != nil {
		return err
	}
	c.partial = dir
	return f.SyncDir(path.Dir(path.Clean(dir)))
}

// remove takes back what was made, as far as it can. It goes by what the
// directory lists: a failed call may have made more than was noted.
func (c *checkpoint) remove() {
	f := c.db.opts.FS
	names, err := f.List(c.partial)
	if err != nil {
		names = c.made
	}
	for _, name := range names {
		_ = f.Remove(join(c.partial, name))
	}
	_ = f.Remove(c.partial)
}

// table links or copies one table.
func (c *checkpoint) table(t *manifest.Table) error {
	name := base.Filename(base.FileTable, t.Num)
	from := join(c.db.dir, name)
	if !c.db.opts.ReadOnly {
		c.made = append(c.made, name)
		err := c.db.opts.FS.Link(from, join(c.partial, name))
		if !errors.Is(err, vfs.ErrNoLink) {
			return err
		}
	}
	src, err := c.db.opts.FS.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	return c.create(name, func(dst vfs.File) error {
		sum, err := copyFile(c.ctx, dst, src, int64(t.Size))
		if err == nil && sum != t.Digest {
			err = base.Corruptf(name, -1, "digest of the file is %016x, want %016x", sum, t.Digest)
		}
		return err
	})
}

// create makes a file of the copy and syncs it.
func (c *checkpoint) create(name string, write func(vfs.File) error) error {
	c.made = append(c.made, name)
	f, err := c.db.opts.FS.Create(join(c.partial, name))
	if err != nil {
		return err
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// copyPiece is how much of a file is copied between two looks at the context.
const copyPiece = 256 << 10

// copyFile appends the first size bytes of src to dst and returns their xxhash.
func copyFile(ctx context.Context, dst, src vfs.File, size int64) (uint64, error) {
	digest := xxhash.New()
	buf := make([]byte, min(size, copyPiece))
	for at := int64(0); at < size; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		piece := buf[:min(int64(len(buf)), size-at)]
		if n, err := src.ReadAt(piece, at); n < len(piece) {
			return 0, err
		}
		if _, err := dst.Write(piece); err != nil {
			return 0, err
		}
		_, _ = digest.Write(piece)
		at += int64(len(piece))
	}
	return digest.Sum64(), nil
}

// memtables writes what a read-only store replayed into memory to tables of the
// copy.
func (c *checkpoint) memtables() error {
	db := c.db
	env := compaction.Env{Yield: func(int) error { return c.ctx.Err() }, NewTable: func() (compaction.NewTable, error) {
		num := max(c.state.FileLimit, 1)
		c.state.FileLimit = num + 1
		name := base.Filename(base.FileTable, num)
		c.made = append(c.made, name)
		return createTable(db.opts.FS, c.partial, num)
	}}
	edit := &manifest.Edit{LastSeq: db.section.lastSeq}
	for i, m := range slices.Backward(c.rs.imms) {
		v := c.state.Version
		age := nextAge(v) + uint64(len(c.rs.imms)-i)
		at := &compaction.Compaction{Kind: compaction.KindFlush, Reason: compaction.ReasonFlush, Age: age, Span: memSpan(m)}
		job := db.flushJob(m, v, at)
		job.Older.AddTables(edit.Added)
		res, err := compaction.Merge(job, env)
		if err != nil {
			return err
		}
		edit.Added = append(edit.Added, res.Tables...)
		edit.Nominated = append(edit.Nominated, res.Nominated...)
	}
	if len(c.rs.imms) > 0 {
		edit.LastSeq = (edit.LastSeq/base.SeqGap + 1) * base.SeqGap // as after any recovery
	}
	next, err := c.state.Apply(edit)
	if err != nil {
		return err
	}
	next.Clean = true
	c.state = next
	return nil
}
