package debughttp

import (
	"fmt"

	"github.com/siltstonedb/siltstone/internal/quantity"
	"github.com/siltstonedb/siltstone/metrics"
)

// The bounds of a drawing, so that a store of many tables has a page, too.
const (
	mostRuns  = 40  // that are drawn
	mostBoxes = 250 // in each; several tables share one beyond
	drawn     = 1000
)

// DrawnRun is a run in the drawing of the tables, which is 1000 wide and 20 high.
type DrawnRun struct {
	Level int
	Label string
	Boxes []Box
}

// Box is a table, or several that are neighbours.
type Box struct {
	X, Width          float64
	Deletes, DeletesY float64 // height and top of the share that deletes have of its records
	Label             string
}

// Drawing returns the newest runs, at most 40, to be drawn.
func (r Report) Drawing() (runs []DrawnRun) {
	for _, run := range r.Layout.Runs[:min(len(r.Layout.Runs), mostRuns)] {
		d := DrawnRun{Level: run.Level}
		bytes, share := int64(0), (len(run.Tables)+mostBoxes-1)/mostBoxes
		for i := 0; i < len(run.Tables); i += share {
			d.Boxes = append(d.Boxes, boxOf(run.Tables[i:min(i+share, len(run.Tables))]))
		}
		for _, t := range run.Tables {
			bytes += t.Bytes
		}
		d.Label = fmt.Sprintf("run %d: %s of %s", run.Age, quantity.Count(len(run.Tables), "table"), quantity.Bytes(bytes))
		runs = append(runs, d)
	}
	return runs
}

// Undrawn returns how many runs are not in the drawing.
func (r Report) Undrawn() int { return max(0, len(r.Layout.Runs)-mostRuns) }

// boxOf returns the box of tables that are neighbours.
func boxOf(tables []metrics.LayoutTable) Box {
	const height, least = 20, 1.5 // a table is seen, however small
	first, last := tables[0], tables[len(tables)-1]
	var bytes, records, deletes int64
	for _, t := range tables {
		bytes, records, deletes = bytes+t.Bytes, records+t.Records, deletes+t.Deletes
	}
	b := Box{X: round(min(first.From*drawn, drawn-least)), Width: round(max((last.To-first.From)*drawn, least))}
	if deletes > 0 {
		b.Deletes = round(max(1, height*float64(deletes)/float64(max(records, 1))))
		b.DeletesY = height - b.Deletes
	}
	b.Label = fmt.Sprintf("%s of %s, %s, %s", quantity.Count(len(tables), "table"), quantity.Bytes(bytes), quantity.Count(records, "record"), quantity.Count(deletes, "delete"))
	return b
}

// round keeps two digits behind the point.
func round(x float64) float64 { return float64(int64(x*100+0.5)) / 100 }
