package record

import (
	"encoding/binary"
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Op is one change, as a batch, a log frame and a transaction's write buffer
// hold it:
//
//	+------+----------------+--------------+-----+----------------+-------+
//	| attr | expiry uvarint | klen uvarint | key | vlen uvarint   | value |
//	| 1 B  | if attr has it |              |     | unless delete  |       |
//	+------+----------------+--------------+-----+----------------+-------+
//
// For a range delete key is the first key deleted and value the exclusive end.
// The i-th op of a frame has the frame's first sequence + i.
type Op struct {
	Attr   base.Attr
	Expiry int64 // milliseconds since 1970; 0: none
	Key    []byte
	Value  []byte
}

// MaxOpOverhead is the most bytes an op takes beyond its key and value.
const MaxOpOverhead = 1 + 3*binary.MaxVarintLen64

var (
	errOpTruncated = errors.New("change is cut short")
	errOpAttr      = errors.New("change has an unknown attribute byte")
	errOpExpiry    = errors.New("change has an expiry out of range")
	errOpKey       = errors.New("change has an empty or too long key")
	errOpValue     = errors.New("change has a too long value")
	errOpRange     = errors.New("range delete does not end behind its start")
)

// AppendOp appends o's encoding to dst. The caller has checked the limits.
func AppendOp(dst []byte, o Op) []byte {
	dst = append(AppendOpHead(dst, o.Attr, o.Expiry, len(o.Key)), o.Key...)
	if o.Attr.Kind() == base.KindDelete {
		return dst
	}
	return AppendOpValue(dst, o.Value)
}

// AppendOpHead appends all that stands before the key, for callers who append a
// key of keyLen bytes from parts.
func AppendOpHead(dst []byte, a base.Attr, expiry int64, keyLen int) []byte {
	dst = append(dst, byte(a))
	if a.HasExpiry() {
		dst = binary.AppendUvarint(dst, uint64(expiry))
	}
	return binary.AppendUvarint(dst, uint64(keyLen))
}

// AppendOpValue appends what stands behind the key of a put or range delete.
func AppendOpValue(dst, value []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(dst, value...)
}

// DecodeOp decodes the op at the start of b and returns it with the number of
// bytes it takes. Its slices point into b. Any bytes are safe to pass: an error
// says what is wrong, and nothing is allocated.
func DecodeOp(b []byte) (o Op, n int, err error) {
	if len(b) == 0 {
		return o, 0, errOpTruncated
	}
	o.Attr = base.Attr(b[0])
	n = 1
	if !o.Attr.Valid() {
		return o, 0, errOpAttr
	}
	if o.Attr.HasExpiry() {
		e, k := binary.Uvarint(b[n:])
		if k <= 0 || e == 0 || e > 1<<62 {
			return o, 0, errOpExpiry
		}
		o.Expiry = int64(e)
		n += k
	}
	if o.Key, n, err = decodeBytes(b, n, 1, base.MaxRowKeyLen, errOpKey); err != nil {
		return o, 0, err
	}
	switch o.Attr.Kind() {
	case base.KindDelete:
		return o, n, nil
	case base.KindRangeDelete:
		if o.Value, n, err = decodeBytes(b, n, 1, base.MaxRowKeyLen, errOpKey); err != nil {
			return o, 0, err
		}
		if string(o.Key) >= string(o.Value) {
			return o, 0, errOpRange
		}
		return o, n, nil
	}
	if o.Value, n, err = decodeBytes(b, n, 0, base.MaxValueLen, errOpValue); err != nil {
		return o, 0, err
	}
	return o, n, nil
}

// decodeBytes decodes a length-prefixed slice of b at n, bounded by what is
// really there.
func decodeBytes(b []byte, n, least, most int, tooLong error) ([]byte, int, error) {
	l, k := binary.Uvarint(b[n:])
	if k <= 0 {
		return nil, 0, errOpTruncated
	}
	n += k
	if l < uint64(least) || l > uint64(most) {
		return nil, 0, tooLong
	}
	if l > uint64(len(b)-n) {
		return nil, 0, errOpTruncated
	}
	return b[n : n+int(l) : n+int(l)], n + int(l), nil
}
