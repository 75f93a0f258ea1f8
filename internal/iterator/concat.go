package iterator

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Sources are the disjoint sources of a Concat, in key order: the tables of one
// run. Bounds are known without opening; they may be wider than the entries
// (a table's range tombstones count), and may even hold no entry at all.
type Sources interface {
	Len() int
	// Bounds returns the smallest and largest key of source i, inclusive; they
	// stay the source's.
	Bounds(i int) (smallest, largest []byte)
	// Open returns an iterator over source i, which the Concat closes. With on, a walk
	// goes on there from the source beside it: its first move is First or Last.
	Open(i int, on bool) (Iterator, error)
}

// Shutter is what Sources may be, too: Shut is called when the iterator over the
// source that was opened last has been closed.
type Shutter interface{ Shut() }

// Concat walks disjoint sources one behind the other. At most one is open at a
// time, none before the first move. It is reusable (Init) and not safe for
// concurrent use.
type Concat struct {
	sources Sources
	lower   []byte // of what is asked for; nil is open
	upper   []byte
	it      Iterator // over source at; nil if none is open
	at      int
	aimed   int  // the target of the next seek, +1; 0: not known
	back    bool // that is SeekLT
	err     error
}

// Init makes c the concatenation of s, positioned nowhere. Nothing is opened.
func (c *Concat) Init(s Sources) { *c = Concat{sources: s} }

// Within says that only entries in [lower, upper) are asked for; nil is open.
// Sources without any are not opened, so fewer files are. Entries outside may be met
// all the same.
func (c *Concat) Within(lower, upper []byte) { c.lower, c.upper = lower, upper }

// above reports whether source i, and so each one behind it, lies above the bounds.
func (c *Concat) above(i int) bool {
	if c.upper == nil {
		return false
	}
	smallest, _ := c.sources.Bounds(i)
	return bytes.Compare(smallest, c.upper) >= 0
}

// below reports whether source i, and so each one before it, lies below the bounds.
func (c *Concat) below(i int) bool {
	_, largest := c.sources.Bounds(i)
	return bytes.Compare(largest, c.lower) < 0
}

// Aim implements Aimer. It opens the source that the seek will look into.
func (c *Concat) Aim(key []byte, backward bool) (reads bool) {
	i := c.search(key)
	c.aimed, c.back = i+1, backward
	if backward {
		i = c.before(i, key)
	}
	if i < 0 || i == c.sources.Len() || !backward && c.above(i) || backward && c.below(i) || !c.open(i, false) {
		return false
	}
	it, ok := c.it.(Aimer)
	return ok && it.Aim(key, backward)
}

// Begin implements Aimer.
func (c *Concat) Begin() {
	if it, ok := c.it.(Aimer); ok {
		it.Begin()
	}
}

// target returns the first source whose largest key is at or behind key, from the aim
// of the move that is about to be made, if it had one.
func (c *Concat) target(key []byte, backward bool) int {
	i := c.aimed - 1
	if i < 0 || c.back != backward {
		i = c.search(key)
	}
	c.err, c.aimed = nil, 0
	return i
}

// before returns the source in which a seek to the last entry below key begins: i, which
// is the first whose largest key is at or behind key, or the one before it.
func (c *Concat) before(i int, key []byte) int {
	if i < c.sources.Len() {
		if smallest, _ := c.sources.Bounds(i); bytes.Compare(smallest, key) < 0 {
			return i
		}
	}
	return i - 1
}

// First implements Iterator.
func (c *Concat) First() *Entry {
	c.err, c.aimed = nil, 0
	return c.forward(0, false)
}

// Last implements Iterator.
func (c *Concat) Last() *Entry {
	c.err, c.aimed = nil, 0
	return c.backward(c.sources.Len()-1, false)
}

// SeekGE implements Iterator. It opens the one source that may hold key, and the
// next one if that has nothing at or after it.
func (c *Concat) SeekGE(key []byte, seq base.SeqNum) *Entry {
	i := c.target(key, false)
	if i == c.sources.Len() || c.above(i) || !c.open(i, false) {
		return nil
	}
	if e := c.it.SeekGE(key, seq); e != nil || c.failed() {
		return e
	}
	return c.forward(i+1, false)
}

// SeekLT implements Iterator.
func (c *Concat) SeekLT(key []byte) *Entry {
	i := c.target(key, true)
	if c.before(i, key) == i {
		if c.below(i) || !c.open(i, false) {
			return nil
		}
		if e := c.it.SeekLT(key); e != nil || c.failed() {
			return e
		}
	}
	return c.backward(i-1, false)
}

// Next implements Iterator.
func (c *Concat) Next() *Entry {
	if e := c.it.Next(); e != nil || c.failed() {
		return e
	}
	return c.forward(c.at+1, true)
}

// Prev implements Iterator.
func (c *Concat) Prev() *Entry {
	if e := c.it.Prev(); e != nil || c.failed() {
		return e
	}
	return c.backward(c.at-1, true)
}

// Block implements Iterator.
func (c *Concat) Block() (Block, bool) { return c.it.Block() }

// Err implements Iterator.
func (c *Concat) Err() error { return c.err }

// Close closes the source that is open.
func (c *Concat) Close() error {
	c.shut()
	return c.err
}

// search returns the first source whose largest key is at or behind key.
func (c *Concat) search(key []byte) int {
	lo, hi := 0, c.sources.Len()
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if _, largest := c.sources.Bounds(m); bytes.Compare(largest, key) < 0 {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// forward returns the first entry of source i or of the next that has one. With on, a walk
// goes on there.
func (c *Concat) forward(i int, on bool) *Entry {
	for ; i < c.sources.Len() && !c.above(i) && c.open(i, on); i++ {
		if e := c.it.First(); e != nil || c.failed() {
			return e
		}
	}
	return nil
}

// backward returns the last entry of source i or of the nearest before it that
// has one. With on, a walk goes on there.
func (c *Concat) backward(i int, on bool) *Entry {
	for ; i >= 0 && !c.below(i) && c.open(i, on); i-- {
		if e := c.it.Last(); e != nil || c.failed() {
			return e
		}
	}
	return nil
}

// open makes source i the open one, where a walk goes on if on.
func (c *Concat) open(i int, on bool) bool {
	if c.it != nil && c.at == i {
		return true
	}
	if c.shut(); c.err != nil {
		return false
	}
	it, err := c.sources.Open(i, on)
	if err != nil {
		c.err = err
		return false
	}
	c.it, c.at = it, i
	return true
}

// failed reports, and keeps, an error of the open source.
func (c *Concat) failed() bool {
	c.err = c.it.Err()
	return c.err != nil
}

func (c *Concat) shut() {
	if c.it == nil {
		return
	}
	if err := c.it.Close(); err != nil && c.err == nil {
		c.err = err
	}
	c.it = nil
	if s, ok := c.sources.(Shutter); ok {
		s.Shut()
	}
}
