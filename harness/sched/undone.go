package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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
		name: "close-wakes-who-waits-for-a-turn", scenario: "leaving",
		why: "Close wakes nobody who waits for a turn",
		changes: append([]change{
			{"internal/engine/commit/turn.go", "\tcase <-s.life.Quit():\n\t\treturn nil, base.ErrClosed\n", ""},
			{"internal/engine/commit/turn.go", "\tcase <-quit:\n\t\treturn base.ErrClosed\n", ""},
		}, endless...),
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
		changes: []change{{"internal/engine/commitlog/wait.go", "\t\tw.err = err\n", "\t\tw.err, _ = nil, err\n"}},
	}, {
		name: "flushed-reads-are-validated", scenario: "transfers",
		why:     "a change that a flush took to a table between two validations is no conflict",
		changes: []change{{"internal/engine/commit/validate.go", `case rs.TableSeq > checked:`, `case false:`}},
	}, {
		name: "what-counts-as-checked-is-in-the-state", scenario: "counting",
		why: "a change that enters a new memtable between two steps of a validation is no conflict: an update is lost",
		changes: []change{
			{"internal/engine/commit/validate.go", "\tchecked = s.Visible()\n\tif checked == since {\n\t\treturn checked, nil\n\t}\n", ""},
			{"internal/engine/commit/validate.go", "\tif err := changedInMemory(rs, c.Reads, since); err != nil {\n\t\treturn 0, err\n",
				"\tif checked = s.Visible(); checked == since {\n\t\treturn checked, nil\n\t}\n\tif err := changedInMemory(rs, c.Reads, since); err != nil {\n\t\treturn 0, err\n"},
		},
	}, {
		name: "pin-looks-again", scenario: "reading",
		why:     "a reader pins a state that has just been let go",
		changes: []change{{"internal/engine/readstate/states.go", `if s.Current.Load() == rs {`, `if rs != nil {`}},
	}, {
		name: "a-transaction-holds-what-its-point-sees", scenario: "counting",
		why: "a transaction reads a state that has not all that its read point sees, and loses an update",
		changes: []change{{"internal/engine/readstate/following.go",
			"\tp := s.Points.Register()\n\trs := s.Hold()\n", "\trs := s.Hold()\n\tp := s.Points.Register()\n"}},
	}, {
		name: "a-turn-that-has-ended-is-not-put", scenario: "counting",
		why: "an Update that nobody nested is told ErrNested",
		changes: []change{
			{"internal/engine/commit/turn.go", "\tg.now.Store(t)\n\ts.mu.Unlock()\n", "\ts.mu.Unlock()\n"},
			{"internal/engine/commit/turn.go", "\t\tt.end()\n\t})\n\treturn t, nil\n", "\t\tt.end()\n\t})\n\ts.mu.Lock()\n\tg.now.Store(t)\n\ts.mu.Unlock()\n\treturn t, nil\n"},
		},
	}, {
		name: "what-was-flushed-unseen-is-asked-for", scenario: "counting",
		why:     "a call whose state has a table with what was not visible yet validates for ever",
		changes: []change{{"internal/engine/commit/validate.go", ` && c.State.TableSeq <= v.checked {`, ` {`}},
	}, {
		name: "no-row-behind-a-drop", scenario: "keyspace",
		why:     "a row enters a keyspace that has been dropped",
		changes: []change{{"internal/engine/commit/section.go", `if err := c.refusal(); err != nil {`, `if err := c.refusal(); false {`}},
	}, {
		name: "a-log-is-synced-before-its-successor", scenario: "lostsync",
		why:     "a failure of the log is forgotten by the next group",
		changes: []change{{"internal/engine/commitlog/log.go", "\t\tif l.err == nil {\n\t\t\tl.err = err\n\t\t}\n\t\treturn l.takeMovedLocked()\n", "\t\tl.written, l.durable = max(l.written, g.end), max(l.durable, g.end)\n\t\treturn l.takeMovedLocked()\n"}},
	}, {
		name: "time-to-live-begins-when-it-is-visible", scenario: "deadline",
		why:     "a put that has waited for a turn returns, and its key is gone",
		changes: []change{{"internal/engine/commit/deadline.go", `o.Expiry = ExpiryAt(o.Expiry, now-c.From)`, `_ = o`}},
	},
}

// undo undoes one mend at a time, and reports whether each was missed.
func (s *settings) undo(dir string) (ok bool, err error) {
	if s.schedules == 0 {
		s.schedules = 5000
	}
	re, err := regexp.Compile(s.scenario)
	if err != nil {
		return false, err
	}
	undone, missed, begin := 0, 0, time.Now()
	for _, m := range mends {
		if !re.MatchString(m.name) && !re.MatchString(m.scenario) {
			continue
		}
		undone++
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
	fmt.Printf("sched: mends undone=%d found=%d seed=%d in %v\n", undone, missed, s.seed, time.Since(begin).Round(time.Second))
	return missed == undone, nil
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
