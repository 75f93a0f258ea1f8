package collection

import (
	"math"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// listSpan is where the items of a list lie. A list begins contiguous, and stays so
// while it changes at its ends only.
//
// The next item in front takes first − stride. The next one behind takes end, and
// if there are gaps end + stride − 1: the end of a list with gaps is found by a
// walk, and that would meet every version of a row that is put and deleted by
// turns; at an index of its own each has one.
type listSpan struct{ record.ListBounds }

const stride = keyenc.ItemStride

// newListSpan returns the span of a contiguous list.
func newListSpan(first, end uint64) listSpan {
	return listSpan{record.ListBounds{First: first, End: end}}
}

// extend takes the index for one more item at an end. A list that has used up the
// indexes on that side, after some 2⁴⁷ pushes, gets ErrOverflow; the other end
// still grows.
func (s *listSpan) extend(end Side) (index uint64, err error) {
	if end == front {
		if s.First < stride {
			return 0, base.ErrOverflow
		}
		s.First -= stride
		return s.First, nil
	}
	if s.End > math.MaxUint64-stride {
		return 0, base.ErrOverflow
	}
	s.End += stride
	if s.Gaps {
		return s.End - 1, nil
	}
	return s.End - stride, nil
}

// cut leaves out the item with the given index, the outermost one at an end.
func (s *listSpan) cut(index uint64, end Side) {
	switch {
	case end == back:
		s.End = index
	case s.Gaps:
		s.First = index + 1
	default:
		s.First = index + stride
	}
}
