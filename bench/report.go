package main

import (
	"fmt"
	"slices"
	"strings"
)

// report is all results of a comparison, ready to be written. It is immutable.
type report struct {
	machine machine
	engines []string // columns
	rows    []reportRow
	failed  []string // scenarios that failed as a whole, one sentence each
}

// reportRow is one row of the tables.
type reportRow struct {
	row, title string
	unit       unit
	cells      map[string]summary // by engine
}

const ours = "siltstone"

// newReport orders the results as scenarios and engines are ordered.
func newReport(m machine, results []result) *report {
	r := &report{machine: m}
	seen := map[string]bool{}
	for _, x := range results {
		seen[x.Engine] = true
		if x.Err != "" {
			r.failed = append(r.failed, fmt.Sprintf("%s, %s %s, run %d: %s", x.Engine, x.Scenario, x.Row, x.Run, x.Err))
		}
	}
	for _, name := range []string{ours, "pebble", "rocksdb", "badger", "goleveldb", "bbolt", "buntdb"} {
		if seen[name] {
			r.engines = append(r.engines, name)
		}
	}
	cells := summarize(results)
	for _, s := range scenarios() {
		for _, st := range s.steps {
			if c := cells[st.row]; st.row != "" && c != nil {
				r.rows = append(r.rows, reportRow{st.row, st.title, st.unit, c})
			}
		}
	}
	return r
}

// bestPeer returns the peer with the best figure; "" if none has one.
func (r reportRow) bestPeer(engines []string) string {
	best := ""
	for _, e := range engines {
		c, ok := r.cells[e]
		if e == ours || !ok || c.runs == 0 {
			continue
		}
		if best == "" || r.ratio(c.value, r.cells[best].value) > 1 {
			best = e
		}
	}
	return best
}

// ratio returns how many times better a is than b; 0 if one of them is not
// there.
func (r reportRow) ratio(a, b float64) float64 {
	if a <= 0 || b <= 0 {
		return 0
	}
	if r.unit.largerIsBetter() {
		return a / b
	}
	return b / a
}

// ourRatio returns how many times better siltstone is than the best peer; 0 if
// there is nothing to compare.
func (r reportRow) ourRatio(engines []string) float64 {
	peer := r.bestPeer(engines)
	if peer == "" || r.cells[ours].runs == 0 {
		return 0
	}
	return r.ratio(r.cells[ours].value, r.cells[peer].value)
}

// lost returns the rows in which a peer is better.
func (r *report) lost() []reportRow {
	return slices.DeleteFunc(slices.Clone(r.rows), func(row reportRow) bool {
		ratio := row.ourRatio(r.engines)
		return ratio == 0 || ratio >= 1
	})
}

// versions names the engines with their versions.
func (r *report) versions() string {
	var parts []string
	for _, e := range r.engines {
		if v := r.machine.Versions[e]; v != "" {
			parts = append(parts, e+" "+v)
		}
	}
	return strings.Join(parts, ", ")
}
