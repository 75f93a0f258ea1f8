package typed

import (
	"iter"

	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Set is a key that holds a set of members, in bytewise order. Safe for concurrent
// use if what it comes from is.
type Set struct{ Key }

func (s Set) openOld(t collection.Txn) (collection.Collection, bool, error) {
	return collection.OpenOld(t, s.name, record.TypeSet)
}

// Add adds the members and returns how many are new; members that were there stay
// as they are, with their times to live. [SADD]
func (s Set) Add(members ...string) (added int, err error) {
	return collection.Update(s.src, s.name, func(t collection.Txn) (n int, err error) {
		if err := collection.CheckMembers(members); err != nil {
			return 0, err
		}
		c, err := collection.OpenToWrite(t, s.name, record.TypeSet)
		if err != nil {
			return 0, err
		}
		for _, m := range members {
			added, err := c.Set(t, m, nil, true)
			if err != nil {
				return 0, err
			}
			if added {
				n++
			}
		}
		return n, c.Keep(t)
	})
}

// Remove removes the members and returns how many there were. Without members
// left the key is gone. Drop removes all of them with the key; Delete of a store does
// so without a report. [SREM]
func (s Set) Remove(members ...string) (removed int, err error) {
	return removeElements(s.Key, record.TypeSet, members)
}

// Has reports whether member is in the set. [SISMEMBER]
func (s Set) Has(member string) (bool, error) {
	return collection.View(s.src, func(t collection.Txn) (bool, error) { return s.has(t, member) })
}

func (s Set) has(t collection.Txn, member string) (bool, error) {
	if err := collection.CheckMember(member); err != nil {
		return false, err
	}
	c, found, err := s.openOld(t)
	if !found {
		return false, err
	}
	return c.Has(t, member)
}

// HasMany reports for each of the members, in their order, whether it is in the
// set. [SMISMEMBER]
func (s Set) HasMany(members ...string) ([]bool, error) {
	return collection.View(s.src, func(t collection.Txn) ([]bool, error) {
		if err := collection.CheckMembers(members); err != nil {
			return nil, err
		}
		has := make([]bool, len(members))
		c, found, err := s.openOld(t)
		if !found {
			return has, err
		}
		for i, m := range members {
			if has[i], err = c.Has(t, m); err != nil {
				return nil, err
			}
		}
		return has, nil
	})
}

// Len returns how many members there are, at the same cost for any number; members
// whose time to live is over and that are not purged yet are counted one by one.
// [SCARD]
func (s Set) Len() (int64, error) { return length(s.Key, record.TypeSet) }

// All yields the members in bytewise order. [SMEMBERS]
func (s Set) All() iter.Seq2[string, error] { return s.Scan(Range{}) }

// Prefix yields the members that start with prefix, as All does.
func (s Set) Prefix(prefix string) iter.Seq2[string, error] { return s.Scan(Prefix(prefix)) }

// After yields the members above the given one, which need not exist, as All does:
// a loop that was broken off continues after the last member it met. [SSCAN]
func (s Set) After(member string) iter.Seq2[string, error] { return s.Scan(Range{}.After(member)) }

// Scan yields the members of r in bytewise order, as All does.
func (s Set) Scan(r Range) iter.Seq2[string, error] {
	return elementNames(s.Key, record.TypeSet, r, false)
}

// ScanBack yields the members of r from the last to the first, as All does.
func (s Set) ScanBack(r Range) iter.Seq2[string, error] {
	return elementNames(s.Key, record.TypeSet, r, true)
}

// Random returns n different members, or all if there are fewer, each choice as
// likely as any other, in random order. With n below 0 it returns −n members, of
// which some may be the same; below −2²⁴ it is ErrBadOption. Cost: about two look-ups
// for each, more where much of what the set held is gone, and a walk of the set at
// most: that is what more than one in 64 of the members, or any of fewer than 256,
// costs. [SRANDMEMBER]
func (s Set) Random(n int) ([]string, error) {
	return collection.View(s.src, func(t collection.Txn) ([]string, error) {
		c, found, err := s.openOld(t)
		if !found || n == 0 {
			return nil, err
		}
		return draw(t, &c, n, collection.ScanOptions{KeysOnly: true}, func(e *collection.Elements, names *nameArena) string {
			return names.name(e.Member())
		})
	})
}

// Pop removes what Random(n) would have returned, and returns it. A negative n is
// ErrBadOption. Cost: that of Random, and of the removal of each. [SPOP]
func (s Set) Pop(n int) ([]string, error) {
	return collection.Update(s.src, s.name, func(t collection.Txn) ([]string, error) {
		if n < 0 {
			return nil, badCount("count", n)
		}
		c, found, err := collection.OpenOldToWrite(t, s.name, record.TypeSet)
		if !found || n == 0 {
			return nil, err
		}
		popped, err := draw(t, &c, n, collection.ScanOptions{KeysOnly: true}, func(e *collection.Elements, names *nameArena) string {
			return names.name(e.Member())
		})
		if err != nil {
			return nil, err
		}
		if uint64(len(popped)) >= c.Count() {
			return popped, c.Drop(t)
		}
		for _, m := range popped {
			deadline, _, err := c.Find(t, m)
			if err == nil {
				err = c.Remove(t, m, deadline)
			}
			if err != nil {
				return nil, err
			}
		}
		c.Shrank(uint64(len(popped)))
		return popped, c.Keep(t)
	})
}

// MoveTo moves the member to the set called dst and reports whether it was here.
// Its time to live goes with it. If dst is this set nothing changes; if it has the
// member already, that stays as it is and the member here is still removed. ErrWrongType if either key holds another type. [SMOVE]
func (s Set) MoveTo(dst, member string) (moved bool, err error) {
	return collection.Update(s.src, "", func(t collection.Txn) (bool, error) {
		if err := collection.CheckName(dst); err != nil {
			return false, err
		}
		if dst == s.name {
			return s.has(t, member)
		}
		if err := collection.CheckMember(member); err != nil {
			return false, err
		}
		from, found, err := collection.OpenOldToWrite(t, s.name, record.TypeSet)
		if !found {
			return false, err
		}
		to, err := collection.OpenToWrite(t, dst, record.TypeSet)
		if err != nil {
			return false, err
		}
		deadline, found, err := from.Find(t, member)
		if err == nil && found {
			err = move(t, &from, &to, member, deadline)
		}
		if err == nil {
			err = from.Keep(t)
		}
		return found, err
	})
}

// move moves a member that from has; the caller keeps from.
func move(t collection.Txn, from, to *collection.Collection, member string, deadline int64) error {
	if err := from.Remove(t, member, deadline); err != nil {
		return err
	}
	from.Shrank(1)
	_, exists, err := to.Find(t, member)
	if err != nil {
		return err
	}
	if !exists {
		if err := to.Add(t, member, nil, deadline); err != nil {
			return err
		}
	}
	return to.Keep(t)
}
