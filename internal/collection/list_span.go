package collection

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
)

// listSpan says where the indexes of a list's items lie. It is the Body of the
// metadata (see record.Meta):
//
//	+------------+-----------+-----------+
//	| first 8 BE | end 8 BE  | flag 1 B  |
//	+------------+-----------+-----------+
//
// Flag 0, contiguous: the items have the indexes first, first+stride, …, up to
// end, which is one stride past the last, so that the i-th is found by
// arithmetic. Flag 1, gaps: they lie anywhere in [first, end), in their order. A
// list begins contiguous, and stays so while it changes at its ends only.
//
// The next item in front takes first − stride. The next one behind takes end, and
// if there are gaps end + stride − 1: the end of a list with gaps is found by a
// walk, and that would meet every version of a row that is put and deleted by
// turns; at an index of its own each has one.
type listSpan struct {
	first, end uint64
	gaps       bool
}

const (
	listSpanLen    = 8 + 8 + 1
	listContiguous = 0
	listGaps       = 1
	stride         = keyenc.ItemStride
)

var errListSpan = errors.New("bounds of a list are malformed")

func (s listSpan) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, s.first)
	dst = binary.BigEndian.AppendUint64(dst, s.end)
	if s.gaps {
		return append(dst, listGaps)
	}
	return append(dst, listContiguous)
}

func decodeListSpan(body []byte, count uint64) (s listSpan, err error) {
	if len(body) != listSpanLen {
		return s, errListSpan
	}
	s.first, s.end = binary.BigEndian.Uint64(body), binary.BigEndian.Uint64(body[8:])
	fits := s.end > s.first && count > 0
	switch body[16] {
	case listContiguous:
		fits = fits && (s.end-s.first)%stride == 0 && (s.end-s.first)/stride == count
	case listGaps:
		s.gaps = true
		fits = fits && s.end-s.first >= count
	default:
		return s, base.ErrFormatTooNew
	}
	if !fits {
		return s, errListSpan
	}
	return s, nil
}

// extend takes the index for one more item at an end. A list that has used up the
// indexes on that side, after some 2⁴⁷ pushes, gets ErrOverflow; the other end
// still grows.
func (s *listSpan) extend(end Side) (index uint64, err error) {
	if end == front {
		if s.first < stride {
			return 0, base.ErrOverflow
		}
		s.first -= stride
		return s.first, nil
	}
	if s.end > math.MaxUint64-stride {
		return 0, base.ErrOverflow
	}
	s.end += stride
	if s.gaps {
		return s.end - 1, nil
	}
	return s.end - stride, nil
}

// cut leaves out the item with the given index, the outermost one at an end.
func (s *listSpan) cut(index uint64, end Side) {
	switch {
	case end == back:
		s.end = index
	case s.gaps:
		s.first = index + 1
	default:
		s.first = index + stride
	}
}
