package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// tableHead begins a table with a column per engine.
func (r *report) tableHead(w io.Writer, intro string) {
	fmt.Fprintf(w, "\n%s\n\n| row | %s |\n|---|%s\n", intro, strings.Join(r.engines, " | "), strings.Repeat("---:|", len(r.engines)))
}

// tableOf writes a table of the rows in which some engine has a cell that is not empty.
func (r *report) tableOf(w io.Writer, intro string, cell func(summary) string) {
	begun := false
	for _, row := range r.rows {
		cells, some := make([]string, len(r.engines)), false
		for i, e := range r.engines {
			if c := row.cells[e]; c.runs > 0 {
				cells[i] = cell(c)
			}
			if some = some || cells[i] != ""; cells[i] == "" {
				cells[i] = "–"
			}
		}
		if !some {
			continue
		}
		if !begun {
			r.tableHead(w, intro)
			begun = true
		}
		fmt.Fprintf(w, "| %s | %s |\n", row.title, strings.Join(cells, " | "))
	}
}

// resident writes the most memory that each row took.
func (r *report) resident(w io.Writer) {
	r.tableOf(w, "Peak resident memory in MB while the row ran, pages of mapped files included:", func(c summary) string {
		most := medianOf(c.results, func(r result) int64 { return r.Resident })
		if most == 0 {
			return ""
		}
		return short(float64(most) / 1e6)
	})
}

// held writes what the control groups held.
func (r *report) held(w io.Writer) {
	r.tableOf(w, "The control group in MB, the most that it held so far / memory of the process / page cache at the end of the row:", func(c summary) string {
		h := c.results[0].Held
		if h == nil {
			return ""
		}
		mb := func(bytes int64) string { return short(float64(bytes) / 1e6) }
		return fmt.Sprintf("%s of %s / %s / %s", mb(h.Peak), mb(h.Limit), mb(h.Process), mb(h.PageCache))
	})
}

// beside writes how the writers beside the reads fared, and how many of the reads at a
// fixed rate were made.
func (r *report) beside(w io.Writer) {
	r.tableOf(w, "The writer beside it, puts a second, then µs from when a put was due until it was done, p50 / p99 / p99.9 / longest, "+
		"then how late one was begun at worst, and how many were due and never begun:", besideText)
	r.tableOf(w, "Reads a second that were asked for, and how many were due and never begun:", func(c summary) string {
		rate := medianOf(c.results, func(r result) float64 { return r.Rate })
		if rate == 0 {
			return ""
		}
		return short(rate) + missedText(medianOf(c.results, func(r result) int64 { return r.Missed }))
	})
}

func besideText(c summary) string {
	if c.results[0].Beside == nil {
		return ""
	}
	figure := func(f func(*besideLine) time.Duration) string {
		return microsText(medianOf(c.results, func(r result) time.Duration { return f(r.Beside) }))
	}
	return fmt.Sprintf("%s: %s / %s / %s / %s, late %s%s",
		short(medianOf(c.results, func(r result) float64 { return r.Beside.Rate })),
		figure(func(b *besideLine) time.Duration { return b.P50 }),
		figure(func(b *besideLine) time.Duration { return b.P99 }),
		figure(func(b *besideLine) time.Duration { return b.P999 }),
		figure(func(b *besideLine) time.Duration { return b.Longest }),
		figure(func(b *besideLine) time.Duration { return b.Late }),
		missedText(medianOf(c.results, func(r result) int64 { return r.Beside.Missed })))
}

func missedText(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", **%d missed**", n)
}
