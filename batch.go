package siltstone

import (
	"bytes"
	"iter"
	"slices"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Batch is an ordered list of changes that DB.Apply makes visible and durable
// together or not at all. The zero Batch is ready. Put, Delete and the like return
// nothing: the Batch keeps the first mistake (an empty key, say), Err returns it, and
// Apply refuses the batch with it.
// A nil Batch takes no operation, and its mistake is that it is nil.
//
// A Batch copies keys and values. It is not safe for concurrent use. Apply does not
// change it: it may be applied again, or Reset and filled anew.
//
// In returns the same batch addressing another keyspace: there is one list of
// operations, and Len, Ops, Reset and Apply work on all of it.
type Batch struct {
	of *Batch          // the whole batch, of one that In returned; nil: this is it
	ks *keyspace.Space // addressed by the verbs
	db *DB             // of ks, or of the keyspaces touched; nil: none

	ops      commit.Pieces // the expiry of a put with TTL is its TTL in ms
	count    int
	relative bool              // some op has a TTL
	largest  int               // bytes of the largest value
	spaces   []*keyspace.Space // named keyspaces it touches, by number
	err      error
}

// In returns the batch addressing ks; nil is the default keyspace. If ks belongs to
// another store than the one that the batch is applied to, Apply returns an error. Of
// a nil batch it is nil.
func (b *Batch) In(ks *Keyspace) *Batch {
	switch {
	case b == nil:
		return nil
	case ks == nil:
		return &Batch{of: b.whole()}
	case ks.unmade():
		b.fail(errForeign)
	}
	return &Batch{of: b.whole(), ks: ks.space, db: ks.db}
}

// nilBatch stands for a nil batch, and is never written to.
var nilBatch = Batch{err: base.Errorf(errMisuse, "the batch is nil")}

// whole returns the batch that holds the operations.
func (b *Batch) whole() *Batch {
	if b == nil {
		return &nilBatch
	}
	if b.of != nil {
		return b.of
	}
	return b
}

// touch notes that the batch touches a keyspace of db.
func (b *Batch) touch(ks *keyspace.Space, db *DB) {
	if ks == nil {
		return
	}
	i, found := keyspace.Find(b.spaces, ks.Number)
	switch {
	case b.db != nil && b.db != db:
		b.fail(errForeign)
	case !found:
		b.spaces, b.db = slices.Insert(b.spaces, i, ks), db
	}
}

// OpKind is the kind of an operation of a batch.
type OpKind uint8

const (
	OpPut         OpKind = 1 // Key, Value and perhaps TTL
	OpDelete      OpKind = 2 // Key
	OpDeleteRange OpKind = 3 // Range
)

// kindOf returns the kind of an operation as it is encoded.
func kindOf(k base.Kind) OpKind {
	switch k {
	case base.KindDelete:
		return OpDelete
	case base.KindRangeDelete:
		return OpDeleteRange
	}
	return OpPut
}

// Op is one operation of a batch, as Batch.Ops replays it. Its slices belong to
// the batch and are valid until it is changed.
type Op struct {
	Kind     OpKind
	Keyspace string        // its name; empty: the default one
	Key      []byte        // of a put or delete
	Value    []byte        // of a put
	TTL      time.Duration // of a put; 0: none
	Range    Range         // of a range delete
}

// Put sets key to value. It overwrites a value of any type, and clears a time
// to live.
func (b *Batch) Put(key, value []byte) { b.put(key, value, 0) }

// PutTTL sets key to value for the time ttl, counted from Apply; NoTTL makes it Put.
// A ttl that is not positive is ErrBadTTL.
func (b *Batch) PutTTL(key, value []byte, ttl time.Duration) {
	if err := base.CheckTTL(ttl); err != nil {
		b.refuse("put", err)
		return
	}
	if b != nil {
		b.put(key, value, commit.Milliseconds(ttl))
	}
}

// put is Put of a key that lives for ttl milliseconds from Apply on; 0 is for ever.
func (b *Batch) put(key, value []byte, ttl int64) {
	if !b.check("put", key, len(value)) {
		return
	}
	a := base.MakeAttr(base.KindPut, uint8(record.TypeString), ttl != 0)
	prefix, b := b.ks.Prefix(), b.whole()
	b.ops.AddRow(a, ttl, prefix, key, value)
	b.largest = max(b.largest, len(value))
	b.relative = b.relative || ttl != 0
	b.count++
}

// Delete deletes key, whatever its type. Deleting a key that does not exist is no
// error. A batch has no Drop, which says whether the key existed, and no Remove, which
// removes elements: both read, so they are calls of typed handles in a transaction.
func (b *Batch) Delete(key []byte) {
	if !b.check("delete", key, 0) {
		return
	}
	prefix, b := b.ks.Prefix(), b.whole()
	b.ops.AddRow(base.MakeAttr(base.KindDelete, 0, false), 0, prefix, key, nil)
	b.count++
}

// DeleteRange deletes every key of r, at a cost that does not depend on how
// many there are.
func (b *Batch) DeleteRange(r Range) {
	if b == nil {
		return
	}
	ks, db, b := b.ks, b.db, b.whole()
	if b.err != nil {
		return
	}
	lo, hi, err := r.deleteRows(ks.Prefix())
	if err != nil {
		b.refuse("range delete", err)
		return
	}
	if bytes.Equal(lo, hi) {
		return
	}
	b.touch(ks, db)
	b.ops.AddEncoded(record.Op{Attr: base.MakeAttr(base.KindRangeDelete, 0, false), Key: lo, Value: hi})
	b.count++
}

// check prepares an operation on key.
func (b *Batch) check(op string, key []byte, valueLen int) bool {
	if b == nil {
		return false
	}
	ks, db, b := b.ks, b.db, b.whole()
	if b.err != nil {
		return false
	}
	if err := base.CheckKey(key); err != nil {
		b.refuse(op, err)
		return false
	}
	if err := base.CheckValue(valueLen); err != nil {
		b.refuse(op, err)
		return false
	}
	b.touch(ks, db)
	return b.err == nil
}

// refuse keeps the mistake of the operation that would have come next.
func (b *Batch) refuse(op string, err error) {
	b.fail(base.In(err, "batch operation %d (%s)", b.whole().count+1, op))
}

func (b *Batch) fail(err error) {
	b = b.whole()
	if b.err == nil {
		b.err = err
	}
}

// Err returns the first mistake made while filling the batch, or nil.
func (b *Batch) Err() error { return b.whole().err }

// Len returns the number of operations.
func (b *Batch) Len() int { return b.whole().count }

// Size returns the bytes that the batch takes in memory; in the log it takes about
// as many.
func (b *Batch) Size() int { return int(b.whole().ops.Encoded()) }

// Reset empties the batch and forgets its error; it keeps its memory.
func (b *Batch) Reset() {
	if b == nil {
		return
	}
	b = b.whole()
	clear(b.spaces)
	b.ops.Reset()
	*b = Batch{ops: b.ops, spaces: b.spaces[:0]}
}

// Ops replays the operations in order. A mistake made while filling the batch
// is the loop's last item.
func (b *Batch) Ops() iter.Seq2[Op, error] {
	return func(yield func(Op, error) bool) {
		b := b.whole()
		for o, err := range b.encoded {
			if err != nil {
				yield(Op{}, err)
				return
			}
			if !yield(b.op(o), nil) {
				return
			}
		}
		if b.err != nil {
			yield(Op{}, b.err)
		}
	}
}

// encoded yields the operations as they were added. An error is the last it yields.
func (b *Batch) encoded(yield func(record.Op, error) bool) {
	for rest := range b.ops.All {
		for len(rest) > 0 {
			o, n, err := record.DecodeOp(rest)
			if !yield(o, err) || err != nil {
				return
			}
			rest = rest[n:]
		}
	}
}

// op returns an operation as Ops yields it. A TTL that no duration holds is the longest one.
func (b *Batch) op(o record.Op) Op {
	op := Op{Kind: kindOf(o.Attr.Kind())}
	prefix, key, _ := keyenc.KeyspaceOf(o.Key)
	if i, named := keyspace.Find(b.spaces, keyspace.Number(prefix)); named {
		op.Keyspace = b.spaces[i].Name
	}
	switch op.Kind {
	case OpDeleteRange:
		op.Range = userRange(prefix, o.Key, o.Value)
	default:
		op.Key, op.Value = key[1:], o.Value
		op.TTL = time.Duration(min(o.Expiry, int64(NoTTL/time.Millisecond))) * time.Millisecond
	}
	return op
}

// DeleteRange deletes every key of r at once, at a cost that does not depend on
// how many there are. Collections in the range go with their elements.
func (db *DB) DeleteRange(r Range) error { return db.deleteRange(nil, r) }

func (db *DB) deleteRange(ks *Keyspace, r Range) error {
	if _, _, err := r.rows(nil); err != nil {
		return err // without a word of a batch
	}
	var b Batch
	b.In(ks).DeleteRange(r)
	return db.Apply(&b, DefaultDurability)
}

// Apply makes the changes of b visible and durable together, at level d. With an
// empty batch it waits until all earlier commits have reached the level. If Err has
// an error Apply returns it, and if b has changes of a dropped keyspace ErrDropped;
// then it changes nothing. It applies the whole batch, whichever keyspace b
// addresses.
func (db *DB) Apply(b *Batch, d Durability) error {
	if b == nil {
		return nilBatch.err
	}
	if err := d.check(); err != nil {
		return err
	}
	b = b.whole()
	if err := b.Err(); err != nil {
		return err
	}
	if b.db != nil && b.db != db {
		return errForeign
	}
	c := commit.NewChange()
	defer c.Free()
	if b.relative && !db.unopened() {
		c.From = db.clock.Now()
	}
	c.Spaces = append(c.Spaces, b.spaces...)
	if err := c.Fill(&b.ops, b.relative, c.From); err != nil {
		return err
	}
	return db.commit(c, d)
}
