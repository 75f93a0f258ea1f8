package readstate

import (
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/sstable"
)

// RunIter is the tables of a run as the sources of an iterator.Concat.
type RunIter struct {
	run     *Run
	table   *sstable.Iter // reused for one table after the other
	options sstable.IterOptions
	concat  iterator.Concat
	own     *OpenTable // of the table the walk is in, if nobody else uses that
}

// Init makes s an iterator over a run, with t reused for one table after the other,
// and returns it.
func (s *RunIter) Init(r *Run, t *sstable.Iter, o sstable.IterOptions) iterator.Iterator {
	s.run, s.table, s.options = r, t, o
	s.concat.Init(s)
	s.concat.Within(o.Lower, o.Upper)
	return &s.concat
}

// Table returns the iterator of the table that the walk is in.
func (s *RunIter) Table() *sstable.Iter { return s.table }

// Forget lets go of the run.
func (s *RunIter) Forget() {
	s.run, s.options = nil, sstable.IterOptions{}
	s.concat.Within(nil, nil)
}

// Len implements iterator.Sources.
func (s *RunIter) Len() int { return len(s.run.Tables) }

// Bounds implements iterator.Sources.
func (s *RunIter) Bounds(i int) (smallest, largest []byte) {
	t := s.run.Tables[i]
	return t.Smallest, t.Largest
}

// Open implements iterator.Sources.
func (s *RunIter) Open(i int, on bool) (iterator.Iterator, error) {
	r, own, err := s.run.Tables[i].walk()
	if err != nil {
		return nil, err
	}
	s.own = own
	if on {
		s.table.Continue(r, s.options)
	} else {
		s.table.Init(r, s.options)
	}
	return s.table, nil
}

// Shut implements iterator.Shutter.
func (s *RunIter) Shut() {
	if s.own != nil {
		s.own.close()
		s.own = nil
	}
}

// NewMergeIter returns an iterator over a run for a merge, which reads it once from
// end to end: its blocks are not kept in the cache.
func NewMergeIter(run *Run) iterator.Iterator {
	it := &RunIter{run: run, table: &sstable.Iter{}, options: sstable.IterOptions{Cold: true}}
	it.concat.Init(it)
	return &it.concat
}
