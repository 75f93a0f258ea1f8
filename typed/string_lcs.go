package typed

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
)

// The longest common subsequence of two values: the bytes that both have in the
// same order, though others may stand between them. Where there are several of
// that length, it is the one Redis finds.
//
// Time is in proportion to the product of the lengths, a second or so for the
// largest. Lengths whose product is above 2²⁸, such as two values of 16 KiB, are
// ErrValueTooLarge; so no call takes more than 33 MiB beside the values.

// maxLCSCells bounds the table, cells.
const maxLCSCells = 1 << 28

// LCSMatch is a run of bytes that two values have in common.
type LCSMatch struct {
	Start      int64 // where it stands in the value
	OtherStart int64 // and in the other one
	Len        int64
}

// LCS returns the longest common subsequence with the value of the key called
// other. The bytes are yours. A missing value is empty. ErrValueTooLarge if the
// product of the lengths is above 2²⁸. [LCS]
func (s String) LCS(other string) ([]byte, error) {
	return collection.View(s.src, func(t collection.Txn) ([]byte, error) {
		table, err := s.lcs(t, other, true)
		if err != nil {
			return nil, err
		}
		sub := make([]byte, table.length)
		at := len(sub)
		for a := range table.back {
			at--
			sub[at] = table.a[a]
		}
		return sub, nil
	})
}

// LCSLen returns how long the longest common subsequence is, with the bounds of
// LCS and hardly any memory. [LCS LEN]
func (s String) LCSLen(other string) (int64, error) {
	return collection.View(s.src, func(t collection.Txn) (int64, error) {
		table, err := s.lcs(t, other, false)
		return int64(table.length), err
	})
}

// LCSMatches returns the runs that the longest common subsequence is made of, the
// last one first, without those that are shorter than minLen, and the length of
// the subsequence, which counts all of them. The bounds are those of LCS.
// [LCS IDX MINMATCHLEN WITHMATCHLEN]
func (s String) LCSMatches(other string, minLen int64) (matches []LCSMatch, length int64, err error) {
	matches, err = collection.View(s.src, func(t collection.Txn) (all []LCSMatch, err error) {
		table, err := s.lcs(t, other, true)
		if err != nil {
			return nil, err
		}
		length = int64(table.length)
		return table.runs(minLen), nil
	})
	if err != nil {
		return nil, 0, err
	}
	return matches, length, nil
}

// lcs reads both values and fills the table.
func (s String) lcs(t collection.Txn, other string, trace bool) (lcsTable, error) {
	sc := t.Scratch()
	b, err := String{Key{name: other}}.get(t, sc.Out[:0])
	if collection.AbsentOK(err) != nil {
		return lcsTable{}, err
	}
	sc.Out = b[:0]
	a, _, _, err := s.loadScratch(t)
	if err != nil {
		return lcsTable{}, err
	}
	if int64(len(a))*int64(len(b)) > maxLCSCells {
		return lcsTable{}, base.Errorf(base.ErrValueTooLarge, "values of %d and %d bytes: the product of their lengths is above %d", len(a), len(b), maxLCSCells)
	}
	return newLCS(a, b, trace), nil
}

// lcsTable has a cell for each byte of the longer value and each of the shorter
// one. Walked from the last cell back, it tells which of the two to step back in
// where the bytes differ: a bit per cell, rows of the longer value.
type lcsTable struct {
	a, b    []byte
	swapped bool // b is the longer one
	length  int
	up      []uint64 // bit set: back in the longer one; nil: not traced
}

// newLCS fills the table, keeping one row of lengths.
func newLCS(a, b []byte, trace bool) lcsTable {
	l := lcsTable{a: a, b: b, swapped: len(b) > len(a)}
	long, short := l.sides()
	if len(short) == 0 {
		return l
	}
	if trace {
		l.up = make([]uint64, (len(long)*len(short)+63)/64)
	}
	// Where both steps keep the same length it is b that goes back.
	tie := uint32(0)
	if l.swapped {
		tie = 1
	}
	row := make([]uint32, len(short)+1) // lengths with the bytes of long so far
	cell := 0
	for _, x := range long {
		diagonal := uint32(0)
		for j, y := range short {
			above := row[j+1]
			switch left := row[j]; {
			case x == y:
				row[j+1] = diagonal + 1
			case above+tie > left:
				if trace {
					l.up[cell>>6] |= 1 << (cell & 63)
				}
			default:
				row[j+1] = left
			}
			diagonal = above
			cell++
		}
	}
	l.length = int(row[len(short)])
	return l
}

func (l *lcsTable) sides() (long, short []byte) {
	if l.swapped {
		return l.b, l.a
	}
	return l.a, l.b
}

// back yields the positions in a and in b of the bytes of the subsequence, the
// last one first.
func (l *lcsTable) back(yield func(a, b int) bool) {
	long, short := l.sides()
	i, j := len(long), len(short)
	for i > 0 && j > 0 {
		cell := (i-1)*len(short) + j - 1
		switch {
		case long[i-1] == short[j-1]:
			i, j = i-1, j-1
			a, b := i, j
			if l.swapped {
				a, b = j, i
			}
			if !yield(a, b) {
				return
			}
		case l.up[cell>>6]>>(cell&63)&1 != 0:
			i--
		default:
			j--
		}
	}
}

// runs gathers the bytes that stand together in both values, the last ones first,
// and leaves out runs that are shorter than minLen.
func (l *lcsTable) runs(minLen int64) (all []LCSMatch) {
	var run LCSMatch
	end := func() {
		if run.Len > 0 && run.Len >= minLen {
			all = append(all, run)
		}
	}
	for a, b := range l.back {
		a, b := int64(a), int64(b)
		if run.Len > 0 && a == run.Start-1 && b == run.OtherStart-1 {
			run = LCSMatch{a, b, run.Len + 1}
			continue
		}
		end()
		run = LCSMatch{a, b, 1}
	}
	end()
	return all
}
