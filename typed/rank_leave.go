package typed

import "bytes"

// departures are members that leave a counted order one behind the other: a
// bucket is written once for all that were its own.
type departures struct {
	set    *collection
	key    []byte // one of those that left and are not yet taken off
	n      int64
	known  bool   // the bucket's bounds are
	lo, hi []byte // keys; hi nil: no end
}

// remove removes a member and accounts for it.
func (d *departures) remove(t Txn, member string, v memberValue) error {
	if err := deleteMember(t, d.set, member, v); err != nil {
		return err
	}
	d.set.shrank(1)
	return d.leave(t, d.set.place(t, v.score, member))
}

// leave takes note of a member whose rows are deleted.
func (d *departures) leave(t Txn, key []byte) error {
	if d.set.ranks.levels == 0 {
		return nil
	}
	if d.n > 0 && !d.known {
		if err := d.locate(t); err != nil {
			return err
		}
	}
	if d.n > 0 && bytes.Compare(key, d.lo) >= 0 && (d.hi == nil || bytes.Compare(key, d.hi) < 0) {
		d.n++
		return nil
	}
	if err := d.flush(t); err != nil {
		return err
	}
	d.key, d.n = append(d.key[:0], key...), 1
	return nil
}

// locate finds the bounds of the bucket of d.key.
func (d *departures) locate(t Txn) error {
	if _, err := d.set.floor(t, 1, d.key); err != nil {
		return err
	}
	d.lo = append(d.lo[:0], t.Scratch().row[levelLen(t, 1):]...)
	cur, err := d.set.scanLevel(t, 1, d.lo, nil, false)
	if err != nil {
		return err
	}
	defer cur.Close()
	d.hi, d.known = nil, true
	if cur.Next() && cur.Next() {
		d.hi = bytes.Clone(cur.Key()[levelLen(t, 1):])
	}
	return cur.Err()
}

// flush takes them off their bucket.
func (d *departures) flush(t Txn) error {
	n := d.n
	d.n, d.known = 0, false
	if n == 0 {
		return nil
	}
	return d.set.recount(t, d.key, -n)
}
