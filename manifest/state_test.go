package manifest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/seed"
)

func TestNumbersOfAStateOnlyRise(t *testing.T) {
	s := NewState(1)
	var err error
	for _, e := range []*Edit{
		{MinLog: 5, LastSeq: 50, Clock: 500, FileLimit: 64, IDLimit: 4096, KeyspaceLimit: 3},
		{MinLog: 4, LastSeq: 40, Clock: 400, FileLimit: 63, IDLimit: 4095, KeyspaceLimit: 2},
		{},
	} {
		s, err = s.Apply(e)
		must(t, err)
	}
	if got, want := s.String(), "format=1 db=0000000000000001 minlog=5 lastseq=50 clock=500 files<64 ids<4096 keyspaces<3\n"; got != want {
		t.Errorf("got %swant %s", got, want)
	}
}

func TestAnyEditEndsCleanliness(t *testing.T) {
	s, err := NewState(1).Apply(&Edit{Clean: true})
	must(t, err)
	next, err := s.Apply(&Edit{})
	must(t, err)
	if !s.Clean || next.Clean {
		t.Errorf("clean %v, then %v", s.Clean, next.Clean)
	}
}

func TestImpossibleEditsChangeNothing(t *testing.T) {
	s := firstState(t)
	before := s.String()
	for name, e := range map[string]*Edit{
		"range of ids":  {Nominated: []IDRange{{0, 5, 4}}},
		"settled range": {Settled: []IDRange{{0, 5, 4}}},
		"sequence":      {LastSeq: base.SeqMax + 1},
		"clock":         {Clock: -1},
		"absent table":  {Removed: []base.FileNum{99}},
		"table":         {Added: []*Table{{Num: 5}}},
	} {
		if _, err := s.Apply(e); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if s.String() != before {
		t.Errorf("state changed:\n%s", s)
	}
}

func TestSnapshotLeadsToTheSameState(t *testing.T) {
	s, err := firstState(t).Apply(&Edit{Nominated: []IDRange{{0, 7, 9}, {3, 1, 1}}, IDLimit: 5, KeyspaceLimit: 9, Clean: true})
	must(t, err)
	again, err := NewState(s.DBID).Apply(s.Snapshot())
	if err != nil || again.String() != s.String() {
		t.Errorf("%v\n%s, want\n%s", err, again, s)
	}
}

func TestNominations(t *testing.T) {
	for _, c := range []struct {
		name               string
		nominated, settled string
		want               string
	}{
		{"neighbours join", "0/1-3 0/4 0/6", "", "0/1-4 0/6"},
		{"order and overlap do not matter", "0/6-9 0/1-7 1/2", "", "0/1-9 1/2"},
		{"keyspaces stay apart", "0/1 1/2", "", "0/1 1/2"},
		{"the middle is settled", "0/1-9", "0/4-5", "0/1-3 0/6-9"},
		{"ends are settled", "0/1-9", "0/1 0/9", "0/2-8"},
		{"all is settled", "0/1-9", "0/0-100", ""},
		{"settled in another keyspace", "1/1-9", "0/1-9 2/1-9", "1/1-9"},
		{"settlement holds against nomination", "0/5", "0/5", ""},
		{"settled twice", "0/1-9", "0/2-3 0/3-4", "0/1 0/5-9"},
		{"the largest id", "0/18446744073709551614-18446744073709551615 0/5", "0/18446744073709551615", "0/5 0/18446744073709551614"},
		{"up to the largest id", "0/7-18446744073709551615 0/9", "0/1-7", "0/8-18446744073709551615"},
	} {
		s, err := NewState(1).Apply(&Edit{Nominated: ranges(t, c.nominated), Settled: ranges(t, c.settled)})
		must(t, err)
		if got := drawRanges(s.Nominated); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// ranges reads "0/1-3 2/5".
func ranges(t *testing.T, text string) (list []IDRange) {
	t.Helper()
	for _, word := range strings.Fields(text) {
		var r IDRange
		_, err := fmt.Sscanf(word, "%d/%d", &r.Keyspace, &r.First)
		must(t, err)
		r.Last = r.First
		if _, last, ok := strings.Cut(word, "-"); ok {
			_, err := fmt.Sscan(last, &r.Last)
			must(t, err)
		}
		list = append(list, r)
	}
	return list
}

func drawRanges(list []IDRange) string {
	words := make([]string, 0, len(list))
	for _, r := range list {
		words = append(words, r.String())
	}
	return strings.Join(words, " ")
}

func TestNominationsAgreeWithASet(t *testing.T) {
	rng := rand.New(rand.NewPCG(seed.New(t), 4))
	random := func() (list []IDRange) {
		for range rng.IntN(4) {
			first := uint64(rng.IntN(40))
			if rng.IntN(2) == 0 {
				first += math.MaxUint64 - 60
			}
			list = append(list, IDRange{uint32(rng.IntN(2)), first, first + uint64(rng.IntN(12))})
		}
		return list
	}
	type id struct {
		keyspace uint32
		id       uint64
	}
	s, set := NewState(1), map[id]bool{}
	for range 3000 {
		e := &Edit{Nominated: random(), Settled: random()}
		for _, r := range e.Nominated {
			for n := range r.Last - r.First + 1 {
				set[id{r.Keyspace, r.First + n}] = true
			}
		}
		for _, r := range e.Settled {
			for n := range r.Last - r.First + 1 {
				delete(set, id{r.Keyspace, r.First + n})
			}
		}
		before := drawRanges(s.Nominated)
		next, err := s.Apply(e)
		must(t, err)
		if drawRanges(s.Nominated) != before {
			t.Fatal("the older state changed")
		}
		s = next
		count := 0
		for _, r := range s.Nominated {
			for n := range r.Last - r.First + 1 {
				if !set[id{r.Keyspace, r.First + n}] {
					t.Fatalf("%v is in the state, not in the set", r)
				}
				count++
			}
		}
		sorted := slices.IsSortedFunc(s.Nominated, compareRanges)
		if count != len(set) || !sorted || len(joinRanges(nil, s.Nominated)) != len(s.Nominated) {
			t.Fatalf("%d ids of %d, ranges %s", count, len(set), drawRanges(s.Nominated))
		}
	}
}
