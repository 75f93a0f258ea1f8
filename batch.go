package siltstone

import (
	"bytes"
	"iter"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Batch is an ordered list of changes that DB.Apply makes visible and durable
// together or not at all. The zero Batch is ready. Its verbs return nothing:
// the first mistake (an empty key, say) is kept, Err tells it, and Apply
// refuses the batch with it.
//
// A Batch copies what it is given. It is not safe for concurrent use. Applying
// it leaves it as it is: it may be applied again, or Reset and filled anew.
type Batch struct {
	ops      []byte // encoded record.Ops; the expiry of a put with TTL is its TTL in ms
	count    int
	relative bool // some op has a TTL
	largest  int  // bytes of the largest value
	err      error
}

// OpKind says what an operation of a batch does.
type OpKind uint8

const (
	OpPut         OpKind = OpKind(base.KindPut)
	OpDelete      OpKind = OpKind(base.KindDelete)
	OpDeleteRange OpKind = OpKind(base.KindRangeDelete)
)

// Op is one operation of a batch, as Batch.Ops replays it. Its slices belong to
// the batch and are valid until it is changed.
type Op struct {
	Kind  OpKind
	Key   []byte        // of a put or delete
	Value []byte        // of a put
	TTL   time.Duration // of a put; 0: none
	Range Range         // of a range delete
}

// Put sets key to value. It overwrites a value of any type, and clears a time
// to live.
func (b *Batch) Put(key, value []byte) { b.put(key, value, 0) }

// PutTTL sets key to value for the time ttl, counted from Apply. A ttl that is
// not positive is ErrBadTTL.
func (b *Batch) PutTTL(key, value []byte, ttl time.Duration) {
	if ttl <= 0 {
		b.fail(ErrBadTTL)
		return
	}
	b.put(key, value, ttlMillis(ttl))
	b.relative = true
}

// ttlMillis rounds a time to live up to milliseconds.
func ttlMillis(ttl time.Duration) int64 {
	ms := ttl.Milliseconds()
	if time.Duration(ms)*time.Millisecond < ttl {
		ms++
	}
	return ms
}

func (b *Batch) put(key, value []byte, ttl int64) {
	if !b.check(key, len(value)) {
		return
	}
	a := base.MakeAttr(base.KindPut, uint8(record.TypeString), ttl != 0)
	b.ops = appendRowOp(b.ops, a, ttl, nil, key)
	b.ops = record.AppendOpValue(b.ops, value)
	b.largest = max(b.largest, len(value))
	b.count++
}

// Delete deletes key, whatever its type. Deleting what does not exist is fine.
func (b *Batch) Delete(key []byte) {
	if !b.check(key, 0) {
		return
	}
	b.ops = appendRowOp(b.ops, base.MakeAttr(base.KindDelete, 0, false), 0, nil, key)
	b.count++
}

// DeleteRange deletes every key of r, at a cost that does not depend on how
// many there are.
func (b *Batch) DeleteRange(r Range) {
	if b.err != nil {
		return
	}
	lo, hi, err := r.deleteRows(nil)
	if err != nil {
		b.fail(err)
		return
	}
	if bytes.Equal(lo, hi) {
		return
	}
	b.ops = record.AppendOp(b.ops, record.Op{Attr: base.MakeAttr(base.KindRangeDelete, 0, false), Key: lo, Value: hi})
	b.count++
}

// appendRowOp appends an op up to its key, the row of user key in the keyspace
// with the given prefix.
func appendRowOp(dst []byte, a base.Attr, expiry int64, prefix, key []byte) []byte {
	dst = record.AppendOpHead(dst, a, expiry, len(prefix)+1+len(key))
	return keyenc.AppendKeyRow(dst, prefix, key)
}

func (b *Batch) check(key []byte, valueLen int) bool {
	if b.err != nil {
		return false
	}
	if err := checkKey(key); err != nil {
		b.fail(err)
		return false
	}
	if valueLen > MaxValueLen {
		b.fail(ErrValueTooLarge)
		return false
	}
	return true
}

func checkKey(key []byte) error {
	switch {
	case len(key) == 0:
		return ErrEmptyKey
	case len(key) > MaxKeyLen:
		return ErrKeyTooLarge
	}
	return nil
}

func (b *Batch) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// Err returns the first mistake made while filling the batch, or nil.
func (b *Batch) Err() error { return b.err }

// Len returns the number of operations.
func (b *Batch) Len() int { return b.count }

// Size returns the bytes the batch takes in memory and, about, in the log.
func (b *Batch) Size() int { return len(b.ops) }

// Reset empties the batch and forgets its error; it keeps its memory.
func (b *Batch) Reset() {
	*b = Batch{ops: b.ops[:0]}
}

// Ops replays the operations in order. A mistake made while filling the batch
// is the loop's last item.
func (b *Batch) Ops() iter.Seq2[Op, error] {
	return func(yield func(Op, error) bool) {
		for rest := b.ops; len(rest) > 0; {
			o, n, err := record.DecodeOp(rest)
			if err != nil {
				yield(Op{}, err)
				return
			}
			rest = rest[n:]
			op := Op{Kind: OpKind(o.Attr.Kind())}
			switch op.Kind {
			case OpDeleteRange:
				op.Range = userRange(nil, o.Key, o.Value)
			default:
				op.Key, op.Value = o.Key[1:], o.Value
				op.TTL = time.Duration(o.Expiry) * time.Millisecond
			}
			if !yield(op, nil) {
				return
			}
		}
		if b.err != nil {
			yield(Op{}, b.err)
		}
	}
}
