package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// markdown writes the tables: figures with ratios, latencies, and what failed.
func (r *report) markdown(w io.Writer) {
	fmt.Fprintf(w, "Machine: %s. %d keys of 16 bytes with values of %d bytes where the row says nothing else; ",
		r.machine, r.machine.Keys, usualValue)
	fmt.Fprintf(w, "medians of %d runs, at most %s a row. Peers: %s.\n\n", r.machine.Runs, r.machine.Limit, r.versions())
	lost := r.lost()
	fmt.Fprintf(w, "%d rows, %d of them lost to a peer.\n\n", len(r.rows), len(lost))
	r.figures(w)
	r.latencies(w)
	r.beside(w)
	r.processor(w)
	r.resident(w)
	r.held(w)
	if len(r.failed) > 0 {
		fmt.Fprint(w, "\nFailed:\n\n")
		for _, f := range r.failed {
			fmt.Fprintf(w, "- %s\n", f)
		}
	}
}

// figures writes the table of medians. The best cell is bold; the last column is
// siltstone against the best peer, and says so if it lost.
func (r *report) figures(w io.Writer) {
	fmt.Fprintf(w, "| row | unit | %s | %s ÷ best peer |\n", strings.Join(r.engines, " | "), ours)
	fmt.Fprintf(w, "|---|---|%s---:|\n", strings.Repeat("---:|", len(r.engines)))
	for _, row := range r.rows {
		fmt.Fprintf(w, "| %s | %s |", row.title, row.unit)
		peer := row.bestPeer(r.engines)
		ratio := row.ourRatio(r.engines)
		for _, e := range r.engines {
			c := row.cells[e]
			text := figureText(c)
			if c.runs > 0 && (e == ours && ratio >= 1 || e == peer && ratio < 1) {
				text = "**" + text + "**"
			}
			fmt.Fprintf(w, " %s |", text)
		}
		fmt.Fprintf(w, " %s |\n", ratioText(ratio, peer))
	}
}

func figureText(c summary) string {
	switch {
	case c.runs == 0 && c.failed != "":
		return "failed"
	case c.runs == 0:
		return "–"
	}
	return short(c.value)
}

// ratioText writes a ratio; one below 1 names the peer that won.
func ratioText(ratio float64, peer string) string {
	switch {
	case ratio == 0:
		return "–"
	case ratio < 1:
		return fmt.Sprintf("%.2f, **lost** to %s", ratio, peer)
	}
	return fmt.Sprintf("%.2f", ratio)
}

// short writes a number with about three digits.
func short(x float64) string {
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// latencies writes p50 / p99 / p99.9 and the longest stall, in microseconds. In rows at
// fixed rates they count from when an operation was due.
func (r *report) latencies(w io.Writer) {
	fmt.Fprintf(w, "\nLatency in µs, p50 / p99 / p99.9 / longest stall:\n\n| row | %s |\n", strings.Join(r.engines, " | "))
	fmt.Fprintf(w, "|---|%s\n", strings.Repeat("---:|", len(r.engines)))
	for _, row := range r.rows {
		if !row.hasLatency() {
			continue
		}
		fmt.Fprintf(w, "| %s |", row.title)
		for _, e := range r.engines {
			c := row.cells[e]
			if c.p50 == 0 {
				fmt.Fprint(w, " – |")
				continue
			}
			fmt.Fprintf(w, " %s / %s / %s / %s |", microsText(c.p50), microsText(c.p99), microsText(c.p999), microsText(c.stall))
		}
		fmt.Fprintln(w)
	}
}

// processor writes the processor time a unit of each row took, which a busy
// machine distorts least.
func (r *report) processor(w io.Writer) {
	fmt.Fprintf(w, "\nProcessor time in ns per operation (or key), all threads and background work while the row ran:\n\n")
	fmt.Fprintf(w, "| row | %s |\n|---|%s\n", strings.Join(r.engines, " | "), strings.Repeat("---:|", len(r.engines)))
	for _, row := range r.rows {
		if row.unit != perSecond {
			continue
		}
		fmt.Fprintf(w, "| %s |", row.title)
		for _, e := range r.engines {
			if c := row.cells[e]; c.runs > 0 && c.cpu > 0 {
				fmt.Fprintf(w, " %s |", short(c.cpu))
			} else {
				fmt.Fprint(w, " – |")
			}
		}
		fmt.Fprintln(w)
	}
}

// hasLatency reports whether the row's operations are short ones that were timed
// each, which scans are not.
func (r reportRow) hasLatency() bool {
	if strings.Contains(r.row, "scan") {
		return false
	}
	for _, c := range r.cells {
		if c.p50 > 0 {
			return true
		}
	}
	return false
}

func microsText(d time.Duration) string { return short(float64(d) / 1e3) }
