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
)

// Source is the store that is copied.
type Source struct {
	From   storedir.Dir
	Set    *manifest.Set
	States *readstate.States
	Clock  *clock.Clock
	Life   *lifecycle.State

	// Flush writes the memtables to tables; nil in a store that is open for
	// reading. Such a store has LastSeq, which returns the largest sequence that a
	// state shows, and Job, which is as in recovery.Output.
	Flush   func(context.Context) error
	LastSeq func(*readstate.State) base.SeqNum
	Job     func(m *readstate.Mem, v *manifest.Version, nth int) compaction.Job
}

func (s *Source) readOnly() bool { return s.Flush == nil }

// Pin flushes the memtables and holds the state after one commit, made at or after the
// call. The caller releases it.
//
// A store that was poisoned is refused: which of its last commits count is decided
// when it is opened again.
func (s *Source) Pin(ctx context.Context) (*Pinned, error) {
	if !s.readOnly() {
		if err := s.Flush(ctx); err != nil {
			return nil, err
		}
	}
	if s.Life.Poisoned() {
		return nil, s.Life.PoisonErr()
	}
	id, err := storedir.RandomID()
	if err != nil {
		return nil, err
	}
	p := &Pinned{source: s}
	var state manifest.State
	s.Set.Pinned(func(now *manifest.State) {
		if state = *now; s.readOnly() {
			p.rs = s.States.Hold()
		} else {
			p.rs = s.States.HoldTables()
		}
	})
	if p.rs == nil {
		return nil, base.ErrClosed
	}
	state.DBID, state.Parent = id, state.DBID
	state.Branch = state.LastSeq
	state.Clock = max(state.Clock, s.Clock.Now())
	state.Clean = true
	p.State = &state
	return p, nil
}

// Pinned is the state of a copy, and holds the files that it lists. It belongs to one
// goroutine.
type Pinned struct {
	// State is the copy's: it has an id of its own, says whose copy it is, and is clean.
	State *manifest.State

	source *Source
	rs     *readstate.State
}

// Release lets go of the files.
func (p *Pinned) Release() { p.source.States.Drop(p.rs) }

// Memtables writes the memtables of a store that is open for reading to tables, which
// State has from then on. newTable makes the file of one. It does nothing in a store
// that is open for writing, whose memtables were flushed.
func (p *Pinned) Memtables(ctx context.Context, newTable func(base.FileNum) (compaction.NewTable, error)) error {
	if !p.source.readOnly() {
		return nil
	}
	out := recovery.Output{
		Job: p.source.Job,
		Env: compaction.Env{Yield: func(int) error { return ctx.Err() }, NewTable: func() (compaction.NewTable, error) {
			num := max(p.State.FileLimit, 1)
			p.State.FileLimit = num + 1
			return newTable(num)
		}},
		Discard: func(*compaction.Result) {}, // all of the copy goes
	}
	// There is no gap as behind a recovery: a copy stands where its data end, or who goes on
	// with the commits of its parent would leave some out. Above that its sequences are its own.
	edit := &manifest.Edit{LastSeq: p.source.LastSeq(p.rs)}
	for i, m := range slices.Backward(p.rs.Imms) {
		if err := out.Write(m, p.State.Version, len(p.rs.Imms)-1-i, edit); err != nil {
			return err
		}
	}
	next, err := p.State.Apply(edit)
	if err != nil {
		return err
	}
	next.Clean, next.Branch = true, next.LastSeq
	p.State = next
	return nil
}
