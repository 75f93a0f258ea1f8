package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// curve is a picture of lines: what an operation costs on each engine against how much
// data is stored. Both scales are logarithmic.
type curve struct {
	title string
	lines map[string][]point // by engine
}

// point is the cost of an operation, in nanoseconds, with so many bytes stored.
type point struct{ bytes, cost float64 }

const (
	curveWidth  = 560
	curveHeight = 320
	curveLeft   = 70
	curveTop    = 56
	curveBottom = 40
)

// curves returns the pictures by file name, one for each operation of the rows about
// growth that have at least two sizes.
func (r *report) curves() map[string][]byte {
	out := map[string][]byte{}
	for _, k := range []struct{ name, title string }{
		{"fill", "Fill, random keys"}, {"read", "Read, present, 2 goroutines"}, {"missing", "Read, missing, 2 goroutines"},
		{"seek-10", "Seek + 10, fresh iterator"}, {"put", "Overwrite, 1 goroutine"},
	} {
		c := curve{title: k.title, lines: map[string][]point{}}
		most := 0
		for _, row := range r.rows {
			if !strings.HasPrefix(row.row, "growth-"+k.name+"-") {
				continue
			}
			for _, e := range r.engines {
				cell := row.cells[e]
				if cell.runs == 0 || cell.value <= 0 || cell.results[0].Stored <= 0 {
					continue
				}
				c.lines[e] = append(c.lines[e], point{float64(cell.results[0].Stored), 1e6 / cell.value})
				most = max(most, len(c.lines[e]))
			}
		}
		if most > 1 {
			out["growth-"+k.name+".svg"] = c.draw(r.engines)
		}
	}
	return out
}

// scale is a logarithmic axis: from least to most values, from and to on the picture.
type scale struct{ least, most, from, to float64 }

func (s scale) at(v float64) float64 {
	return s.from + (s.to-s.from)*math.Log(v/s.least)/math.Log(s.most/s.least)
}

// scales returns the axes that hold every point: sizes as they are, costs from a power of
// ten to another.
func (c curve) scales() (x, y scale) {
	x = scale{math.Inf(1), 0, curveLeft, curveLeft + curveWidth}
	y = scale{math.Inf(1), 0, curveTop + curveHeight, curveTop}
	for _, line := range c.lines {
		for _, p := range line {
			x.least, x.most = min(x.least, p.bytes), max(x.most, p.bytes)
			y.least, y.most = min(y.least, p.cost), max(y.most, p.cost)
		}
	}
	y.least, y.most = math.Pow(10, math.Floor(math.Log10(y.least))), math.Pow(10, math.Ceil(math.Log10(y.most)))
	if y.most == y.least {
		y.most *= 10
	}
	return x, y
}

// draw writes the picture as SVG.
func (c curve) draw(engines []string) []byte {
	var b bytes.Buffer
	x, y := c.scales()
	width, height := curveLeft+curveWidth+30, curveTop+curveHeight+curveBottom
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text x="8" y="18" font-size="14" font-weight="bold">%s: time per operation against data stored (lower is better)</text>`+"\n", html.EscapeString(c.title))
	for cost := y.least; cost <= y.most*1.01; cost *= 10 {
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#dee2e6"/>`, curveLeft, curveLeft+curveWidth, y.at(cost), y.at(cost))
		fmt.Fprintf(&b, `<text x="%d" y="%.1f" text-anchor="end">%s µs</text>`+"\n", curveLeft-6, y.at(cost)+4, short(cost/1e3))
	}
	for _, size := range c.sizes() {
		fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#dee2e6"/>`, x.at(size), x.at(size), curveTop, curveTop+curveHeight)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%s GB</text>`+"\n", x.at(size), curveTop+curveHeight+16, short(size/1e9))
	}
	for i, e := range engines {
		fmt.Fprintf(&b, `<rect x="%d" y="28" width="10" height="10" fill="%s"/><text x="%d" y="37">%s</text>`+"\n", 8+i*90, colour(e), 22+i*90, e)
		c.drawLine(&b, e, x, y)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// sizes returns the sizes at which there are points, in rising order.
func (c curve) sizes() []float64 {
	var all []float64
	for _, line := range c.lines {
		for _, p := range line {
			all = append(all, p.bytes)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (c curve) drawLine(b *bytes.Buffer, engine string, x, y scale) {
	var at []string
	for _, p := range c.lines[engine] {
		at = append(at, fmt.Sprintf("%.1f,%.1f", x.at(p.bytes), y.at(p.cost)))
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, x.at(p.bytes), y.at(p.cost), colour(engine))
	}
	if len(at) > 0 {
		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(at, " "), colour(engine))
	}
}
