package codec

import (
	"time"

	"github.com/siltstonedb/siltstone/typed"
)

// Times to live of single keys of a Map and members of a Set or ZSet. Those of the
// whole are calls of the embedded typed.Key. What is refused, and what happens at the
// end of a time to live, is told at the calls of package typed.

// SetTTL sets the value of the key for the time ttl from now, and reports whether the
// key is new, as typed.Hash.SetTTL does.
func (m Map[K, V]) SetTTL(key K, value V, ttl time.Duration) (added bool, err error) {
	sc := getScratch()
	defer sc.put()
	if err := m.encode(sc, key, value); err != nil {
		return false, err
	}
	return m.Handle().SetTTL(string(sc.name), sc.value, ttl)
}

// KeyTTL returns how long the key still lives, typed.NoTTL if it has no time to live
// of its own, or ErrNotFound.
func (m Map[K, V]) KeyTTL(key K) (time.Duration, error) {
	sc := getScratch()
	defer sc.put()
	if err := m.keys.encode(sc, key); err != nil {
		return 0, err
	}
	return m.Handle().FieldTTL(string(sc.name))
}

// KeyDeadline returns when the key is gone, the zero time if never, or ErrNotFound.
func (m Map[K, V]) KeyDeadline(key K) (time.Time, error) {
	sc := getScratch()
	defer sc.put()
	if err := m.keys.encode(sc, key); err != nil {
		return time.Time{}, err
	}
	return m.Handle().FieldDeadline(string(sc.name))
}

// ExpireKeys lets the keys live for ttl from now and returns for how many it did so, as
// typed.Hash.ExpireFields does.
func (m Map[K, V]) ExpireKeys(ttl time.Duration, c typed.Cond, keys ...K) (int, error) {
	names, err := m.keys.names(keys)
	if err != nil {
		return 0, err
	}
	return m.Handle().ExpireFields(ttl, c, names...)
}

// ExpireKeysAt is ExpireKeys with a deadline, as typed.Hash.ExpireFieldsAt is.
func (m Map[K, V]) ExpireKeysAt(deadline time.Time, c typed.Cond, keys ...K) (int, error) {
	names, err := m.keys.names(keys)
	if err != nil {
		return 0, err
	}
	return m.Handle().ExpireFieldsAt(deadline, c, names...)
}

// PersistKeys takes the times to live of the keys away and returns how many had one.
func (m Map[K, V]) PersistKeys(keys ...K) (int, error) {
	names, err := m.keys.names(keys)
	if err != nil {
		return 0, err
	}
	return m.Handle().PersistFields(names...)
}

// AddTTL adds the members and gives them, also those that were there, a time to live
// of ttl from now; it returns how many are new, as typed.Set.AddTTL does.
func (s Set[T]) AddTTL(ttl time.Duration, members ...T) (added int, err error) {
	names, err := s.members.names(members)
	if err != nil {
		return 0, err
	}
	return s.Handle().AddTTL(ttl, names...)
}

// MemberTTL returns how long the member still lives, typed.NoTTL if it has no time to
// live of its own, or ErrNotFound.
func (s Set[T]) MemberTTL(member T) (time.Duration, error) {
	sc := getScratch()
	defer sc.put()
	if err := s.members.encode(sc, member); err != nil {
		return 0, err
	}
	return s.Handle().MemberTTL(string(sc.name))
}

// MemberDeadline returns when the member is gone, the zero time if never, or
// ErrNotFound.
func (s Set[T]) MemberDeadline(member T) (time.Time, error) {
	sc := getScratch()
	defer sc.put()
	if err := s.members.encode(sc, member); err != nil {
		return time.Time{}, err
	}
	return s.Handle().MemberDeadline(string(sc.name))
}

// ExpireMembers lets the members live for ttl from now and returns for how many it did so, as
// typed.Set.ExpireMembers does.
func (s Set[T]) ExpireMembers(ttl time.Duration, c typed.Cond, members ...T) (int, error) {
	names, err := s.members.names(members)
	if err != nil {
		return 0, err
	}
	return s.Handle().ExpireMembers(ttl, c, names...)
}

// ExpireMembersAt is ExpireMembers with a deadline, as typed.Set.ExpireMembersAt is.
func (s Set[T]) ExpireMembersAt(deadline time.Time, c typed.Cond, members ...T) (int, error) {
	names, err := s.members.names(members)
	if err != nil {
		return 0, err
	}
	return s.Handle().ExpireMembersAt(deadline, c, names...)
}

// PersistMembers takes the times to live of the members away and returns how many had
// one.
func (s Set[T]) PersistMembers(members ...T) (int, error) {
	names, err := s.members.names(members)
	if err != nil {
		return 0, err
	}
	return s.Handle().PersistMembers(names...)
}

// AddTTL gives the members their scores and, also those that were there, a time to
// live of ttl from now; it returns how many are new, as typed.ZSet.AddTTL does.
func (z ZSet[T]) AddTTL(ttl time.Duration, members ...Member[T]) (added int, err error) {
	named, err := z.named(members)
	if err != nil {
		return 0, err
	}
	return z.Handle().AddTTL(ttl, named...)
}

// MemberTTL returns how long the member still lives, typed.NoTTL if it has no time to
// live of its own, or ErrNotFound.
func (z ZSet[T]) MemberTTL(member T) (time.Duration, error) {
	sc := getScratch()
	defer sc.put()
	if err := z.members.encode(sc, member); err != nil {
		return 0, err
	}
	return z.Handle().MemberTTL(string(sc.name))
}

// MemberDeadline returns when the member is gone, the zero time if never, or
// ErrNotFound.
func (z ZSet[T]) MemberDeadline(member T) (time.Time, error) {
	sc := getScratch()
	defer sc.put()
	if err := z.members.encode(sc, member); err != nil {
		return time.Time{}, err
	}
	return z.Handle().MemberDeadline(string(sc.name))
}

// ExpireMembers lets the members live for ttl from now and returns for how many it did so, as
// typed.ZSet.ExpireMembers does.
func (z ZSet[T]) ExpireMembers(ttl time.Duration, c typed.Cond, members ...T) (int, error) {
	names, err := z.members.names(members)
	if err != nil {
		return 0, err
	}
	return z.Handle().ExpireMembers(ttl, c, names...)
}

// ExpireMembersAt is ExpireMembers with a deadline, as typed.ZSet.ExpireMembersAt is.
func (z ZSet[T]) ExpireMembersAt(deadline time.Time, c typed.Cond, members ...T) (int, error) {
	names, err := z.members.names(members)
	if err != nil {
		return 0, err
	}
	return z.Handle().ExpireMembersAt(deadline, c, names...)
}

// PersistMembers takes the times to live of the members away and returns how many had
// one.
func (z ZSet[T]) PersistMembers(members ...T) (int, error) {
	names, err := z.members.names(members)
	if err != nil {
		return 0, err
	}
	return z.Handle().PersistMembers(names...)
}
