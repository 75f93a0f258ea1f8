package backup

import (
	"fmt"
	"testing"
)

// Several shippers, and one that goes on behind a crash, leave segments that overlap, and
// ones that another has whole.
func TestAChainGoesOnByWhateverLeadsFurthest(t *testing.T) {
	list := func(bounds ...[2]uint64) (all []segment) {
		for _, b := range bounds {
			all = append(all, segment{after: b[0], last: b[1]})
		}
		return all
	}
	for _, c := range []struct {
		all  []segment
		at   uint64
		want string
	}{
		{list(), 5, "[] 5"},
		{list([2]uint64{5, 8}, [2]uint64{8, 9}), 5, "[5-8 8-9] 9"},
		{list([2]uint64{3, 8}, [2]uint64{8, 9}), 5, "[3-8 8-9] 9"},                         // begins before the backup
		{list([2]uint64{5, 8}, [2]uint64{7, 12}, [2]uint64{9, 11}), 5, "[5-8 7-12] 12"},    // overlap
		{list([2]uint64{5, 7}, [2]uint64{5, 9}, [2]uint64{7, 8}), 5, "[5-9] 9"},            // twice, one further
		{list([2]uint64{5, 20}, [2]uint64{6, 8}, [2]uint64{20, 21}), 6, "[5-20 20-21] 21"}, // inside another
		{list([2]uint64{5, 8}, [2]uint64{9, 12}), 5, "[5-8] 8"},                            // a hole
		{list([2]uint64{1, 5}), 5, "[] 5"},
	} {
		links, end := chain(c.all, c.at)
		got := []string{}
		for _, s := range links {
			got = append(got, fmt.Sprintf("%d-%d", s.after, s.last))
		}
		if got := fmt.Sprint(got, end); got != c.want {
			t.Errorf("from %d: %s, want %s", c.at, got, c.want)
		}
	}
}
