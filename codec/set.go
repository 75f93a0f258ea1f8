package codec

import (
	"iter"

	"github.com/siltstonedb/siltstone/typed"
)

// Set is a set whose members are of T, in their order. It embeds the key, so that
// Expire, Drop and the like are at hand. It is a value; safe for concurrent use if
// what it comes from is.
type Set[T any] struct {
	typed.Key
	members elements[T]
}

// SetOf returns the set s as a Set of T. All that use the set need the same codec;
// nothing in it tells which it is.
func SetOf[T any](s typed.Set, k KeyCodec[T]) Set[T] { return Set[T]{s.Key, elementsOf(k)} }

// Handle returns the set itself.
func (s Set[T]) Handle() typed.Set { return typed.Set{Key: s.Key} }

// Add adds the members and returns how many are new.
func (s Set[T]) Add(members ...T) (added int, err error) {
	names, err := s.members.names(members)
	if err != nil {
		return 0, err
	}
	return s.Handle().Add(names...)
}

// Remove removes the members and returns how many there were. Without members left
// the key is gone. Drop removes all of them with the key; Delete of a store does so
// without a report.
func (s Set[T]) Remove(members ...T) (removed int, err error) {
	names, err := s.members.names(members)
	if err != nil {
		return 0, err
	}
	return s.Handle().Remove(names...)
}

// Has reports whether member is in the set.
func (s Set[T]) Has(member T) (bool, error) {
	sc := getScratch()
	defer sc.put()
	if err := s.members.encode(sc, member); err != nil {
		return false, err
	}
	return s.Handle().Has(string(sc.name))
}

// Len returns how many members there are, at the same cost for any number.
func (s Set[T]) Len() (int64, error) { return s.Handle().Len() }

// All yields the members in their order.
func (s Set[T]) All() iter.Seq2[T, error] { return s.Scan(Range[T]{}) }

func (s Set[T]) decoded(names iter.Seq2[string, error]) iter.Seq2[T, error] {
	return walk(names, func(sc *scratch, name string) (T, error) {
		return s.members.decode(sc, s.Name(), name)
	})
}

// Random returns n different members, or all if there are fewer, in random order;
// with n below 0 it returns −n members, of which some may be the same. Choice,
// bounds and cost are those of typed.Set.Random. With an error come the members
// that can be decoded.
func (s Set[T]) Random(n int) ([]T, error) {
	names, err := s.Handle().Random(n)
	if err != nil {
		return nil, err
	}
	return s.members.decodeAll(s.Name(), names)
}

// Pop removes what Random(n) would have returned, and returns it. A member that
// cannot be decoded is removed too: the others are returned with an error that
// joins a *DecodeError for each such one. A negative n is ErrBadOption.
func (s Set[T]) Pop(n int) ([]T, error) {
	if s.members.codec == nil {
		return nil, errNoCodec
	}
	names, err := s.Handle().Pop(n)
	if err != nil {
		return nil, err
	}
	return s.members.decodeAll(s.Name(), names)
}

// MoveTo moves the member to the set called dst, which has the same codec, and
// reports whether it was here. If dst is this set nothing changes; if it has the
// member already, it is still removed here.
func (s Set[T]) MoveTo(dst string, member T) (moved bool, err error) {
	sc := getScratch()
	defer sc.put()
	if err := s.members.encode(sc, member); err != nil {
		return false, err
	}
	return s.Handle().MoveTo(dst, string(sc.name))
}

// Union yields the members that are in this set or any of the others, which have
// the same codec, in their order. A missing set is empty, here and below.
func (s Set[T]) Union(others ...string) iter.Seq2[T, error] {
	return s.decoded(s.Handle().Union(others...))
}

// Inter yields the members that are in this set and all of the others.
func (s Set[T]) Inter(others ...string) iter.Seq2[T, error] {
	return s.decoded(s.Handle().Inter(others...))
}

// Diff yields the members that are in this set and none of the others.
func (s Set[T]) Diff(others ...string) iter.Seq2[T, error] {
	return s.decoded(s.Handle().Diff(others...))
}

// StoreUnion makes this key the union of the sources, which have the same codec,
// as typed.Set.StoreUnion does, and returns how many members that has.
func (s Set[T]) StoreUnion(sources ...string) (n int64, err error) {
	return s.Handle().StoreUnion(sources...)
}

// StoreInter is StoreUnion with the members that are in all of the sources.
func (s Set[T]) StoreInter(sources ...string) (n int64, err error) {
	return s.Handle().StoreInter(sources...)
}

// StoreDiff is StoreUnion with the members of the first source that are in none of
// the others.
func (s Set[T]) StoreDiff(sources ...string) (n int64, err error) {
	return s.Handle().StoreDiff(sources...)
}
