package siltstone

import (
	"testing"

	"github.com/siltstonedb/siltstone/internal/typedtest"
)

// A store that nothing is wrong with is repaired without a word, whatever it went
// through, and shows the same.
func TestRepairOfATypedHistoryChangesNothing(t *testing.T) {
	seeds, steps := tier[uint64](2, 6, 100), tier(400, 400, 3000)
	for seed := uint64(1); seed <= seeds; seed++ {
		s := newTypedStore(t, seed)
		err := typedtest.History(s, typedtest.HistoryOptions{Seed: 1000 + seed, Steps: steps, Each: func(int) error {
			if s.rng.IntN(12) == 0 {
				s.disturb()
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		before, o := shownBy(t, s.db), s.db.opts
		s.done(s.db.Close())
		report, err := Repair(bg, "db", "new", &o)
		if err != nil || !report.Complete() {
			t.Fatalf("seed %d: %v\n%v", seed, err, report)
		}
		again, err := Open("new", &o)
		s.done(err)
		if after := shownBy(t, again); after != before {
			t.Errorf("seed %d: repaired it shows\n%s", seed, firstDifference(after, before))
		}
		s.done(again.Check(bg))
		s.done(again.step())
		s.done(again.Check(bg))
		s.done(again.Close())
	}
}
