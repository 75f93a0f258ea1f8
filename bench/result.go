package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

// result is what one engine did in one row of one run: a line of JSON in
// results.jsonl.
type result struct {
	Engine   string
	Scenario string
	Row      string
	Run      int
	Unit     unit
	Value    float64 // in Unit

	Ops     int64         `json:",omitempty"`
	Seconds float64       `json:",omitempty"`
	CPU     float64       `json:",omitempty"` // ns of processor time per unit, of all threads
	Written int64         `json:",omitempty"` // bytes written while it ran
	P50     time.Duration `json:",omitempty"`
	P99     time.Duration `json:",omitempty"`
	P999    time.Duration `json:",omitempty"`
	Stall   time.Duration `json:",omitempty"` // the longest

	Resident int64       `json:",omitempty"` // bytes, the most while it ran
	Stored   int64       `json:",omitempty"` // bytes of keys and values, in rows about growth
	Held     *held       `json:",omitempty"` // by the control group, after it
	Rate     float64     `json:",omitempty"` // operations a second asked for, in rows at fixed rates
	Missed   int64       `json:",omitempty"` // of those, due and never begun
	Beside   *besideLine `json:",omitempty"` // the writer beside it

	Allocs     float64 `json:",omitempty"` // allocations per unit
	AllocBytes float64 `json:",omitempty"`

	Err string `json:",omitempty"` // the row, or the whole scenario if Row is empty, failed
}

// besideLine is how the writer beside a row fared. Times of puts count from when they
// were due.
type besideLine struct {
	Rate                    float64 // puts a second asked for
	Ops                     int64
	Missed                  int64         // puts that were due and never begun
	P50, P99, P999, Longest time.Duration // until a put was done
	Late                    time.Duration // until one was begun, at worst
}

// fill takes over what was measured.
func (r *result) fill(m *measure) {
	seconds := m.elapsed.Seconds()
	switch r.Unit {
	case millis:
		r.Value = seconds * 1e3
	case micros:
		r.Value = m.value
	default:
		r.Value = float64(m.units) / seconds / 1e3
	}
	r.Ops, r.Seconds, r.Written = m.ops, seconds, m.written
	r.CPU = float64(m.cpu) / float64(max(m.units, 1))
	if m.timing.total > 1 {
		r.P50, r.P99, r.P999 = m.timing.quantile(0.5), m.timing.quantile(0.99), m.timing.quantile(0.999)
		r.Stall = m.stall
	}
	r.Rate, r.Missed = m.rate, m.missed
	if w := m.beside; w != nil {
		r.Beside = &besideLine{
			Rate: w.rate, Ops: w.ops, Missed: w.missed, Longest: w.timing.max, Late: w.late.max,
			P50: w.timing.quantile(0.5), P99: w.timing.quantile(0.99), P999: w.timing.quantile(0.999),
		}
	}
}

// readResults reads lines of results.
func readResults(from io.Reader) ([]result, error) {
	var all []result
	d := json.NewDecoder(from)
	for {
		var r result
		switch err := d.Decode(&r); err {
		case nil:
			all = append(all, r)
		case io.EOF:
			return all, nil
		default:
			return nil, fmt.Errorf("result %d: %w", len(all)+1, err)
		}
	}
}

// summary is the median of an engine's runs of a row.
type summary struct {
	runs                  int
	results               []result // that did not fail
	value                 float64  // 0: did not take part
	least, most           float64
	p50, p99, p999, stall time.Duration
	cpu                   float64
	failed                string
}

// summarize returns the summaries of results by row and engine. The median is
// taken of each figure by itself.
func summarize(results []result) map[string]map[string]summary {
	grouped := map[string]map[string][]result{}
	for _, r := range results {
		if r.Row == "" {
			continue
		}
		if grouped[r.Row] == nil {
			grouped[r.Row] = map[string][]result{}
		}
		grouped[r.Row][r.Engine] = append(grouped[r.Row][r.Engine], r)
	}
	out := map[string]map[string]summary{}
	for row, engines := range grouped {
		out[row] = map[string]summary{}
		for engine, rs := range engines {
			out[row][engine] = summarizeRuns(rs)
		}
	}
	return out
}

func summarizeRuns(rs []result) summary {
	var s summary
	ok := rs[:0:0]
	for _, r := range rs {
		if r.Err != "" {
			s.failed = r.Err
			continue
		}
		ok = append(ok, r)
	}
	s.results = ok
	if s.runs = len(ok); s.runs == 0 {
		return s
	}
	s.value = medianOf(ok, func(r result) float64 { return r.Value })
	s.least = slices.MinFunc(ok, byValue).Value
	s.most = slices.MaxFunc(ok, byValue).Value
	s.cpu = medianOf(ok, func(r result) float64 { return r.CPU })
	s.p50 = medianOf(ok, func(r result) time.Duration { return r.P50 })
	s.p99 = medianOf(ok, func(r result) time.Duration { return r.P99 })
	s.p999 = medianOf(ok, func(r result) time.Duration { return r.P999 })
	s.stall = medianOf(ok, func(r result) time.Duration { return r.Stall })
	return s
}

func byValue(a, b result) int {
	switch {
	case a.Value < b.Value:
		return -1
	case a.Value > b.Value:
		return 1
	}
	return 0
}

// medianOf returns the middle of a figure of the results, the mean of the two
// middle ones if their number is even.
func medianOf[T ~int64 | ~float64](rs []result, figure func(result) T) T {
	all := make([]T, len(rs))
	for i, r := range rs {
		all[i] = figure(r)
	}
	slices.Sort(all)
	mid := len(all) / 2
	if len(all)%2 == 1 {
		return all[mid]
	}
	return (all[mid-1] + all[mid]) / 2
}
