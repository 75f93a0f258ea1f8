package main

import (
	"errors"
	"maps"
	"testing"
)

func TestAnEarlierFormOfTheWholeStoreIsNoDamage(t *testing.T) {
	for n, want := range map[int]int{1: 0, 2: 2} {
		now, before := map[string][]byte{}, map[string][]byte{}
		for i := range n {
			now[keyOf(i)], before[keyOf(i)] = []byte(keyOf(i)+" now"), []byte(keyOf(i)+" before")
		}
		got := 0
		for _, d := range misplacedOf(&image{Engine: "bbolt", Files: now, Older: []map[string][]byte{before}}, "") {
			if d.Kind == older {
				got++
			}
		}
		if got != want {
			t.Errorf("a store of %d files has %d cases of an older file, want %d", n, got, want)
		}
	}
}

func TestEachAnswerHasItsVerdict(t *testing.T) {
	h := newHistory(1)
	last := h.states[h.last()]
	with := func(change func(state map[string]string)) map[string]string {
		state := maps.Clone(last)
		change(state)
		return state
	}
	some, older := "", "" // a key that is there, and a value that it had before
	for key, value := range last {
		for v := range h.ever[key] {
			if v != value {
				some, older = key, v
			}
		}
	}
	log := damage{Kind: changed, IsLog: true}
	logCut := damage{Kind: cut, IsLog: true}
	failed := errors.New("damaged")
	for name, c := range map[string]struct {
		state map[string]string
		err   error
		d     damage
		want  verdict
	}{
		"all right":                              {state: last, want: harmless},
		"an error, and nothing read":             {err: failed, want: detected},
		"an error beside right answers":          {state: last, err: failed, want: detected},
		"an error beside a value that never was": {state: map[string]string{some: "?"}, err: failed, want: wrong},
		"a value that never was":                 {state: with(func(s map[string]string) { s[some] = "?" }), want: wrong},
		"a key that never was":                   {state: with(func(s map[string]string) { s["?"] = older }), want: wrong},
		"an old value among newer ones":          {state: with(func(s map[string]string) { s[some] = older }), want: wrong},
		"a key that is missing":                  {state: with(func(s map[string]string) { delete(s, some) }), want: loss},
		"the last commit is gone":                {state: h.states[h.last()-1], d: log, want: torn},
		"the last two commits are gone":          {state: h.states[h.last()-2], d: log, want: loss},
		"two commits are gone, two were hit":     {state: h.states[h.last()-2], d: damage{Kind: changed, Way: copies, IsLog: true}, want: torn},
		"the log was cut":                        {state: h.states[h.last()-9], d: logCut, want: torn},
		"another file was cut":                   {state: h.states[h.last()-9], d: damage{Kind: cut}, want: loss},
		"the log is missing":                     {state: h.states[h.logged()], d: damage{Kind: missing, IsLog: true}, want: loss},
		"a log was cut, and tables are gone":     {state: h.states[h.logged()-1], d: logCut, want: loss},
	} {
		got, why := h.judge(answers{err: c.err, got: c.state, seen: c.state}, c.d)
		if got != c.want {
			t.Errorf("%s: %s (%s), want %s", name, got, why, c.want)
		}
	}
}
