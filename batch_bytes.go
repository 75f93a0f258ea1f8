package siltstone

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/record"
)

// A batch leaves the process as docs/format/batch.md draws it: a magic with the
// version, the names of its keyspaces, its operations, a checksum of all that.
const (
	batchMagic   = "SBAT\x01"
	batchSumSize = 8
)

// Flags of a range: which bounds it has.
const (
	batchHasLower = 1 << iota
	batchHasUpper
)

// MarshalBinary returns the batch as bytes that DB.ReadBatch reads, in this process
// or another: it holds the names of keyspaces, never their numbers, and times to live
// as they were given, so that they count from Apply. The bytes belong to the caller. If
// Err has an error MarshalBinary returns it.
func (b *Batch) MarshalBinary() ([]byte, error) {
	b = b.whole()
	return b.AppendBinary(make([]byte, 0, b.Size()+b.count+64))
}

// AppendBinary is MarshalBinary that appends to dst and returns it grown.
func (b *Batch) AppendBinary(dst []byte) ([]byte, error) {
	b = b.whole()
	if err := b.Err(); err != nil {
		return dst, err
	}
	start := len(dst)
	dst = binary.AppendUvarint(append(dst, batchMagic...), uint64(len(b.spaces)))
	for _, s := range b.spaces {
		dst = appendBytes(dst, s.Name)
	}
	dst = binary.AppendUvarint(dst, uint64(b.count))
	for o, err := range b.encoded {
		if err != nil {
			return dst[:start], err
		}
		dst = b.appendOp(dst, b.op(o), o.Expiry)
	}
	return binary.LittleEndian.AppendUint64(dst, base.Checksum(dst[start:])), nil
}

// appendOp appends one operation: its kind, its keyspace (0: the default one, else the
// place of its name, counted from 1), and what its kind has. A put lives for ttl
// milliseconds, which may be more than its TTL holds.
func (b *Batch) appendOp(dst []byte, op Op, ttl int64) []byte {
	space := 0
	if op.Keyspace != "" {
		space = 1 + slices.IndexFunc(b.spaces, func(s *keyspace.Space) bool { return s.Name == op.Keyspace })
	}
	dst = binary.AppendUvarint(append(dst, byte(op.Kind)), uint64(space))
	switch op.Kind {
	case OpPut:
		dst = binary.AppendUvarint(dst, uint64(ttl))
		dst = appendBytes(appendBytes(dst, op.Key), op.Value)
	case OpDelete:
		dst = appendBytes(dst, op.Key)
	case OpDeleteRange:
		var has byte
		if op.Range.Lower != nil {
			has |= batchHasLower
		}
		if op.Range.Upper != nil {
			has |= batchHasUpper
		}
		dst = appendBytes(appendBytes(append(dst, has), op.Range.Lower), op.Range.Upper)
	}
	return dst
}

// appendBytes appends s with its length before it.
func appendBytes[T string | []byte](dst []byte, s T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// ReadBatch returns the batch that Batch.MarshalBinary encoded, to be applied to db.
// The batch copies what it keeps: data stays the caller's. Keyspaces are found by
// their names, and ErrNotFound names one that db has not; ReadBatch makes none. Any
// bytes are safe to pass: what is no batch, or was changed on its way, is a
// CorruptionError with the place in data, and no more memory is taken than data has.
func (db *DB) ReadBatch(data []byte) (*Batch, error) {
	if len(data) < len(batchMagic)+batchSumSize || string(data[:len(batchMagic)]) != batchMagic {
		return nil, batchDamage(0, errors.New("these bytes are no batch of this version"))
	}
	body, sum := data[:len(data)-batchSumSize], binary.LittleEndian.Uint64(data[len(data)-batchSumSize:])
	if base.Checksum(body) != sum {
		return nil, batchDamage(0, errors.New("the checksum differs"))
	}
	r := batchReader{db: db, data: body, at: len(batchMagic)}
	return r.batch()
}

// WriteSet returns what the transaction has written so far as a batch, which belongs to
// the caller: to be encoded with MarshalBinary and applied elsewhere, once the
// transaction has committed. It has the operations in their order, without what the
// transaction has read: to apply it checks nothing, and sets the keys to what they were
// set to here. As in any batch a time to live counts from Apply, so a key may live longer
// there; what was left of it is counted from the transaction's clock.
//
// It has strings and deletes of keys of any type. The other types refer to a collection by
// a number of this store: if the transaction has changed one, the error is
// errors.ErrUnsupported and names the type or key. DB.Changes shows such changes by name.
func (tx *Tx) WriteSet() (*Batch, error) {
	if tx.unbegun() || tx.done {
		return nil, ErrTxDone
	}
	if err := tx.first.alive(); err != nil {
		return nil, err
	}
	b := &Batch{}
	for o := range tx.t.Written {
		prefix, rest, ok := keyenc.KeyspaceOf(o.Key)
		if !ok || rest[0] != keyenc.SpaceKeys {
			return nil, base.Errorf(errors.ErrUnsupported, "write set: the transaction has changed elements of a collection")
		}
		to := b
		if n := keyspace.Number(prefix); n != 0 {
			i := slices.IndexFunc(tx.named, func(in *Tx) bool { return in.ks().Number == n })
			if i < 0 {
				return nil, errForeign
			}
			to = b.In(tx.named[i].ks().Handle.(*Keyspace))
		}
		key := rest[1:]
		switch typ := record.Type(o.Attr.Type()); {
		case o.Attr.Kind() == base.KindDelete:
			to.Delete(key)
		case o.Attr.Kind() == base.KindRangeDelete:
			to.DeleteRange(userRange(prefix, o.Key, o.Value))
		case typ != record.TypeString:
			return nil, base.Errorf(errors.ErrUnsupported, "write set: key %s holds a %v", base.Quote(string(key)), typ)
		case o.Attr.HasExpiry():
			to.put(key, o.Value, o.Expiry-tx.t.Now())
		default:
			to.Put(key, o.Value)
		}
	}
	return b, b.Err()
}

// batchDamage is an error at an offset of a batch as bytes.
func batchDamage(at int, err error) error {
	return base.Corruptf("batch", int64(at), "%w", err)
}

// batchReader reads the bytes of a batch without their checksum.
type batchReader struct {
	db     *DB
	data   []byte
	at     int
	spaces []*Keyspace
}

func (r *batchReader) batch() (*Batch, error) {
	n, err := r.number("number of keyspaces", uint64(len(r.data)-r.at))
	if err != nil {
		return nil, err
	}
	for range n {
		name, err := r.bytes("name of a keyspace")
		if err != nil {
			return nil, err
		}
		ks, err := r.db.Keyspace(string(name))
		if err != nil {
			return nil, err
		}
		r.spaces = append(r.spaces, ks)
	}
	count, err := r.number("number of operations", uint64(len(r.data)-r.at))
	if err != nil {
		return nil, err
	}
	b := &Batch{ops: commit.OnePiece(make([]byte, 0, len(r.data)-r.at))}
	for range count {
		at := r.at
		if err := r.op(b); err != nil {
			return nil, err
		}
		if err := b.Err(); err != nil {
			return nil, batchDamage(at, err) // no batch holds it
		}
	}
	if r.at < len(r.data) {
		return nil, batchDamage(r.at, errors.New("bytes behind the last operation"))
	}
	return b, nil
}

// op reads one operation into b, whose verbs check keys, values and bounds, and keep
// the first mistake.
func (r *batchReader) op(b *Batch) error {
	if r.at == len(r.data) {
		return batchDamage(r.at, errors.New("an operation is missing"))
	}
	kind, at := OpKind(r.data[r.at]), r.at
	r.at++
	space, err := r.number("keyspace of an operation", uint64(len(r.spaces)))
	if err != nil {
		return err
	}
	if space > 0 {
		b = b.In(r.spaces[space-1])
	}
	switch kind {
	case OpPut:
		return r.put(b)
	case OpDelete:
		key, err := r.bytes("key")
		if err == nil {
			b.Delete(key)
		}
		return err
	case OpDeleteRange:
		return r.deleteRange(b)
	}
	return batchDamage(at, fmt.Errorf("there is no operation of kind %d", kind))
}

func (r *batchReader) put(b *Batch) error {
	ttl, err := r.number("time to live", collection.MaxExpiry)
	if err != nil {
		return err
	}
	key, err := r.bytes("key")
	if err != nil {
		return err
	}
	value, err := r.bytes("value")
	if err == nil {
		b.put(key, value, int64(ttl))
	}
	return err
}

func (r *batchReader) deleteRange(b *Batch) error {
	if r.at == len(r.data) || r.data[r.at] > batchHasLower|batchHasUpper {
		return batchDamage(r.at, errors.New("a range without its bounds"))
	}
	has, at := r.data[r.at], r.at
	r.at++
	var rng Range
	for _, bound := range []struct {
		flag byte
		to   *[]byte
	}{{batchHasLower, &rng.Lower}, {batchHasUpper, &rng.Upper}} {
		value, err := r.bytes("bound of a range")
		switch {
		case err != nil:
			return err
		case has&bound.flag != 0:
			*bound.to = value
		case len(value) > 0:
			return batchDamage(at, errors.New("an open bound has bytes"))
		}
	}
	b.DeleteRange(rng)
	return nil
}

// number reads a number of at most limit.
func (r *batchReader) number(what string, limit uint64) (uint64, error) {
	v, n := binary.Uvarint(r.data[r.at:])
	if n <= 0 || v > limit {
		return 0, batchDamage(r.at, fmt.Errorf("%s is missing or above %d", what, limit))
	}
	r.at += n
	return v, nil
}

// bytes reads a length and so many bytes, which it does not copy.
func (r *batchReader) bytes(what string) ([]byte, error) {
	n, err := r.number("length of a "+what, uint64(len(r.data)-r.at))
	if err != nil {
		return nil, err
	}
	at := r.at
	if n > uint64(len(r.data)-at) {
		return nil, batchDamage(at, fmt.Errorf("%s of %d bytes, %d are left", what, n, len(r.data)-at))
	}
	r.at += int(n)
	return r.data[at:r.at:r.at], nil
}
