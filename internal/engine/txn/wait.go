package txn

import (
	"context"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/engine/waiters"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/lifecycle"
)

// Line is the place of a call among those that wait for an element of one key, and the
// source of the transactions in which it looks for one. A transaction of it that writes
// takes an element. It belongs to one goroutine.
type Line struct {
	engine *Engine
	ks     *keyspace.Space
	ctx    context.Context
	place  *waiters.Place
}

var _ collection.Line = (*Line)(nil)

// Join takes the last place in the line of a key. The end of ctx ends the waiting.
func (e *Engine) Join(ctx context.Context, ks *keyspace.Space, key string) (*Line, error) {
	if err := e.mayWait(ctx); err != nil {
		return nil, err
	}
	if err := collection.CheckName(key); err != nil {
		return nil, err
	}
	row := keyenc.AppendNameRow(nil, ks.Prefix(), key)
	return &Line{engine: e, ks: ks, ctx: ctx, place: e.section.Waiters.Join(row)}, nil
}

// mayWait returns why a call that waits does not begin.
func (e *Engine) mayWait(ctx context.Context) error {
	if err := lifecycle.Refused(ctx); err != nil {
		return err
	}
	if e.refusal != nil {
		return e.refusal
	}
	return e.life.ClosedErr()
}

// Begin implements collection.Source.
func (l *Line) Begin(write bool, key string, attempt int) (collection.Txn, error) {
	t, err := l.engine.BeginCall(l.ks, write, key, attempt)
	if err != nil {
		return nil, err
	}
	if write {
		c, err := t.Buffer()
		if err != nil {
			t.end()
			return nil, err
		}
		c.Place = l.place
	}
	return t, nil
}

// End implements collection.Source.
func (l *Line) End(t collection.Txn, err error) (again bool, _ error) {
	return l.engine.EndCall(t.(*Txn), err)
}

// Sleep implements collection.Line.
func (l *Line) Sleep(d collection.Due) error {
	if l.engine.life.Poisoned() {
		return l.engine.life.PoisonErr() // nothing is written any more
	}
	if d.ID != 0 && l.place.Follow(collection.AppendRowsOf(nil, l.ks.Prefix(), d.ID)) {
		return nil // a row may have been written since it looked
	}
	return l.place.Sleep(l.ctx, l.engine.life.Quit(), l.engine.clock, d.At)
}

// Leave implements collection.Line.
func (l *Line) Leave() { l.place.Leave() }

// calls is the source of calls that only read.
type calls struct {
	engine *Engine
	ks     *keyspace.Space
}

func (s calls) Begin(_ bool, _ string, attempt int) (collection.Txn, error) {
	t, err := s.engine.BeginCall(s.ks, false, "", attempt)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (s calls) End(t collection.Txn, err error) (again bool, _ error) {
	return s.engine.EndCall(t.(*Txn), err)
}

// Watch yields the keys one by one, and from then on each that has changed since it was
// last yielded. It goes on until yield returns false, or ctx or the store ends or the
// keyspace is dropped, which is the error that it yields last.
func (e *Engine) Watch(ctx context.Context, ks *keyspace.Space, keys [][]byte, yield func([]byte, error) bool) {
	err := e.mayWait(ctx)
	if err == nil && len(keys) == 0 {
		err = base.Errorf(base.ErrBadOption, "there is no key to wait for")
	}
	rows := make([][]byte, len(keys))
	for i, key := range keys {
		if err == nil {
			err = base.CheckKey(key)
		}
		rows[i] = keyenc.AppendKeyRow(nil, ks.Prefix(), key)
	}
	if err != nil {
		yield(nil, err)
		return
	}
	w := e.section.Waiters.Watch(rows)
	defer w.Close()
	for {
		i, err := e.nextChange(ctx, ks, w, keys)
		if err != nil {
			yield(nil, err)
			return
		}
		if !yield(keys[i], nil) {
			return
		}
	}
}

// nextChange waits for a change and returns the number of the key.
func (e *Engine) nextChange(ctx context.Context, ks *keyspace.Space, w *waiters.Watch, keys [][]byte) (int, error) {
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if err := e.life.ClosedErr(); err != nil {
			return 0, err
		}
		if i, ok := w.Next(e.clock.Now()); ok {
			return i, e.follow(ks, w, i, string(keys[i]))
		}
		if e.life.Poisoned() {
			return 0, e.life.PoisonErr()
		}
		if err := w.Sleep(ctx, e.life.Quit(), e.clock, w.Expiry()); err != nil {
			return 0, err
		}
	}
}

// follow makes the watch listen to what the key holds now, so that whoever looks at the
// key afterwards misses no change of it.
func (e *Engine) follow(ks *keyspace.Space, w *waiters.Watch, i int, key string) error {
	for {
		var expiry int64
		id, err := collection.View(calls{e, ks}, func(t collection.Txn) (id uint64, err error) {
			id, expiry, err = collection.Standing(t, key)
			return id, err
		})
		if err != nil {
			return err
		}
		if !w.Follow(i, collection.AppendRowsOf(nil, ks.Prefix(), id), expiry) {
			return nil
		}
	}
}
