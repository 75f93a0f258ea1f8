package typedtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/typed"
)

var hashCalls = []func(*run, API) error{
	callHashSet, callHashSet, callHashSetMany, callHashGet, callHashGetMany, callHashRemove, callHashAll,
	callHashIncr, callHashIncrFloat, callHashSetTTL, callFieldTTL, callExpireFields, callPersistFields,
	callHashStrLen, callHashRandom, callHashAfter,
}

func callHashSet(r *run, a API) error {
	k, f, v, nx := r.key(), r.member(), r.value(), r.rng.IntN(3) == 0
	e, wantErr := r.model.open(k, typed.TypeHash)
	want := false
	if wantErr == nil {
		_, had := e.hash[f]
		if want = !had; want || !nx {
			e.hash[f] = v
			delete(e.due, f)
			r.model.save(k, e)
		}
	}
	set := a.Hash(k).Set
	if nx {
		set = a.Hash(k).SetNX
	}
	got, err := set(f, v)
	return check(r, fmt.Sprintf("Hash(%q).Set(%q, %.20q) nx %v", k, f, v, nx), got, err, want, wantErr)
}

func callHashSetMany(r *run, a API) error {
	k := r.key()
	fields := several(r, func() typed.Field { return typed.Field{Name: r.member(), Value: r.value()} })
	e, wantErr := r.model.open(k, typed.TypeHash)
	want := 0
	if wantErr == nil {
		want = -len(e.hash)
		for _, f := range fields {
			e.hash[f.Name] = f.Value
			delete(e.due, f.Name)
		}
		want += len(e.hash)
		r.model.save(k, e)
	}
	got, err := a.Hash(k).SetMany(fields...)
	return check(r, fmt.Sprintf("Hash(%q).SetMany(%.80q)", k, fields), got, err, want, wantErr)
}

func callHashGet(r *run, a API) error {
	k, f := r.key(), r.member()
	e, wantErr := r.model.open(k, typed.TypeHash)
	var want []byte
	has := false
	if wantErr == nil {
		want, has = e.hash[f]
	}
	got, err := a.Hash(k).Has(f)
	if err := check(r, fmt.Sprintf("Hash(%q).Has(%q)", k, f), got, err, has, wantErr); err != nil {
		return err
	}
	if wantErr == nil && !has {
		wantErr = base.ErrNotFound
	}
	v, err := a.Hash(k).AppendGet([]byte("x"), f)
	want = append([]byte("x"), want...)
	if wantErr != nil && string(v) != "x" {
		return fmt.Errorf("Hash(%q).AppendGet(%q) lost dst: %q", k, f, v)
	}
	return check(r, fmt.Sprintf("Hash(%q).AppendGet(%q)", k, f), v, err, want, wantErr)
}

func callHashGetMany(r *run, a API) error {
	k, fields := r.key(), several(r, r.member)
	e, wantErr := r.model.open(k, typed.TypeHash)
	want := make([][]byte, len(fields))
	for i, f := range fields {
		if wantErr == nil {
			want[i] = e.hash[f]
		}
	}
	got, err := a.Hash(k).GetMany(fields...)
	return check(r, fmt.Sprintf("Hash(%q).GetMany(%q)", k, fields), got, err, want, wantErr)
}

// removeFrom removes elements of a hash or set in the model.
func (r *run) removeFrom(k string, typ typed.Type, members []string) (removed int, err error) {
	e, err := r.model.open(k, typ)
	if err != nil {
		return 0, err
	}
	removed = len(e.hash)
	for _, m := range members {
		e.remove(m)
	}
	removed -= len(e.hash)
	r.model.save(k, e)
	return removed, nil
}

func callHashRemove(r *run, a API) error {
	k, fields := r.key(), several(r, r.member)
	want, wantErr := r.removeFrom(k, typed.TypeHash, fields)
	got, err := a.Hash(k).Remove(fields...)
	return check(r, fmt.Sprintf("Hash(%q).Remove(%q)", k, fields), got, err, want, wantErr)
}

// fieldsOf returns the fields of a hash in the model, in order.
func fieldsOf(e *entry, prefix string) (fields []typed.Field) {
	for _, f := range slices.Sorted(maps.Keys(e.hash)) {
		if strings.HasPrefix(f, prefix) {
			fields = append(fields, typed.Field{Name: f, Value: e.hash[f]})
		}
	}
	return fields
}

func ownField(f typed.Field) typed.Field {
	f.Value = ownBytes(f.Value)
	return f
}

func callHashAll(r *run, a API) error {
	k, prefix := r.key(), choose(r, []string{"", "", "a", "\xff", "m"})
	e, wantErr := r.model.open(k, typed.TypeHash)
	var want []typed.Field
	if wantErr == nil {
		want = fieldsOf(e, prefix)
	}
	got, err := collect(a.Hash(k).Prefix(prefix), ownField)
	if err := check(r, fmt.Sprintf("Hash(%q).Prefix(%q)", k, prefix), got, err, want, wantErr); err != nil {
		return err
	}
	var names []string
	n := int64(0)
	if wantErr == nil {
		names, n = slices.Sorted(maps.Keys(e.hash)), int64(len(e.hash))
	}
	fields, err := collect(a.Hash(k).Fields(), asIs)
	if err := check(r, fmt.Sprintf("Hash(%q).Fields", k), fields, err, names, wantErr); err != nil {
		return err
	}
	length, err := a.Hash(k).Len()
	return check(r, fmt.Sprintf("Hash(%q).Len", k), length, err, n, wantErr)
}

func callHashIncr(r *run, a API) error {
	k, f, by := r.key(), r.member(), choose(r, []int64{1, -3, 1 << 62})
	e, wantErr := r.model.open(k, typed.TypeHash)
	var want int64
	if wantErr == nil {
		old, had := e.hash[f]
		var text []byte
		if text, want, wantErr = incr(old, had, by); wantErr == nil {
			e.hash[f] = text
			r.model.save(k, e)
		}
	}
	got, err := a.Hash(k).Incr(f, by)
	return check(r, fmt.Sprintf("Hash(%q).Incr(%q, %d)", k, f, by), got, err, want, wantErr)
}

func callHashIncrFloat(r *run, a API) error {
	k, f, by := r.key(), r.member(), choose(r, []float64{0.1, -2.5, 4, 1.7e-17, -4e-18})
	e, wantErr := r.model.open(k, typed.TypeHash)
	var want float64
	if wantErr == nil {
		old, had := e.hash[f]
		if !exact(old) {
			return nil
		}
		var text []byte
		if text, want, wantErr = incrFloat(old, had, by); wantErr == nil {
			e.hash[f] = text
			r.model.save(k, e)
		}
	}
	got, err := a.Hash(k).IncrFloat(f, by)
	return check(r, fmt.Sprintf("Hash(%q).IncrFloat(%q, %v)", k, f, by), got, err, want, wantErr)
}
