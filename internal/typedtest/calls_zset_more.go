package typedtest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/typed"
)

// The long tail of sorted sets.

// callZGrow takes a sorted set over the size from which on its order is counted,
// now and then.
func callZGrow(r *run, a API) error {
	if r.rng.IntN(10) > 0 {
		return nil
	}
	k := r.key()
	members := make([]typed.Member, 280)
	for i := range members {
		members[i] = typed.Member{Name: fmt.Sprintf("grown %03d", r.rng.IntN(400)), Score: r.score()}
	}
	e, wantErr := r.model.open(k, typed.TypeZSet)
	want := 0
	if wantErr == nil {
		for _, m := range members {
			want += zadd(e, 0, m)
		}
		r.model.save(k, e)
	}
	got, err := a.ZSet(k).AddMany(0, members...)
	return check(r, fmt.Sprintf("ZSet(%q).AddMany of %d", k, len(members)), got, err, want, wantErr)
}

func callZIncrIf(r *run, a API) error {
	k, m, by := r.key(), r.member(), r.score()
	c := choose(r, []typed.Cond{0, typed.CondNX, typed.CondXX, typed.CondGT, typed.CondLT, typed.CondXX | typed.CondLT, typed.CondNX | typed.CondLT, typed.CondCH})
	e, wantErr := r.model.open(k, typed.TypeZSet)
	if c == typed.CondNX|typed.CondLT || c == typed.CondCH {
		wantErr = base.ErrBadOption
	}
	want, wantDone := 0.0, false
	if wantErr == nil {
		old, had := e.zset[m]
		sum := old + by
		switch {
		case had && c&typed.CondNX != 0, !had && c&typed.CondXX != 0:
		case math.IsNaN(sum):
			wantErr = base.ErrNaN
		case had && c&typed.CondGT != 0 && !(sum > old), had && c&typed.CondLT != 0 && !(sum < old):
		default:
			want, wantDone = sum+0, true
			e.zset[m] = want
			r.model.save(k, e)
		}
	}
	got, done, err := a.ZSet(k).IncrIf(c, m, by)
	if err == nil && done != wantDone {
		return fmt.Errorf("ZSet(%q).IncrIf(%05b, %q, %v): done %v", k, c, m, by, done)
	}
	return check(r, fmt.Sprintf("ZSet(%q).IncrIf(%05b, %q, %v)", k, c, m, by), got, err, want, wantErr)
}

func callZScores(r *run, a API) error {
	k, members := r.key(), several(r, r.member)
	e, wantErr := r.model.open(k, typed.TypeZSet)
	var want, got []string
	for _, m := range members {
		if wantErr == nil {
			score, in := e.zset[m]
			if !in {
				score = math.NaN()
			}
			want = append(want, fmt.Sprint(score))
		}
	}
	scores, err := a.ZSet(k).Scores(members...)
	for _, s := range scores {
		got = append(got, fmt.Sprint(s))
	}
	return check(r, fmt.Sprintf("ZSet(%q).Scores(%q)", k, members), got, err, want, wantErr)
}

func callZPopFrom(r *run, a API) error {
	k, others, n, highest := r.key(), several(r, r.key), r.rng.IntN(5)-1, r.rng.IntN(2) == 0
	var want []typed.Member
	var wantErr error
	wantFrom := ""
	if n < 0 {
		wantErr = base.ErrBadOption
	}
	for _, name := range append([]string{k}, others...) {
		if wantErr != nil || len(want) > 0 {
			break
		}
		var e *entry
		if e, wantErr = r.model.open(name, typed.TypeZSet); wantErr != nil {
			break
		}
		all := e.members()
		if highest {
			slices.Reverse(all)
		}
		if want = all[:min(n, len(all))]; len(want) > 0 {
			wantFrom = name
		}
		for _, m := range want {
			e.remove(m.Name)
		}
		if len(want) > 0 {
			r.model.save(name, e)
		}
	}
	pop := a.ZSet(k).PopMinFrom
	if highest {
		pop = a.ZSet(k).PopMaxFrom
	}
	from, got, err := pop(n, others...)
	if err == nil && from != wantFrom {
		return fmt.Errorf("ZSet(%q).PopFrom(%d, %q): from %q, want %q", k, n, others, from, wantFrom)
	}
	return check(r, fmt.Sprintf("ZSet(%q).PopFrom(%d, %q) highest %v", k, n, others, highest), got, err, want, wantErr)
}

func callZRandom(r *run, a API) error {
	k, n := r.key(), r.rng.IntN(14)-5
	e, wantErr := r.model.open(k, typed.TypeZSet)
	want := 0
	set := &entry{hash: map[string][]byte{}}
	if wantErr == nil {
		for name := range e.zset {
			set.hash[name] = nil
		}
		want = drawn(n, len(e.zset))
	}
	members, err := a.ZSet(k).Random(n)
	call := fmt.Sprintf("ZSet(%q).Random(%d)", k, n)
	r.note("%s → %v %v", call, members, err)
	var names []string
	for _, m := range members {
		if wantErr == nil && e.zset[m.Name] != m.Score {
			return fmt.Errorf("%s: member %v has score %v", call, m, e.zset[m.Name])
		}
		names = append(names, m.Name)
	}
	return sampled(call, names, err, set, wantErr, want, n > 0)
}

func callZStoreRange(r *run, a API) error {
	k, src := r.key(), r.key()
	text, zr, choose := r.zrange()
	e, wantErr := r.model.open(src, typed.TypeZSet)
	want := int64(0)
	if wantErr == nil {
		want = r.storeZ(k, choose(e))
	}
	got, err := a.ZSet(k).StoreRange(src, zr)
	return check(r, fmt.Sprintf("ZSet(%q).StoreRange(%q, %s)", k, src, text), got, err, want, wantErr)
}

// storeZ makes the key a sorted set of these members.
func (r *run) storeZ(k string, members []typed.Member) int64 {
	e := &entry{typ: typed.TypeZSet, zset: map[string]float64{}}
	for _, m := range members {
		e.zset[m.Name] = m.Score
	}
	r.model.save(k, e)
	return int64(len(members))
}

// combineZ is the algebra of sorted sets: op is 'u', 'i' or 'd'.
func (m *Model) combineZ(op byte, o typed.ZOptions, keys []string) ([]typed.Member, error) {
	var sources []map[string]float64 // with weighted scores
	for i, k := range keys {
		e, err := m.open(k, typed.TypeZSet)
		if errors.Is(err, base.ErrWrongType) {
			e, err = m.open(k, typed.TypeSet)
		}
		if err != nil {
			return nil, err
		}
		weight, scores := 1.0, map[string]float64{}
		if o.Weights != nil {
			weight = o.Weights[i]
		}
		for name, score := range e.zset {
			scores[name] = weight * score
		}
		if e.typ == typed.TypeSet {
			for name := range e.hash {
				scores[name] = weight
			}
		}
		sources = append(sources, scores)
	}
	if op != 'd' {
		sort.SliceStable(sources, func(i, j int) bool { return len(sources[i]) < len(sources[j]) })
	}
	result := map[string]float64{}
	for name, score := range sources[0] {
		result[name] = numbered(score)
	}
	for _, s := range sources[1:] {
		result = joinZ(op, o.Aggregate, result, s)
	}
	return (&entry{zset: result}).members(), nil
}

// numbered is f, or 0 for what is no number.
func numbered(f float64) float64 {
	if math.IsNaN(f) {
		return 0
	}
	return f + 0
}

// joinZ joins one more source, of larger or equal size. Redis makes a number of an
// infinite score times 0 in a union, and in the smallest source of an intersection.
func joinZ(op byte, a typed.Aggregate, x, y map[string]float64) map[string]float64 {
	result := map[string]float64{}
	for name, score := range x {
		other, both := y[name]
		if op == 'u' {
			other = numbered(other)
		}
		switch {
		case op == 'd' && both, op == 'i' && !both:
			continue
		case !both:
		case a == typed.AggregateSum:
			score = numbered(score + other)
		case a == typed.AggregateMin && other < score, a == typed.AggregateMax && other > score:
			score = other
		}
		result[name] = score + 0
	}
	for name, score := range y {
		if _, both := x[name]; op == 'u' && !both {
			result[name] = numbered(score)
		}
	}
	return result
}

// zoptions draws options for so many sources, and the error they are to give.
func (r *run) zoptions(sources int) (o typed.ZOptions, err error) {
	o.Aggregate = choose(r, []typed.Aggregate{typed.AggregateSum, typed.AggregateMin, typed.AggregateMax})
	switch r.rng.IntN(8) {
	case 0:
		o.Weights, err = make([]float64, sources+1), base.ErrBadOption
	case 1:
		o.Weights, err = make([]float64, sources), base.ErrNaN
		o.Weights[0] = math.NaN()
	case 2, 3, 4:
		for range sources {
			o.Weights = append(o.Weights, choose(r, []float64{0, 1, 2, -1, .5, posInf}))
		}
	}
	return o, err
}

func callZCombine(r *run, a API) error {
	k, others := r.key(), several(r, r.key)
	op := "uid"[r.rng.IntN(3)]
	var o typed.ZOptions
	var wantErr error
	if op != 'd' {
		o, wantErr = r.zoptions(1 + len(others))
	}
	var want []typed.Member
	if wantErr == nil {
		want, wantErr = r.model.combineZ(op, o, append([]string{k}, others...))
	}
	var got []typed.Member
	var err error
	switch op {
	case 'u':
		got, err = a.ZSet(k).Union(o, others...)
	case 'i':
		got, err = a.ZSet(k).Inter(o, others...)
	case 'd':
		got, err = a.ZSet(k).Diff(others...)
	}
	return check(r, fmt.Sprintf("ZSet(%q) %c %v %q", k, op, o, others), got, err, want, wantErr)
}

func callZStore(r *run, a API) error {
	k, sources := r.key(), several(r, r.key)
	op := "uid"[r.rng.IntN(3)]
	var o typed.ZOptions
	var wantErr error
	if op != 'd' {
		o, wantErr = r.zoptions(len(sources))
	}
	want := int64(0)
	if wantErr == nil {
		var members []typed.Member
		if members, wantErr = r.model.combineZ(op, o, sources); wantErr == nil {
			want = r.storeZ(k, members)
		}
	}
	var got int64
	var err error
	switch op {
	case 'u':
		got, err = a.ZSet(k).StoreUnion(o, sources...)
	case 'i':
		got, err = a.ZSet(k).StoreInter(o, sources...)
	case 'd':
		got, err = a.ZSet(k).StoreDiff(sources...)
	}
	return check(r, fmt.Sprintf("ZSet(%q).Store %c %v %q", k, op, o, sources), got, err, want, wantErr)
}

func callZInterLen(r *run, a API) error {
	k, others, limit := r.key(), several(r, r.key), int64(r.rng.IntN(5)-1)
	members, wantErr := r.model.combineZ('i', typed.ZOptions{}, append([]string{k}, others...))
	want := int64(len(members))
	if limit > 0 {
		want = min(want, limit)
	}
	if limit < 0 {
		wantErr = base.ErrBadOption
	}
	got, err := a.ZSet(k).InterLen(limit, others...)
	return check(r, fmt.Sprintf("ZSet(%q).InterLen(%d, %q)", k, limit, others), got, err, want, wantErr)
}

func callZAddTTL(r *run, a API) error {
	k, ms := r.key(), int64(r.rng.IntN(300)-10)
	members := several(r, func() typed.Member { return typed.Member{Name: r.member(), Score: r.score()} })
	e, wantErr := r.model.open(k, typed.TypeZSet)
	want := 0
	if ms <= 0 {
		wantErr = base.ErrBadTTL
	}
	if wantErr == nil {
		for _, m := range members {
			want += zadd(e, 0, m)
			r.model.setDue(e, m.Name, r.now()+ms)
		}
		r.model.save(k, e)
	}
	got, err := a.ZSet(k).AddTTL(time.Duration(ms)*time.Millisecond, members...)
	return check(r, fmt.Sprintf("ZSet(%q).AddTTL(%d ms, %q)", k, ms, fmt.Sprint(members)), got, err, want, wantErr)
}

func callZExpireMembers(r *run, a API) error {
	return expireElements(r, typed.TypeZSet, "ZSet.ExpireMembers", func(k string) expiring {
		return expiring{a.ZSet(k).ExpireMembers, a.ZSet(k).ExpireMembersAt}
	})
}

func callZPersistMembers(r *run, a API) error {
	k, members := r.key(), several(r, r.member)
	want, wantErr := r.persistElements(k, typed.TypeZSet, members)
	got, err := a.ZSet(k).PersistMembers(members...)
	return check(r, fmt.Sprintf("ZSet(%q).PersistMembers(%q)", k, members), got, err, want, wantErr)
}

func callZMemberTTL(r *run, a API) error {
	k, m := r.key(), r.member()
	ttl, at, wantErr := r.ttlOf(k, typed.TypeZSet, m)
	got, err := a.ZSet(k).MemberTTL(m)
	if err := check(r, fmt.Sprintf("ZSet(%q).MemberTTL(%q)", k, m), got, err, ttl, wantErr); err != nil {
		return err
	}
	deadline, err := a.ZSet(k).MemberDeadline(m)
	return check(r, fmt.Sprintf("ZSet(%q).MemberDeadline(%q)", k, m), deadline, err, at, wantErr)
}
