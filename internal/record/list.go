package record

import (
	"encoding/binary"
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
)

// ListBounds says where the indexes of a list's items lie. It is the Body of the
// metadata of a list in rows:
//
//	+------------+-----------+-----------+
//	| first 8 BE | end 8 BE  | flag 1 B  |
//	+------------+-----------+-----------+
//
// Flag 0, contiguous: the items have the indexes first, first+stride, …, up to
// end, which is one stride past the last, so that the i-th is found by
// arithmetic. Flag 1, gaps: they lie anywhere in [first, end), in their order.
type ListBounds struct {
	First, End uint64
	Gaps       bool
}

// ListBoundsLen is the length of an encoded ListBounds.
const ListBoundsLen = 8 + 8 + 1

const (
	listContiguous = 0
	listGaps       = 1
)

var errListBounds = errors.New("bounds of a list are malformed")

// AppendListBounds appends b's encoding to dst.
func AppendListBounds(dst []byte, b ListBounds) []byte {
	dst = binary.BigEndian.AppendUint64(dst, b.First)
	dst = binary.BigEndian.AppendUint64(dst, b.End)
	if b.Gaps {
		return append(dst, listGaps)
	}
	return append(dst, listContiguous)
}

// DecodeListBounds decodes the body of a list that has so many items, for which
// there must be room. A flag of a later version is ErrFormatTooNew. Any bytes are
// safe to pass.
func DecodeListBounds(body []byte, count uint64) (b ListBounds, err error) {
	if len(body) != ListBoundsLen {
		return b, errListBounds
	}
	b.First, b.End = binary.BigEndian.Uint64(body), binary.BigEndian.Uint64(body[8:])
	fits := b.End > b.First && count > 0
	switch body[16] {
	case listContiguous:
		const stride = keyenc.ItemStride
		fits = fits && (b.End-b.First)%stride == 0 && (b.End-b.First)/stride == count
	case listGaps:
		b.Gaps = true
		fits = fits && b.End-b.First >= count
	default:
		return b, base.ErrFormatTooNew
	}
	if !fits {
		return b, errListBounds
	}
	return b, nil
}
