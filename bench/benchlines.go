package main

import (
	"fmt"
	"io"
	"strings"
)

// benchLines writes every run as a line of the Go benchmark format, for
// benchstat -col /engine.
func (r *report) benchLines(w io.Writer) {
	fmt.Fprintf(w, "goos: linux\npkg: github.com/siltstonedb/siltstone/bench\ncpu: %s\n", r.machine.CPU)
	for _, row := range r.rows {
		for _, e := range r.engines {
			for _, run := range row.cells[e].results {
				fmt.Fprintf(w, "Benchmark%s/engine=%s-%d %s\n", camel(row.row), e, r.machine.Cores, benchFigures(run))
			}
		}
	}
}

// benchFigures writes the iterations and the figures of one run.
func benchFigures(r result) string {
	ops := max(r.Ops, 1)
	switch r.Unit {
	case perSecond:
		return fmt.Sprintf("%d %.1f ns/op %d p50-ns %d p99-ns %d p99.9-ns %d stall-ns %.1f cpu-ns/op",
			ops, 1e6/r.Value, r.P50, r.P99, r.P999, r.Stall, r.CPU)
	case micros:
		return fmt.Sprintf("%d %.0f p99.9-ns %d p50-ns %d p99-ns %d stall-ns", ops, r.Value*1e3, r.P50, r.P99, r.Stall)
	case millis:
		return fmt.Sprintf("%d %.0f ns/op", ops, r.Value*1e6)
	case megabytes:
		return fmt.Sprintf("%d %.1f peak-MB", ops, r.Value)
	}
	return fmt.Sprintf("%d %.3f B/userB", ops, r.Value)
}

// camel turns a row's name into one that a benchmark may have.
func camel(row string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(row, "-") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}
