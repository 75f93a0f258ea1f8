package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/manifest"
)

// Collection is a collection of a keyspace.
type Collection struct {
	Prefix string // of the keyspace's rows
	ID     uint64 // 0: the row is in no collection
}

// Collections calls found for every collection whose rows do not agree, with the
// row of its metadata, nil if there is none, and for every row of no collection,
// with the row itself and id 0. It returns the faults of inline collections, which
// have no rows of their own.
func Collections(ctx context.Context, s Store, found func(who Collection, row []byte, fault error)) (inline []error, err error) {
	c := &checker{Store: s, ctx: ctx}
	return c.eachCollection(found)
}

// collections checks metadata against element rows.
func (c *checker) collections() error {
	var errs []error
	inline, err := c.eachCollection(func(_ Collection, _ []byte, fault error) { errs = append(errs, fault) })
	return errors.Join(errors.Join(append(errs, err)...), errors.Join(inline...))
}

// eachCollection is Collections. The rows of a collection stand together, behind
// all metadata of its keyspace.
func (c *checker) eachCollection(found func(who Collection, row []byte, fault error)) (inline []error, err error) {
	named, err := c.named()
	if err != nil {
		return nil, err
	}
	it, err := rows.New(c.Rows, c.View, nil, nil, false)
	if err != nil {
		return nil, err
	}
	defer it.Release()
	var cur elementCount
	live := map[Collection][]byte{} // metadata rows whose elements are still to come
	judge := func() {
		if err := c.judge(&cur, named); err != nil {
			found(Collection{string(cur.prefix), cur.id}, cur.row, err)
		}
	}
	for ok := it.First(); ok; ok = it.Next() {
		if err := c.tick(); err != nil {
			return inline, err
		}
		prefix, rest, ok := keyenc.KeyspaceOf(it.Key())
		if !ok {
			continue
		}
		if rest[0] == keyenc.SpaceKeys {
			if id, ok := record.CollectionID(record.Type(it.Trailer().Attr.Type()), it.Value()); ok {
				who := Collection{string(prefix), id}
				if other := live[who]; other != nil {
					found(who, other, fmt.Errorf("%w: collection %d: rows %q and %q name it", base.ErrCorruption, id, other, it.Key()))
				}
				live[who] = bytes.Clone(it.Key())
			} else if err := inlineFault(it.Key(), it.Trailer().Attr, it.Value()); err != nil {
				inline = append(inline, err)
			}
			continue
		}
		id, tag, name, ok := keyenc.ParseCollectionRow(rest)
		if !ok {
			found(Collection{Prefix: string(prefix)}, bytes.Clone(it.Key()), fmt.Errorf("%w: row %q is no element row", base.ErrCorruption, it.Key()))
			continue
		}
		if id != cur.id || !bytes.Equal(prefix, cur.prefix) {
			judge()
			who := Collection{string(prefix), id}
			cur = elementCount{prefix: bytes.Clone(prefix), id: id, row: live[who]}
			delete(live, who)
		}
		cur.add(tag, name, it.Value(), it.Trailer())
	}
	if it.Err() != nil {
		return inline, it.Err()
	}
	judge()
	for who, row := range live {
		found(who, row, fmt.Errorf("%w: collection %d: row %q names it, and it has no rows", base.ErrCorruption, who.ID, row))
	}
	return inline, nil
}

// named returns every collection that any record names, whatever its age or
// sequence: the record of an ended collection is there until a merge drops it, and
// that merge nominates. It asks every source by itself, for a Merging shows of each
// memtable the newest version alone.
func (c *checker) named() (map[Collection]bool, error) {
	named := map[Collection]bool{}
	for _, p := range c.sources(false) {
		err := c.namedBy(p.it, named)
		if cerr := p.it.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return nil, err
		}
	}
	return named, nil
}

func (c *checker) namedBy(it iterator.Iterator, named map[Collection]bool) error {
	for e := it.First(); e != nil; e = it.Next() {
		if err := c.tick(); err != nil {
			return err
		}
		prefix, rest, ok := keyenc.KeyspaceOf(e.Key)
		if !ok || rest[0] != keyenc.SpaceKeys || e.Attr.Kind() != base.KindPut {
			continue
		}
		if id, ok := record.CollectionID(record.Type(e.Attr.Type()), e.Value); ok {
			named[Collection{string(prefix), id}] = true
		}
	}
	return it.Err()
}

// nominated reports whether the collection was waiting for the reaper, or for the
// flush of its verdict.
func (c *checker) nominated(who Collection) bool {
	n := keyspace.Number([]byte(who.Prefix))
	return slices.ContainsFunc(c.Nominated, func(r manifest.IDRange) bool {
		return r.Keyspace == n && r.First <= who.ID && who.ID <= r.Last
	})
}
