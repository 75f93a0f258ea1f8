package readstate

import (
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/sstable"
)

func NewTableIter() *sstable.Iter { return new(sstable.Iter) }

// runSource is the tables of a run as the sources of an iterator.Concat.
type RunIter struct {
	Run      *Run
	Table    *sstable.Iter // reused for one table after the other
	keysOnly bool
	Cold     bool
	Concat   iterator.Concat
}

func (s *RunIter) Init(r *Run, t *sstable.Iter, keysOnly bool) iterator.Iterator {
	s.Run, s.Table, s.keysOnly, s.Cold = r, t, keysOnly, false
	s.Concat.Init(s)
	return &s.Concat
}

// Len implements iterator.Sources.
func (s *RunIter) Len() int { return len(s.Run.Tables) }

// Bounds implements iterator.Sources.
func (s *RunIter) Bounds(i int) (smallest, largest []byte) {
	t := s.Run.Tables[i]
	return t.Smallest, t.Largest
}

// Open implements iterator.Sources.
func (s *RunIter) Open(i int) (iterator.Iterator, error) {
	r, err := s.Run.Tables[i].Get()
	if err != nil {
		return nil, err
	}
	s.Table.Init(r, sstable.IterOptions{KeysOnly: s.keysOnly, Cold: s.Cold})
	return s.Table, nil
}
