package typedtest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/typed"
)

var zsetCalls = []func(*run, API) error{
	callZAdd, callZAdd, callZIncr, callZScore, callZRank, callZRange, callZRange, callZRange,
	callZRemove, callZRemoveRange, callZPop, callZIncrIf, callZScores, callZPopFrom, callZRandom, callZStoreRange,
	callZCombine, callZCombine, callZStore, callZInterLen, callZAddTTL, callZExpireMembers, callZPersistMembers, callZMemberTTL,
	callZGrow,
}

func callZAdd(r *run, a API) error {
	k := r.key()
	members := several(r, func() typed.Member { return typed.Member{Name: r.member(), Score: r.score()} })
	c := choose(r, []typed.Cond{0, 0, 0, typed.CondNX, typed.CondXX, typed.CondGT, typed.CondLT, typed.CondXX | typed.CondGT, typed.CondNX | typed.CondGT})
	if r.rng.IntN(2) == 0 {
		c |= typed.CondCH
	}
	e, wantErr := r.model.open(k, typed.TypeZSet)
	if c&(typed.CondNX|typed.CondGT) == typed.CondNX|typed.CondGT {
		wantErr = base.ErrBadOption
	}
	want := 0
	if wantErr == nil {
		for _, m := range members {
			want += zadd(e, c, m)
		}
		r.model.save(k, e)
	}
	got, err := a.ZSet(k).AddMany(c, members...)
	return check(r, fmt.Sprintf("ZSet(%q).AddMany(%05b, %q)", k, c, fmt.Sprint(members)), got, err, want, wantErr)
}

// zadd adds one member in the model and returns what it counts for.
func zadd(e *entry, c typed.Cond, m typed.Member) int {
	old, had := e.zset[m.Name]
	switch {
	case !had && c&typed.CondXX != 0, had && c&typed.CondNX != 0,
		had && c&typed.CondGT != 0 && m.Score <= old, had && c&typed.CondLT != 0 && m.Score >= old:
		return 0
	}
	e.zset[m.Name] = m.Score + 0 // −0 + 0 is 0
	if !had || c&typed.CondCH != 0 && m.Score != old {
		return 1
	}
	return 0
}

func callZIncr(r *run, a API) error {
	k, m, by := r.key(), r.member(), r.score()
	e, wantErr := r.model.open(k, typed.TypeZSet)
	var want float64
	if wantErr == nil {
		if want = e.zset[m] + by; math.IsNaN(want) {
			wantErr = base.ErrNaN
		} else {
			e.zset[m] = want
			r.model.save(k, e)
		}
	}
	got, err := a.ZSet(k).Incr(m, by)
	return check(r, fmt.Sprintf("ZSet(%q).Incr(%q, %v)", k, m, by), got, err, want, wantErr)
}

func callZScore(r *run, a API) error {
	k, m := r.key(), r.member()
	e, wantErr := r.model.open(k, typed.TypeZSet)
	var want float64
	n := int64(0)
	lenErr := wantErr
	if wantErr == nil {
		n = int64(len(e.zset))
		score, had := e.zset[m]
		if want = score; !had {
			wantErr = base.ErrNotFound
		}
	}
	got, err := a.ZSet(k).Score(m)
	if err := check(r, fmt.Sprintf("ZSet(%q).Score(%q)", k, m), got, err, want, wantErr); err != nil {
		return err
	}
	length, err := a.ZSet(k).Len()
	return check(r, fmt.Sprintf("ZSet(%q).Len", k), length, err, n, lenErr)
}

func callZRank(r *run, a API) error {
	k, m := r.key(), r.member()
	e, wantErr := r.model.open(k, typed.TypeZSet)
	var want, wantRev int64
	if wantErr == nil {
		all := e.members()
		i := slices.IndexFunc(all, func(x typed.Member) bool { return x.Name == m })
		if want, wantRev = int64(i), int64(len(all)-1-i); i < 0 {
			wantErr = base.ErrNotFound
		}
	}
	got, err := a.ZSet(k).Rank(m)
	if err := check(r, fmt.Sprintf("ZSet(%q).Rank(%q)", k, m), got, err, want, wantErr); err != nil {
		return err
	}
	got, err = a.ZSet(k).RevRank(m)
	return check(r, fmt.Sprintf("ZSet(%q).RevRank(%q)", k, m), got, err, wantRev, wantErr)
}

// zrange picks a range and says what it chooses from a sorted set.
func (r *run) zrange() (text string, zr typed.ZRange, choose func(*entry) []typed.Member) {
	reverse, openMin, openMax := r.rng.IntN(2) == 0, r.rng.IntN(3) == 0, r.rng.IntN(3) == 0
	skip, n := int64(0), int64(-1)
	var in func(m typed.Member) bool
	byName := false
	switch r.rng.IntN(3) {
	case 0:
		return r.rankRange(reverse)
	case 1:
		low, high := r.score(), r.score()
		if low > high && r.rng.IntN(4) > 0 {
			low, high = high, low
		}
		zr = typed.ByScore(low, high)
		text = fmt.Sprintf("score %v to %v", low, high)
		in = func(m typed.Member) bool {
			return (m.Score > low || m.Score == low && !openMin) && (m.Score < high || m.Score == high && !openMax)
		}
		if r.rng.IntN(3) == 0 {
			last := typed.Member{Name: r.member(), Score: r.score()}
			zr, in = zr.After(last), met(in, last, reverse)
			text += fmt.Sprintf(" after %v", last)
		}
	case 2:
		low, high := r.member(), r.member()
		if low > high && r.rng.IntN(4) > 0 {
			low, high = high, low
		}
		noMax := !openMax && r.rng.IntN(3) == 0
		noMin := !openMin && !noMax && r.rng.IntN(3) == 0
		zr = typed.ByLex(low, high)
		if noMax {
			zr = typed.ByLexFrom(low)
		} else if noMin {
			zr = typed.ByLexTo(high)
		}
		byName = true
		text = fmt.Sprintf("name %q or end %v to %q or end %v", low, noMin, high, noMax)
		in = func(m typed.Member) bool {
			return (noMin || m.Name > low || m.Name == low && !openMin) &&
				(noMax || m.Name < high || m.Name == high && !openMax)
		}
	}
	if openMin {
		zr = zr.OpenMin()
	}
	if openMax {
		zr = zr.OpenMax()
	}
	if reverse {
		zr = zr.Reverse()
	}
	if r.rng.IntN(3) == 0 {
		skip, n = int64(r.rng.IntN(4)-1), int64(r.rng.IntN(5)-1)
		zr = zr.Limit(skip, n)
	}
	text = fmt.Sprintf("%s, open %v %v, reverse %v, limit %d %d", text, openMin, openMax, reverse, skip, n)
	return text, zr, func(e *entry) []typed.Member {
		all := e.members()
		if byName {
			slices.SortFunc(all, func(a, b typed.Member) int {
				if a.Name < b.Name {
					return -1
				}
				return 1
			})
		}
		if reverse {
			slices.Reverse(all)
		}
		all = slices.DeleteFunc(all, func(m typed.Member) bool { return !in(m) })
		if skip < 0 || skip > int64(len(all)) {
			return nil
		}
		if all = all[skip:]; n >= 0 && n < int64(len(all)) {
			all = all[:n]
		}
		return all
	}
}

// met returns in for the members alone that a walk by score meets after last.
func met(in func(typed.Member) bool, last typed.Member, reverse bool) func(typed.Member) bool {
	return func(m typed.Member) bool {
		order := cmp.Or(cmp.Compare(m.Score, last.Score), strings.Compare(m.Name, last.Name))
		return in(m) && (order > 0 && !reverse || order < 0 && reverse)
	}
}

func (r *run) rankRange(reverse bool) (text string, zr typed.ZRange, choose func(*entry) []typed.Member) {
	start, stop := r.position(), r.position()
	zr = typed.ByRank(start, stop)
	if reverse {
		zr = zr.Reverse()
	}
	return fmt.Sprintf("rank %d to %d, reverse %v", start, stop, reverse), zr, func(e *entry) []typed.Member {
		all := e.members()
		if reverse {
			slices.Reverse(all)
		}
		return part(all, start, stop)
	}
}

func callZRange(r *run, a API) error {
	k := r.key()
	text, zr, choose := r.zrange()
	e, wantErr := r.model.open(k, typed.TypeZSet)
	var want []typed.Member
	if wantErr == nil {
		want = choose(e)
	}
	got, err := collect(a.ZSet(k).Range(zr), asIs)
	if err := check(r, fmt.Sprintf("ZSet(%q).Range(%s)", k, text), got, err, want, wantErr); err != nil {
		return err
	}
	n, err := a.ZSet(k).Count(zr)
	return check(r, fmt.Sprintf("ZSet(%q).Count(%s)", k, text), n, err, int64(len(want)), wantErr)
}

func callZRemove(r *run, a API) error {
	k, members := r.key(), several(r, r.member)
	e, wantErr := r.model.open(k, typed.TypeZSet)
	want := 0
	if wantErr == nil {
		want = len(e.zset)
		for _, m := range members {
			e.remove(m)
		}
		want -= len(e.zset)
		r.model.save(k, e)
	}
	got, err := a.ZSet(k).Remove(members...)
	return check(r, fmt.Sprintf("ZSet(%q).Remove(%q)", k, members), got, err, want, wantErr)
}

func callZRemoveRange(r *run, a API) error {
	k := r.key()
	text, zr, choose := r.zrange()
	e, wantErr := r.model.open(k, typed.TypeZSet)
	want := 0
	if wantErr == nil {
		gone := choose(e)
		for want = range gone {
			e.remove(gone[want].Name)
		}
		want = len(gone)
		r.model.save(k, e)
	}
	got, err := a.ZSet(k).RemoveRange(zr)
	return check(r, fmt.Sprintf("ZSet(%q).RemoveRange(%s)", k, text), got, err, want, wantErr)
}

func callZPop(r *run, a API) error {
	k, n, highest := r.key(), r.rng.IntN(5)-1, r.rng.IntN(2) == 0
	e, wantErr := r.model.open(k, typed.TypeZSet)
	if n < 0 {
		wantErr = base.ErrBadOption
	}
	var want []typed.Member
	if wantErr == nil {
		all := e.members()
		if highest {
			slices.Reverse(all)
		}
		want = all[:min(n, len(all))]
		for _, m := range want {
			e.remove(m.Name)
		}
		r.model.save(k, e)
	}
	pop := a.ZSet(k).PopMin
	if highest {
		pop = a.ZSet(k).PopMax
	}
	got, err := pop(n)
	return check(r, fmt.Sprintf("ZSet(%q).Pop(%d) highest %v", k, n, highest), got, err, want, wantErr)
}
