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
// The value of a page is its entries, the boundaries ascending. The first boundary is
// the page's own, which its row key has; what the others share stands in front:
//
//	+------------------+--------+-------------------+--------+-----------------+
//	| start len uvar.  | start  | rest len uvarint  | rest   | members uvarint |
//	+------------------+--------+-------------------+--------+-----------------+
//	                              of each; the first has a rest of no bytes
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

// AppendRankStart appends what the boundaries of a page share, with which it begins.
func AppendRankStart(dst []byte, start string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(start))), start...)
}

// CutRankStart takes a page's start from its entries. Both point into the page. Any
// bytes are safe to pass.
func CutRankStart(page []byte) (start, entries []byte, ok bool) {
	size, n := binary.Uvarint(page)
	if n <= 0 || size > uint64(len(page)-n) {
		return nil, nil, false
	}
	return page[n : n+int(size)], page[n+int(size):], true
}

// AppendRankEntry appends an entry to a page, whose boundary is the start and rest.
func AppendRankEntry(dst []byte, rest string, members uint64) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(rest)))
	dst = append(dst, rest...)
	return binary.AppendUvarint(dst, members)
}

// NextRankEntry takes the first entry from the others. rest points into it and
// has its capacity, which tells where in the page it stands. Any bytes are safe to
// pass; nothing is allocated.
func NextRankEntry(entries []byte) (rest []byte, members uint64, others []byte, ok bool) {
	if len(entries) > 1 && entries[0] < 0x80 { // the usual case, without a call
		if end := 1 + int(entries[0]); end < len(entries) && entries[end] < 0x80 {
			return entries[1:end], uint64(entries[end]), entries[end+1:], true
		}
	}
	size, n := binary.Uvarint(entries)
	if n <= 0 || size > uint64(len(entries)-n) {
		return nil, 0, nil, false
	}
	rest, others = entries[n:n+int(size)], entries[n+int(size):]
	if members, n = binary.Uvarint(others); n <= 0 || members > metaMax {
		return nil, 0, nil, false
	}
	return rest, members, others[n:], true
}
