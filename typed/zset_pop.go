package typed

import (
	"github.com/siltstonedb/siltstone/internal/collection"
)

// PopMin removes up to n members with the lowest scores and returns them, lowest
// first. A negative n is ErrBadOption. [ZPOPMIN]
func (z ZSet) PopMin(n int) ([]Member, error) { return z.pop(n, ByRank(0, int64(n)-1)) }

// PopMax removes up to n members with the highest scores and returns them, highest
// first. A negative n is ErrBadOption. [ZPOPMAX]
func (z ZSet) PopMax(n int) ([]Member, error) { return z.pop(n, ByRank(0, int64(n)-1).Reverse()) }

// PopMinFrom is PopMin of the first among this set and the others, in the order
// given, that has members; it also returns which that was, or "" if none has. A key
// of another type before it is ErrWrongType. [ZMPOP MIN]
func (z ZSet) PopMinFrom(n int, others ...string) (from string, popped []Member, err error) {
	return z.popFrom(n, ByRank(0, int64(n)-1), others)
}

// PopMaxFrom is PopMinFrom for the highest scores. [ZMPOP MAX]
func (z ZSet) PopMaxFrom(n int, others ...string) (from string, popped []Member, err error) {
	return z.popFrom(n, ByRank(0, int64(n)-1).Reverse(), others)
}

func (z ZSet) pop(n int, r ZRange) ([]Member, error) {
	return collection.Update(z.src, z.name, func(t collection.Txn) ([]Member, error) { return z.popIn(t, n, r) })
}

func (z ZSet) popFrom(n int, r ZRange, others []string) (from string, popped []Member, err error) {
	popped, err = collection.Update(z.src, "", func(t collection.Txn) ([]Member, error) {
		from = z.name
		members, err := z.popIn(t, n, r)
		for i := 0; err == nil && len(members) == 0 && i < len(others); i++ {
			from = others[i]
			members, err = ZSet{Key{z.src, from}}.popIn(t, n, r)
		}
		return members, err
	})
	if len(popped) == 0 {
		from = ""
	}
	return from, popped, err
}

func (z ZSet) popIn(t collection.Txn, n int, r ZRange) ([]Member, error) {
	if n < 0 {
		return nil, badCount("count", n)
	}
	set, found, err := z.openOldToWrite(t)
	if !found || n == 0 {
		return nil, err
	}
	var names nameArena
	var popped []Member
	err = eachMember(t, &set, r, func(name []byte, v collection.MemberValue) (bool, error) {
		m := Member{names.name(name), v.Score}
		popped = append(popped, m)
		return true, set.RemoveMember(t, m.Name, v)
	})
	if err != nil {
		return nil, err
	}
	return popped, set.Keep(t)
}
