package compaction

import (
	"bytes"
	"fmt"

	"github.com/siltstonedb/siltstone/manifest"
)

// Span is a stretch of row keys. Hi belongs to it unless Exclusive is set; a nil
// Hi is the end of all keys. The bytes belong to whoever made the span.
type Span struct {
	Lo, Hi    []byte
	Exclusive bool
}

// TableSpan returns the keys table t may say anything about, range tombstones
// included. It points into t.
func TableSpan(t *manifest.Table) Span {
	return Span{Lo: t.Smallest, Hi: t.Largest, Exclusive: t.LargestExclusive}
}

// endsBefore reports whether all of s lies below key.
func (s Span) endsBefore(key []byte) bool {
	if s.Hi == nil {
		return false
	}
	c := bytes.Compare(s.Hi, key)
	return c < 0 || c == 0 && s.Exclusive
}

// overlaps reports whether s and o have a key in common.
func (s Span) overlaps(o Span) bool { return !s.endsBefore(o.Lo) && !o.endsBefore(s.Lo) }

// holds reports whether key lies in s.
func (s Span) holds(key []byte) bool { return bytes.Compare(s.Lo, key) <= 0 && !s.endsBefore(key) }

// join returns the smallest span that contains s and o.
func (s Span) join(o Span) Span {
	if bytes.Compare(o.Lo, s.Lo) < 0 {
		s.Lo = o.Lo
	}
	if s.Hi == nil || o.Hi == nil {
		s.Hi, s.Exclusive = nil, false
	} else if c := bytes.Compare(s.Hi, o.Hi); c < 0 || c == 0 && s.Exclusive {
		s.Hi, s.Exclusive = o.Hi, o.Exclusive
	}
	return s
}

// String draws the span: "[a, m)".
func (s Span) String() string {
	switch {
	case s.Hi == nil:
		return fmt.Sprintf("[%s, …)", s.Lo)
	case s.Exclusive:
		return fmt.Sprintf("[%s, %s)", s.Lo, s.Hi)
	}
	return fmt.Sprintf("[%s, %s]", s.Lo, s.Hi)
}

// overlapping returns the tables of a run that overlap s: a subslice, for they
// are sorted and disjoint.
func overlapping(tables []*manifest.Table, s Span) []*manifest.Table {
	return manifest.Run{Tables: tables}.Overlaps(s.Lo, s.Hi, s.Exclusive)
}

// hull returns the smallest span that contains the tables, which are sorted and
// at least one.
func hull(tables []*manifest.Table) Span {
	return TableSpan(tables[0]).join(TableSpan(tables[len(tables)-1]))
}

// bytesOf returns the size of the tables' files.
func bytesOf(tables []*manifest.Table) (n uint64) {
	for _, t := range tables {
		n += t.Size
	}
	return n
}
