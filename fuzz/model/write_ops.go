package model

import (
	"time"

	"github.com/siltstonedb/siltstone"
)

// writer is what *siltstone.DB and *siltstone.Tx have in common.
type writer interface {
	siltstone.Reader
	siltstone.Writer
	siltstone.Typed
}

func (d draw) ttl() time.Duration {
	return time.Duration(1+d.IntN(40)) * time.Second / 2
}

func expiry(now int64, ttl time.Duration) int64 { return now + ttl.Milliseconds() }

func (b Bounds) public() siltstone.Range {
	var r siltstone.Range
	if b.Lower != "" {
		r.Lower = []byte(b.Lower)
	}
	if b.Bounded {
		r.Upper = []byte(b.Upper)
	}
	return r
}

// write makes one drawn change, which v is the state before, through w and
// returns what it did to the model; nothing if it was refused.
func (r *run) write(d draw, space int, w writer, v View) []change {
	before := len(r.asked)
	changes := r.writeKey(d, w, v)
	for i := range changes {
		changes[i].space = space
	}
	for i := range r.asked[before:] {
		r.asked[before+i].space = space
	}
	return changes
}

func (r *run) writeKey(d draw, w writer, v View) []change {
	k := d.key()
	key := []byte(k)
	old, exists := v.Get(k)
	put := func(row Row) []change { return []change{{bounds: one(k), put: true, row: row}} }
	switch kind := d.IntN(22); {
	case kind < 9:
		value := d.value()
		r.say("put %.24q %d bytes", k, len(value))
		r.expect(w.Put(key, value), nil, "Put")
		return put(Row{Value: value})
	case kind < 12:
		value, ttl := d.value(), d.ttl()
		r.say("put %.24q %d bytes for %v", k, len(value), ttl)
		r.expect(w.PutTTL(key, value, ttl), nil, "PutTTL")
		return put(Row{Value: value, Expiry: expiry(v.Now, ttl)})
	case kind < 15:
		r.say("delete %.24q", k)
		r.expect(w.Delete(key), nil, "Delete")
		return []change{{bounds: one(k)}}
	case kind < 17:
		b := d.narrow()
		if d.one(6) {
			b = d.bounds()
		}
		r.say("delete %.24q..%.24q %v", b.Lower, b.Upper, b.Bounded)
		r.expect(w.DeleteRange(b.public()), nil, "DeleteRange")
		if b.empty() {
			return nil
		}
		return []change{{bounds: b}}
	case kind < 19:
		r.asked = append(r.asked, place{Bounds: one(k)})
		return r.expire(d, w, v, k)
	case kind < 21:
		field, value := string(rune('a'+d.IntN(4))), string(d.value())
		r.say("hash %.24q set %s", k, field)
		r.asked = append(r.asked, place{Bounds: one(k)})
		_, err := w.Hash(k).Set(field, []byte(value))
		if exists && old.Fields == nil {
			r.expect(err, siltstone.ErrWrongType, "Hash.Set of a string")
			return nil
		}
		r.expect(err, nil, "Hash.Set")
		fields := map[string]string{field: value}
		for f, v := range old.Fields {
			if f != field {
				fields[f] = v
			}
		}
		return put(Row{Fields: fields, Expiry: old.Expiry})
	default:
		to := d.key()
		if to == k {
			return nil
		}
		r.say("rename %.24q to %.24q", k, to)
		r.asked = append(r.asked, place{Bounds: one(k)}, place{Bounds: one(to)})
		err := w.Key(k).Rename(to)
		if !exists {
			r.expect(err, siltstone.ErrNotFound, "Rename")
			return nil
		}
		r.expect(err, nil, "Rename")
		return []change{{bounds: one(k)}, {bounds: one(to), put: true, row: old}}
	}
}

// expire changes a time to live, or takes it away.
func (r *run) expire(d draw, w writer, v View, k string) []change {
	old, exists := v.Get(k)
	row := old
	if d.one(3) {
		r.say("persist %.24q", k)
		had, err := w.Persist([]byte(k))
		r.expect(err, nil, "Persist")
		if had != (exists && old.Expiry != 0) {
			r.fail("Persist reports %v", had)
		}
		if !had {
			return nil // nothing was written
		}
		row.Expiry = 0
		return []change{{bounds: one(k), put: true, row: row}}
	}
	ttl := d.ttl()
	gone, raw := d.one(8), d.one(2)
	if gone {
		ttl = -ttl
	}
	r.say("expire %.24q in %v, raw %v", k, ttl, raw)
	expire := w.Key(k).Expire
	if raw {
		expire = func(ttl time.Duration) error { return w.Expire([]byte(k), ttl) }
	}
	err := expire(ttl)
	if gone && raw {
		r.expect(err, siltstone.ErrBadTTL, "Expire in the past")
		return nil
	}
	row.Expiry = expiry(v.Now, ttl)
	if !exists {
		r.expect(err, siltstone.ErrNotFound, "Expire of nothing")
		return nil
	}
	r.expect(err, nil, "Expire")
	switch {
	case gone:
		return []change{{bounds: one(k)}}
	case row.Expiry == old.Expiry:
		return nil // nothing was written
	}
	return []change{{bounds: one(k), put: true, row: row}}
}

func opWrite(r *run, d draw) {
	space := d.space()
	if c := r.write(d, space, r.store(space), r.view(space)); c != nil {
		r.committed(siltstone.DefaultDurability, c...)
	}
}

func (d draw) level() siltstone.Durability {
	return siltstone.Durability(d.IntN(4))
}

// opBatch applies a batch, sometimes one far larger than a memtable.
func opBatch(r *run, d draw) {
	n := d.IntN(12)
	if d.one(12) {
		n = 200 + d.IntN(1200)
	}
	now := r.now.Load()
	var whole siltstone.Batch
	var changes []change
	for range n {
		space := d.space()
		b, from := whole.In(r.spaces[space]), len(changes)
		k := d.key()
		switch d.IntN(8) {
		case 0:
			b.Delete([]byte(k))
			changes = append(changes, change{bounds: one(k)})
		case 1:
			ttl := d.ttl()
			v := d.value()
			b.PutTTL([]byte(k), v, ttl)
			changes = append(changes, change{bounds: one(k), put: true, row: Row{Value: v, Expiry: expiry(now, ttl)}})
		case 2:
			if d.one(4) {
				g := d.narrow()
				b.DeleteRange(g.public())
				changes = append(changes, change{bounds: g})
			}
		default:
			v := d.value()
			b.Put([]byte(k), v)
			changes = append(changes, change{bounds: one(k), put: true, row: Row{Value: v}})
		}
		for i := range changes[from:] {
			changes[from+i].space = space
		}
	}
	level := d.level()
	r.say("batch of %d, %d bytes, %v", whole.Len(), whole.Size(), level)
	r.expect(r.db.Apply(&whole, level), nil, "Apply")
	r.committed(level, changes...)
	r.reached(level) // an empty batch waits too
}
