package typed

import (
	"cmp"
	"slices"

	"github.com/siltstonedb/siltstone/internal/collection"
)

// position is a place in the score order and that of the result to put what
// stands there.
type position struct {
	at  uint64
	out int // place in the result
}

// Random returns n different members, or all if there are fewer, each choice as
// likely as any other, in random order. With n below 0 it returns −n members, of
// which some may be the same; below −2²⁴ it is ErrBadOption. Cost: that of
// a look-up by rank for each, or a walk of the set if that is less. [ZRANDMEMBER]
func (z ZSet) Random(n int) ([]Member, error) {
	return collection.View(z.src, func(t collection.Txn) ([]Member, error) {
		set, found, err := z.openOld(t)
		if !found || n == 0 {
			return nil, err
		}
		if n < -maxRepeated {
			return nil, badCount("count", n)
		}
		live, err := set.Live(t)
		if err != nil || live == 0 {
			return nil, err
		}
		return drawMembers(t, &set, drawPositions(t, live, n))
	})
}

// drawPositions draws n different positions below count, or −n that may be the
// same, and returns them in order, to be put out in the order they were drawn in.
func drawPositions(t collection.Txn, count uint64, n int) []position {
	var draws []position
	if n < 0 {
		draws = make([]position, -n)
		for i := range draws {
			draws[i] = position{uniform(t, count), i}
		}
	} else {
		wanted := min(uint64(n), count)
		draws = make([]position, 0, wanted)
		drawn := make(map[uint64]struct{}, wanted)
		// Floyd's sample: j stands in for a number that was drawn before, which
		// makes every choice equally likely with one draw a number.
		for j := count - wanted; j < count; j++ {
			at := uniform(t, j+1)
			if _, twice := drawn[at]; twice {
				at = j
			}
			drawn[at] = struct{}{}
			draws = append(draws, position{at: at})
		}
		for i := range draws {
			k := uniform(t, uint64(i+1))
			draws[i].out, draws[k].out = draws[k].out, i
		}
	}
	slices.SortFunc(draws, func(a, b position) int { return cmp.Compare(a.at, b.at) })
	return draws
}

// drawMembers finds the members at the positions, which ascend.
func drawMembers(t collection.Txn, set *collection.Collection, draws []position) ([]Member, error) {
	if !set.MayBeDue(t) && uint64(len(draws)) < set.Count()/2/uint64(set.LookUpCost()) {
		return jumpToMembers(t, set, draws)
	}
	members := make([]Member, len(draws))
	var names nameArena
	at, met := draws[0].at, 0
	r := ByRank(int64(at), int64(draws[len(draws)-1].at))
	err := eachMember(t, set, r, func(name []byte, v collection.MemberValue) (bool, error) {
		if draws[met].at == at {
			for m := names.name(name); met < len(draws) && draws[met].at == at; met++ {
				members[draws[met].out] = Member{m, v.Score}
			}
		}
		at++
		return met < len(draws), nil
	})
	if err == nil && met < len(draws) {
		err = set.LostElement()
	}
	return members, err
}

func jumpToMembers(t collection.Txn, set *collection.Collection, draws []position) ([]Member, error) {
	members := make([]Member, len(draws))
	var names nameArena
	for i, d := range draws {
		if i > 0 && d.at == draws[i-1].at {
			members[d.out] = members[draws[i-1].out]
			continue
		}
		name, score, err := set.MemberAtRank(t, d.at)
		if err != nil {
			return nil, err
		}
		members[d.out] = Member{names.name(name), score}
	}
	return members, nil
}
