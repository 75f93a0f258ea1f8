package commitlog

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
)

// goal is the state of the log that a caller waits for: everything up to pos written,
// or synced, and every segment before number first ended and closed.
type goal struct {
	pos   Position
	sync  bool
	first base.FileNum
}

// waiter is one caller of Wait that has to wait. The leader fills in the outcome before
// it wakes the waiter, so that this returns without the log's lock: else all callers
// that shared a sync would meet there.
type waiter struct {
	goal goal
	next *waiter

	lead bool  // woken to lead, not because it is done
	err  error // outcome, unless it is to lead
	wake chan struct{}
}

var waiterPool = sync.Pool{New: func() any { return &waiter{wake: make(chan struct{}, 1)} }}

// waitList is waiters in the order in which they came. Log.mu guards it, but its size
// may be asked for without the lock.
type waitList struct {
	first, last *waiter
	count       atomic.Int32
}

func (q *waitList) size() int { return int(q.count.Load()) }

func (q *waitList) push(w *waiter) {
	w.next = nil
	if q.last != nil {
		q.last.next = w
	} else {
		q.first = w
	}
	q.last = w
	q.count.Add(1)
}

// pop takes the first waiter; the list is not empty.
func (q *waitList) pop() *waiter {
	w := q.first
	if q.first = w.next; q.first == nil {
		q.last = nil
	}
	q.count.Add(-1)
	return w
}

// Level is the durability that a caller of Wait waits for.
type Level uint8

const (
	Gathered Level = iota // in memory, bounded
	Written               // in the operating system's hands
	Durable               // synced
)

// Wait returns when everything up to pos has reached the level, or with the
// failure after which it may never have. The caller may become the leader
// and do the work for everybody.
func (l *Log) Wait(pos Position, level Level) error {
	l.mu.Lock()
	if level == Gathered {
		wait, call := l.crowdLocked()
		if !wait {
			err := l.err
			if err == ErrClosed && l.reached(goal{pos: pos}) {
				err = nil // the log was closed meanwhile, with this in it
			}
			l.mu.Unlock()
			if call {
				l.crowded()
			}
			return err
		}
		level = Written
	}
	return l.waitLocked(goal{pos: pos, sync: level == Durable})
}

// EndBefore returns when every segment before number n has been ended and closed.
// It ends those that were rotated away and wait for the next commit.
func (l *Log) EndBefore(n base.FileNum) error {
	l.mu.Lock()
	return l.waitLocked(goal{first: n})
}

// crowdLocked decides whether a commit that need only be in memory waits until the
// gathered bytes have been written, or calls a worker to write them.
func (l *Log) crowdLocked() (wait, call bool) {
	left := l.appended - l.written
	switch {
	case left < gatherLimit || l.err != nil:
		return false, false
	case l.busy:
		return left >= backlogLimit, false
	case l.crowded == nil || left >= leadLimit:
		return true, false
	}
	call, l.called = !l.called, true
	return false, call
}

// WriteOut writes the gathered bytes, without syncing them.
func (l *Log) WriteOut() error { return l.Wait(l.Appended(), Written) }

func (l *Log) reached(g goal) bool {
	if g.sync {
		return l.durable >= g.pos
	}
	return l.written >= g.pos && l.segs[0].Number >= g.first
}

// outcome returns the result of a wait for g, if the wait has ended.
func (l *Log) outcome(g goal) (err error, ended bool) {
	if l.reached(g) {
		return nil, true
	}
	return l.err, l.err != nil
}

// waitLocked is called with mu held and releases it.
func (l *Log) waitLocked(g goal) error {
	if err, ended := l.outcome(g); ended {
		l.mu.Unlock()
		return err
	}
	if l.busy {
		w := waiterPool.Get().(*waiter)
		w.goal, w.lead, w.err = g, false, nil
		l.waiting.push(w)
		l.mu.Unlock()
		<-w.wake
		lead, err := w.lead, w.err
		waiterPool.Put(w)
		if !lead {
			return err
		}
		l.mu.Lock()
	}
	l.busy = true
	return l.leadLocked(g)
}

// leadLocked writes groups, oldest segment first, until g has been reached or
// the log has failed, and hands the lead over. It is called with mu held and
// releases it: no waiter is woken under it.
func (l *Log) leadLocked(g goal) error {
	var done *waiter
	var moved chan struct{}
	err, ended := l.outcome(g)
	for ; !ended; err, ended = l.outcome(g) {
		if done != nil || moved != nil { // of a group before, while there are more to write
			l.mu.Unlock()
			wake(done)
			closeMoved(moved)
			l.mu.Lock()
		}
		if g.sync {
			l.settleLocked()
		}
		moved = l.writeGroupLocked(g.sync)
		done = l.takeDoneLocked()
	}
	next := l.handOverLocked()
	l.mu.Unlock()
	wake(next)
	wake(done)
	closeMoved(moved)
	return err
}

// settleLocked waits a moment, a fraction of a sync, until the callers of the last
// group are back with their next commits, so that a sync carries all of them and not
// every other half. It releases mu meanwhile: the callers need it.
func (l *Log) settleLocked() {
	want := l.callers
	if want < 3 || l.waiting.size()+1 >= want {
		return
	}
	limit := l.syncTime / settleShare
	l.mu.Unlock()
	begin := time.Now()
	for range settleRounds {
		if l.waiting.size()+1 >= want || time.Since(begin) >= limit {
			break
		}
		runtime.Gosched()
	}
	l.mu.Lock()
}

const (
	// settleShare is the part of a sync that the leader waits for others at most.
	settleShare = 8
	// settleRounds is how often it looks at most: where time stands still while somebody
	// runs, in a bubble of testing/synctest, no part of a sync would ever be over. On a
	// machine it is more than fits into the part of a sync.
	settleRounds = 1 << 15
)

// takeDoneLocked takes the waiters whose wait is over out of the list, with the
// outcome, and returns them chained.
func (l *Log) takeDoneLocked() (done *waiter) {
	before := l.waiting.size()
	l.callers = before + 1
	tail := &done
	for range before {
		w := l.waiting.pop()
		err, ended := l.outcome(w.goal)
		if !ended {
			l.waiting.push(w)
			continue
		}
		w.err = err
		*tail, tail = w, &w.next
	}
	*tail = nil
	return done
}

// handOverLocked makes the first waiter that is left the leader, and returns it to be
// woken; nil if there is none.
func (l *Log) handOverLocked() *waiter {
	l.busy = l.waiting.first != nil
	if !l.busy {
		return nil
	}
	w := l.waiting.pop()
	w.lead, w.next = true, nil
	return w
}

// wake wakes the chain of waiters that begins with w. Each may be in use again,
// elsewhere, as soon as it is woken.
func wake(w *waiter) {
	for w != nil {
		next := w.next
		w.wake <- struct{}{}
		w = next
	}
}
