package readstate

import (
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/sstable"
)

// RunIter is the tables of a run as the sources of an iterator.Concat.
type RunIter struct {
	run      *Run
	table    *sstable.Iter // reused for one table after the other
	keysOnly bool
	cold     bool
	concat   iterator.Concat
}

// Init makes s an iterator over a run, with t reused for one table after the other,
// and returns it.
func (s *RunIter) Init(r *Run, t *sstable.Iter, keysOnly bool) iterator.Iterator {
	s.run, s.table, s.keysOnly, s.cold = r, t, keysOnly, false
	s.concat.Init(s)
	return &s.concat
}

// Table returns the iterator of the table that the walk is in.
func (s *RunIter) Table() *sstable.Iter { return s.table }

// Forget lets go of the run.
func (s *RunIter) Forget() { s.run = nil }

// Len implements iterator.Sources.
func (s *RunIter) Len() int { return len(s.run.Tables) }

// Bounds implements iterator.Sources.
func (s *RunIter) Bounds(i int) (smallest, largest []byte) {
	t := s.run.Tables[i]
	return t.Smallest, t.Largest
}

// Open implements iterator.Sources.
func (s *RunIter) Open(i int) (iterator.Iterator, error) {
	r, err := s.run.Tables[i].Get()
	if err != nil {
		return nil, err
	}
	s.table.Init(r, sstable.IterOptions{KeysOnly: s.keysOnly, Cold: s.cold})
	return s.table, nil
}

// NewMergeIter returns an iterator over a run for a merge, which reads it once from
// end to end: its blocks are not kept in the cache.
func NewMergeIter(run *Run) iterator.Iterator {
	it := &RunIter{run: run, table: &sstable.Iter{}, cold: true}
	it.concat.Init(it)
	return &it.concat
}
