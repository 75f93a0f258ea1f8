package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress is one line on a terminal that is written over again and again. The
// zero progress shows nothing.
type progress struct {
	to    io.Writer // nil: nobody is watching
	what  string
	total int
	done  int
	last  time.Time
}

// newProgress returns a progress over total steps, on standard error if that is
// a terminal.
func newProgress(what string, total int) progress {
	info, err := os.Stderr.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return progress{}
	}
	return progress{to: os.Stderr, what: what, total: total}
}

// step counts one and, a few times a second, shows where things are.
func (p *progress) step(at string) {
	p.done++
	if p.to == nil || time.Since(p.last) < 100*time.Millisecond {
		return
	}
	p.last = time.Now()
	fmt.Fprintf(p.to, "\r\x1b[K%s %d/%d %s", p.what, p.done, p.total, at)
}

// end wipes the line.
func (p *progress) end() {
	if p.to != nil {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}
