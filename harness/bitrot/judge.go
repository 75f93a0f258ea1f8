package main

import (
	"errors"
	"fmt"
	"slices"
)

// verdict is what a case came to.
type verdict string

const (
	harmless verdict = "harmless"      // every answer is right
	detected verdict = "detected"      // an error, of the open or of a read, and no wrong value beside it
	torn     verdict = "torn end"      // the end of the log is gone, and nothing behind it could tell that
	loss     verdict = "silent loss"   // synced data is missing, without any error
	wrong    verdict = "wrong answer"  // a key or value that never was, or an old value among newer ones
	exit     verdict = "exit"          // the engine ended the process on purpose, with a message
	crash    verdict = "crash"         // a panic or a fault of memory
	memory   verdict = "out of memory" // beyond the limit
	hang     verdict = "hang"          // beyond the time
)

// verdicts are all, in the order in which they are shown.
var verdicts = []verdict{harmless, detected, exit, torn, loss, wrong, crash, memory, hang}

// answers are what a store said.
type answers struct {
	err   error             // of the open, the reads and Close, joined
	got   map[string]string // by Get
	seen  map[string]string // by Scan
	order error             // a scan out of order
}

// enoughErrors is how many keys may fail before the others are left to the scan: an engine
// may take its time over each error.
const enoughErrors = 10

// ask opens the store in dir and reads all of it.
func ask(k engineKind, dir string, h *history) (a answers) {
	a.got, a.seen = map[string]string{}, map[string]string{}
	s, err := k.open(dir)
	if err != nil {
		a.err = err
		return a
	}
	failed := 0
	for i := range keys + 10 { // ten that never were
		if failed == enoughErrors {
			break
		}
		v, found, err := s.Get(keyOf(i))
		if err != nil {
			a.err = errors.Join(a.err, err)
			failed++
		} else if found {
			a.got[keyOf(i)] = v
		}
	}
	last := ""
	err = s.Scan(func(key, value string) {
		if key <= last && a.order == nil {
			a.order = fmt.Errorf("a scan shows %q after %q", key, last)
		}
		last = key
		a.seen[key] = value
	})
	a.err = errors.Join(a.err, err, s.Close())
	return a
}

// judge names what a case came to, and says why.
func (h *history) judge(a answers, d damage) (verdict, string) {
	if a.order != nil {
		return wrong, a.order.Error()
	}
	var lost, old string
	want := h.states[h.last()]
	for _, state := range []map[string]string{a.got, a.seen} {
		for key, value := range state {
			if !h.ever[key][value] {
				return wrong, fmt.Sprintf("%q has %q, which it never had", key, value)
			}
			if want[key] != value {
				old = fmt.Sprintf("%q has %q again, and should have %q", key, value, want[key])
			}
		}
		for key := range want {
			if _, ok := state[key]; !ok {
				lost = fmt.Sprintf("%q is missing", key)
			}
		}
	}
	if a.err != nil {
		return detected, a.err.Error()
	}
	if lost == "" && old == "" {
		return harmless, ""
	}
	j, prefix := h.find(a.got)
	if k, same := h.find(a.seen); !same || k != j {
		prefix = false
	}
	switch {
	case prefix && h.couldBeTorn(j, d):
		return torn, fmt.Sprintf("the state after commit %d of %d", j, h.last())
	case prefix:
		return loss, fmt.Sprintf("the state after commit %d of %d", j, h.last())
	case old != "":
		return wrong, old
	}
	return loss, lost
}

// couldBeTorn reports whether an engine that shows the state after commit j may take the
// damage for a write that a crash has cut short. That is so if everything behind a place
// of the log in use is gone; and if the last commit alone is gone, for no later one
// proves that it was complete. Sixteen bytes may be of two commits.
func (h *history) couldBeTorn(j int, d damage) bool {
	switch {
	case d.Kind == cut || d.Kind == older:
		return d.IsLog && j >= h.logged() || j == h.last()-1
	case d.Kind == changed && d.Way == copies:
		return j >= h.last()-2
	case d.Kind == changed:
		return j == h.last()-1
	}
	return false
}

// broken reports whether a verdict is one that must not be.
func (v verdict) broken() bool { return !slices.Contains([]verdict{harmless, detected, torn}, v) }
