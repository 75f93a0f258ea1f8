package siltstone

import "github.com/siltstonedb/siltstone/internal/keyspace"

// EstimateSize returns about how many bytes of tables the keys of r take on
// disk. What is still in memory, garbage, and the elements of collections in
// the range are not counted, unless the range is all keys. Named keyspaces are
// not counted either: Keyspace.EstimateSize tells theirs. It reads table indexes
// only.
func (db *DB) EstimateSize(r Range) (int64, error) { return db.estimateSize(nil, r) }

func (db *DB) estimateSize(ks *keyspace.Space, r Range) (int64, error) {
	lo, hi, err := r.deleteRows(ks.Prefix())
	if err != nil {
		return 0, err
	}
	rs, n := db.states.Pin()
	if rs == nil {
		return 0, ErrClosed
	}
	defer db.states.Unpin(rs, n)
	if err := ks.Writable(); err != nil {
		return 0, err
	}
	var size int64
	for i := range rs.Runs {
		for _, t := range rs.Runs[i].Tables {
			if !t.Overlaps(lo, hi, true) {
				continue
			}
			rd, err := t.Get()
			if err != nil {
				return 0, db.states.ReadError(err)
			}
			size += rd.ApproximateSize(lo, hi)
		}
	}
	return size, nil
}
