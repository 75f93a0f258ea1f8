package record

import (
	"encoding/binary"
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Ranks says how the score order of a sorted set is counted: by a tree of pages,
// each a row. It is the metadata's Body, empty if the order is not counted:
//
//	+----------+------------+
//	| form 1 B | levels 1 B |
//	+----------+------------+
//
// The value of a page is its entries, the boundaries ascending:
//
//	+--------------------+----------+-----------------+
//	| boundary len uvar. | boundary | members uvarint |   each
//	+--------------------+----------+-----------------+
type Ranks struct {
	Levels uint8 // 0: not counted
}

const (
	// RanksLen is the length of encoded Ranks that count.
	RanksLen = 1 + 1
	// MaxRankLevels is how many levels there are at most: enough for more members
	// than there can be.
	MaxRankLevels = 32

	ranksForm = 1
)

var errRanks = errors.New("form of the counted order is malformed")

// AppendRanks appends r's encoding to dst.
func AppendRanks(dst []byte, r Ranks) []byte {
	if r.Levels == 0 {
		return dst
	}
	return append(dst, ranksForm, r.Levels)
}

// DecodeRanks decodes the body of a sorted set in rows. A form of a later version
// is ErrFormatTooNew. Any bytes are safe to pass.
func DecodeRanks(body []byte) (r Ranks, err error) {
	if len(body) == 0 {
		return r, nil
	}
	if body[0] != ranksForm {
		return r, base.ErrFormatTooNew
	}
	if len(body) != RanksLen || body[1] == 0 || body[1] > MaxRankLevels {
		return r, errRanks
	}
	return Ranks{body[1]}, nil
}

// AppendRankEntry appends an entry to a page.
func AppendRankEntry(dst []byte, boundary string, members uint64) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(boundary)))
	dst = append(dst, boundary...)
	return binary.AppendUvarint(dst, members)
}

// NextRankEntry takes the first entry of a page apart. boundary points into it and
// has its capacity, which tells where in the page it stands. Any bytes are safe to
// pass; nothing is allocated.
func NextRankEntry(page []byte) (boundary []byte, members uint64, rest []byte, ok bool) {
	if len(page) > 1 && page[0] < 0x80 { // the usual case, without a call
		if end := 1 + int(page[0]); end < len(page) && page[end] < 0x80 {
			return page[1:end], uint64(page[end]), page[end+1:], true
		}
	}
	size, n := binary.Uvarint(page)
	if n <= 0 || size > uint64(len(page)-n) {
		return nil, 0, nil, false
	}
	boundary, page = page[n:n+int(size)], page[n+int(size):]
	if members, n = binary.Uvarint(page); n <= 0 || members > metaMax {
		return nil, 0, nil, false
	}
	return boundary, members, page[n:], true
}
