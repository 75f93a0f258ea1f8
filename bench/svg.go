package main

import (
	"bytes"
	"fmt"
	"html"
	"strings"
)

// chart is a picture of bars: a group per row, a bar per engine, as long as the
// engine is good, the best of the row being full.
type chart struct {
	title string
	rows  []reportRow
}

const (
	barHeight  = 12
	groupGap   = 14
	labelWidth = 300
	barWidth   = 420
	textWidth  = 90
	headHeight = 56
)

// charts returns the pictures by file name, one per kind of workload.
func (r *report) charts() map[string][]byte {
	kinds := []struct{ file, title string }{
		{"write", "Writes"}, {"read", "Point reads"}, {"iterate", "Iterators"}, {"mix", "Mixes"}, {"cost", "Disk, memory, opening"},
		{"live", "Beside a writer, and under a fill"}, {"goroutines", "By goroutines"},
	}
	out := map[string][]byte{}
	for _, k := range kinds {
		c := chart{title: k.title}
		for _, row := range r.rows {
			if chartOf(row) == k.file {
				c.rows = append(c.rows, row)
			}
		}
		if len(c.rows) > 0 {
			out["bench-"+k.file+".svg"] = c.draw(r.engines)
		}
	}
	return out
}

// chartOf returns which picture a row is in; "" for none.
func chartOf(row reportRow) string {
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(row.row, p) {
				return true
			}
		}
		return false
	}
	switch {
	case strings.HasPrefix(row.row, "growth-"):
		return "" // drawn as curves
	case has("live-") || row.unit == micros:
		return "live"
	case has("-by-"):
		return "goroutines"
	case row.unit != perSecond:
		return "cost"
	case has("mixed", "ycsb"):
		return "mix"
	case has("seek", "scan"):
		return "iterate"
	case has("fill", "overwrite", "sync"):
		return "write"
	}
	return "read"
}

// draw writes the picture as SVG.
func (c chart) draw(engines []string) []byte {
	var b bytes.Buffer
	group := barHeight*len(engines) + groupGap
	width, height := labelWidth+barWidth+textWidth, headHeight+group*len(c.rows)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text x="8" y="18" font-size="14" font-weight="bold">%s (longer is better)</text>`+"\n", html.EscapeString(c.title))
	for i, e := range engines {
		fmt.Fprintf(&b, `<rect x="%d" y="28" width="10" height="10" fill="%s"/><text x="%d" y="37">%s</text>`+"\n", 8+i*90, colour(e), 22+i*90, e)
	}
	for i, row := range c.rows {
		c.drawRow(&b, row, engines, headHeight+i*group)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (c chart) drawRow(b *bytes.Buffer, row reportRow, engines []string, y int) {
	fmt.Fprintf(b, `<text x="8" y="%d">%s (%s)</text>`+"\n", y+barHeight*len(engines)/2+4, html.EscapeString(row.title), row.unit)
	best := row.bestPeer(engines)
	if best == "" || row.ourRatio(engines) >= 1 {
		best = ours
	}
	for i, e := range engines {
		cell := row.cells[e]
		at := y + i*barHeight
		length := int(row.ratio(cell.value, row.cells[best].value) * barWidth)
		if cell.runs > 0 {
			fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`, labelWidth, at, max(length, 1), barHeight-2, colour(e))
		}
		fmt.Fprintf(b, `<text x="%d" y="%d">%s</text>`+"\n", labelWidth+max(length, 1)+4, at+barHeight-3, figureText(cell))
	}
}

// colour returns an engine's colour; siltstone's is the loud one.
func colour(engine string) string {
	switch engine {
	case ours:
		return "#d9480f"
	case "pebble":
		return "#1c7ed6"
	case "rocksdb":
		return "#495057"
	case "badger":
		return "#9c36b5"
	case "goleveldb":
		return "#2f9e44"
	case "bbolt":
		return "#f2b705"
	}
	return "#868e96"
}
