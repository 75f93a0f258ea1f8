package index

import (
	"fmt"
	"io"
	"os"
	"time"
)

// Progress is one line on a terminal that is written over again and again. The
// zero progress shows nothing.
type Progress struct {
	to    io.Writer // nil: nobody is watching
	what  string
	total int
	done  int
	last  time.Time
}

// NewProgress returns a progress over total steps, on standard error if that is
// a terminal.
func NewProgress(what string, total int) Progress {
	info, err := os.Stderr.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return Progress{}
	}
	return Progress{to: os.Stderr, what: what, total: total}
}

// Step counts one and, a few times a second, shows where things are.
func (p *Progress) Step(at string) {
	p.done++
	if p.to == nil || time.Since(p.last) < 100*time.Millisecond {
		return
	}
	p.last = time.Now()
	fmt.Fprintf(p.to, "\r\x1b[K%s %d/%d %s", p.what, p.done, p.total, at)
}

// End wipes the line.
func (p *Progress) End() {
	if p.to != nil {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}
