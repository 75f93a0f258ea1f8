package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// history is the data: commits in phases, and the state after each. A store is closed
// and opened again between phases; the last phase is in its log.
type history struct {
	phases [][][]op
	states []map[string]string        // states[j] is the state after commit j; 0 is the empty store
	ever   map[string]map[string]bool // the values that each key has had
}

const (
	tablePhases  = 4
	phaseCommits = 25
	phaseOps     = 5 // of a commit
	logCommits   = 40
	logOps       = 2
	tableValue   = 40   // most bytes of hexadecimal digits in a value in tables
	logValue     = 2000 // … in the log, which is longer than the blocks of 32 KiB that some logs have
	keys         = 300
)

func newHistory(seed uint64) *history {
	rng := rand.New(rand.NewPCG(seed, 1))
	h := &history{states: []map[string]string{{}}, ever: map[string]map[string]bool{}}
	for range tablePhases {
		h.phase(rng, phaseCommits, phaseOps, tableValue)
	}
	h.phase(rng, logCommits, logOps, logValue)
	return h
}

// phase adds commits of a number of operations each, of which one in eight is a delete.
// No two commits leave the same state.
func (h *history) phase(rng *rand.Rand, commits, ops, value int) {
	var phase [][]op
	for range commits {
		state := maps.Clone(h.states[len(h.states)-1])
		var commit []op
		used := map[string]bool{}
		for i := range ops {
			o := op{key: keyOf(rng.IntN(keys))}
			for used[o.key] {
				o.key = keyOf(rng.IntN(keys))
			}
			used[o.key] = true
			if i == 0 || rng.IntN(8) > 0 {
				o.value = fmt.Sprintf("%d.%d of %s: ", len(h.states), i, o.key) + digits(rng, 8+rng.IntN(value))
			}
			h.apply(state, o)
			commit = append(commit, o)
		}
		// The first operation has put a value that is new.
		h.states = append(h.states, state)
		phase = append(phase, commit)
	}
	h.phases = append(h.phases, phase)
}

func (h *history) apply(state map[string]string, o op) {
	if o.value == "" {
		delete(state, o.key)
		return
	}
	state[o.key] = o.value
	if h.ever[o.key] == nil {
		h.ever[o.key] = map[string]bool{}
	}
	h.ever[o.key][o.value] = true
}

// digits returns n hexadecimal digits at random.
func digits(rng *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdef"[rng.IntN(16)]
	}
	return string(b)
}

func keyOf(i int) string { return fmt.Sprintf("key%04d", i) }

// last is the number of the last commit.
func (h *history) last() int { return len(h.states) - 1 }

// logged is the number of the last commit that is in tables.
func (h *history) logged() int { return h.last() - logCommits }

// find returns the commit after which the state was as given.
func (h *history) find(state map[string]string) (commit int, ok bool) {
	for j, s := range slices.Backward(h.states) {
		if maps.Equal(s, state) {
			return j, true
		}
	}
	return 0, false
}
