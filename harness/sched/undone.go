package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// mend is one that was made in the store, with the changes that undo it.
type mend struct {
	name     string
	scenario string // that misses it
	why      string // what it mended
	changes  []change
}

// endless are the changes after which a turn does not end by itself: other mends of the
// same waits stand behind this one, and would hide that they are undone.
var endless = []change{
	{"internal/engine/commit/turn.go", `t.timer = time.AfterFunc(d, func() {`, `t.timer = time.AfterFunc(1<<62, func() {`},
	{"internal/engine/commit/turn.go", `c.waited >= mostTurns || !time.Now().Before(t.until)`, `false`},
}

// mends are the mends of the races that this harness is held to.
var mends = []mend{
	{
		name: "turn-ends-by-itself", scenario: "sitting", changes: endless,
		why: "an Update that sits in its turn holds all writers back for ever",
	}, {
		name: "turn-ends-after-a-panic", scenario: "turn",
		why:     "a panic in a turn holds all writers back for ever",
		changes: append([]change{{"update.go", `defer turn.End()`, `_ = turn`}}, endless...),
	}, {
		name: "turn-in-a-turn-is-refused", scenario: "nested",
		why: "an Update inside a turn waits for itself",
		changes: append([]change{
			{"internal/engine/commit/turn.go", `t != nil && t.goroutine == me {`, `false && t.goroutine == me {`},
			{"internal/engine/commit/turn.go", `if t.goroutine == goroutineID() {`, `if false {`},
		}, endless...),
	}, {
		name: "close-wakes-who-waits-for-a-turn", scenario: "sitting",
		why: "Close wakes nobody who waits for a turn",
		changes: []change{
			{"internal/engine/commit/turn.go", `t.timer = time.AfterFunc(d, func() {`, `t.timer = time.AfterFunc(max(d, 1<<62*d/max(d, 1)), func() {`},
			{"internal/engine/commit/turn.go", "\tcase <-s.life.Quit():\n\t\treturn nil, base.ErrClosed\n", ""},
		},
	}, {
		name: "close-returns-when-it-is-closed", scenario: "closing",
		why:     "a second Close returns while the first works",
		changes: []change{{"internal/lifecycle/lifecycle.go", `s.once.Do(func() { s.result = do() })`, `if !s.closing.Swap(true) { s.result = do() }`}},
	}, {
		name: "flush-tells-of-failures", scenario: "failing",
		why:     "Flush waits for ever while flushes fail",
		changes: []change{{"internal/engine/commit/flush_queue.go", `s.flushes.err = err`, `s.flushes.err = nil`}},
	}, {
		name: "log-is-taken-while-it-grows", scenario: "large",
		why: "a log that is taken while its space is reserved: the index is out of range, or the wrong log is marked",
		changes: []change{{"internal/engine/commitlog/prepared.go",
			`i := slices.IndexFunc(p.made, func(s Segment) bool { return s.Number == n })`, `i := 0`}},
	}, {
		name: "lost-sync-is-indeterminate", scenario: "lostsync",
		why: "a commit whose sync failed beside Close is told that the store is closed, though it may survive",
		changes: []change{{"internal/engine/commit/section.go",
			`if errors.Is(err, commitlog.ErrClosed) {`, `if s.life.Closing() {`}},
	}, {
		name: "followers-are-told-of-the-failure", scenario: "lostsync",
		why:     "those who share a sync that failed are told that they are durable",
		changes: []change{{"internal/engine/commitlog/wait.go", "\t\tw.err = err\n", "\t\tw.err = nil\n"}},
	}, {
		name: "flushed-reads-are-validated", scenario: "transfers",
		why:     "a change that a flush took to a table between two validations is no conflict",
		changes: []change{{"internal/engine/commit/validate.go", `case rs.TableSeq > checked:`, `case false:`}},
	}, {
		name: "pin-looks-again", scenario: "transfers",
		why:     "a reader pins a state that has just been let go",
		changes: []change{{"internal/engine/readstate/states.go", `if s.Current.Load() == rs {`, `if rs != nil {`}},
	}, {
		name: "no-row-behind-a-drop", scenario: "keyspace",
		why:     "a row enters a keyspace that has been dropped",
		changes: []change{{"internal/engine/commit/section.go", `if err := c.refusal(); err != nil {`, `if err := c.refusal(); false {`}},
	}, {
		name: "rotation-happens-once", scenario: "batches",
		why:     "two callers rotate one memtable",
		changes: []change{{"internal/engine/commit/rotate.go", `if s.mem != full || s.closed {`, `if s.closed {`}, {"internal/engine/commit/rotate.go", `if s.Mem() != full {`, `if false {`}},
	},
}

// undo undoes one mend at a time, and reports whether each was missed.
func (s *settings) undo(dir string) (ok bool, err error) {
	if s.schedules == 0 {
		s.schedules = 5000
	}
	missed, begin := 0, time.Now()
	for _, m := range mends {
		at := filepath.Join(dir, m.name)
		if err := os.Mkdir(at, 0o755); err != nil {
			return false, err
		}
		p, err := build(".", at, m.changes)
		if err != nil {
			return false, fmt.Errorf("%s: %w", m.name, err)
		}
		r, err := p.play(run{scenario: m.scenario, seed: s.seed, schedules: s.schedules})
		if err != nil {
			return false, err
		}
		if r.Failed == "" {
			fmt.Printf("%-34s %-10s NOT FOUND in %d schedules\n", m.name, m.scenario, r.Schedules)
			continue
		}
		missed++
		fmt.Printf("%-34s %-10s schedule %-5d %s\n", m.name, m.scenario, r.Schedules+1, firstLine(r.Failed))
		if err := os.RemoveAll(at); err != nil {
			return false, err
		}
	}
	fmt.Printf("sched: mends undone=%d found=%d seed=%d in %v\n", len(mends), missed, s.seed, time.Since(begin).Round(time.Second))
	return missed == len(mends), nil
}

// firstLine returns the first line that says why, at most 100 bytes of it.
func firstLine(s string) string {
	s, rest, _ := strings.Cut(strings.TrimSpace(s), "\n")
	if strings.HasPrefix(s, "the process ended") {
		more, _, _ := strings.Cut(rest, "\n")
		s += ": " + more
	}
	return s[:min(len(s), 100)]
}
