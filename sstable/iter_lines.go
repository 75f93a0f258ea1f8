package sstable

import "math"

// lines is how far an iterator that walks forward has asked for the cache lines of
// the values in front of it. The processor guesses them late, and not across the
// end of a page; a walk through values that are looked at waited for memory half of
// its time. Values of more than linesStep bytes are left to it.
type lines struct {
	due   int // record at which to ask again
	asked int // the values of those before it were asked for
	step  int // so many records have about linesStep bytes of values; 0: not known yet
}

const (
	linesStep  = 512 // bytes of values asked for in one go
	linesSteps = 3   // steps that are asked for from where the iterator stands
)

// enter begins another block. What the iterator has just read into memory of its
// own need not be asked for.
func (l *lines) enter(own bool) {
	*l = lines{}
	if own {
		l.rest()
	}
}

// rest asks for nothing more in this block.
func (l *lines) rest() { l.due = math.MaxInt }

// ask asks for the values behind record i, and near the end of the block for the
// next one's keys.
func (it *Iter) ask(i int) {
	b, l := it.block, &it.lines
	if l.step == 0 {
		l.step = max(1, linesStep*it.n/max(1, len(b.values)))
	}
	from, to := max(l.asked, i), min(i+linesSteps*l.step, it.n)
	l.asked, l.due = to, i+l.step
	if small := len(b.values) <= linesStep*it.n; from < to && small && !it.o.KeysOnly {
		b.askValues(from, to, linesSteps*linesStep)
	}
	if to == it.n {
		l.rest()
		it.r.ask(it.number + 1)
	}
}
