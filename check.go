package siltstone

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/manifest"
)

// Check reads the whole store and returns every fault it finds, joined; nil if
// there is none. It looks at one state, beside writers, and costs the reading of
// every table and log. Each fault is ErrCorruption and names a file, with the
// offset where there is one, or the collection:
//
//   - the directory is the manifest's: that verifies and says what the store
//     goes by, its tables are there, no other has a number it never gave out
//   - each table has the size, checksums, whole-file digest, counts, bounds and
//     sequences the manifest names; its records are in order, and the filter
//     admits them all
//   - logs that are complete verify to their end, the one in use as far as it has
//     been synced
//   - runs are disjoint inside, and of two records of a key, or a record and
//     a range tombstone over it, the one in the newer place is newer
//   - every keyspace has a number of its own, and no dropped one has a row left
//   - every collection's count is the number of its elements, the members of a
//     sorted set and their scores agree, the items of a list lie between its ends,
//     an element with a deadline stands in the order of deadlines, and no element
//     row is left that nothing names
//
// Files that a failed removal left behind are no fault. The context is looked at
// often.
func (db *DB) Check(ctx context.Context) error {
	ctx, end, err := db.longCall(ctx)
	if err != nil {
		return err
	}
	defer end()
	c, err := db.newChecker(ctx)
	if err != nil {
		return err
	}
	defer db.states.drop(c.view.rs)
	for _, look := range []func() error{c.manifest, c.directory, c.version, c.tables, c.logs, c.ages, c.collections, c.keyspaces} {
		err := look()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		c.errs = append(c.errs, err)
	}
	return errors.Join(c.errs...)
}

// newChecker pins the newest version and notes the state that goes with it.
func (db *DB) newChecker(ctx context.Context) (*checker, error) {
	m := &db.store
	m.mu.Lock()
	state, rs := m.state, db.states.hold()
	m.mu.Unlock()
	if rs == nil {
		return nil, ErrClosed
	}
	view := readView{rs: rs, seq: base.SeqNum(db.visible.Load()), now: db.clock.now()}
	return &checker{db: db, ctx: ctx, state: state, view: view}, nil
}

// checker is one Check. It belongs to one goroutine.
type checker struct {
	db    *DB
	ctx   context.Context
	state *manifest.State // when it began
	view  readView
	errs  []error
	steps int

	inlineFaults []error // of collections in their metadata
}

// tick looks at the context now and then.
func (c *checker) tick() error {
	if c.steps++; c.steps%1000 == 0 {
		return c.ctx.Err()
	}
	return nil
}

// collections checks metadata against element rows.
func (c *checker) collections() error {
	var errs []error
	err := c.eachFault(func(_ namedID, _ []byte, fault error) { errs = append(errs, fault) })
	return errors.Join(errors.Join(append(errs, err)...), errors.Join(c.inlineFaults...))
}

// eachFault calls found for every collection whose rows do not agree, with the
// row of its metadata, nil if there is none, and for every row of no collection,
// with the row itself and id 0.
func (c *checker) eachFault(found func(who namedID, row []byte, fault error)) error {
	named, err := c.namedIDs()
	if err != nil {
		return err
	}
	it, err := c.db.newRowIter(c.view, nil, nil, false)
	if err != nil {
		return err
	}
	defer it.release()
	var cur elementCount
	live := map[namedID][]byte{} // metadata rows whose elements are still to come
	judge := func() {
		if err := c.judge(&cur, named); err != nil {
			found(namedID{string(cur.prefix), cur.id}, cur.row, err)
		}
	}
	for ok := it.first(); ok; ok = it.next() {
		if err := c.tick(); err != nil {
			return err
		}
		prefix, rest, ok := keyenc.KeyspaceOf(it.key)
		if !ok {
			continue
		}
		if rest[0] == keyenc.SpaceKeys {
			if id, ok := record.CollectionID(record.Type(it.trailer.Attr.Type()), it.value); ok {
				who := namedID{string(prefix), id}
				if other := live[who]; other != nil {
					found(who, other, fmt.Errorf("%w: collection %d: rows %q and %q name it", ErrCorruption, id, other, it.key))
				}
				live[who] = bytes.Clone(it.key)
			} else if err := inlineFault(it.key, it.trailer.Attr, it.value); err != nil {
				c.inlineFaults = append(c.inlineFaults, err)
			}
			continue
		}
		id, tag, name, ok := keyenc.ParseCollectionRow(rest)
		if !ok {
			found(namedID{prefix: string(prefix)}, bytes.Clone(it.key), fmt.Errorf("%w: row %q is no element row", ErrCorruption, it.key))
			continue
		}
		if id != cur.id || !bytes.Equal(prefix, cur.prefix) {
			judge()
			who := namedID{string(prefix), id}
			cur = elementCount{prefix: bytes.Clone(prefix), id: id, row: live[who]}
			delete(live, who)
		}
		cur.add(tag, name, it.value, it.trailer)
	}
	if it.err != nil {
		return it.err
	}
	judge()
	for who, row := range live {
		found(who, row, fmt.Errorf("%w: collection %d: row %q names it, and it has no rows", ErrCorruption, who.id, row))
	}
	return nil
}

// elementCount is what was seen of one collection's rows.
type elementCount struct {
	prefix                  []byte
	id                      uint64
	row, owner              []byte // of the metadata, and what the owner row says it is
	elements, scores, items uint64
	volatile, due           uint64 // elements with a deadline, and deadlines
	pairs                   uint64 // hashes of (member, score) of elements, less those of score rows
	first, last             uint64 // indexes of items
}

func (e *elementCount) add(tag byte, name, value []byte, t base.Trailer) {
	switch tag {
	case keyenc.TagOwner:
		e.owner = bytes.Clone(value)
	case keyenc.TagElement:
		e.elements++
		if record.Type(t.Attr.Type()) == record.TypeVolatile {
			e.volatile++
			value = value[min(8, len(value)):] // behind the deadline
		}
		e.pairs += hashPair(name, value)
	case keyenc.TagScore:
		e.scores++
		n := min(len(name), keyenc.ScoreLen)
		e.pairs -= hashPair(name[n:], name[:n])
	case keyenc.TagDue:
		e.due++
	case keyenc.TagItem:
		e.last, _ = keyenc.DecodeItem(name)
		if e.items++; e.items == 1 {
			e.first = e.last
		}
	}
}

func hashPair(member, score []byte) uint64 {
	return xxhash.Sum64(member)*31 + xxhash.Sum64(score)
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
	if e.prefix == nil {
		return nil
	}
	who := namedID{string(e.prefix), e.id}
	fault := func(format string, args ...any) error {
		return fmt.Errorf("%w: collection %d: %s", ErrCorruption, e.id, fmt.Sprintf(format, args...))
	}
	if e.row == nil {
		switch {
		case named[who] || c.nominated(who):
			return nil
		case e.owner == nil:
			return fault("%d rows without an owner", e.elements+e.scores+e.items)
		}
		return fault("%d rows that no record names", e.elements+e.scores+e.items)
	}
	if !bytes.Equal(e.owner, e.row) {
		return fault("row %q names it, its owner row says %q", e.row, e.owner)
	}
	f, err := c.view.rs.get(e.row, hashRow(e.row), c.view.seq)
	if err != nil {
		return err
	}
	typ := record.Type(f.Attr.Type())
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
	switch {
	case e.volatile != e.due || e.due > 0 && m.NextDue == 0:
		return fault("%v %q has %d elements with deadlines and %d due rows", typ, e.owner, e.volatile, e.due)
	case typ == record.TypeZSet && e.scores != e.elements:
		return fault("sorted set %q has %d members and %d scores", e.owner, e.elements, e.scores)
	case typ == record.TypeZSet && e.pairs != 0:
		return fault("sorted set %q has scores that are not those of its members", e.owner)
	case typ == record.TypeList && !listSpans(m.Body, e):
		return fault("list %q has a gap, or items outside its ends", e.owner)
	}
	return nil
}

// listSpans reports whether items, as many as the metadata counts, stand where
// its body says: without gaps from the first index to one stride before the end,
// or with gaps somewhere between the two.
func listSpans(body []byte, e *elementCount) bool {
	if len(body) != 17 {
		return false
	}
	first, end := binary.BigEndian.Uint64(body), binary.BigEndian.Uint64(body[8:])
	if body[16] != 0 { // with gaps; or of a later version, whose typed calls refuse it
		return first <= e.first && e.last < end
	}
	return e.first == first && e.last == end-keyenc.ItemStride && (end-first)/keyenc.ItemStride == e.items
}
