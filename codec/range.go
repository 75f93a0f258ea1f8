package codec

import (
	"iter"

	"github.com/siltstonedb/siltstone/typed"
)

// Range is keys of a Map or members of a Set, in the order of K. The zero Range is
// all. It is a value; its methods return a changed copy, with one bound on each side:
// the one that was given last.
type Range[K any] struct {
	prefix       Prefix[K]
	lower, upper K
	from, above  bool // lower is in it, is not
	below        bool // there is an upper
}

// Between returns the range from lower, included, to upper, excluded. If lower is
// above upper a loop over it is ErrBadRange.
func Between[K any](lower, upper K) Range[K] { return Range[K]{}.From(lower).Before(upper) }

// Within returns the range of what has the prefix.
func Within[K any](p Prefix[K]) Range[K] { return Range[K]{prefix: p} }

// From leaves out what is below key.
func (r Range[K]) From(key K) Range[K] { r.lower, r.from, r.above = key, true, false; return r }

// After leaves out key, which need not exist, and what is below it: a loop over the
// rest goes on where one that ended at key stopped.
func (r Range[K]) After(key K) Range[K] { r.lower, r.from, r.above = key, false, true; return r }

// Before leaves out key, which need not exist, and what is above it.
func (r Range[K]) Before(key K) Range[K] { r.upper, r.below = key, true; return r }

// rangeOf returns r as names of elements.
func (e elements[T]) rangeOf(r Range[T]) (typed.Range, error) {
	if e.codec == nil {
		return typed.Range{}, errNoCodec
	}
	names := typed.Prefix(r.prefix.bytes)
	var lower, upper string
	if r.from || r.above {
		lower = string(e.codec.AppendKey(nil, r.lower))
	}
	if r.below {
		upper = string(e.codec.AppendKey(nil, r.upper))
		if lower > upper && upper != "" {
			return typed.Range{Lower: lower, Upper: upper}, nil // is refused
		}
		names = names.Before(upper)
	}
	switch {
	case r.above:
		names = names.After(lower)
	case lower <= names.Lower:
	case names.Upper != "" && lower >= names.Upper:
		names = names.Before("") // nothing
	default:
		names.Lower = lower
	}
	return names, nil
}

// in loops over the names of r.
func in[T, S any](e elements[T], r Range[T], loop func(typed.Range) iter.Seq2[S, error]) iter.Seq2[S, error] {
	names, err := e.rangeOf(r)
	if err != nil {
		return func(yield func(S, error) bool) {
			var none S
			yield(none, err)
		}
	}
	return loop(names)
}

// After yields the entries above key, which need not exist, in the order of their
// keys: a loop that was broken off continues after the last key it met.
func (m Map[K, V]) After(key K) iter.Seq2[Entry[K, V], error] { return m.Scan(Range[K]{}.After(key)) }

// Scan yields the entries of r in the order of their keys.
func (m Map[K, V]) Scan(r Range[K]) iter.Seq2[Entry[K, V], error] {
	return m.entries(in(m.keys, r, m.Handle().Scan))
}

// ScanBack yields the entries of r against the order of their keys.
func (m Map[K, V]) ScanBack(r Range[K]) iter.Seq2[Entry[K, V], error] {
	return m.entries(in(m.keys, r, m.Handle().ScanBack))
}

// ScanKeys yields the keys of r in their order, and does not read the values.
func (m Map[K, V]) ScanKeys(r Range[K]) iter.Seq2[K, error] {
	return m.fields(in(m.keys, r, m.Handle().ScanFields))
}

// ScanKeysBack yields the keys of r against their order, and does not read the values.
func (m Map[K, V]) ScanKeysBack(r Range[K]) iter.Seq2[K, error] {
	return m.fields(in(m.keys, r, m.Handle().ScanFieldsBack))
}

// Prefix yields the members that have the prefix, in their order.
func (s Set[T]) Prefix(p Prefix[T]) iter.Seq2[T, error] { return s.Scan(Within(p)) }

// After yields the members above member, which need not exist, in their order: a loop
// that was broken off continues after the last member it met.
func (s Set[T]) After(member T) iter.Seq2[T, error] { return s.Scan(Range[T]{}.After(member)) }

// Scan yields the members of r in their order.
func (s Set[T]) Scan(r Range[T]) iter.Seq2[T, error] {
	return s.decoded(in(s.members, r, s.Handle().Scan))
}

// ScanBack yields the members of r against their order.
func (s Set[T]) ScanBack(r Range[T]) iter.Seq2[T, error] {
	return s.decoded(in(s.members, r, s.Handle().ScanBack))
}
