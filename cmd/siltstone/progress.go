package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// The times of a progress report.
const (
	progressAfter = time.Second            // what is over sooner says nothing
	progressTick  = 200 * time.Millisecond // on a terminal
	progressLine  = 10 * time.Second       // elsewhere: a line of its own
)

// progress tells on standard error how far a command is: on a terminal in one line that
// is written anew, elsewhere in plain lines. It may be added to by several goroutines.
type progress struct {
	what  string       // "check"
	unit  string       // "B" for bytes; else a noun
	total atomic.Int64 // 0: not known
	done  atomic.Int64

	w     io.Writer
	width int
	begin time.Time
	stop  chan struct{}
	ended sync.WaitGroup
	last  string // is said at the end; empty: nothing

	mu     sync.Mutex
	shown  bool
	hidden bool
}

// progress begins a report. End ends it.
func (t *tool) progress(what, unit string, total int64) *progress {
	p := &progress{what: what, unit: unit, w: t.err, begin: time.Now(), stop: make(chan struct{})}
	p.total.Store(total)
	if f, ok := t.err.(*os.File); ok {
		p.width = terminalWidth(f)
	}
	p.ended.Go(p.run)
	return p
}

// Add says that n more are done.
func (p *progress) Add(n int) { p.done.Add(int64(n)) }

// End ends the report and takes its line away.
func (p *progress) End() {
	close(p.stop)
	p.ended.Wait()
	p.clear()
	if p.last != "" && !p.hidden {
		fmt.Fprintln(p.w, p.last)
	}
}

// clear takes the line away.
func (p *progress) clear() {
	if p.shown && p.width > 0 {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// say writes a line of its own in place of the report, which comes back behind it.
func (p *progress) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintln(p.w, text)
}

// besides keeps the report away from a terminal on which w writes data, also what is said at
// the end.
func (p *progress) besides(w io.Writer) {
	o, ok := w.(*output)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hidden = ok && o.width > 0; p.hidden {
		p.clear()
		p.shown = false
	}
}

func (p *progress) run() {
	every := progressLine
	if p.width > 0 {
		every = progressTick
	}
	wait := max(progressAfter, every)
	for {
		select {
		case <-p.stop:
			return
		case <-time.After(wait):
		}
		wait = every
		p.show()
	}
}

// show writes how far the command is.
func (p *progress) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hidden {
		return
	}
	p.shown = true
	line := progressText(p.what, p.unit, p.done.Load(), p.total.Load(), time.Since(p.begin))
	if p.width > 0 {
		fmt.Fprintf(p.w, "\r%s\x1b[K", cut(line, p.width-1))
	} else {
		fmt.Fprintln(p.w, line)
	}
}

// progressText returns the line of a report: what was done, the share, the rate, and the
// time that is left at that rate. The total may be an estimate: once more is done there is
// no share and no time left.
func progressText(what, unit string, done, total int64, took time.Duration) string {
	amount := func(n int64) string {
		if unit == "B" {
			return size(n)
		}
		return counted(n, unit)
	}
	rate := float64(done) / max(took.Seconds(), 0.001)
	if total <= 0 || done > total {
		return fmt.Sprintf("%s: %s, %s/s, %s", what, amount(done), amount(int64(rate)), lasting(took.Round(time.Second)))
	}
	share := float64(done) / float64(total)
	line := fmt.Sprintf("%s: %3.0f%% of %s, %s/s", what, 100*share, amount(total), amount(int64(rate)))
	if rate > 0 && done < total {
		left := time.Duration(float64(total-done) / rate * float64(time.Second))
		line += ", " + lasting(left.Round(time.Second)) + " left"
	}
	return line
}

// note says on standard error what was done, when the report ends.
func (p *progress) note(format string, args ...any) { p.last = fmt.Sprintf(format, args...) }
