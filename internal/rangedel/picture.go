package rangedel

import (
	"bytes"
	"slices"
)

// picture is the newest of a set of tombstones over each key: stretches in key
// order that do not overlap. Those that touch differ in sequence.
type picture []Tombstone

// search returns the index of the first stretch that ends behind key.
func (p picture) search(key []byte) int {
	lo, hi := 0, len(p)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if bytes.Compare(p[m].End, key) <= 0 {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// add puts t behind the last stretch, or joins the two if they touch and say the
// same: what tables cut apart is whole again once they are merged.
func (p *picture) add(t Tombstone) {
	if n := len(*p); n > 0 {
		last := &(*p)[n-1]
		if last.Seq == t.Seq && bytes.Equal(last.End, t.Start) {
			last.End = t.End
			return
		}
	}
	*p = append(*p, t)
}

// clip returns p, in memory of its own if much of p's is unused.
func (p picture) clip() picture {
	if cap(p) > len(p)+len(p)/4+1 {
		return slices.Clone(p)
	}
	return p
}

// paint returns the picture of tombstones, which are sorted as Compare does, and
// whether one of them lies below another. It goes from boundary to boundary with the
// tombstones that began and may not have ended in a heap, the newest on top. The cost
// is n log n, the memory that of the picture.
func paint(ts []Tombstone) (p picture, layered bool) {
	if isPicture(ts) {
		return slices.Clip(ts), false
	}
	p = make(picture, 0, len(ts)+1)
	var begun newestFirst
	var at []byte // up to here the picture is done
	for len(ts) > 0 || len(begun) > 0 {
		switch {
		case len(begun) == 0:
			at = ts[0].Start
		case bytes.Compare(begun[0].End, at) <= 0:
			begun.pop()
			continue
		}
		for ; len(ts) > 0 && bytes.Equal(ts[0].Start, at); ts = ts[1:] {
			layered = begun.add(&ts[0]) || layered
		}
		t := Tombstone{Start: at, End: begun[0].End, Seq: begun[0].Seq}
		if len(ts) > 0 && bytes.Compare(ts[0].Start, t.End) < 0 {
			t.End = ts[0].Start
		}
		p.add(t)
		at = t.End
	}
	return p.clip(), layered
}

// newestFirst is a heap of tombstones by sequence, the largest on top.
type newestFirst []*Tombstone

// add puts t in and reports whether it and the top differ in sequence. The top must
// reach beyond t's start. What the top hides altogether is left out.
func (h *newestFirst) add(t *Tombstone) (differ bool) {
	if len(*h) > 0 {
		top := (*h)[0]
		differ = top.Seq != t.Seq
		if top.Seq >= t.Seq && bytes.Compare(t.End, top.End) <= 0 {
			return differ
		}
	}
	*h = append(*h, t)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if s[up].Seq >= s[i].Seq {
			break
		}
		s[up], s[i] = s[i], s[up]
		i = up
	}
	return differ
}

// pop takes the top out.
func (h *newestFirst) pop() {
	s := *h
	last := len(s) - 1
	s[0], s[last] = s[last], nil
	s = s[:last]
	*h = s
	for i := 0; ; {
		down := 2*i + 1
		if down+1 < last && s[down+1].Seq > s[down].Seq {
			down++
		}
		if down >= last || s[down].Seq <= s[i].Seq {
			return
		}
		s[down], s[i] = s[i], s[down]
		i = down
	}
}

// isPicture reports whether ts, sorted by start, is its own picture.
func isPicture(ts []Tombstone) bool {
	for i := 1; i < len(ts); i++ {
		c := bytes.Compare(ts[i-1].End, ts[i].Start)
		if c > 0 || c == 0 && ts[i-1].Seq == ts[i].Seq {
			return false
		}
	}
	return true
}

// overlay returns the picture of two: over each key the larger sequence. crossed
// is set where both have one, and not the same. The cost is the length of both.
func overlay(a, b picture) (p picture, crossed bool) {
	// A stretch in the middle of another makes three of two: both have an end more
	// than they have when they lie side by side.
	p = make(picture, 0, len(a)+len(b)+1)
	x, y := &cursor{rest: a}, &cursor{rest: b}
	x.next()
	y.next()
	for x.ok && y.ok {
		c := bytes.Compare(x.at.Start, y.at.Start)
		if c > 0 {
			x, y, c = y, x, -c
		}
		if c < 0 { // x alone, up to y
			t := x.at
			if bytes.Compare(y.at.Start, t.End) < 0 {
				t.End = y.at.Start
			}
			p.add(t)
			x.cut(t.End)
			continue
		}
		t := x.at
		if y.at.Seq > t.Seq {
			t.Seq = y.at.Seq
		}
		if bytes.Compare(y.at.End, t.End) < 0 {
			t.End = y.at.End
		}
		crossed = crossed || x.at.Seq != y.at.Seq
		p.add(t)
		x.cut(t.End)
		y.cut(t.End)
	}
	for ; x.ok; x.next() {
		p.add(x.at)
	}
	for ; y.ok; y.next() {
		p.add(y.at)
	}
	return p.clip(), crossed
}

// cursor walks over a picture and may stand inside a stretch.
type cursor struct {
	at   Tombstone // what is left of the stretch
	ok   bool      // there is one
	rest picture   // behind it
}

func (c *cursor) next() {
	if c.ok = len(c.rest) > 0; c.ok {
		c.at, c.rest = c.rest[0], c.rest[1:]
	}
}

// cut takes the part up to end off the stretch.
func (c *cursor) cut(end []byte) {
	if bytes.Compare(c.at.End, end) <= 0 {
		c.next()
		return
	}
	c.at.Start = end
}
