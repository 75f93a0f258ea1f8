package siltstone

import (
	"context"
	"slices"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/background"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/storedir"
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
	ctx, end, err := db.life.LongCall(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := db.checkpoint(ctx, dir); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return storedir.NoSpace(err)
	}
	return nil
}

func (db *DB) checkpoint(ctx context.Context, dir string) error {
	target := storedir.Dir{FS: db.dir.FS, Path: dir}
	if err := target.MustBeAbsent(); err != nil {
		return err
	}
	if !db.opts.ReadOnly {
		if err := db.Flush(ctx); err != nil {
			return err
		}
	}
	if db.life.Poisoned() {
		return db.life.PoisonErr()
	}
	c, err := db.newCheckpoint(ctx, target)
	if err != nil {
		return err
	}
	defer db.states.Drop(c.rs)
	err = c.partial.Make()
	if err == nil {
		err = c.fill()
	}
	if err == nil {
		err = c.publish()
	}
	if err != nil {
		c.partial.Discard()
	}
	return err
}

// checkpoint is one Checkpoint. It belongs to one goroutine.
type checkpoint struct {
	ctx     context.Context
	db      *DB
	rs      *readstate.State  // holds the files of state
	state   *manifest.State   // of the copy
	partial *storedir.Partial // the copy
}

// newCheckpoint pins the newest version and notes the state that goes with it.
func (db *DB) newCheckpoint(ctx context.Context, target storedir.Dir) (*checkpoint, error) {
	partial, err := storedir.NewPartial(target)
	if err != nil {
		return nil, err
	}
	id, err := storedir.RandomID()
	if err != nil {
		return nil, err
	}
	var state manifest.State
	var rs *readstate.State
	db.set.Pinned(func(s *manifest.State) { state, rs = *s, db.states.Hold() })
	if rs == nil {
		return nil, ErrClosed
	}
	state.DBID, state.Parent = id, state.DBID
	state.Clock = max(state.Clock, db.clock.Now())
	state.Clean = true
	return &checkpoint{ctx: ctx, db: db, rs: rs, state: &state, partial: partial}, nil
}

// fill puts everything into the partial directory.
func (c *checkpoint) fill() error {
	for _, t := range c.state.Version.AllTables() {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if err := c.partial.Table(c.ctx, c.db.dir, t.Num, t.Size, t.Digest, !c.db.opts.ReadOnly); err != nil {
			return err
		}
	}
	if c.db.opts.ReadOnly {
		if err := c.memtables(); err != nil {
			return err
		}
	}
	// A reader of the copy locks out writers only if there is a file to lock.
	if err := c.partial.Write(base.Filename(base.FileLock, 0), func(vfs.File) error { return nil }); err != nil {
		return err
	}
	c.partial.Note(base.Filename(base.FileManifest, 1))
	c.partial.Note(base.Filename(base.FileCurrent, 0))
	log, err := manifest.Create(c.partial.FS, c.partial.Path, 1, c.state)
	if err != nil {
		return err
	}
	return log.Close()
}

// publish gives the directory its name, unless the call is to end.
func (c *checkpoint) publish() error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if err := c.db.life.ClosedErr(); err != nil { // the context may hear of it later
		return err
	}
	return c.partial.Publish()
}

// memtables writes what a read-only store replayed into memory to tables of the
// copy.
func (c *checkpoint) memtables() error {
	db := c.db
	env := compaction.Env{Yield: func(int) error { return c.ctx.Err() }, NewTable: func() (compaction.NewTable, error) {
		num := max(c.state.FileLimit, 1)
		c.state.FileLimit = num + 1
		c.partial.Note(base.Filename(base.FileTable, num))
		return background.CreateTable(c.partial.Dir, num)
	}}
	edit := &manifest.Edit{LastSeq: db.section.LastSeq()}
	for i, m := range slices.Backward(c.rs.Imms) {
		v := c.state.Version
		age := background.NextAge(v) + uint64(len(c.rs.Imms)-i)
		at := &compaction.Compaction{Kind: compaction.KindFlush, Reason: compaction.ReasonFlush, Age: age, Span: background.Span(m.Table)}
		job := background.FlushJob(db.opts.tables(), &db.states.Points, m, v, at)
		job.Older.AddTables(edit.Added)
		res, err := compaction.Merge(job, env)
		if err != nil {
			return err
		}
		edit.Added = append(edit.Added, res.Tables...)
		edit.Nominated = append(edit.Nominated, res.Nominated...)
	}
	if len(c.rs.Imms) > 0 {
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
