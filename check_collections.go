package siltstone

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/manifest"
)

// collections checks metadata against element rows.
func (c *checker) collections() error {
	var errs []error
	err := c.eachFault(func(_ namedID, _ []byte, fault error) { errs = append(errs, fault) })
	return errors.Join(errors.Join(append(errs, err)...), errors.Join(c.inlineFaults...))
}

// eachFault calls found for every collection whose rows do not agree, with the
// row of its metadata, nil if there is none, and for every row of no collection,
// with the row itself and id 0. What is wrong with a collection that has no rows
// goes into inlineFaults.
func (c *checker) eachFault(found func(who namedID, row []byte, fault error)) error {
	named, err := c.namedIDs()
	if err != nil {
		return err
	}
	it, err := rows.New(c.db.rows, c.view, nil, nil, false)
	if err != nil {
		return err
	}
	defer it.Release()
	var cur elementCount
	live := map[namedID][]byte{} // metadata rows whose elements are still to come
	judge := func() {
		if err := c.judge(&cur, named); err != nil {
			found(namedID{string(cur.prefix), cur.id}, cur.row, err)
		}
	}
	for ok := it.First(); ok; ok = it.Next() {
		if err := c.tick(); err != nil {
			return err
		}
		prefix, rest, ok := keyenc.KeyspaceOf(it.Key())
		if !ok {
			continue
		}
		if rest[0] == keyenc.SpaceKeys {
			if id, ok := record.CollectionID(record.Type(it.Trailer().Attr.Type()), it.Value()); ok {
				who := namedID{string(prefix), id}
				if other := live[who]; other != nil {
					found(who, other, fmt.Errorf("%w: collection %d: rows %q and %q name it", ErrCorruption, id, other, it.Key()))
				}
				live[who] = bytes.Clone(it.Key())
			} else if err := inlineFault(it.Key(), it.Trailer().Attr, it.Value()); err != nil {
				c.inlineFaults = append(c.inlineFaults, err)
			}
			continue
		}
		id, tag, name, ok := keyenc.ParseCollectionRow(rest)
		if !ok {
			found(namedID{prefix: string(prefix)}, bytes.Clone(it.Key()), fmt.Errorf("%w: row %q is no element row", ErrCorruption, it.Key()))
			continue
		}
		if id != cur.id || !bytes.Equal(prefix, cur.prefix) {
			judge()
			who := namedID{string(prefix), id}
			cur = elementCount{prefix: bytes.Clone(prefix), id: id, row: live[who]}
			delete(live, who)
		}
		cur.add(tag, name, it.Value(), it.Trailer())
	}
	if it.Err() != nil {
		return it.Err()
	}
	judge()
	for who, row := range live {
		found(who, row, fmt.Errorf("%w: collection %d: row %q names it, and it has no rows", ErrCorruption, who.id, row))
	}
	return nil
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
	it, err := rows.New(c.db.rows, c.view, nil, nil, false)
	if err != nil {
		return nil, err
	}
	defer it.Release()
	for e := it.Merge.First(); e != nil; e = it.Merge.Next() {
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
	return named, it.Merge.Err()
}

// nominated reports whether the collection is waiting for the reaper, or for the
// flush of its verdict.
func (c *checker) nominated(who namedID) bool {
	n := keyspace.Number([]byte(who.prefix))
	in := func(r manifest.IDRange) bool { return r.Keyspace == n && r.First <= who.id && who.id <= r.Last }
	return c.db.set.Nominations.Has(n, who.id) || slices.ContainsFunc(c.db.set.State().Nominated, in)
}
