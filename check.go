package siltstone

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Check reads the whole store and returns every fault it finds, joined; nil if
// there is none. It looks at one state, beside writers, and costs the reading of
// every table:
//
//   - the manifest's tables are there, with the size, checksums and whole-file
//     digest it names; records are in order, counted and covered by the filter
//   - runs are disjoint inside, and a newer run's records are newer
//   - every collection's count is the number of its elements, sorted sets have
//     both rows of every member, an element with a deadline stands in the order
//     of deadlines, and no element row is left that nothing names
//
// The context is looked at often.
func (db *DB) Check(ctx context.Context) error {
	rs := db.states.hold()
	if rs == nil {
		return ErrClosed
	}
	defer db.states.drop(rs)
	c := &checker{db: db, ctx: ctx, view: readView{rs: rs, seq: base.SeqNum(db.visible.Load()), now: db.clock.now()}}
	for _, look := range []func() error{c.version, c.tables, c.ages, c.collections} {
		err := look()
		if ctxErr := ctx.Err(); ctxErr != nil {
			return ctxErr
		}
		c.errs = append(c.errs, err)
	}
	return errors.Join(c.errs...)
}

// checker is one Check. It belongs to one goroutine.
type checker struct {
	db    *DB
	ctx   context.Context
	view  readView
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

func (c *checker) version() error { return c.view.rs.version.Check() }

// tables verifies each table file.
func (c *checker) tables() error {
	var errs []error
	for i := range c.view.rs.runs {
		for _, t := range c.view.rs.runs[i].tables {
			if _, err := c.db.opts.FS.Stat(join(c.db.dir, base.Filename(base.FileTable, t.Num))); errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, base.Corruptf(base.Filename(base.FileTable, t.Num), -1, "table is missing"))
				continue
			}
			r, err := t.get()
			if err == nil {
				err = r.Verify(func(int) error { return c.ctx.Err() })
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// ages checks that of two records of a key the one in the newer source is
// newer.
func (c *checker) ages() error {
	rs := c.view.rs
	var sources []iterator.Iterator
	sources = append(sources, rs.mem.NewIter(true))
	for _, m := range rs.imms {
		sources = append(sources, m.NewIter(true))
	}
	var runs = make([]runSource, len(rs.runs))
	for i := range rs.runs {
		sources = append(sources, runs[i].init(&rs.runs[i], newTableIter(), true))
	}
	at := make([]*iterator.Entry, len(sources))
	for i, s := range sources {
		defer s.Close()
		at[i] = s.First()
	}
	for {
		if err := c.tick(); err != nil {
			return err
		}
		var least []byte
		for _, e := range at {
			if e != nil && (least == nil || bytes.Compare(e.Key, least) < 0) {
				least = e.Key
			}
		}
		if least == nil {
			break
		}
		if err := ageOfKey(sources, at, bytes.Clone(least)); err != nil {
			return err
		}
	}
	var errs []error
	for _, s := range sources {
		errs = append(errs, s.Err())
	}
	return errors.Join(errs...)
}

// ageOfKey steps every source over key and compares their sequences.
func ageOfKey(sources []iterator.Iterator, at []*iterator.Entry, key []byte) error {
	floor := base.SeqMax
	for i, s := range sources {
		oldest := base.SeqMax
		for at[i] != nil && bytes.Equal(at[i].Key, key) {
			if at[i].Seq >= floor {
				return fmt.Errorf("%w: key %q: sequence %d in source %d is not below %d in a newer one", ErrCorruption, key, at[i].Seq, i, floor)
			}
			oldest = at[i].Seq
			at[i] = s.Next()
		}
		floor = min(floor, oldest)
	}
	return nil
}

// collections checks metadata against element rows.
func (c *checker) collections() error {
	named, err := c.namedIDs()
	if err != nil {
		return err
	}
	it, err := c.db.newRowIter(c.view, nil, nil, false)
	if err != nil {
		return err
	}
	defer it.release()
	var errs []error
	var cur elementCount
	for ok := it.first(); ok; ok = it.next() {
		if err := c.tick(); err != nil {
			return err
		}
		prefix, rest, ok := keyenc.KeyspaceOf(it.key)
		if !ok || rest[0] != keyenc.SpaceElements {
			continue
		}
		if len(rest) < 10 {
			errs = append(errs, fmt.Errorf("%w: row %q is no element row", ErrCorruption, it.key))
			continue
		}
		id := binary.BigEndian.Uint64(rest[1:])
		if id != cur.id || !bytes.Equal(prefix, cur.prefix) {
			errs = append(errs, c.judge(&cur, named))
			cur = elementCount{prefix: bytes.Clone(prefix), id: id}
		}
		cur.add(rest[9], it.value, it.trailer)
	}
	errs = append(errs, c.judge(&cur, named), it.err)
	return errors.Join(errs...)
}

// elementCount is what was seen of one collection's rows.
type elementCount struct {
	prefix                  []byte
	id                      uint64
	owner                   []byte
	elements, scores, items uint64
	volatile, due           uint64 // elements with a deadline, and deadlines
}

func (e *elementCount) add(tag byte, value []byte, t base.Trailer) {
	switch tag {
	case keyenc.TagOwner:
		e.owner = bytes.Clone(value)
	case keyenc.TagElement:
		e.elements++
		if record.Type(t.Attr.Type()) == record.TypeVolatile {
			e.volatile++
		}
	case keyenc.TagScore:
		e.scores++
	case keyenc.TagDue:
		e.due++
	case keyenc.TagItem:
		e.items++
	}
}

// namedID is a collection of a keyspace.
type namedID struct {
	prefix string
	id     uint64
}

// namedIDs returns every collection that any record, however old, or any
// nomination names: its rows are not forgotten.
func (c *checker) namedIDs() (map[namedID]bool, error) {
	named := map[namedID]bool{}
	it, err := c.db.newRowIter(c.view, nil, nil, false)
	if err != nil {
		return nil, err
	}
	defer it.release()
	for e := it.merge.First(); e != nil; e = it.merge.Next() {
		if err := c.tick(); err != nil {
			return nil, err
		}
		prefix, rest, ok := keyenc.KeyspaceOf(e.Key)
		if !ok || rest[0] != keyenc.SpaceKeys || e.Attr.Kind() != base.KindPut {
			continue
		}
		if id, ok := record.CollectionID(record.Type(e.Attr.Type()), e.Value); ok {
			named[namedID{string(prefix), id}] = true
		}
	}
	return named, it.merge.Err()
}

// nominated reports whether the collection is waiting for the reaper.
func (c *checker) nominated(id namedID) bool {
	n := keyspaceNumber([]byte(id.prefix))
	c.db.store.mu.Lock()
	ranges := c.db.store.state.Nominated
	c.db.store.mu.Unlock()
	c.db.reaper.mu.Lock()
	defer c.db.reaper.mu.Unlock()
	for _, r := range append(ranges[:len(ranges):len(ranges)], c.db.reaper.pending...) {
		if r.Keyspace == n && r.First <= id.id && id.id <= r.Last {
			return true
		}
	}
	return false
}

// judge compares what was seen of a collection with its metadata.
func (c *checker) judge(e *elementCount, named map[namedID]bool) error {
	if e.id == 0 {
		return nil
	}
	who := namedID{string(e.prefix), e.id}
	fault := func(format string, args ...any) error {
		return fmt.Errorf("%w: collection %d: %s", ErrCorruption, e.id, fmt.Sprintf(format, args...))
	}
	if e.owner == nil {
		if named[who] || c.nominated(who) {
			return nil
		}
		return fault("%d rows without an owner", e.elements+e.scores+e.items)
	}
	f, err := c.view.rs.get(e.owner, hashRow(e.owner), c.view.seq)
	if err != nil {
		return err
	}
	typ := record.Type(f.Attr.Type())
	id, carries := record.CollectionID(typ, f.value)
	if !f.ok || f.Expired(c.view.now) || !carries || id != e.id {
		if named[who] || c.nominated(who) {
			return nil
		}
		return fault("%d rows that no record names", e.elements+e.scores+e.items)
	}
	m, err := record.DecodeMeta(f.value)
	if err != nil {
		return fault("%v", err)
	}
	count := e.elements
	if typ == record.TypeList {
		count = e.items
	}
	if m.Count != count {
		return fault("%v %q counts %d elements and has %d", typ, e.owner, m.Count, count)
	}
	if e.volatile != e.due || e.due > 0 && m.NextDue == 0 {
		return fault("%v %q has %d elements with deadlines and %d due rows", typ, e.owner, e.volatile, e.due)
	}
	if typ == record.TypeZSet && e.scores != e.elements {
		return fault("sorted set %q has %d members and %d scores", e.owner, e.elements, e.scores)
	}
	return nil
}
