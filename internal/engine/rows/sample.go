package rows

import (
	"bytes"
	"sort"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/memtable"
)

// Sample draws live rows of a range at random, without a walk. Every source has
// places, each for one version of one key or for none:
//
//	own writes, memtables   a slot of a leaf        memtable.Places
//	tables                  a record, by number     sstable.Reader.AppendNumbered
//	                   └──► all of them in a row ──► At(place)
//
// A row is live at exactly one of them: where the version stands that a look-up of its
// key finds. Older versions, what a tombstone covers, and keys outside the range, which
// share a block or a leaf with some inside, are places without a row. So places drawn
// evenly, until one has a row, give every row with the same chance, however large it is
// and wherever it lies. How many that takes depends on how much of the range is dead;
// of the places of a memtable filled at random a third is empty.
//
// Places of the memtable that takes writes may be used up while one draws. Then they
// are counted anew, and the draw has found nothing wherever it fell: were that so in
// this memtable alone, its rows would come less often.
//
// It belongs to one goroutine. The caller keeps the state pinned, and leaves the bounds
// alone, as long as it is used.
type Sample struct {
	View
	lower, upper []byte
	sources      []source // the last one is the memtable that takes writes

	Key   []byte          // of the row that At has found, good until the next At
	Found readstate.Found // the row
	Mine  bool            // it is the transaction's own write
}

// source is a part of all places, [from, to).
type source struct {
	from, to uint64
	mem      memtable.Places // if there is no table
	seq      base.SeqNum     // that a memtable is read at
	table    *readstate.Table
	first    uint64 // record of the table
}

// Init makes s a sample of the rows in [lower, upper). It opens tables that reach over
// a bound and are not open, and looks at a branch of a memtable for every ten thousand
// keys in the range.
func (s *Sample) Init(v View, lower, upper []byte) error {
	*s = Sample{View: v, lower: lower, upper: upper, sources: s.sources[:0], Key: s.Key[:0]}
	rs := v.State
	for i := range rs.Runs {
		for _, t := range rs.Runs[i].Within(lower, upper) {
			from, to, err := t.NumbersWithin(lower, upper)
			if err != nil {
				return err
			}
			s.add(source{table: t, first: from}, to-from)
		}
	}
	if v.Own != nil {
		s.addMemtable(v.Own, v.OwnSeq)
	}
	for _, m := range rs.Imms {
		s.addMemtable(m.Table, v.Seq)
	}
	s.addMemtable(rs.Mem.Table, v.Seq)
	return nil
}

func (s *Sample) addMemtable(t *memtable.Table, seq base.SeqNum) {
	p := t.Places(s.lower, s.upper)
	s.add(source{mem: p, seq: seq}, p.Len())
}

func (s *Sample) add(src source, places uint64) {
	src.from = s.Places()
	src.to = src.from + places
	s.sources = append(s.sources, src)
}

// Places returns among how many places one draws. At may change it.
func (s *Sample) Places() uint64 {
	if n := len(s.sources); n > 0 {
		return s.sources[n-1].to
	}
	return 0
}

// At reports whether there is a row at a place, which is below Places, and makes it
// Key and Found. The caller returns the loan of what is found. It costs what a look-up
// costs, and the read of a block if the place is in a table.
func (s *Sample) At(place uint64, want readstate.Want) (ok bool, err error) {
	t, outgrown, err := s.version(place)
	if outgrown {
		s.recount()
	}
	if err != nil || len(s.Key) == 0 || t.Attr.Kind() != base.KindPut || !s.visible(t.Seq) || t.Expired(s.Now) {
		return false, err
	}
	s.Found, s.Mine, err = s.Find(s.Key, base.HashRow(s.Key), want)
	if err == nil && s.Found.OK && s.Found.Seq == t.Seq {
		return true, nil
	}
	s.Found.Loan.Return()
	return false, err
}

// version makes Key the key at a place, empty if there is none in the range, and
// returns the trailer of the version that stands there.
func (s *Sample) version(place uint64) (t base.Trailer, outgrown bool, err error) {
	s.Key = s.Key[:0]
	i := sort.Search(len(s.sources), func(i int) bool { return place < s.sources[i].to })
	if i == len(s.sources) {
		return t, false, nil
	}
	src, taking := &s.sources[i], len(s.sources)-1
	var key []byte
	if src.table == nil {
		key, t, outgrown = src.mem.At(place-src.from, src.seq)
		s.Key = append(s.Key, key...)
	}
	if i != taking {
		outgrown = s.sources[taking].mem.Outgrown()
	}
	if src.table == nil || outgrown {
		return t, outgrown, nil
	}
	r, err := src.table.Get()
	if err == nil {
		s.Key, t, err = r.AppendNumbered(s.Key, src.first+place-src.from)
	}
	if err == nil && (bytes.Compare(s.Key, s.lower) < 0 || s.upper != nil && bytes.Compare(s.Key, s.upper) >= 0) {
		s.Key = s.Key[:0]
	}
	return t, false, err
}

// recount counts the places of the memtable that takes writes anew. What was found is
// nothing.
func (s *Sample) recount() {
	s.Key = s.Key[:0]
	s.sources = s.sources[:len(s.sources)-1]
	s.addMemtable(s.State.Mem.Table, s.Seq)
}
