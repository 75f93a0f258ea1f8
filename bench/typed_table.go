package main

import (
	"fmt"
	"io"
)

// typedTable is the answer of typed, ready to be written.
type typedTable struct {
	machine machine
	redis   string // its version
	rows    []typedRow
	failed  []string
}

// typedRow is a line: thousands of calls a second by engine.
type typedRow struct {
	shape typedShape
	cells map[string]summary
}

const (
	aimPlain     = 5.0 // times redis, unpipelined
	aimPipelined = 2.0 // times redis -P 16
)

func newTypedTable(m machine, redis string, results []result) typedTable {
	t := typedTable{machine: m, redis: redis}
	for _, r := range results {
		if r.Err != "" {
			t.failed = append(t.failed, fmt.Sprintf("%s %s, run %d: %s", r.Engine, r.Row, r.Run, r.Err))
		}
	}
	cells := summarize(results)
	for _, s := range typedShapes() {
		if c := cells[s.row]; c != nil {
			t.rows = append(t.rows, typedRow{s, c})
		}
	}
	return t
}

// times returns how many times as many calls our engine made as the peer; 0 if
// one of them has no figure.
func (r typedRow) times(mine, peer string) float64 {
	if r.cells[mine].runs == 0 || r.cells[peer].runs == 0 || r.cells[peer].value == 0 {
		return 0
	}
	return r.cells[mine].value / r.cells[peer].value
}

// micros returns the time of a call on one goroutine; 0 if it was not measured.
func (r typedRow) micros() float64 {
	if c := r.cells[oursOne]; c.value > 0 {
		return 1e3 / c.value
	}
	return 0
}

// flashTimes returns how many times faster one goroutine is than FlashDB; 0 if
// either is not known.
func (r typedRow) flashTimes() float64 {
	if r.micros() == 0 {
		return 0
	}
	return r.shape.flash / r.micros()
}

// markdown writes the table. What falls short of an aim says so, what is slower
// than the peer is lost.
func (t typedTable) markdown(w io.Writer) {
	fmt.Fprintf(w, "Machine: %s. One-shot calls on DB at Buffered, %d keys and as many calls a row, values of %d bytes; medians of %d runs, k ops/s. ",
		t.machine, t.machine.Keys, typedValue, t.machine.Runs)
	if t.redis != "" {
		fmt.Fprintf(w, "redis-server %s with its append-only file synced every second, redis-benchmark with 50 clients over loopback. ", t.redis)
	}
	fmt.Fprint(w, "FlashDB (its store in memory, keys formatted, one goroutine) is quoted, not measured in this run.\n\n")
	fmt.Fprintln(w, "| row | redis | redis -P 16 | siltstone, 2 goroutines | ÷ redis (aim 5) | ÷ redis -P 16 (aim 2) | siltstone, 1 goroutine | µs a call | processor µs | FlashDB µs (quoted) | ÷ FlashDB | allocations a call |")
	fmt.Fprintln(w, "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
	lost := 0
	for _, r := range t.rows {
		plain, piped := r.times(oursTwo, redisPlain), r.times(oursTwo, redisPipelined)
		fmt.Fprintf(w, "| %s |", r.shape.title)
		for _, e := range []string{redisPlain, redisPipelined, oursTwo} {
			fmt.Fprintf(w, " %s |", figureText(r.cells[e]))
		}
		fmt.Fprintf(w, " %s | %s | %s |", aimText(plain, aimPlain), aimText(piped, aimPipelined), figureText(r.cells[oursOne]))
		fmt.Fprintf(w, " %s | %s | %s | %s | %.1f |\n", orDash(r.micros()), orDash(r.cells[oursOne].cpu/1e3), orDash(r.shape.flash), aimText(r.flashTimes(), 1), r.allocs())
		for _, ratio := range []float64{plain, piped, r.flashTimes()} {
			if ratio > 0 && ratio < 1 {
				lost++
			}
		}
	}
	fmt.Fprintf(w, "\n%d of the ratios are lost. An allocation of each call is its formatted key. Processor time is that of all threads, flushes and merges included, while the row of one goroutine ran; a busy machine distorts it least.\n", lost)
	if len(t.failed) > 0 {
		fmt.Fprint(w, "\nFailed:\n\n")
		for _, f := range t.failed {
			fmt.Fprintf(w, "- %s\n", f)
		}
	}
}

// allocs returns the allocations of a call with two goroutines.
func (r typedRow) allocs() float64 {
	return medianOrZero(r.cells[oursTwo].results, func(x result) float64 { return x.Allocs })
}

func medianOrZero(rs []result, figure func(result) float64) float64 {
	if len(rs) == 0 {
		return 0
	}
	return medianOf(rs, figure)
}

// aimText writes a ratio, and what it falls short of.
func aimText(ratio, aim float64) string {
	switch {
	case ratio == 0:
		return "–"
	case ratio < 1:
		return fmt.Sprintf("%.2f, **lost**", ratio)
	case ratio < aim:
		return fmt.Sprintf("%.2f, short of %g", ratio, aim)
	}
	return fmt.Sprintf("**%.2f**", ratio)
}

func orDash(x float64) string {
	if x == 0 {
		return "–"
	}
	return short(x)
}
