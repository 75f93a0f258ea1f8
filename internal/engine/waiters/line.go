package waiters

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
)

// line is the callers who wait to take an element of one key, in the order in which they
// came. It has at least one. Registry.mu guards it.
type line struct {
	of          *Registry
	row         []byte // of the key
	elements    []byte // what the rows of its collection begin with, if that is listened to
	first, last *Place

	// known is the largest sequence of which the line was told, and offered that of a
	// commit after which there may have been something to take. What a commit brought is
	// still there, or was taken, after a later one: of older ones the line need not know.
	known, offered base.SeqNum
}

// Place is a caller's place in a line. All but its being woken belongs to the caller's
// goroutine.
type Place struct {
	sleeper
	line       *line // nil: it has left
	next, prev *Place
}

// Join takes the last place in the line of the key with the given row. The caller looks
// for an element each time that Sleep returns nil, and leaves with Leave, or by a commit
// that Published is told is its own.
func (r *Registry) Join(row []byte) *Place {
	p := &Place{sleeper: newSleeper(r)}
	r.waiting.Add(1) // before it looks: see Any
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lines[string(row)]
	if l == nil {
		l = &line{of: r, row: bytes.Clone(row), first: p}
		if r.lines == nil {
			r.lines = map[string]*line{}
		}
		r.lines[string(row)] = l
		r.listenLocked(l.row, l)
		p.woken <- struct{}{} // nobody has come before it
	} else {
		l.last.next, p.prev = p, l.last
	}
	p.line, l.last = l, p
	return p
}

// Leave gives the place up, if it is not given up yet. The next caller is woken if this
// one was the first, who may have been woken in vain.
func (p *Place) Leave() {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	if p.line == nil {
		return
	}
	if l, wasFirst := p.outLocked(); wasFirst {
		l.wakeLocked()
	}
}

// Follow makes the line listen to the rows that begin with elements, too: those of the
// collection that the key holds. It reports whether it did not before; then the caller
// looks again. The caller is the first of its line.
func (p *Place) Follow(elements []byte) (moved bool) {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	return p.of.moveLocked(&p.line.elements, elements, p.line)
}

// serveLocked takes a caller out of its line that has its element, by a commit with the
// given sequence. It may have been woken since by a later one, for the next caller.
func (p *Place) serveLocked(seq base.SeqNum) {
	if p.line == nil {
		return
	}
	if l, _ := p.outLocked(); l.offered > seq {
		l.wakeLocked()
	}
}

// outLocked takes the place out of its line, and the line, if it is empty, out of the
// registry.
func (p *Place) outLocked() (l *line, wasFirst bool) {
	l, wasFirst = p.line, p.prev == nil
	p.line = nil
	if wasFirst {
		l.first = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		l.last = p.prev
	} else {
		p.next.prev = p.prev
	}
	if l.first == nil {
		l.of.moveLocked(&l.elements, nil, l)
		l.of.leaveLocked(l.row, l)
		delete(l.of.lines, string(l.row))
	}
	l.of.waiting.Add(-1)
	return l, wasFirst
}

// writtenLocked implements listener. Of a key that is gone there is nothing to take.
func (l *line) writtenLocked(seq base.SeqNum, gone bool) {
	if seq < l.known {
		return
	}
	l.known = seq
	if !gone {
		l.offered = seq
		l.wakeLocked()
	}
}

// wakeLocked wakes the first caller, if there is any.
func (l *line) wakeLocked() {
	if l.first != nil {
		l.first.wake()
	}
}
