package readstate

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
)

// RunsWithin returns how many runs have a table that reaches into [lower, upper).
func (rs *State) RunsWithin(lower, upper []byte) (n int) {
	for i := range rs.Runs {
		r := &rs.Runs[i]
		if t := r.search(lower); t < len(r.Tables) && (upper == nil || bytes.Compare(r.Tables[t].Smallest, upper) < 0) {
			n++
		}
	}
	return n
}

// Within returns the tables that reach into [lower, upper).
func (r *Run) Within(lower, upper []byte) []*Table {
	first := r.search(lower)
	end := first
	for end < len(r.Tables) && (upper == nil || bytes.Compare(r.Tables[end].Smallest, upper) < 0) {
		end++
	}
	return r.Tables[first:end]
}

// NumbersWithin returns the numbers [from, to) of records of the table among which are
// all that have keys of [lower, upper). It opens a table that is not within.
func (t *Table) NumbersWithin(lower, upper []byte) (from, to uint64, err error) {
	if bytes.Compare(lower, t.Smallest) <= 0 && (upper == nil || t.EndsBefore(upper)) {
		return 0, min(t.Records(), t.Size), nil
	}
	r, err := t.Get()
	if err != nil {
		return 0, 0, err
	}
	from, to = r.NumbersWithin(lower, upper)
	return from, to, nil
}

// Run is one run of tables, ready for searching.
type Run struct {
	rangeDeletes bool // some table has range tombstones
	Tables       []*Table
	last8        []uint64 // Prefix8 of each table's largest key behind skip
	skip         int      // bytes that all bounds of the run share
}

// prepare builds the searchable form of the bounds.
func (r *Run) prepare() {
	if len(r.Tables) < 2 {
		return
	}
	r.skip = base.CommonPrefix(r.Tables[0].Smallest, r.Tables[len(r.Tables)-1].Largest)
	r.last8 = make([]uint64, len(r.Tables))
	for i, t := range r.Tables {
		r.last8[i] = base.Prefix8(t.Largest, r.skip)
	}
}

// search returns the index of the first table that may hold key or larger ones.
func (r *Run) search(key []byte) int {
	lo, hi := 0, len(r.Tables)
	if r.last8 != nil && base.CommonPrefix(key, r.Tables[0].Smallest) >= r.skip {
		k := base.Prefix8(key, r.skip)
		for lo < hi {
			m := int(uint(lo+hi) >> 1)
			if r.last8[m] < k {
				lo = m + 1
			} else {
				hi = m
			}
		}
		hi = len(r.Tables)
		for lo < hi && r.Tables[lo].EndsBefore(key) {
			lo++
		}
		return lo
	}
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if r.Tables[m].EndsBefore(key) {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// EndsBefore reports whether every key of the table is below key.
func (t *Table) EndsBefore(key []byte) bool {
	c := bytes.Compare(t.Largest, key)
	return c < 0 || c == 0 && t.LargestExclusive
}

// Find returns the table that may hold key, or nil.
func (r *Run) Find(key []byte) *Table {
	i := r.search(key)
	if i == len(r.Tables) || bytes.Compare(r.Tables[i].Smallest, key) > 0 {
		return nil
	}
	return r.Tables[i]
}
