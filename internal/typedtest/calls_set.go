package typedtest

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/typed"
)

var setCalls = []func(*run, API) error{
	callSetAdd, callSetAdd, callSetRemove, callSetAll, callSetRandom, callSetPop, callSetMove,
	callSetCombine, callSetStore, callSetAddTTL, callMemberTTL, callExpireMembers, callPersistMembers,
	callSetHasMany, callSetInterLen, callSetAfter,
}

func callSetAdd(r *run, a API) error {
	k, members := r.key(), several(r, r.member)
	e, wantErr := r.model.open(k, typed.TypeSet)
	want := 0
	if wantErr == nil {
		want = -len(e.hash)
		for _, m := range members {
			e.hash[m] = nil
		}
		want += len(e.hash)
		r.model.save(k, e)
	}
	got, err := a.Set(k).Add(members...)
	return check(r, fmt.Sprintf("Set(%q).Add(%q)", k, members), got, err, want, wantErr)
}

func callSetRemove(r *run, a API) error {
	k, members := r.key(), several(r, r.member)
	want, wantErr := r.removeFrom(k, typed.TypeSet, members)
	got, err := a.Set(k).Remove(members...)
	return check(r, fmt.Sprintf("Set(%q).Remove(%q)", k, members), got, err, want, wantErr)
}

func callSetAll(r *run, a API) error {
	k, m := r.key(), r.member()
	e, wantErr := r.model.open(k, typed.TypeSet)
	var want []string
	has := false
	if wantErr == nil {
		want = slices.Sorted(maps.Keys(e.hash))
		_, has = e.hash[m]
	}
	got, err := collect(a.Set(k).All(), asIs)
	if err := check(r, fmt.Sprintf("Set(%q).All", k), got, err, want, wantErr); err != nil {
		return err
	}
	gotHas, err := a.Set(k).Has(m)
	if err := check(r, fmt.Sprintf("Set(%q).Has(%q)", k, m), gotHas, err, has, wantErr); err != nil {
		return err
	}
	n, err := a.Set(k).Len()
	return check(r, fmt.Sprintf("Set(%q).Len", k), n, err, int64(len(want)), wantErr)
}

// drawn returns how many elements Random(n) returns of a collection of a size: n at
// most, each once, or with a negative n as many as that says, with repetitions.
func drawn(n, size int) int {
	if n < 0 {
		return min(-n, -n*size)
	}
	return min(n, size)
}

// sampled checks what Random or Pop returned, which the model cannot foretell:
// so many members of the set, all different if distinct.
func sampled(call string, got []string, err error, e *entry, wantErr error, n int, distinct bool) error {
	if err := differ(call, 0, err, 0, wantErr); err != nil || wantErr != nil {
		return err
	}
	if len(got) != n {
		return fmt.Errorf("%s: %d members, want %d", call, len(got), n)
	}
	seen := map[string]bool{}
	for _, m := range got {
		if _, in := e.hash[m]; !in || distinct && seen[m] {
			return fmt.Errorf("%s: member %q is not in the set, or came twice", call, m)
		}
		seen[m] = true
	}
	return nil
}

func callSetRandom(r *run, a API) error {
	k, n := r.key(), r.rng.IntN(14)-5
	e, wantErr := r.model.open(k, typed.TypeSet)
	want := 0
	if wantErr == nil {
		want = drawn(n, len(e.hash))
	}
	got, err := a.Set(k).Random(n)
	call := fmt.Sprintf("Set(%q).Random(%d)", k, n)
	r.note("%s → %q %v", call, got, err)
	return sampled(call, got, err, e, wantErr, want, n > 0)
}

func callSetPop(r *run, a API) error {
	k, n := r.key(), r.rng.IntN(5)-1
	e, wantErr := r.model.open(k, typed.TypeSet)
	want := 0
	if wantErr == nil {
		want = min(n, len(e.hash))
	}
	if n < 0 {
		wantErr = base.ErrBadOption
	}
	got, err := a.Set(k).Pop(n)
	call := fmt.Sprintf("Set(%q).Pop(%d)", k, n)
	r.note("%s → %q %v", call, got, err)
	if err := sampled(call, got, err, e, wantErr, want, true); err != nil || wantErr != nil {
		return err
	}
	_, err = r.removeFrom(k, typed.TypeSet, got)
	return err
}

func callSetMove(r *run, a API) error {
	k, dst, m := r.key(), r.key(), r.member()
	from, wantErr := r.model.open(k, typed.TypeSet)
	want := false
	if r.model.get(k) != nil && wantErr == nil {
		var to *entry
		if to, wantErr = r.model.open(dst, typed.TypeSet); wantErr == nil {
			if _, want = from.hash[m]; want && k != dst {
				at := from.due[m]
				from.remove(m)
				r.model.save(k, from)
				if _, had := to.hash[m]; !had {
					to.hash[m] = nil
					r.model.setDue(to, m, at)
				}
				r.model.save(dst, to)
			}
		}
	}
	got, err := a.Set(k).MoveTo(dst, m)
	return check(r, fmt.Sprintf("Set(%q).MoveTo(%q, %q)", k, dst, m), got, err, want, wantErr)
}

func callSetCombine(r *run, a API) error {
	k, others := r.key(), several(r, r.key)
	op := "uid"[r.rng.IntN(3)]
	want, wantErr := r.model.combine(op, append([]string{k}, others...))
	s := a.Set(k)
	seq := map[byte]func(...string) iter.Seq2[string, error]{'u': s.Union, 'i': s.Inter, 'd': s.Diff}[op]
	got, err := collect(seq(others...), asIs)
	return check(r, fmt.Sprintf("Set(%q) %c %q", k, op, others), got, err, want, wantErr)
}

func callSetStore(r *run, a API) error {
	k, sources := r.key(), several(r, r.key)
	op := "uid"[r.rng.IntN(3)]
	members, wantErr := r.model.combine(op, sources)
	if wantErr == nil {
		e := &entry{typ: typed.TypeSet, hash: map[string][]byte{}}
		for _, m := range members {
			e.hash[m] = nil
		}
		r.model.save(k, e)
	}
	s := a.Set(k)
	store := map[byte]func(...string) (int64, error){'u': s.StoreUnion, 'i': s.StoreInter, 'd': s.StoreDiff}[op]
	got, err := store(sources...)
	return check(r, fmt.Sprintf("Set(%q).Store %c %q", k, op, sources), got, err, int64(len(members)), wantErr)
}
