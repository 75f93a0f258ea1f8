package readstate

import (
	"bytes"
	"slices"
	"sort"

	"github.com/siltstonedb/siltstone/manifest"
)

// Place is the part of the key space that a table spans, from 0 to 1. The key space is
// measured by the bytes of all tables: a table's bytes count as spread evenly between
// the bounds of tables that lie within its own.
type Place struct{ From, To float64 }

// Places returns the place of each table of v, run by run.
func Places(v *manifest.Version) [][]Place {
	bounds := boundsOf(v)
	if len(bounds) < 2 {
		return onePlace(v)
	}
	find := func(key []byte) int {
		return sort.Search(len(bounds), func(i int) bool { return bytes.Compare(bounds[i], key) >= 0 })
	}
	weight := make([]float64, len(bounds)) // of what lies between a bound and the one before
	for _, t := range v.AllTables() {
		from, to := find(t.Smallest), find(t.Largest)
		for i := from + 1; i <= to; i++ {
			weight[i] += float64(t.Size) / float64(to-from)
		}
	}
	sum := 0.0
	for i := range weight {
		sum += weight[i]
		weight[i] = sum
	}
	if sum == 0 {
		return onePlace(v)
	}
	places := make([][]Place, len(v.Runs))
	for i, r := range v.Runs {
		for _, t := range r.Tables {
			places[i] = append(places[i], Place{weight[find(t.Smallest)] / sum, weight[find(t.Largest)] / sum})
		}
	}
	return places
}

// boundsOf returns the smallest and largest keys of all tables, in order, each once.
func boundsOf(v *manifest.Version) (bounds [][]byte) {
	for _, t := range v.AllTables() {
		bounds = append(bounds, t.Smallest, t.Largest)
	}
	slices.SortFunc(bounds, bytes.Compare)
	return slices.CompactFunc(bounds, bytes.Equal)
}

// onePlace is where tables lie that have one key at most.
func onePlace(v *manifest.Version) [][]Place {
	places := make([][]Place, len(v.Runs))
	for i, r := range v.Runs {
		places[i] = slices.Repeat([]Place{{0, 1}}, len(r.Tables))
	}
	return places
}
