package typed

import (
	"cmp"
	"math"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
)

// Aggregate says which score a member gets that several sources have.
type Aggregate uint8

const (
	AggregateSum Aggregate = iota // of their scores
	AggregateMin                  // the lowest
	AggregateMax                  // the highest
)

// ZOptions say how the scores of several sources become one. The zero value sums
// them.
type ZOptions struct {
	// Weights has one factor per source, in their order, that its scores are
	// multiplied with; nil: 1 for each.
	Weights   []float64
	Aggregate Aggregate
}

func (o *ZOptions) check(sources int) error {
	switch {
	case o.Aggregate > AggregateMax:
		return base.Errorf(base.ErrBadOption, "ZOptions: there is no aggregate %d", o.Aggregate)
	case o.Weights != nil && len(o.Weights) != sources:
		return base.Errorf(base.ErrBadOption, "ZOptions: %d weights for %d sources", len(o.Weights), sources)
	case slices.ContainsFunc(o.Weights, math.IsNaN):
		return base.Errorf(base.ErrNaN, "ZOptions: a weight is not a number (NaN)")
	}
	return nil
}

func (o *ZOptions) weight(source int) float64 {
	if o.Weights == nil {
		return 1
	}
	return o.Weights[source]
}

// join returns the score of a member with the score x, which is a number, and one
// more. As in Redis, a sum that is no number is 0, and what is no number is neither
// lower nor higher.
func (a Aggregate) join(x, y float64) float64 {
	switch {
	case a == AggregateSum:
		x += y
	case a == AggregateMin && y < x, a == AggregateMax && y > x:
		x = y
	}
	return number(x)
}

// number is f, or 0 for NaN and −0.
func number(f float64) float64 {
	if math.IsNaN(f) {
		return 0
	}
	return f + 0
}

// Union returns the members that are in this sorted set or any of the others, with
// their scores weighted and aggregated, in the order of those. A source may be
// a set, whose members score 1; a missing one is empty, here and below. Sums begin
// with the source that has the fewest members; of equal ones the first is first. An
// infinite score times 0, and a sum of +Inf and −Inf, are 0. Weights that are not as
// many as the sources, this one first, are ErrBadOption; NaN among them is ErrNaN. It
// takes memory for the result alone. [ZUNION]
func (z ZSet) Union(o ZOptions, others ...string) ([]Member, error) {
	return z.combined(opUnion, o, others)
}

// Inter is Union of the members that are in this sorted set and all of the others,
// but for an infinite score times 0 of another source than the first: it makes 0 of
// a sum, and AggregateMin and AggregateMax leave it out. [ZINTER]
func (z ZSet) Inter(o ZOptions, others ...string) ([]Member, error) {
	return z.combined(opInter, o, others)
}

// Diff returns the members that are in this sorted set and none of the others, with
// the scores they have here, in the order of those. [ZDIFF]
func (z ZSet) Diff(others ...string) ([]Member, error) {
	return z.combined(opDiff, ZOptions{}, others)
}

// InterLen returns how many members Inter has, and stops counting at the limit; 0
// is none. A negative limit is ErrBadOption. [ZINTERCARD]
func (z ZSet) InterLen(limit int64, others ...string) (int64, error) {
	return collection.View(z.src, func(t collection.Txn) (n int64, err error) {
		if limit < 0 {
			return 0, badCount("limit", limit)
		}
		err = combineScored(t, opInter, ZOptions{}, append([]string{z.name}, others...), func([]byte, float64) (bool, error) {
			n++
			return n != limit, nil
		})
		return n, err
	})
}

// StoreUnion makes this key the union of the sources and returns how many members
// that has. What the key held before, of whatever type, is dropped, and so is its
// time to live; an empty result leaves no key. The key may be a source itself, and
// is one only if it is named. No source at all is ErrBadOption. [ZUNIONSTORE]
func (z ZSet) StoreUnion(o ZOptions, sources ...string) (int64, error) {
	return z.store(opUnion, o, sources)
}

// StoreInter is StoreUnion with the members that are in all of the sources.
// [ZINTERSTORE]
func (z ZSet) StoreInter(o ZOptions, sources ...string) (int64, error) {
	return z.store(opInter, o, sources)
}

// StoreDiff is StoreUnion with the members of the first source that are in none
// of the others. [ZDIFFSTORE]
func (z ZSet) StoreDiff(sources ...string) (int64, error) {
	return z.store(opDiff, ZOptions{}, sources)
}

// StoreRange makes this key what r chooses from the sorted set called src, and
// returns how many members that has; what it held before is dropped as by
// StoreUnion. Reverse matters to positions and limits only. [ZRANGESTORE]
func (z ZSet) StoreRange(src string, r ZRange) (int64, error) {
	return z.storeMembers(func(t collection.Txn, put func([]byte, float64) (bool, error)) error {
		set, err := ZSet{Key{z.src, src}}.open(t)
		if err != nil {
			return err
		}
		return eachMember(t, &set, r, func(name []byte, v collection.MemberValue) (bool, error) {
			return put(name, v.Score)
		})
	})
}

func (z ZSet) combined(op setOp, o ZOptions, others []string) ([]Member, error) {
	return collection.View(z.src, func(t collection.Txn) (all []Member, err error) {
		var names nameArena
		err = combineScored(t, op, o, append([]string{z.name}, others...), func(m []byte, score float64) (bool, error) {
			all = append(all, Member{names.name(m), score})
			return true, nil
		})
		slices.SortStableFunc(all, func(a, b Member) int { return cmp.Compare(a.Score, b.Score) }) // names ascend
		return all, err
	})
}

func (z ZSet) store(op setOp, o ZOptions, sources []string) (int64, error) {
	if len(sources) == 0 {
		return 0, errNoSources(z.name)
	}
	return z.storeMembers(func(t collection.Txn, put func([]byte, float64) (bool, error)) error {
		return combineScored(t, op, o, sources, put)
	})
}
