package siltstone

import (
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/record"
)

// EstimateSize estimates the bytes that the keys of r, and the elements of their
// collections, take in tables on disk. It counts garbage among the keys that no merge
// has freed yet, and each block that has a part of r whole. It does not count
// memtables, logs, nor named keyspaces: Keyspace.EstimateSize does.
//
// If r is all keys it reads table indexes only. Otherwise elements lie elsewhere than
// their keys: the first 10,000 keys of r are read to find them, and beyond those it
// assumes that the rest of r has as many.
func (db *DB) EstimateSize(r Range) (int64, error) { return db.estimateSize(nil, r) }

// estimateKeys is how many keys of a range are asked for collections.
const estimateKeys = 10_000

// stretch is the rows [lo, hi).
type stretch struct{ lo, hi []byte }

func (db *DB) estimateSize(ks *keyspace.Space, r Range) (int64, error) {
	lo, hi, err := r.deleteRows(ks.Prefix())
	if err != nil {
		return 0, err
	}
	if db.unopened() {
		return 0, ErrClosed
	}
	rs := db.states.Hold()
	if rs == nil {
		return 0, ErrClosed
	}
	defer db.states.Drop(rs)
	if err := ks.Writable(); err != nil {
		return 0, err
	}
	keys, err := db.sizeOf(rs, stretch{lo, hi})
	if err != nil || len(r.Lower) == 0 && r.Upper == nil { // elements are among those rows
		return keys, err
	}
	found, next, err := db.elementsOf(rs, ks, lo, hi)
	if err != nil || len(found) == 0 {
		return keys, err
	}
	elements, err := db.sizeOf(rs, found...)
	if err != nil || next == nil {
		return keys + elements, err
	}
	read, err := db.sizeOf(rs, stretch{lo, next})
	if read > 0 && read < keys {
		elements = int64(float64(elements) * float64(keys) / float64(read))
	}
	return keys + elements, err
}

// elementsOf returns the element rows of the collections among the keys in [lo, hi),
// in order, and the key at which it gave up, if it did.
func (db *DB) elementsOf(rs *readstate.State, ks *keyspace.Space, lo, hi []byte) (found []stretch, next []byte, err error) {
	v := rows.View{State: rs, Seq: db.section.Visible(), Now: db.clock.Now()}
	it, err := rows.New(db.rows, v, lo, hi, true)
	if err != nil {
		return nil, nil, err
	}
	defer it.Release()
	var ids []uint64
	read := 0
	for ok := it.First(); ok; ok = it.Next() {
		if read++; read > estimateKeys {
			next = slices.Clone(it.Key())
			break
		}
		if t := record.Type(it.Attr().Type()); t.IsCollection() {
			f, err := rs.Look(it.Key(), base.HashRow(it.Key()), v.Seq, readstate.WantSmall)
			if err != nil {
				return nil, nil, db.states.ReadError(err)
			}
			if id, ok := record.CollectionID(t, f.Value); ok && f.OK {
				ids = append(ids, id)
			}
			f.Loan.Return()
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		first, behind := keyenc.CollectionRange(ks.Prefix(), id, id)
		found = append(found, stretch{first, behind})
	}
	return found, next, it.Err()
}

// sizeOf returns the bytes of the tables' blocks that have a part of the stretches,
// which are in order, each block once.
func (db *DB) sizeOf(rs *readstate.State, all ...stretch) (size int64, err error) {
	for i := range rs.Runs {
		for _, t := range rs.Runs[i].Tables {
			var counted int64 // offset up to which blocks were counted
			for _, s := range all {
				if !t.Overlaps(s.lo, s.hi, true) {
					continue
				}
				r, err := t.Get()
				if err != nil {
					return 0, db.states.ReadError(err)
				}
				n, end := r.SizeFrom(counted, s.lo, s.hi)
				size, counted = size+n, end
			}
		}
	}
	return size, nil
}
