package model

import (
	"bytes"
	"errors"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// reader is what everything that can be read from has in common.
type reader interface {
	siltstone.Reader
	siltstone.Typed
}

// read compares one drawn point read of from with the model's answer.
func (r *run) read(d draw, from reader, v View) {
	k := d.key()
	key := []byte(k)
	row, exists := v.Get(k)
	switch d.IntN(6) {
	case 0:
		ok, err := from.Has(key)
		r.say("has %.24q", k)
		r.expect(err, nil, "Has")
		if ok != exists {
			r.fail("Has(%.24q) is %v", k, ok)
		}
	case 1:
		r.say("ttl of %.24q", k)
		ttl, err := from.TTL(key)
		r.checkTTL(k, ttl, err, v)
	case 2:
		r.say("hash %.24q get", k)
		r.readHash(d, from, k, row, exists)
	default:
		r.say("get %.24q", k)
		dst := []byte("before")
		got, err := from.AppendGet(dst, key)
		if want := notThere(row, exists); want != nil {
			r.expect(err, want, "Get(%.24q)", k)
			if !bytes.Equal(got, dst) {
				r.fail("Get(%.24q) changed dst though it failed", k)
			}
			return
		}
		r.expect(err, nil, "Get(%.24q)", k)
		if err == nil && !bytes.Equal(got[len(dst):], row.Value) {
			r.fail("Get(%.24q) is %d bytes %.32q, want %d bytes %.32q", k, len(got)-len(dst), got[len(dst):], len(row.Value), row.Value)
		}
	}
}

// notThere is the error of a raw read of the row.
func notThere(row Row, exists bool) error {
	switch {
	case !exists:
		return siltstone.ErrNotFound
	case row.Fields != nil:
		return siltstone.ErrWrongType
	}
	return nil
}

func (r *run) checkTTL(k string, ttl time.Duration, err error, v View) {
	row, exists := v.Get(k)
	if !exists {
		r.expect(err, siltstone.ErrNotFound, "TTL(%.24q)", k)
		return
	}
	want := siltstone.NoTTL
	if row.Expiry != 0 {
		want = time.Duration(row.Expiry-v.Now) * time.Millisecond
	}
	if err != nil || ttl != want {
		r.fail("TTL(%.24q) is %v, %v; want %v", k, ttl, err, want)
	}
}

// readHash compares a field and the number of fields of a hash.
func (r *run) readHash(d draw, from reader, k string, row Row, exists bool) {
	n, err := from.Hash(k).Len()
	if exists && row.Fields == nil {
		r.expect(err, siltstone.ErrWrongType, "Hash(%.24q).Len", k)
		return
	}
	if err != nil || int(n) != len(row.Fields) {
		r.fail("Hash(%.24q).Len is %d, %v; want %d", k, n, err, len(row.Fields))
	}
	field := string(rune('a' + d.IntN(4)))
	got, err := from.Hash(k).Get(field)
	want, ok := row.Fields[field]
	if !ok {
		r.expect(err, siltstone.ErrNotFound, "Hash(%.24q).Get(%s)", k, field)
	} else if err != nil || string(got) != want {
		r.fail("Hash(%.24q).Get(%s) is %d bytes, %v; want %d bytes", k, field, len(got), err, len(want))
	}
	seen := 0
	for f, err := range from.Hash(k).All() {
		if err != nil || row.Fields[f.Name] != string(f.Value) {
			r.fail("Hash(%.24q).All: field %s is %d bytes, %v", k, f.Name, len(f.Value), err)
		}
		seen++
	}
	if seen != len(row.Fields) {
		r.fail("Hash(%.24q).All: %d fields, want %d", k, seen, len(row.Fields))
	}
}

// loop compares a loop over b with the model, up to limit keys unless that is
// negative, and returns the keys it walked over: all of b, or up to the last
// one yielded.
func (r *run) loop(from reader, v View, b Bounds, back bool, limit int, when string) Bounds {
	scan := from.Scan
	if back {
		scan = from.ScanBack
	}
	var want []*node
	for n := range v.all(b, back) {
		if want = append(want, n); len(want) == limit {
			break
		}
	}
	i := 0
	for kv, err := range scan(b.public()) {
		if err != nil {
			r.fail("%s: scan(%.24q..%.24q, back=%v): %v", when, b.Lower, b.Upper, back, err)
			return b
		}
		if i == len(want) {
			r.fail("%s: scan(%.24q..%.24q, back=%v): key %.24q after the last of %d", when, b.Lower, b.Upper, back, kv.Key, i)
			return b
		}
		if !same(kv, want[i]) {
			r.fail("%s: scan(%.24q..%.24q, back=%v): item %d is %.24q = %d bytes %.16q (type %v), want %.24q = %d bytes %.16q", when, b.Lower, b.Upper, back,
				i, kv.Key, len(kv.Value), kv.Value, kv.Type, want[i].key, len(want[i].row.Value), want[i].row.Value)
			return b
		}
		if i++; i == limit {
			break
		}
	}
	if i < len(want) {
		r.fail("%s: scan(%.24q..%.24q, back=%v) ends after %d of %d keys, before %.24q", when, b.Lower, b.Upper, back, i, len(want), want[i].key)
		return b
	}
	if i == limit && limit > 0 {
		if back {
			b.Lower = want[i-1].key
		} else {
			b.Upper, b.Bounded = want[i-1].key+"\x00", true
		}
	}
	return b
}

// same reports whether an item is the row of n.
func same(kv siltstone.KV, n *node) bool {
	if string(kv.Key) != n.key {
		return false
	}
	if n.row.Fields != nil {
		return kv.Type == typed.TypeHash && kv.Value == nil
	}
	return kv.Type == typed.TypeString && bytes.Equal(kv.Value, n.row.Value)
}

func opRead(r *run, d draw) {
	space := d.space()
	for range 1 + d.IntN(4) {
		r.read(d, r.store(space), r.view(space))
	}
}

func opScan(r *run, d draw) {
	space := d.space()
	b, limit := d.bounds(), -1
	if d.one(2) {
		limit = 1 + d.IntN(10)
	}
	r.say("scan %.24q..%.24q %v, %d", b.Lower, b.Upper, b.Bounded, limit)
	r.loop(r.store(space), r.view(space), b, d.one(2), limit, "db")
}

// opRefused asks for misuse that changes nothing.
func opRefused(r *run, d draw) {
	k := []byte(d.key())
	for _, c := range []struct {
		err, want error
	}{
		{r.db.Put(nil, k), siltstone.ErrEmptyKey},
		{r.db.Delete(nil), siltstone.ErrEmptyKey},
		{r.db.PutTTL(k, nil, 0), siltstone.ErrBadTTL},
		{r.db.Put(bytes.Repeat([]byte("x"), longest+1), nil), siltstone.ErrKeyTooLarge},
		{r.db.DeleteRange(siltstone.Range{Lower: []byte("b"), Upper: []byte("a")}), siltstone.ErrBadRange},
	} {
		if !errors.Is(c.err, c.want) {
			r.fail("refusal: error %v, want %v", c.err, c.want)
		}
	}
}
