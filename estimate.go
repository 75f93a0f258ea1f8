package siltstone

// EstimateSize returns about how many bytes of tables the keys of r take on
// disk. What is still in memory, garbage, and the elements of collections in
// the range are not counted, unless the range is all keys. Named keyspaces are
// not counted either: Keyspace.EstimateSize tells theirs. It reads table indexes
// only.
func (db *DB) EstimateSize(r Range) (int64, error) { return db.estimateSize(nil, r) }

func (db *DB) estimateSize(ks *Keyspace, r Range) (int64, error) {
	lo, hi, err := r.deleteRows(ks.prefix())
	if err != nil {
		return 0, err
	}
	rs, n := db.states.pin()
	if rs == nil {
		return 0, ErrClosed
	}
	defer db.states.unpin(rs, n)
	if err := ks.writable(); err != nil {
		return 0, err
	}
	var size int64
	for i := range rs.runs {
		for _, t := range rs.runs[i].tables {
			if !t.Overlaps(lo, hi, true) {
				continue
			}
			rd, err := t.get()
			if err != nil {
				return 0, db.readError(err)
			}
			size += rd.ApproximateSize(lo, hi)
		}
	}
	return size, nil
}
