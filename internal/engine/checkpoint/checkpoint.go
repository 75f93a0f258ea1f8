package checkpoint

import (
	"context"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/vfs"
)

// Config is the store that is copied, and where to.
type Config struct {
	Source
	To storedir.Dir
	// NewTable creates a table of the copy.
	NewTable func(storedir.Dir, base.FileNum) (compaction.NewTable, error)
	// Finish, if not nil, changes the store in the directory before that gets its name.
	Finish func(dir string) error
}

// Run makes c.To a store with the state after one commit made at or after the call.
// When it returns without an error the copy is durable; after an error, also when
// ctx ends, the files of the copy are removed.
//
//  1. memory flushed to tables
//  2. the version pinned: none of its files is unlinked while it is being linked
//  3. To.NNNN.partial made beside To, NNNN random; tables linked into it
//  4. its names synced; manifest written, synced, and named by CURRENT
//  5. Finish called
//  6. renamed to To, the name synced
//
// A store that was poisoned is refused.
func Run(ctx context.Context, c Config) error {
	if err := c.To.MustBeAbsent(); err != nil {
		return err
	}
	p, err := c.Pin(ctx)
	if err != nil {
		return err
	}
	defer p.Release()
	partial, err := storedir.NewPartial(c.To)
	if err != nil {
		return err
	}
	cp := &checkpoint{Config: c, ctx: ctx, pinned: p, partial: partial}
	err = partial.Make()
	if err == nil {
		err = cp.fill()
	}
	if err == nil && c.Finish != nil {
		err = c.Finish(partial.Path)
	}
	if err == nil {
		err = cp.publish()
	}
	if err != nil {
		partial.Discard()
	}
	return err
}

// checkpoint is one Run. It belongs to one goroutine.
type checkpoint struct {
	Config
	ctx     context.Context
	pinned  *Pinned
	partial *storedir.Partial // the copy
}

// fill puts everything into the partial directory.
func (c *checkpoint) fill() error {
	for _, t := range c.pinned.State.Version.AllTables() {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if err := c.partial.Table(c.ctx, c.From, t.Num, t.Size, t.Digest, !c.readOnly()); err != nil {
			return err
		}
	}
	err := c.pinned.Memtables(c.ctx, func(num base.FileNum) (compaction.NewTable, error) {
		c.partial.Note(base.Filename(base.FileTable, num))
		return c.NewTable(c.partial.Dir, num)
	})
	if err != nil {
		return err
	}
	// A reader of the copy locks out writers only if there is a file to lock.
	if err := c.partial.Write(base.Filename(base.FileLock, 0), func(vfs.File) error { return nil }); err != nil {
		return err
	}
	c.partial.Note(base.Filename(base.FileManifest, 1))
	c.partial.Note(base.Filename(base.FileCurrent, 0))
	log, err := manifest.Create(c.partial.FS, c.partial.Path, 1, c.pinned.State)
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
	if err := c.Life.ClosedErr(); err != nil { // the context may hear of it later
		return err
	}
	return c.partial.Publish()
}
