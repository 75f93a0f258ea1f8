package main

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	picWidth    = 800
	chartTop    = 30 // of a chart, above its lines
	chartHeight = 84 // of its lines
	chartSpace  = 26 // below them, for the times
	axisWidth   = 70 // for the values
	rightSpace  = 16
	headSpace   = 34
	ticks       = 3 // of the values, above 0
)

// style has the colours, for light and dark pages.
const style = `<style>
text { fill: #212529; font: 11px sans-serif }
.title { font-size: 12px; font-weight: bold }
.head { font-size: 14px; font-weight: bold }
.page { fill: #ffffff }
.grid { stroke: #ced4da; stroke-width: 1 }
.half { stroke: #868e96; stroke-width: 1; stroke-dasharray: 3 3 }
.line { stroke: #d9480f; stroke-width: 1.5; fill: none }
@media (prefers-color-scheme: dark) {
text { fill: #dee2e6 }
.page { fill: #16191d }
.grid { stroke: #343a40 }
.line { stroke: #ff922b }
}
</style>
`

// draw returns the picture: a chart for each figure, one below the other, over the time
// of the run. A dashed line parts its halves.
func (r *recorder) draw() []byte {
	var b bytes.Buffer
	height := headSpace + len(figures)*(chartTop+chartHeight+chartSpace)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">`+"\n%s", picWidth, height, picWidth, height, style)
	fmt.Fprintf(&b, `<rect class="page" width="%d" height="%d"/>`+"\n", picWidth, height)
	live, written := r.load.bytes()
	fmt.Fprintf(&b, `<text class="head" x="10" y="22">%v under load, %.0f MB live, written %.0f times over</text>`+"\n",
		r.lasted().Round(time.Second), float64(live)/1e6, float64(written)/float64(live))
	for i, f := range figures {
		r.drawChart(&b, headSpace+i*(chartTop+chartHeight+chartSpace), f, r.series(i))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// drawChart draws the chart of one figure, whose upper edge is at top.
func (r *recorder) drawChart(b *bytes.Buffer, top int, f figure, v []float64) {
	t := trendOf(v, r.times)
	fmt.Fprintf(b, `<text class="title" x="%d" y="%d">%s, %s</text>`, axisWidth, top+20, f.name, f.unit)
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">medians of the halves %s, %s; line through the second rises by %s</text>`+"\n",
		picWidth-rightSpace, top+20, number(t.first), number(t.second), number(t.rise))
	top += chartTop
	width, bottom := float64(picWidth-axisWidth-rightSpace), top+chartHeight
	scale := niceAbove(t.most / ticks)
	y := func(value float64) float64 { return float64(bottom) - value/(scale*ticks)*chartHeight }
	x := func(at time.Duration) float64 { return axisWidth + width*float64(at)/float64(max(r.lasted(), 1)) }
	for i := range ticks + 1 {
		value := float64(i) * scale
		fmt.Fprintf(b, `<line class="grid" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/>`, axisWidth, y(value), picWidth-rightSpace, y(value))
		fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", axisWidth-6, y(value)+4, strconv.FormatFloat(value, 'f', -1, 64))
	}
	for i := range 5 {
		at := r.lasted() * time.Duration(i) / 4
		anchor := [...]string{"start", "middle", "middle", "middle", "end"}[i]
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="%s">%v</text>`+"\n", x(at), bottom+15, anchor, at.Round(max(r.lasted()/100, time.Millisecond).Truncate(time.Millisecond)))
	}
	fmt.Fprintf(b, `<line class="half" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`+"\n", x(r.lasted()/2), top, x(r.lasted()/2), bottom)
	var points strings.Builder
	for i, value := range v {
		fmt.Fprintf(&points, "%.1f,%.1f ", x(r.times[i]), y(value))
	}
	fmt.Fprintf(b, `<polyline class="line" points="%s"/>`+"\n", strings.TrimSpace(points.String()))
}

// niceAbove returns 1, 2 or 5 times a power of ten that is not below v.
func niceAbove(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, n := range []float64{1, 2, 5} {
		if n*power >= v {
			return n * power
		}
	}
	return 10 * power
}
