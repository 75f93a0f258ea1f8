package typed

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
)

// Range is the fields or members from Lower, included, to Upper, excluded, in
// bytewise order. An empty bound is open; the zero Range is all. Lower above Upper is
// ErrBadRange. It is a value; its methods return a changed copy. ZRange chooses among
// the members of a sorted set.
type Range struct{ Lower, Upper string }

// Prefix returns the range of the names that start with p. An empty p is every name.
func Prefix(p string) Range {
	return Range{Lower: p, Upper: string(base.Successor([]byte(p)))}
}

// After returns the part of r above name, which need not exist: a loop over it goes on
// where one that ended at name stopped.
func (r Range) After(name string) Range {
	next := name + "\x00"
	if len(name) == base.MaxKeyLen {
		// No name begins with it and goes on.
		if next = string(base.Successor([]byte(name))); next == "" {
			return emptyRange
		}
	}
	switch {
	case r.bad(), next <= r.Lower:
		return r
	case r.Upper != "" && next > r.Upper:
		return emptyRange
	}
	return Range{Lower: next, Upper: r.Upper}
}

// Before returns the part of r below name, which need not exist: a loop over it,
// backward, goes on where one that ended at name stopped. Before the empty name there
// is nothing.
func (r Range) Before(name string) Range {
	switch {
	case r.bad(), r.Upper != "" && name >= r.Upper:
		return r
	case name <= r.Lower:
		return emptyRange
	}
	return Range{Lower: r.Lower, Upper: name}
}

// emptyRange has no names.
var emptyRange = Range{Lower: "\x00", Upper: "\x00"}

// bad reports whether r is ErrBadRange, which no part of it hides.
func (r Range) bad() bool { return r.Upper != "" && r.Lower > r.Upper }

// check refuses a bound that no name has, and bounds in the wrong order.
func (r Range) check() error {
	if err := collection.CheckMembers([]string{r.Lower, r.Upper}); err != nil {
		return err
	}
	if r.bad() {
		return base.Errorf(base.ErrBadRange, "range from %s to %s: lower bound is above upper bound", base.Quote(r.Lower), base.Quote(r.Upper))
	}
	return nil
}

func (r Range) part() collection.Part { return collection.Part(r) }
