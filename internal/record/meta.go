package record

import (
	"encoding/binary"
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
)

// Encoding says where a collection's elements are. The numbers are on disk and
// frozen.
type Encoding uint8

const (
	EncodingRows   Encoding = 1 // in element rows under ID
	EncodingInline Encoding = 2 // in the metadata value itself; has no ID
)

// Meta is the metadata of a collection: the value of its 0x01 row.
//
//	+----------+--------+---------+---------+------------+----------------------+
//	| encoding | id     | count   | bytes   | next due   | body                 |
//	| 1 B      | 8 B BE | uvarint | uvarint | ms uvarint | lists: first, end    |
//	|          | (rows) |         |         |            | inline: the elements |
//	+----------+--------+---------+---------+------------+----------------------+
//
// An inline record has no id field, bytes and next due are 0, and its body is the
// elements (see AppendInline). Otherwise that of a list is ListBounds, that of a
// sorted set Ranks, and that of others is empty.
type Meta struct {
	Encoding Encoding
	ID       uint64 // never reused, never shared by two live rows
	Count    uint64 // elements, counting due ones that nobody has purged yet
	Bytes    uint64 // estimate of the bytes the element rows take
	NextDue  int64  // no element's deadline is before this, ms; 0: none has one
	Body     []byte // borrowed from the decoded value
}

// RowOverhead is what an element row takes beside its name and value, in the
// estimate of a collection's bytes.
const RowOverhead = 20

// ElementBytes estimates the bytes of an element whose name and value have so many.
func ElementBytes(size int) uint64 { return uint64(size) + RowOverhead }

// MemberBytes estimates the bytes of a member of a sorted set, which has two rows,
// whose name has so many.
func MemberBytes(name int) uint64 { return 2 * ElementBytes(name+keyenc.ScoreLen) }

// metaMax bounds each number of the metadata, so that they fit an int64 and sums
// of two do not overflow.
const metaMax = 1 << 62

var errMeta = errors.New("collection metadata is malformed")

// AppendMeta appends m's encoding to dst.
func AppendMeta(dst []byte, m Meta) []byte {
	dst = append(dst, byte(m.Encoding))
	if m.Encoding == EncodingRows {
		dst = binary.BigEndian.AppendUint64(dst, m.ID)
	}
	dst = binary.AppendUvarint(dst, m.Count)
	dst = binary.AppendUvarint(dst, m.Bytes)
	dst = binary.AppendUvarint(dst, uint64(m.NextDue))
	return append(dst, m.Body...)
}

// DecodeMeta decodes the value of a metadata row. Body points into value. An
// encoding of a later version is ErrFormatTooNew. Any
// bytes are safe to pass; nothing is allocated.
func DecodeMeta(value []byte) (m Meta, err error) {
	if len(value) == 0 {
		return m, errMeta
	}
	m.Encoding, value = Encoding(value[0]), value[1:]
	switch m.Encoding {
	case EncodingRows:
		if len(value) < 8 {
			return m, errMeta
		}
		m.ID, value = binary.BigEndian.Uint64(value), value[8:]
	case EncodingInline:
	case 0:
		return m, errMeta
	default:
		return m, base.ErrFormatTooNew
	}
	var fields [3]uint64
	for i := range fields {
		v, n := binary.Uvarint(value)
		if n <= 0 || v > metaMax {
			return m, errMeta
		}
		fields[i], value = v, value[n:]
	}
	m.Count, m.Bytes, m.NextDue, m.Body = fields[0], fields[1], int64(fields[2]), value
	return m, nil
}

// CollectionID returns the id a put record of type t with this value carries;
// ok is false for records that carry none.
func CollectionID(t Type, value []byte) (id uint64, ok bool) {
	if !t.IsCollection() || len(value) < 9 || Encoding(value[0]) != EncodingRows {
		return 0, false
	}
	return binary.BigEndian.Uint64(value[1:]), true
}
