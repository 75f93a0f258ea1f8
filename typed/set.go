package typed

import (
	"iter"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Set is a key that holds a set of members, in bytewise order. Safe for concurrent
// use if what it comes from is.
type Set struct{ Key }

// NewSet returns a handle of the set called name.
func NewSet(src Source, name string) Set { return Set{Key{src, name}} }

func (s Set) open(t Txn) (collection, error) { return openCollection(t, s.name, record.TypeSet) }

func (s Set) openOld(t Txn) (collection, bool, error) { return openOld(t, s.name, record.TypeSet) }

// Add adds the members and returns how many are new. [SADD]
func (s Set) Add(members ...string) (added int, err error) {
	return update(s.src, s.name, func(t Txn) (n int, err error) {
		if err := checkMembers(members); err != nil {
			return 0, err
		}
		c, err := s.open(t)
		if err != nil {
			return 0, err
		}
		for _, m := range members {
			added, err := putElement(t, &c, m, nil, true)
			if err != nil {
				return 0, err
			}
			if added {
				n++
			}
		}
		if n == 0 {
			return 0, nil
		}
		return n, c.save(t)
	})
}

// Remove removes the members and returns how many there were. Without members
// left the key is gone. [SREM]
func (s Set) Remove(members ...string) (removed int, err error) {
	return removeElements(s.Key, record.TypeSet, members)
}

// Has reports whether member is in the set. [SISMEMBER]
func (s Set) Has(member string) (bool, error) {
	return view(s.src, func(t Txn) (bool, error) { return s.has(t, member) })
}

func (s Set) has(t Txn, member string) (bool, error) {
	if err := checkMember(member); err != nil {
		return false, err
	}
	c, found, err := s.openOld(t)
	if !found {
		return false, err
	}
	return c.has(t, member)
}

// Len returns how many members there are, at the same cost for any number. [SCARD]
func (s Set) Len() (int64, error) { return length(s.Key, record.TypeSet) }

// All yields the members in bytewise order. [SMEMBERS, SSCAN]
func (s Set) All() iter.Seq2[string, error] { return elementNames(s.Key, record.TypeSet) }

// maxRepeated bounds the memory that one Random takes.
const maxRepeated = 1 << 24

// Random returns n different members, or all if there are fewer, each choice as
// likely as any other, in random order. With n below 0 it returns −n members, of
// which some may be the same; below −2²⁴ it is ErrOutOfRange. Cost: a walk of part
// of the set, a quarter of it on average for one member. [SRANDMEMBER]
func (s Set) Random(n int) ([]string, error) {
	return view(s.src, func(t Txn) ([]string, error) {
		c, found, err := s.openOld(t)
		if !found || n == 0 {
			return nil, err
		}
		if n < 0 {
			if n < -maxRepeated {
				return nil, base.ErrOutOfRange
			}
			return pickRepeated(t, &c, -n)
		}
		return pick(t, &c, n)
	})
}

// Pop removes what Random(n) would have returned, and returns it. A negative n is
// ErrOutOfRange. [SPOP]
func (s Set) Pop(n int) ([]string, error) {
	return update(s.src, s.name, func(t Txn) ([]string, error) {
		if n < 0 {
			return nil, base.ErrOutOfRange
		}
		c, found, err := s.openOld(t)
		if !found || n == 0 {
			return nil, err
		}
		popped, err := pick(t, &c, n)
		if err != nil {
			return nil, err
		}
		if uint64(len(popped)) >= c.meta.Count {
			return popped, c.drop(t)
		}
		for _, m := range popped {
			if err := t.Delete(c.element(t, m)); err != nil {
				return nil, err
			}
		}
		c.shrank(uint64(len(popped)))
		return popped, c.save(t)
	})
}

// pick returns n different members by selection sampling: a member is taken with
// the chance (still wanted)/(still to come), which makes every choice of n
// equally likely in one walk and no memory but the result's.
func pick(t Txn, c *collection, n int) ([]string, error) {
	toCome := c.meta.Count
	wanted := min(uint64(n), toCome)
	if wanted == 1 {
		return pickRepeated(t, c, 1)
	}
	var names nameArena
	var picked []string
	err := eachElement(t, c, "", ScanOptions{KeysOnly: true}, func(name []byte, _ Cursor) bool {
		if uniform(t, toCome) < wanted {
			picked = append(picked, names.name(name))
			wanted--
		}
		toCome--
		return wanted > 0 && toCome > 0
	})
	for i := len(picked) - 1; i > 0; i-- {
		j := uniform(t, uint64(i+1))
		picked[i], picked[j] = picked[j], picked[i]
	}
	return picked, err
}

// pickRepeated returns n members, each drawn from all: it draws positions, sorts
// them and meets them in one walk from the end that is nearer to the farthest.
func pickRepeated(t Txn, c *collection, n int) ([]string, error) {
	type draw struct {
		at  uint64 // position in the walk
		out int    // position in the result
	}
	draws := make([]draw, n)
	for i := range draws {
		draws[i] = draw{uniform(t, c.meta.Count), i}
	}
	slices.SortFunc(draws, func(a, b draw) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	last := c.meta.Count - 1
	reverse := last-draws[0].at < draws[n-1].at
	if reverse {
		slices.Reverse(draws)
		for i := range draws {
			draws[i].at = last - draws[i].at
		}
	}
	var names nameArena
	picked := make([]string, n)
	met, at := 0, uint64(0)
	o := ScanOptions{KeysOnly: true, Reverse: reverse}
	err := eachElement(t, c, "", o, func(name []byte, _ Cursor) bool {
		if draws[met].at == at {
			for m := names.name(name); met < n && draws[met].at == at; met++ {
				picked[draws[met].out] = m
			}
		}
		at++
		return met < n
	})
	if err == nil && met < n {
		err = corrupt(c.name, errLostElement)
	}
	return picked, err
}

// MoveTo moves the member to the set called dst and reports whether it was here.
// If dst is this set nothing changes; if it has the member already, it is still
// removed here. ErrWrongType if either key holds another type. [SMOVE]
func (s Set) MoveTo(dst, member string) (moved bool, err error) {
	return update(s.src, "", func(t Txn) (bool, error) {
		if err := checkName(dst); err != nil {
			return false, err
		}
		if dst == s.name {
			return s.has(t, member)
		}
		if err := checkMember(member); err != nil {
			return false, err
		}
		from, found, err := s.openOld(t)
		if !found {
			return false, err
		}
		to, err := openCollection(t, dst, record.TypeSet)
		if err != nil {
			return false, err
		}
		if found, err = from.has(t, member); !found {
			return false, err
		}
		return true, move(t, &from, &to, member)
	})
}

// move moves a member that from has.
func move(t Txn, from, to *collection, member string) error {
	if err := t.Delete(from.element(t, member)); err != nil {
		return err
	}
	from.shrank(1)
	if err := from.save(t); err != nil {
		return err
	}
	added, err := putElement(t, to, member, nil, true)
	if err != nil || !added {
		return err
	}
	return to.save(t)
}
