package siltstone_test

import (
	"strings"
	"testing"
)

func TestAnExplanationListsAFewRangeDeletesAndCountsAll(t *testing.T) {
	s := newStore(t)
	putAll(t, s.DB, "k", "v")
	const deletes = 100
	for range deletes {
		ok(t, s.DeleteRange(rng("a", "z")))
	}
	e, err := s.Explain([]byte("k"))
	ok(t, err)
	source := e.Sources[0]
	if n := len(source.RangeDels); n != 16 || source.Covered != deletes {
		t.Errorf("%d range deletes are listed, of %d", n, source.Covered)
	}
	for i := 1; i < len(source.RangeDels); i++ {
		if source.RangeDels[i] >= source.RangeDels[i-1] {
			t.Errorf("not the newest ones first: %d", source.RangeDels)
		}
	}
	if e.Verdict.Reason != "range-deleted" || e.Verdict.Seq != source.RangeDels[0] || !strings.Contains(e.String(), "84 older range deletes") {
		t.Errorf("%v", e)
	}
}
