package typedtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/typed"
)

// The calls on deadlines of elements, of which hashes and sets have the same.

func callHashSetTTL(r *run, a API) error {
	k, f, v, ms := r.key(), r.member(), r.value(), int64(r.rng.IntN(300)-10)
	e, wantErr := r.model.open(k, typed.TypeHash)
	want := false
	if ms <= 0 {
		wantErr = base.ErrBadTTL
	}
	if wantErr == nil {
		_, had := e.hash[f]
		want = !had
		e.hash[f] = v
		r.model.setDue(e, f, r.now()+ms)
		r.model.save(k, e)
	}
	got, err := a.Hash(k).SetTTL(f, v, time.Duration(ms)*time.Millisecond)
	return check(r, fmt.Sprintf("Hash(%q).SetTTL(%q, %.20q, %d ms)", k, f, v, ms), got, err, want, wantErr)
}

func callSetAddTTL(r *run, a API) error {
	k, members, ms := r.key(), several(r, r.member), int64(r.rng.IntN(300)-10)
	e, wantErr := r.model.open(k, typed.TypeSet)
	want := 0
	if ms <= 0 {
		wantErr = base.ErrBadTTL
	}
	if wantErr == nil {
		want = -len(e.hash)
		for _, m := range members {
			e.hash[m] = nil
			r.model.setDue(e, m, r.now()+ms)
		}
		want += len(e.hash)
		r.model.save(k, e)
	}
	got, err := a.Set(k).AddTTL(time.Duration(ms)*time.Millisecond, members...)
	return check(r, fmt.Sprintf("Set(%q).AddTTL(%d ms, %q)", k, ms, members), got, err, want, wantErr)
}

// allowed says whether a deadline may follow another, 0 being none.
func allowed(c typed.Cond, had, at int64) bool {
	switch c {
	case typed.CondNX:
		return had == 0
	case typed.CondXX:
		return had != 0
	case typed.CondGT:
		return had != 0 && (at == 0 || at > had)
	case typed.CondLT:
		return at != 0 && (had == 0 || at < had)
	case typed.CondXX | typed.CondGT:
		return had != 0 && (at == 0 || at > had)
	case typed.CondXX | typed.CondLT:
		return had != 0 && at != 0 && at < had
	}
	return true
}

// expiring are the two forms of ExpireFields and ExpireMembers.
type expiring struct {
	in func(ttl time.Duration, c typed.Cond, members ...string) (int, error)
	at func(deadline time.Time, c typed.Cond, members ...string) (int, error)
}

// expireElements is ExpireFields and ExpireMembers, in either form.
func expireElements(r *run, typ typed.Type, name string, on func(k string) expiring) error {
	k, members, at := r.key(), several(r, r.member), r.now()+int64(r.rng.IntN(300)-20)
	deadline := time.UnixMilli(at)
	if r.rng.IntN(8) == 0 {
		at, deadline = 0, time.Time{}
	}
	c := choose(r, []typed.Cond{0, 0, 0, typed.CondNX, typed.CondXX, typed.CondGT, typed.CondLT, typed.CondXX | typed.CondGT, typed.CondXX | typed.CondLT,
		typed.CondNX | typed.CondGT, typed.CondGT | typed.CondLT, typed.CondCH})
	e, wantErr := r.model.open(k, typ)
	want := 0
	if c == typed.CondNX|typed.CondGT || c == typed.CondGT|typed.CondLT || c == typed.CondCH {
		wantErr = base.ErrBadOption
	}
	if wantErr == nil {
		for _, m := range members {
			if e.has(m) && allowed(c, e.due[m], at) {
				r.model.setDue(e, m, at)
				want++
			}
		}
		r.model.save(k, e)
	}
	call := func() (int, error) { return on(k).at(deadline, c, members...) }
	if r.rng.IntN(2) == 0 {
		ttl := typed.NoTTL
		if at != 0 {
			ttl = time.Duration(at-r.now()) * time.Millisecond
		}
		call = func() (int, error) { return on(k).in(ttl, c, members...) }
	}
	got, err := call()
	return check(r, fmt.Sprintf("%s(%q, %d, %d, %q)", name, k, at, c, members), got, err, want, wantErr)
}

func callExpireFields(r *run, a API) error {
	return expireElements(r, typed.TypeHash, "ExpireFields", func(k string) expiring {
		return expiring{a.Hash(k).ExpireFields, a.Hash(k).ExpireFieldsAt}
	})
}

func callExpireMembers(r *run, a API) error {
	return expireElements(r, typed.TypeSet, "ExpireMembers", func(k string) expiring {
		return expiring{a.Set(k).ExpireMembers, a.Set(k).ExpireMembersAt}
	})
}

// persistElements returns what PersistFields and PersistMembers are to.
func (r *run) persistElements(k string, typ typed.Type, members []string) (want int, err error) {
	e, err := r.model.open(k, typ)
	if err != nil {
		return 0, err
	}
	want = len(e.due)
	for _, m := range members {
		delete(e.due, m)
	}
	return want - len(e.due), nil
}

func callPersistFields(r *run, a API) error {
	k, fields := r.key(), several(r, r.member)
	want, wantErr := r.persistElements(k, typed.TypeHash, fields)
	got, err := a.Hash(k).PersistFields(fields...)
	return check(r, fmt.Sprintf("Hash(%q).PersistFields(%q)", k, fields), got, err, want, wantErr)
}

func callPersistMembers(r *run, a API) error {
	k, members := r.key(), several(r, r.member)
	want, wantErr := r.persistElements(k, typed.TypeSet, members)
	got, err := a.Set(k).PersistMembers(members...)
	return check(r, fmt.Sprintf("Set(%q).PersistMembers(%q)", k, members), got, err, want, wantErr)
}

// ttlOf returns what the model says of an element's time to live.
func (r *run) ttlOf(k string, typ typed.Type, member string) (ttl time.Duration, at time.Time, err error) {
	e, err := r.model.open(k, typ)
	if err != nil {
		return 0, at, err
	}
	if !e.has(member) {
		return 0, at, base.ErrNotFound
	}
	if ms := e.due[member]; ms != 0 {
		return time.Duration(ms-r.now()) * time.Millisecond, time.UnixMilli(ms), nil
	}
	return typed.NoTTL, at, nil
}

func callFieldTTL(r *run, a API) error {
	k, f := r.key(), r.member()
	ttl, at, wantErr := r.ttlOf(k, typed.TypeHash, f)
	got, err := a.Hash(k).FieldTTL(f)
	if err := check(r, fmt.Sprintf("Hash(%q).FieldTTL(%q)", k, f), got, err, ttl, wantErr); err != nil {
		return err
	}
	deadline, err := a.Hash(k).FieldDeadline(f)
	return check(r, fmt.Sprintf("Hash(%q).FieldDeadline(%q)", k, f), deadline, err, at, wantErr)
}

func callMemberTTL(r *run, a API) error {
	k, m := r.key(), r.member()
	ttl, at, wantErr := r.ttlOf(k, typed.TypeSet, m)
	got, err := a.Set(k).MemberTTL(m)
	if err := check(r, fmt.Sprintf("Set(%q).MemberTTL(%q)", k, m), got, err, ttl, wantErr); err != nil {
		return err
	}
	deadline, err := a.Set(k).MemberDeadline(m)
	return check(r, fmt.Sprintf("Set(%q).MemberDeadline(%q)", k, m), deadline, err, at, wantErr)
}

// The long tail of both types.

func callHashStrLen(r *run, a API) error {
	k, f := r.key(), r.member()
	e, wantErr := r.model.open(k, typed.TypeHash)
	want := int64(0)
	if wantErr == nil {
		want = int64(len(e.hash[f]))
	}
	got, err := a.Hash(k).StrLen(f)
	return check(r, fmt.Sprintf("Hash(%q).StrLen(%q)", k, f), got, err, want, wantErr)
}

func callHashRandom(r *run, a API) error {
	k, n := r.key(), r.rng.IntN(14)-5
	e, wantErr := r.model.open(k, typed.TypeHash)
	want := 0
	if wantErr == nil {
		want = drawn(n, len(e.hash))
	}
	fields, err := a.Hash(k).Random(n)
	call := fmt.Sprintf("Hash(%q).Random(%d)", k, n)
	r.note("%s → %q %v", call, fields, err)
	var names []string
	for _, f := range fields {
		if wantErr == nil && string(e.hash[f.Name]) != string(f.Value) {
			return fmt.Errorf("%s: field %q has %q, want %q", call, f.Name, f.Value, e.hash[f.Name])
		}
		names = append(names, f.Name)
	}
	return sampled(call, names, err, e, wantErr, want, n > 0)
}

func callHashAfter(r *run, a API) error {
	k, f := r.key(), r.member()
	e, wantErr := r.model.open(k, typed.TypeHash)
	var want []typed.Field
	if wantErr == nil {
		want = slices.DeleteFunc(fieldsOf(e, ""), func(x typed.Field) bool { return x.Name <= f })
	}
	got, err := collect(a.Hash(k).After(f), ownField)
	if err := check(r, fmt.Sprintf("Hash(%q).After(%q)", k, f), got, err, want, wantErr); err != nil {
		return err
	}
	part, inPart := r.part()
	want = nil
	if wantErr == nil {
		want = slices.DeleteFunc(fieldsOf(e, ""), func(x typed.Field) bool { return !inPart(x.Name) })
	}
	got, err = collect(a.Hash(k).Scan(part), ownField)
	if err := check(r, fmt.Sprintf("Hash(%q).Scan(%q)", k, part), got, err, want, wantErr); err != nil {
		return err
	}
	fields, err := collect(a.Hash(k).ScanFields(part), asIs)
	if err := check(r, fmt.Sprintf("Hash(%q).ScanFields(%q)", k, part), fields, err, names(want), wantErr); err != nil {
		return err
	}
	slices.Reverse(want)
	got, err = collect(a.Hash(k).ScanBack(part), ownField)
	if err := check(r, fmt.Sprintf("Hash(%q).ScanBack(%q)", k, part), got, err, want, wantErr); err != nil {
		return err
	}
	fields, err = collect(a.Hash(k).ScanFieldsBack(part), asIs)
	return check(r, fmt.Sprintf("Hash(%q).ScanFieldsBack(%q)", k, part), fields, err, names(want), wantErr)
}

// part draws a range of names, and what tells whether it has a name.
func (r *run) part() (typed.Range, func(name string) bool) {
	prefix, after, before := choose(r, []string{"", "", "a", "\xff", "m"}), r.member(), r.member()
	part, has := typed.Prefix(prefix), func(name string) bool { return strings.HasPrefix(name, prefix) }
	switch choose(r, []int{0, 1, 2, 3}) {
	case 1:
		return part.After(after), func(name string) bool { return has(name) && name > after }
	case 2:
		return part.Before(before), func(name string) bool { return has(name) && name < before }
	case 3:
		return part.After(after).Before(before), func(name string) bool { return has(name) && name > after && name < before }
	}
	return part, has
}

func callSetAfter(r *run, a API) error {
	k, m, prefix := r.key(), r.member(), choose(r, []string{"", "a", "\xff", "m"})
	e, wantErr := r.model.open(k, typed.TypeSet)
	var after, starting []string
	if wantErr == nil {
		for _, x := range slices.Sorted(maps.Keys(e.hash)) {
			if x > m {
				after = append(after, x)
			}
			if strings.HasPrefix(x, prefix) {
				starting = append(starting, x)
			}
		}
	}
	got, err := collect(a.Set(k).After(m), asIs)
	if err := check(r, fmt.Sprintf("Set(%q).After(%q)", k, m), got, err, after, wantErr); err != nil {
		return err
	}
	got, err = collect(a.Set(k).Prefix(prefix), asIs)
	if err := check(r, fmt.Sprintf("Set(%q).Prefix(%q)", k, prefix), got, err, starting, wantErr); err != nil {
		return err
	}
	part, inPart := r.part()
	var want []string
	if wantErr == nil {
		want = slices.DeleteFunc(slices.Sorted(maps.Keys(e.hash)), func(x string) bool { return !inPart(x) })
	}
	got, err = collect(a.Set(k).Scan(part), asIs)
	if err := check(r, fmt.Sprintf("Set(%q).Scan(%q)", k, part), got, err, want, wantErr); err != nil {
		return err
	}
	slices.Reverse(want)
	got, err = collect(a.Set(k).ScanBack(part), asIs)
	return check(r, fmt.Sprintf("Set(%q).ScanBack(%q)", k, part), got, err, want, wantErr)
}

func callSetHasMany(r *run, a API) error {
	k, members := r.key(), several(r, r.member)
	e, wantErr := r.model.open(k, typed.TypeSet)
	want := make([]bool, len(members))
	for i, m := range members {
		if wantErr == nil {
			_, want[i] = e.hash[m]
		}
	}
	got, err := a.Set(k).HasMany(members...)
	return check(r, fmt.Sprintf("Set(%q).HasMany(%q)", k, members), got, err, want, wantErr)
}

func callSetInterLen(r *run, a API) error {
	k, others, limit := r.key(), several(r, r.key), int64(r.rng.IntN(5)-1)
	members, wantErr := r.model.combine('i', append([]string{k}, others...))
	want := int64(len(members))
	if limit > 0 {
		want = min(want, limit)
	}
	if limit < 0 {
		wantErr = base.ErrBadOption
	}
	got, err := a.Set(k).InterLen(limit, others...)
	return check(r, fmt.Sprintf("Set(%q).InterLen(%d, %q)", k, limit, others), got, err, want, wantErr)
}
