package siltstone

import (
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/sstable"
)

func newTableIter() *sstable.Iter { return new(sstable.Iter) }

// runSource is the tables of a run as the sources of an iterator.Concat.
type runSource struct {
	run      *runView
	table    *sstable.Iter // reused for one table after the other
	keysOnly bool
	cold     bool
	concat   iterator.Concat
}

func (s *runSource) init(r *runView, t *sstable.Iter, keysOnly bool) iterator.Iterator {
	s.run, s.table, s.keysOnly, s.cold = r, t, keysOnly, false
	s.concat.Init(s)
	return &s.concat
}

// Len implements iterator.Sources.
func (s *runSource) Len() int { return len(s.run.tables) }

// Bounds implements iterator.Sources.
func (s *runSource) Bounds(i int) (smallest, largest []byte) {
	t := s.run.tables[i]
	return t.Smallest, t.Largest
}

// Open implements iterator.Sources.
func (s *runSource) Open(i int) (iterator.Iterator, error) {
	r, err := s.run.tables[i].get()
	if err != nil {
		return nil, err
	}
	s.table.Init(r, sstable.IterOptions{KeysOnly: s.keysOnly, Cold: s.cold})
	return s.table, nil
}
