package siltstone

import (
	"sync"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/readset"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/memtable"
)

// change is one commit on its way into the store: the encoded operations, and
// what the commit section needs of each, found before the section is entered.
// It belongs to one goroutine.
type change struct {
	payload []byte       // record.Ops, as the log takes them
	ops     []preparedOp // what payload holds; slices point into it
	bytes   int64        // of keys and values
	owned   bool         // nobody will change payload: it may be referenced

	reads      *readset.Set      // what a transaction read; nil for blind writes
	state      *readstate.State  // if set, the reads hold only while it is the current one
	gate       *gatePass         // of the one whom the gate lets through
	table      *memtable.Table   // the operations in order, if somebody made it already
	tableFirst base.SeqNum       // the sequence of the first of them there
	spaces     []*keyspace.Space // named keyspaces it rests on: refused if one of them is dropped
	drops      []*keyspace.Space // keyspaces it drops
	hooks      []func()          // run inside the section, once the change has happened
	removed    uint64            // elements that collections lose by it
	urgent     bool              // the store's own commit: never throttled nor held back
}

// preparedOp is one operation, ready to be inserted.
type preparedOp struct {
	hash uint64
	op   record.Op
}

// referenceFrom is the payload size from which a commit copies its payload once
// and lets log and memtable reference the copy.
const referenceFrom = 64 << 10

var changePool = sync.Pool{New: func() any { return new(change) }}

func newChange() *change { return changePool.Get().(*change) }

// free returns c to the pool. A payload that log or memtable may reference is
// let go.
func (c *change) free() {
	if c.owned || cap(c.payload) > referenceFrom {
		c.payload = nil
	}
	if cap(c.ops) > 1024 {
		c.ops = nil
	}
	if cap(c.spaces) > 1024 {
		c.spaces = nil
	}
	clear(c.ops)
	clear(c.spaces)
	*c = change{payload: c.payload[:0], ops: c.ops[:0], spaces: c.spaces[:0]}
	changePool.Put(c)
}

// add decodes the op that was appended to the payload at offset from.
func (c *change) add(from int) error {
	o, _, err := record.DecodeOp(c.payload[from:])
	if err != nil {
		return err
	}
	c.note(o)
	return nil
}

func (c *change) note(o record.Op) {
	p := preparedOp{op: o}
	if o.Attr.Kind() != base.KindRangeDelete {
		p.hash = base.HashRow(o.Key)
	}
	c.ops = append(c.ops, p)
	c.bytes += int64(len(o.Key) + len(o.Value))
}

// addOp adds an operation.
func (c *change) addOp(o record.Op) error {
	from := len(c.payload)
	c.payload = record.AppendOp(c.payload, o)
	return c.add(from)
}

// appendRangeDelete adds a range tombstone over the rows [lo, hi).
func (c *change) appendRangeDelete(lo, hi []byte) error {
	return c.addOp(record.Op{Attr: base.MakeAttr(base.KindRangeDelete, 0, false), Key: lo, Value: hi})
}

// name notes that the change rests on a named keyspace.
func (c *change) name(ks *keyspace.Space) {
	if ks != nil {
		c.spaces = append(c.spaces, ks)
	}
}

// refusal returns ErrDropped if a keyspace that the change rests on is no more.
// It is asked inside the commit section.
func (c *change) refusal() error {
	for _, ks := range c.spaces {
		if err := ks.Writable(); err != nil {
			return err
		}
	}
	return nil
}

// put fills c with one put of a user key.
func (c *change) put(ks *keyspace.Space, key, value []byte, a base.Attr, expiry int64) error {
	c.name(ks)
	c.own(len(ks.Prefix()) + len(key) + len(value))
	c.payload = appendRowOp(c.payload, a, expiry, ks.Prefix(), key)
	c.payload = record.AppendOpValue(c.payload, value)
	return c.add(0)
}

// delete fills c with one delete of a user key.
func (c *change) delete(ks *keyspace.Space, key []byte) error {
	c.name(ks)
	c.own(len(ks.Prefix()) + len(key))
	c.payload = appendRowOp(c.payload, base.MakeAttr(base.KindDelete, 0, false), 0, ks.Prefix(), key)
	return c.add(0)
}

// own begins a payload of about n bytes. If that is large enough to be referenced
// it gets memory of its own, which is not made here: most of it is appended in
// one piece, that allocates once, and what an append fills is not cleared before.
func (c *change) own(n int) {
	if n+record.MaxOpOverhead+1 >= referenceFrom {
		c.payload, c.owned = nil, true
	}
}

// reserve is own for a payload that is appended piece by piece.
func (c *change) reserve(n int) {
	if c.own(n); c.owned {
		c.payload = make([]byte, 0, n+record.MaxOpOverhead+1)
	}
}

// fill copies the operations of a batch, counting times to live from now.
func (c *change) fill(b *Batch, now int64) error {
	c.spaces = append(c.spaces, b.spaces...)
	if b.relative {
		c.reserve(len(b.ops) + 9*b.count)
	} else {
		c.own(len(b.ops))
		c.payload = append(c.payload, b.ops...)
	}
	for rest := b.ops; len(rest) > 0; {
		o, n, err := record.DecodeOp(rest)
		if err != nil {
			return err
		}
		rest = rest[n:]
		if b.relative {
			if o.Attr.HasExpiry() {
				o.Expiry = expiryAt(now, o.Expiry)
			}
			c.payload = record.AppendOp(c.payload, o)
		}
	}
	return c.index()
}

// index decodes every op of a complete payload.
func (c *change) index() error {
	c.ops, c.bytes = c.ops[:0], 0
	for rest := c.payload; len(rest) > 0; {
		o, n, err := record.DecodeOp(rest)
		if err != nil {
			return err
		}
		rest = rest[n:]
		c.note(o)
	}
	return nil
}

// rebuild encodes the payload anew from what is left of ops.
func (c *change) rebuild() {
	c.payload, c.bytes = nil, 0 // the ops point into the old one
	ops := c.ops
	c.ops = make([]preparedOp, 0, len(ops))
	for i := range ops {
		from := len(c.payload)
		c.payload = record.AppendOp(c.payload, ops[i].op)
		_ = c.add(from) // was encoded by the same code before
	}
}

// expiryAt returns now plus ttl in milliseconds, bounded to what a record can
// hold.
func expiryAt(now, ttl int64) int64 {
	const most = 1 << 61
	if ttl > most-now {
		return most
	}
	return now + ttl
}

// trailer returns the trailer the op gets at sequence seq.
func (p *preparedOp) trailer(seq base.SeqNum) base.Trailer {
	return base.Trailer{Seq: seq, Expiry: p.op.Expiry, Attr: p.op.Attr}
}
