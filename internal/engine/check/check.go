package check

import (
	"context"
	"errors"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
)

// Store is an open store at one moment.
type Store struct {
	View  rows.View       // its State is held until Release
	State *manifest.State // of the moment at which View.State was held
	// Nominated are the collections that were nominated and not settled at that
	// moment. See Pin.
	Nominated []manifest.IDRange

	Rows *rows.Source
	Set  *manifest.Set
	Dir  storedir.Dir
	Logs func() []base.FileNum // in use now, oldest first
}

// Pin returns the store as it is now. The caller releases it. A closed store is
// ErrClosed.
//
// The nominations belong to the moment at which the tables were held. A collection
// that has element rows in a state is named by a record of that state, or is nominated
// as long as that is the current state: an edit drops the last record and nominates in
// one step, under the set's lock, and only an edit whose tables hold the tombstone over
// the rows settles a nomination. At a later moment collections that were settled since
// would be missing, though the view still shows their rows.
func Pin(set *manifest.Set, src *rows.Source, points *readstate.Points, dir storedir.Dir, logs func() []base.FileNum) (Store, error) {
	s := Store{Rows: src, Set: set, Dir: dir, Logs: logs}
	set.Pinned(func(now *manifest.State) {
		s.State, s.View.State = now, src.States.Hold()
		s.Nominated = slices.Concat(now.Nominated, set.Nominations.Unsettled())
	})
	if s.View.State == nil {
		return s, base.ErrClosed
	}
	s.View.Seq, s.View.Now = points.Visible(), points.Clock.Now()
	return s, nil
}

// Release lets go of the state.
func (s *Store) Release() { s.Rows.States.Drop(s.View.State) }

// Run reads the whole store and returns every fault it finds, joined and each once; nil
// if there is none. When the context ends it returns the cause of that.
func Run(ctx context.Context, s Store) error {
	c := &checker{Store: s, ctx: ctx}
	for _, look := range []func() error{c.Set.Check, c.directory, c.version, c.tables, c.logs, c.ages, c.collections, c.keyspaces} {
		err := look()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		c.errs = append(c.errs, err)
	}
	return errors.Join(each(nil, errors.Join(c.errs...), map[string]bool{})...)
}

// each appends the faults that err joins to dst, but for those that were told. Several
// looks read the same blocks, and each meets what is damaged there.
func each(dst []error, err error, told map[string]bool) []error {
	if err == nil {
		return dst
	}
	text := err.Error()
	if joined, ok := err.(interface{ Unwrap() []error }); ok && errors.Join(joined.Unwrap()...).Error() == text {
		for _, e := range joined.Unwrap() {
			dst = each(dst, e, told)
		}
		return dst
	}
	if told[text] {
		return dst
	}
	told[text] = true
	return append(dst, err)
}

// checker is one Run. It belongs to one goroutine.
type checker struct {
	Store
	ctx   context.Context
	errs  []error
	steps int
}

// tick looks at the context now and then.
func (c *checker) tick() error {
	if c.steps++; c.steps%1000 == 0 {
		return c.ctx.Err()
	}
	return nil
}
