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

// paint returns the picture of tombstones, which are sorted by start, and whether
// one of them lies below another.
func paint(ts []Tombstone) (p picture, layered bool) {
	if isPicture(ts) {
		return slices.Clip(ts), false
	}
	half := len(ts) / 2
	a, below := paint(ts[:half])
	b, low := paint(ts[half:])
	p, crossed := overlay(a, b)
	return p, below || low || crossed
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
	if cap(p) > len(p)+len(p)/4+1 {
		p = slices.Clone(p)
	}
	return p, crossed
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
