package checkpoint

import (
	"context"
	"slices"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/clock"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/recovery"
	"github.com/siltstonedb/siltstone/internal/lifecycle"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/vfs"
)

// Config is the store that is copied, and where to.
type Config struct {
	From, To storedir.Dir
	Set      *manifest.Set
	States   *readstate.States
	Clock    *clock.Clock
	Life     *lifecycle.State

	// Flush writes the memtables to tables; nil in a store that is open for
	// reading. Such a store has LastSeq, which returns the largest sequence that it
	// replayed, and Job, which is as in recovery.Output.
	Flush   func(context.Context) error
	LastSeq func() base.SeqNum
	Job     func(m *readstate.Mem, v *manifest.Version, nth int) compaction.Job
	// NewTable creates a table of the copy.
	NewTable func(storedir.Dir, base.FileNum) (compaction.NewTable, error)
}

func (c *Config) readOnly() bool { return c.Flush == nil }

// Run makes c.To a store with the state after one commit made at or after the call.
// When it returns without an error the copy is durable; after an error, also when
// ctx ends, the files of the copy are removed.
//
//  1. memory flushed to tables
//  2. the version pinned: none of its files is unlinked while it is being linked
//  3. To.NNNN.partial made beside To, NNNN random; tables linked into it
//  4. its names synced; manifest written, synced, and named by CURRENT
//  5. renamed to To, the name synced
//
// A store that was poisoned is refused: which of its last commits count is decided
// when it is opened again.
func Run(ctx context.Context, c Config) error {
	if err := c.To.MustBeAbsent(); err != nil {
		return err
	}
	if !c.readOnly() {
		if err := c.Flush(ctx); err != nil {
			return err
		}
	}
	if c.Life.Poisoned() {
		return c.Life.PoisonErr()
	}
	p, err := pin(ctx, c)
	if err != nil {
		return err
	}
	defer c.States.Drop(p.rs)
	err = p.partial.Make()
	if err == nil {
		err = p.fill()
	}
	if err == nil {
		err = p.publish()
	}
	if err != nil {
		p.partial.Discard()
	}
	return err
}

// checkpoint is one Run. It belongs to one goroutine.
type checkpoint struct {
	Config
	ctx     context.Context
	rs      *readstate.State  // holds the files of state
	state   *manifest.State   // of the copy
	partial *storedir.Partial // the copy
}

// pin holds the newest version and notes the state that goes with it.
func pin(ctx context.Context, cfg Config) (*checkpoint, error) {
	partial, err := storedir.NewPartial(cfg.To)
	if err != nil {
		return nil, err
	}
	id, err := storedir.RandomID()
	if err != nil {
		return nil, err
	}
	var state manifest.State
	var rs *readstate.State
	cfg.Set.Pinned(func(s *manifest.State) { state, rs = *s, cfg.States.Hold() })
	if rs == nil {
		return nil, base.ErrClosed
	}
	state.DBID, state.Parent = id, state.DBID
	state.Branch = state.LastSeq
	state.Clock = max(state.Clock, cfg.Clock.Now())
	state.Clean = true
	return &checkpoint{Config: cfg, ctx: ctx, rs: rs, state: &state, partial: partial}, nil
}

// fill puts everything into the partial directory.
func (c *checkpoint) fill() error {
	for _, t := range c.state.Version.AllTables() {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if err := c.partial.Table(c.ctx, c.From, t.Num, t.Size, t.Digest, !c.readOnly()); err != nil {
			return err
		}
	}
	if c.readOnly() {
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
	if err := c.Life.ClosedErr(); err != nil { // the context may hear of it later
		return err
	}
	return c.partial.Publish()
}

// memtables writes the memtables of a store that is open for reading to
// tables of the copy.
func (c *checkpoint) memtables() error {
	out := recovery.Output{
		Job: c.Job,
		Env: compaction.Env{Yield: func(int) error { return c.ctx.Err() }, NewTable: func() (compaction.NewTable, error) {
			num := max(c.state.FileLimit, 1)
			c.state.FileLimit = num + 1
			c.partial.Note(base.Filename(base.FileTable, num))
			return c.NewTable(c.partial.Dir, num)
		}},
		Discard: func(*compaction.Result) {}, // all of the copy goes
	}
	edit := &manifest.Edit{LastSeq: c.LastSeq()}
	if len(c.rs.Imms) > 0 {
		edit.LastSeq = edit.LastSeq.AfterGap() // as after any recovery
	}
	for i, m := range slices.Backward(c.rs.Imms) {
		if err := out.Write(m, c.state.Version, len(c.rs.Imms)-1-i, edit); err != nil {
			return err
		}
	}
	next, err := c.state.Apply(edit)
	if err != nil {
		return err
	}
	next.Clean, next.Branch = true, next.LastSeq
	c.state = next
	return nil
}
