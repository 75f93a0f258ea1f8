package siltstone

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
)

// Range is the keys from Lower, included, to Upper, excluded, in bytewise
// order. A nil bound is open. Lower above Upper is ErrBadRange; equal bounds are
// an empty range. It is a value, whose bounds are the slices that it was made with.
type Range struct{ Lower, Upper []byte }

// Prefix returns the range of the keys that start with p. An empty p is every
// key.
func Prefix(p []byte) Range {
	if len(p) == 0 {
		return Range{}
	}
	return Range{Lower: p, Upper: base.Successor(p)}
}

// After returns the part of r above key, which need not exist: a loop over it goes on
// where one that ended at key stopped. Nothing is below the empty key, so that After
// of it is r.
func (r Range) After(key []byte) Range {
	next := behind(key)
	switch {
	case len(key) == 0, r.bad(), next != nil && bytes.Compare(next, r.Lower) <= 0:
		return r
	case next == nil || r.Upper != nil && bytes.Compare(next, r.Upper) > 0:
		return r.none()
	}
	return Range{Lower: next, Upper: r.Upper}
}

// Before returns the part of r below key, which need not exist: a loop over it,
// backward, goes on where one that ended at key stopped. Before the empty key there is
// nothing.
func (r Range) Before(key []byte) Range {
	if len(key) > MaxKeyLen {
		if key = behind(key); key == nil {
			return r
		}
	}
	switch {
	case r.bad(), r.Upper != nil && bytes.Compare(key, r.Upper) >= 0:
		return r
	case bytes.Compare(key, r.Lower) <= 0:
		return r.none()
	}
	return Range{Lower: r.Lower, Upper: key}
}

// bad reports whether r is ErrBadRange, which no part of it hides.
func (r Range) bad() bool { return r.Upper != nil && bytes.Compare(r.Lower, r.Upper) > 0 }

// none returns an empty range where r begins.
func (r Range) none() Range {
	at := append([]byte{}, r.Lower...)
	return Range{Lower: at, Upper: at}
}

// behind returns the least key above key, nil if there is none.
func behind(key []byte) []byte {
	if len(key) >= MaxKeyLen {
		return base.Successor(key[:MaxKeyLen]) // no key begins with it and goes on
	}
	return append(key[:len(key):len(key)], 0)
}

// rows returns the row bounds of r in the keyspace with the given prefix. An
// open end is the end of the keyspace's keys, never of the store.
func (r Range) rows(prefix []byte) (lo, hi []byte, err error) {
	lo, hi, _, err = r.appendRows(nil, prefix)
	return lo, hi, err
}

// deleteRows is rows for a range delete. The range of all keys includes the elements
// of all collections, so no collection has to be found among the keys.
func (r Range) deleteRows(prefix []byte) (lo, hi []byte, err error) {
	lo, hi, err = r.rows(prefix)
	if err == nil && len(r.Lower) == 0 && r.Upper == nil {
		hi[len(hi)-1] = keyenc.SpaceElements + 1
	}
	return lo, hi, err
}

// appendRows is rows with the bounds cut from buf, which it returns grown.
func (r Range) appendRows(buf, prefix []byte) (lo, hi, grown []byte, err error) {
	if r.bad() {
		return nil, nil, buf, base.Errorf(ErrBadRange, "range from %s to %s: lower bound is above upper bound", base.Quote(string(r.Lower)), base.Quote(string(r.Upper)))
	}
	if n := max(len(r.Lower), len(r.Upper)); n > MaxKeyLen {
		return nil, nil, buf, base.In(base.KeyTooLarge(n), "bound of a range")
	}
	buf = keyenc.AppendKeyRow(buf[:0], prefix, r.Lower)
	n := len(buf)
	if r.Upper != nil {
		buf = keyenc.AppendKeyRow(buf, prefix, r.Upper)
	} else {
		buf = append(append(buf, prefix...), keyenc.SpaceKeys+1)
	}
	return buf[:n:n], buf[n:len(buf):len(buf)], buf, nil
}

// userRange is the reverse of Range.rows.
func userRange(prefix, lo, hi []byte) Range {
	var r Range
	n := len(prefix) + 1
	if len(lo) > n {
		r.Lower = lo[n:]
	}
	if len(hi) > n || hi[n-1] == keyenc.SpaceKeys {
		r.Upper = hi[n:]
	}
	return r
}
