package entry

import (
	"context"
	"errors"
	"iter"
	"math"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/explain"
	"github.com/siltstonedb/siltstone/typed"
)

// Walk loops over all that a store holds at one moment: the keys of the default keyspace,
// then each named keyspace, its own entry first, with its keys. An entry and its slices are
// borrowed until the loop's next step. An error is the last item.
func Walk(ctx context.Context, db *siltstone.DB) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		if err := walkStore(ctx, db, func(e *Entry) bool { return yield(e, nil) }); err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

// errStopped ends a walk whose loop was left.
var errStopped = errors.New("the loop was left")

func walkStore(ctx context.Context, db *siltstone.DB, yield func(*Entry) bool) error {
	names, err := db.Keyspaces()
	if err != nil {
		return err
	}
	snap, err := db.NewSnapshot()
	if err != nil {
		return err
	}
	defer snap.Close()
	w := walker{ctx: ctx, space: snap, db: db, yield: yield}
	if err := w.keyspace(); err != nil {
		return err
	}
	for _, name := range names {
		ks, err := db.Keyspace(name)
		if errors.Is(err, siltstone.ErrNotFound) {
			continue // dropped meanwhile
		}
		if err != nil {
			return err
		}
		w.space, w.entry = snap.In(ks), Entry{Keyspace: name}
		if !yield(&w.entry) {
			return errStopped
		}
		if err := w.keyspace(); err != nil {
			return err
		}
	}
	return nil
}

// WalkSpace loops over the keys of one keyspace, as Walk does.
func WalkSpace(ctx context.Context, db *siltstone.DB, ks *siltstone.Keyspace) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		snap, err := db.NewSnapshot()
		if err != nil {
			yield(nil, err)
			return
		}
		defer snap.Close()
		w := walker{ctx: ctx, space: snap, db: db, yield: func(e *Entry) bool { return yield(e, nil) }}
		if ks != nil {
			w.space, w.entry.Keyspace = snap.In(ks), ks.Name()
		}
		if err := w.keyspace(); err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

// walker walks one snapshot. It holds one entry at a time.
type walker struct {
	ctx   context.Context
	space *siltstone.Snapshot
	db    *siltstone.DB
	yield func(*Entry) bool
	entry Entry
	bytes int // of the elements of the entry
}

// keyspace walks the keys of the keyspace that the walker stands in.
func (w *walker) keyspace() error {
	for kv, err := range w.space.Scan(siltstone.Range{}) {
		if err != nil {
			return err
		}
		if err := w.ctx.Err(); err != nil {
			return err
		}
		name := string(kv.Key)
		deadline, err := w.deadline(kv.Key)
		if errors.Is(err, siltstone.ErrNotFound) {
			continue // a collection whose elements have all expired
		}
		if err != nil {
			return err
		}
		w.entry.Key, w.entry.Type, w.entry.Expires = []byte(name), kv.Type, deadline
		w.entry.Value, w.entry.Part = nil, 0
		if kv.Type == typed.TypeString {
			w.entry.Value = kv.Value
			if !w.yield(&w.entry) {
				return errStopped
			}
			continue
		}
		w.entry.Part = 1
		if err := w.collection(name); err != nil {
			return err
		}
	}
	return nil
}

// deadline returns when a key expires, the zero time if it never does. Most keys do not, and
// TTL, which cannot give the moment, costs less than a typed call.
func (w *walker) deadline(key []byte) (time.Time, error) {
	if ttl, err := w.space.TTL(key); err != nil || ttl == siltstone.NoTTL {
		return time.Time{}, err
	}
	return w.space.Key(string(key)).Deadline()
}

// collection walks the elements of one collection and yields them in parts.
func (w *walker) collection(name string) error {
	var err error
	switch w.entry.Type {
	case typed.TypeHash:
		err = w.hash(name)
	case typed.TypeSet:
		err = w.set(name)
	case typed.TypeZSet:
		err = w.zset(name)
	case typed.TypeList:
		for v, lerr := range w.space.List(name).Range(0, -1) {
			if err = lerr; err == nil {
				err = w.add(Element{Value: clone(v)})
			}
			if err != nil {
				break
			}
		}
	}
	if err != nil || len(w.entry.Elements) == 0 {
		return err
	}
	return w.part()
}

func clone(b []byte) []byte { return append([]byte{}, b...) }

// add puts an element into the part, and yields the part if it is full.
func (w *walker) add(e Element) error {
	w.entry.Elements = append(w.entry.Elements, e)
	w.bytes += len(e.Name) + len(e.Value)
	if len(w.entry.Elements) < partElements && w.bytes < partBytes {
		return nil
	}
	if err := w.ctx.Err(); err != nil {
		return err
	}
	return w.part()
}

// part yields what was gathered.
func (w *walker) part() error {
	if !w.yield(&w.entry) {
		return errStopped
	}
	w.entry.Part++
	clear(w.entry.Elements)
	w.entry.Elements, w.bytes = w.entry.Elements[:0], 0
	return nil
}

// deadlines returns how the deadline of an element is found. Of a long collection it is
// looked up first whether any has one: that saves a look-up for each element.
func (w *walker) deadlines(name string, n int64, look func(string) (time.Time, error)) func(string) (time.Time, error) {
	if n > 256 {
		e, err := w.explain(name)
		if c := e.Verdict.Collection; err == nil && e.Verdict.Present && c != nil && c.NextDue.IsZero() {
			return func(string) (time.Time, error) { return time.Time{}, nil }
		}
	}
	return func(element string) (time.Time, error) {
		at, err := look(element)
		if errors.Is(err, siltstone.ErrNotFound) {
			err = nil
		}
		return at, err
	}
}

func (w *walker) explain(name string) (explain.Explanation, error) {
	if w.entry.Keyspace == "" {
		return w.db.Explain([]byte(name))
	}
	return w.db.ExplainIn(w.entry.Keyspace, []byte(name))
}

func (w *walker) hash(name string) error {
	h := w.space.Hash(name)
	n, err := h.Len()
	if err != nil {
		return err
	}
	deadline := w.deadlines(name, n, h.FieldDeadline)
	for f, err := range h.All() {
		if err != nil {
			return err
		}
		at, err := deadline(f.Name)
		if err == nil {
			err = w.add(Element{Name: f.Name, Value: clone(f.Value), Expires: at})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) set(name string) error {
	s := w.space.Set(name)
	n, err := s.Len()
	if err != nil {
		return err
	}
	deadline := w.deadlines(name, n, s.MemberDeadline)
	for m, err := range s.All() {
		if err != nil {
			return err
		}
		at, err := deadline(m)
		if err == nil {
			err = w.add(Element{Name: m, Expires: at})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) zset(name string) error {
	z := w.space.ZSet(name)
	n, err := z.Len()
	if err != nil {
		return err
	}
	deadline := w.deadlines(name, n, z.MemberDeadline)
	for m, err := range z.Range(typed.ByScore(math.Inf(-1), math.Inf(1))) {
		if err != nil {
			return err
		}
		at, err := deadline(m.Name)
		if err == nil {
			err = w.add(Element{Name: m.Name, Score: m.Score, Expires: at})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
