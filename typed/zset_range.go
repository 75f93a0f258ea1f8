package typed

import (
	"iter"
	"math"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/keyenc"
)

// ZRange chooses members of a sorted set: by rank, by score or by name, all of
// them or a part, forward or backward. It is a value; its methods return a changed
// copy. The zero ZRange is refused with ErrBadOption.
type ZRange struct {
	by      rangeBy
	reverse bool
	limited bool
	openMin bool
	openMax bool
	noMin   bool // ByLexTo
	noMax   bool // ByLexFrom
	resumed bool // After

	start, stop int64   // by rank
	low, high   float64 // by score
	min, max    string  // by name
	skip, limit int64   // if limited; limit < 0: none
	after       Member  // if resumed
}

type rangeBy uint8

const (
	byRank rangeBy = iota + 1
	byScore
	byLex
)

// ByRank chooses by position, both ends included; −1 is the last position.
// Positions are counted in the order of the walk: ByRank(0, 9) is the ten lowest
// scores, ByRank(0, 9).Reverse() the ten highest, highest first. [ZRANGE]
func ByRank(start, stop int64) ZRange { return ZRange{by: byRank, start: start, stop: stop} }

// ByScore chooses the scores from min to max, both included; use math.Inf for no
// bound. If min is above max nothing is chosen. [ZRANGE BYSCORE]
func ByScore(min, max float64) ZRange { return ZRange{by: byScore, low: min, high: max} }

// ByLex chooses the members from min to max in bytewise order of their names, both
// included, whatever their scores; the order is that of the names then. Redis has
// an answer only if all scores are the same, and it is this one. [ZRANGE BYLEX]
func ByLex(min, max string) ZRange { return ZRange{by: byLex, min: min, max: max} }

// ByLexFrom is ByLex without an upper end; ByLexFrom("") is all. [ZRANGE BYLEX +]
func ByLexFrom(min string) ZRange { return ZRange{by: byLex, min: min, noMax: true} }

// ByLexTo is ByLex without a lower end. [ZRANGE BYLEX -]
func ByLexTo(max string) ZRange { return ZRange{by: byLex, max: max, noMin: true} }

// OpenMin leaves the lower end itself out. Not for ranks.
func (r ZRange) OpenMin() ZRange { r.openMin = true; return r }

// OpenMax leaves the upper end itself out. Not for ranks.
func (r ZRange) OpenMax() ZRange { r.openMax = true; return r }

// Reverse walks from high to low. It never swaps min and max, unlike
// ZREVRANGEBYSCORE: the lower end is the first argument always. [ZRANGE REV]
func (r ZRange) Reverse() ZRange { r.reverse = true; return r }

// After leaves out m, which need not exist, and what the walk meets before it: a walk
// that ended at m continues there, also among members with its score. With Reverse that
// is below m. For ByScore alone; a NaN is ErrNaN.
func (r ZRange) After(m Member) ZRange { r.resumed, r.after = true, m; return r }

// Limit leaves out the first skip members of the walk and what comes after the
// next n; n < 0: to the end. With a negative skip nothing is chosen. Not for
// ranks. [ZRANGE LIMIT]
func (r ZRange) Limit(skip, n int64) ZRange {
	r.limited, r.skip, r.limit = true, skip, n
	return r
}

func (r *ZRange) check() error {
	if r.resumed && r.by != byScore && r.by != 0 {
		return base.Errorf(base.ErrBadOption, "ZRange: After is for ByScore alone")
	}
	switch r.by {
	case byRank:
		if r.limited || r.openMin || r.openMax {
			return base.Errorf(base.ErrBadOption, "ZRange: ByRank takes no Limit, OpenMin or OpenMax")
		}
	case byScore:
		if math.IsNaN(r.low) || math.IsNaN(r.high) {
			return base.Errorf(base.ErrNaN, "ZRange: a bound of ByScore is not a number (NaN)")
		}
		if r.resumed && math.IsNaN(r.after.Score) {
			return base.Errorf(base.ErrNaN, "ZRange: the score of After is not a number (NaN)")
		}
		return collection.CheckMember(r.after.Name)
	case byLex:
		if r.openMin && r.noMin {
			return base.Errorf(base.ErrBadOption, "ZRange: OpenMin of a range without a lower bound")
		}
		if r.openMax && r.noMax {
			return base.Errorf(base.ErrBadOption, "ZRange: OpenMax of a range without an upper bound")
		}
		return collection.CheckMembers([]string{r.min, r.max})
	default:
		return base.Errorf(base.ErrBadOption, "the zero ZRange chooses nothing: use ByRank, ByScore or ByLex")
	}
	return nil
}

// all reports whether r chooses every member of any set.
func (r *ZRange) all() bool {
	if r.limited || r.openMin || r.openMax || r.resumed {
		return false
	}
	switch r.by {
	case byRank:
		return r.start == 0 && r.stop == -1
	case byScore:
		return math.IsInf(r.low, -1) && math.IsInf(r.high, 1)
	}
	return r.min == "" && r.noMax
}

// Range yields the members that r chooses, in the order it says. [ZRANGE,
// ZREVRANGE, ZRANGEBYSCORE, ZREVRANGEBYSCORE, ZRANGEBYLEX, ZREVRANGEBYLEX]
func (z ZSet) Range(r ZRange) iter.Seq2[Member, error] {
	return func(yield func(Member, error) bool) {
		collection.Stream(z.src, yield, func(t collection.Txn, each func(Member) bool) error {
			set, err := z.open(t)
			if err != nil {
				return err
			}
			var names nameArena
			return eachMember(t, &set, r, func(name []byte, v collection.MemberValue) (bool, error) {
				return each(Member{names.name(name), v.Score}), nil
			})
		})
	}
}

// Count returns how many members Range(r) yields. The cost grows with the logarithm
// of the number of members; a range by name is walked if the members have
// different scores. [ZCOUNT, ZLEXCOUNT]
func (z ZSet) Count(r ZRange) (int64, error) {
	return collection.View(z.src, func(t collection.Txn) (n int64, err error) {
		set, err := z.open(t)
		if err != nil {
			return 0, err
		}
		if err := r.check(); err != nil {
			return 0, err
		}
		if r.by == byRank || r.all() {
			live, err := set.Live(t)
			if n = int64(live); r.by == byRank {
				_, n = span(r.start, r.stop, n)
			}
			return n, err
		}
		return countRange(t, &set, &r)
	})
}

// RemoveRange removes the members that Range(r) yields and returns how many.
// [ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX]
func (z ZSet) RemoveRange(r ZRange) (removed int, err error) {
	return collection.Update(z.src, z.name, func(t collection.Txn) (n int, err error) {
		if err := r.check(); err != nil {
			return 0, err
		}
		set, found, err := z.openOldToWrite(t)
		if !found {
			return 0, err
		}
		if r.all() {
			live, err := set.Live(t)
			if err != nil {
				return 0, err
			}
			return int(min(live, math.MaxInt)), set.Drop(t)
		}
		err = eachMember(t, &set, r, func(name []byte, v collection.MemberValue) (bool, error) {
			n++
			return true, set.RemoveMember(t, string(name), v)
		})
		if err != nil {
			return 0, err
		}
		return n, set.Keep(t)
	})
}

// zspan is a ZRange as a scan: which rows, which way, and which of them.
type zspan struct {
	lo, hi  []byte // scratch
	reverse bool
	skip, n int64 // leave out, then take; n < 0: the rest
}

// eachMember calls each for the members that r chooses until it returns false or
// an error; name is borrowed. It may remove them.
func eachMember(t collection.Txn, set *collection.Collection, r ZRange, each func(name []byte, v collection.MemberValue) (bool, error)) error {
	if err := r.check(); err != nil || !set.Exists() {
		return err
	}
	s, err := resolve(t, set, &r)
	if err != nil || s.n == 0 || string(s.lo) >= string(s.hi) {
		return err
	}
	// Deadlines stand in the values of both orders.
	o := collection.ScanOptions{Reverse: s.reverse, KeysOnly: r.by != byLex && !set.HasDeadlines()}
	cur, err := set.ScanRows(t, s.lo, s.hi, o)
	if err != nil {
		return err
	}
	defer cur.Close()
	for cur.Next() {
		name, v, err := set.ReadMember(t, cur, r.by == byLex)
		if err != nil {
			return err
		}
		if v.Deadline != 0 && set.MayBeDue(t) {
			if v.Deadline <= t.Now() {
				continue
			}
			t.Until(cur.Key(), v.Deadline)
		}
		if s.skip > 0 {
			s.skip--
			continue
		}
		if more, err := each(name, v); err != nil || !more {
			return err
		}
		if s.n--; s.n == 0 {
			return nil
		}
	}
	return cur.Err()
}

func resolve(t collection.Txn, set *collection.Collection, r *ZRange) (s zspan, err error) {
	if r.by == byRank {
		return resolveRank(t, set, r)
	}
	s.reverse, s.n = r.reverse, -1
	if r.limited {
		s.skip, s.n = r.skip, r.limit
		if s.skip < 0 {
			s.n = 0
		}
	}
	if r.by == byLex {
		s.lo, s.hi = lexBounds(t, set, r)
	} else {
		s.lo, s.hi = scoreBounds(t, set, r)
	}
	return s, nil
}

// scoreBounds returns the bounds of the rows with the range's scores. The number
// behind a score in their order is at most one above +Inf and so never wraps.
func scoreBounds(t collection.Txn, set *collection.Collection, r *ZRange) (lo, hi []byte) {
	first, end := keyenc.OrderScore(r.low), keyenc.OrderScore(r.high)
	if r.openMin {
		first++
	}
	if !r.openMax {
		end++
	}
	lo, hi = set.ScoreBounds(t, first, end)
	if r.resumed {
		return set.Past(t, r.after.Score, r.after.Name, r.reverse)
	}
	return lo, hi
}

// lexBounds returns the bounds of the element rows with the range's names: the
// name behind m in their order is m and a zero byte.
func lexBounds(t collection.Txn, set *collection.Collection, r *ZRange) (lo, hi []byte) {
	sc := t.Scratch()
	sc.Lo = append(sc.Lo[:0], set.Element(t, r.min)...)
	if r.openMin {
		sc.Lo = append(sc.Lo, 0)
	}
	if r.noMax {
		sc.Hi = collection.AppendSuccessor(sc.Hi[:0], set.Element(t, ""))
		return sc.Lo, sc.Hi
	}
	sc.Hi = append(sc.Hi[:0], set.Element(t, r.max)...)
	if !r.openMax {
		sc.Hi = append(sc.Hi, 0)
	}
	return sc.Lo, sc.Hi
}
