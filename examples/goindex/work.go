package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/siltstonedb/siltstone/event"
)

// work sums up what the store did in the background, from its events. The store
// tells one event at a time and none after Close, so it needs no lock if it is
// read then.
type work struct {
	flushes     int
	flushed     int64 // bytes
	compactions map[int]compactions
	stalled     time.Duration
}

// compactions are those into one level.
type compactions struct {
	count         int
	read, written int64
	took          time.Duration
}

// note is an Options.OnEvent.
func (w *work) note(e event.Event) {
	switch e := e.(type) {
	case event.FlushEnd:
		w.flushes++
		w.flushed += e.Bytes
	case event.CompactionEnd:
		if w.compactions == nil {
			w.compactions = map[int]compactions{}
		}
		c := w.compactions[e.ToLevel]
		c.count++
		c.read += e.BytesRead
		c.written += e.BytesWritten
		c.took += e.Duration
		w.compactions[e.ToLevel] = c
	case event.StallEnd:
		w.stalled += e.Duration
	}
}

// print shows the work that in bytes of source made.
func (w *work) print(out io.Writer, in int64) {
	if w.flushes == 0 && len(w.compactions) == 0 {
		return
	}
	written := w.flushed
	fmt.Fprintf(out, "flush    %d, %s\n", w.flushes, size(w.flushed))
	for _, level := range slices.Sorted(maps.Keys(w.compactions)) {
		c := w.compactions[level]
		written += c.written
		fmt.Fprintf(out, "compact  %d into level %d, %s read, %s written; %v\n",
			c.count, level, size(c.read), size(c.written), c.took.Round(time.Millisecond))
	}
	if w.stalled > 0 {
		fmt.Fprintf(out, "stalled  %v\n", w.stalled.Round(time.Millisecond))
	}
	fmt.Fprintf(out, "tables   %s written for %s of source\n", size(written), size(in))
}
