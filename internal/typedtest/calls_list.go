package typedtest

import (
	"fmt"
	"maps"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/typed"
)

var listCalls = []func(*run, API) error{
	callPush, callPush, callPush, callPop, callPopMany, callAt, callSetAt, callListRange, callTrim,
}

func callPush(r *run, a API) error {
	k, vs, front := r.key(), several(r, r.value), r.rng.IntN(2) == 0
	e, wantErr := r.model.open(k, typed.TypeList)
	var want int64
	if wantErr == nil {
		for _, v := range vs {
			if front {
				e.list = slices.Insert(e.list, 0, v)
			} else {
				e.list = append(e.list, v)
			}
		}
		want = int64(len(e.list))
		r.model.save(k, e)
	}
	push := a.List(k).PushBack
	if front {
		push = a.List(k).PushFront
	}
	got, err := push(vs...)
	return check(r, fmt.Sprintf("List(%q).Push(%.60q) front %v", k, vs, front), got, err, want, wantErr)
}

// popFrom pops up to n values in the model.
func (r *run) popFrom(k string, n int, front bool) (popped [][]byte, err error) {
	e, err := r.model.open(k, typed.TypeList)
	if err != nil {
		return nil, err
	}
	for ; n > 0 && len(e.list) > 0; n-- {
		if front {
			popped, e.list = append(popped, e.list[0]), slices.Clone(e.list[1:])
		} else {
			last := len(e.list) - 1
			popped, e.list = append(popped, e.list[last]), slices.Clone(e.list[:last])
		}
	}
	r.model.save(k, e)
	return popped, nil
}

func callPop(r *run, a API) error {
	k, front := r.key(), r.rng.IntN(2) == 0
	popped, wantErr := r.popFrom(k, 1, front)
	var want []byte
	if len(popped) == 1 {
		want = popped[0]
	} else if wantErr == nil {
		wantErr = base.ErrNotFound
	}
	pop := a.List(k).PopBack
	if front {
		pop = a.List(k).PopFront
	}
	got, err := pop()
	return check(r, fmt.Sprintf("List(%q).Pop front %v", k, front), got, err, want, wantErr)
}

func callPopMany(r *run, a API) error {
	k, n, front := r.key(), r.rng.IntN(4)-1, r.rng.IntN(2) == 0
	want, wantErr := [][]byte(nil), error(base.ErrBadOption)
	if n >= 0 {
		want, wantErr = r.popFrom(k, n, front)
	}
	pop := a.List(k).PopBackN
	if front {
		pop = a.List(k).PopFrontN
	}
	got, err := pop(n)
	return check(r, fmt.Sprintf("List(%q).PopN(%d) front %v", k, n, front), got, err, want, wantErr)
}

func callAt(r *run, a API) error {
	k, i := r.key(), r.position()
	e, wantErr := r.model.open(k, typed.TypeList)
	var want []byte
	n := int64(0)
	lenErr := wantErr
	if wantErr == nil {
		n = int64(len(e.list))
		at := i
		if at < 0 {
			at += n
		}
		if wantErr = base.ErrNotFound; at >= 0 && at < n {
			want, wantErr = e.list[at], nil
		}
	}
	got, err := a.List(k).At(i)
	if err := check(r, fmt.Sprintf("List(%q).At(%d)", k, i), got, err, want, wantErr); err != nil {
		return err
	}
	length, err := a.List(k).Len()
	return check(r, fmt.Sprintf("List(%q).Len", k), length, err, n, lenErr)
}

func callSetAt(r *run, a API) error {
	k, i, v := r.key(), r.position(), r.value()
	e, wantErr := r.model.open(k, typed.TypeList)
	if wantErr == nil {
		at := i
		if at < 0 {
			at += int64(len(e.list))
		}
		switch {
		case len(e.list) == 0:
			wantErr = base.ErrNotFound
		case at < 0 || at >= int64(len(e.list)):
			wantErr = base.ErrOutOfRange
		default:
			e.list[at] = v
		}
	}
	err := a.List(k).SetAt(i, v)
	return check(r, fmt.Sprintf("List(%q).SetAt(%d, %.20q)", k, i, v), 0, err, 0, wantErr)
}

func callListRange(r *run, a API) error {
	k, start, stop := r.key(), r.position(), r.position()
	e, wantErr := r.model.open(k, typed.TypeList)
	var want [][]byte
	if wantErr == nil {
		want = part(e.list, start, stop)
	}
	got, err := collect(a.List(k).Range(start, stop), ownBytes)
	return check(r, fmt.Sprintf("List(%q).Range(%d, %d)", k, start, stop), got, err, want, wantErr)
}

func callTrim(r *run, a API) error {
	k, start, stop := r.key(), r.position(), r.position()
	e, wantErr := r.model.open(k, typed.TypeList)
	if wantErr == nil {
		e.list = slices.Clone(part(e.list, start, stop))
		r.model.save(k, e)
	}
	err := a.List(k).Trim(start, stop)
	return check(r, fmt.Sprintf("List(%q).Trim(%d, %d)", k, start, stop), 0, err, 0, wantErr)
}

// compareKey compares all that one key holds.
func (r *run) compareKey(a API, k string) error {
	e := r.model.get(k)
	typ, err := a.Key(k).Type()
	if err := differ(fmt.Sprintf("type of %q", k), typ, err, e.typ, nil); err != nil {
		return err
	}
	deadline, err := a.Key(k).Deadline()
	at := int64(0)
	if !deadline.IsZero() {
		at = deadline.UnixMilli()
	}
	if err := differ(fmt.Sprintf("deadline of %q", k), at, err, e.expiry, nil); err != nil {
		return err
	}
	switch e.typ {
	case typed.TypeString:
		got, err := a.String(k).Get()
		return differ(fmt.Sprintf("string %q", k), got, err, e.str, nil)
	case typed.TypeHash:
		got, err := collect(a.Hash(k).All(), ownField)
		return differ(fmt.Sprintf("hash %q", k), got, err, fieldsOf(e, ""), nil)
	case typed.TypeSet:
		got, err := collect(a.Set(k).All(), asIs)
		return differ(fmt.Sprintf("set %q", k), got, err, slices.Sorted(maps.Keys(e.hash)), nil)
	case typed.TypeZSet:
		got, err := collect(a.ZSet(k).Range(typed.ByRank(0, -1)), asIs)
		return differ(fmt.Sprintf("zset %q", k), got, err, e.members(), nil)
	}
	got, err := collect(a.List(k).Range(0, -1), ownBytes)
	return differ(fmt.Sprintf("list %q", k), got, err, e.list, nil)
}
