package typedtest

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/typed"
)

// What changes a list between its ends, looks for values, or moves them.
var listMiddleCalls = []func(*run, API) error{
	callPushX, callInsert, callInsert, callInsertRun, callListRemove, callPos, callPosMany, callListMove, callListMove,
	callPopAny,
}

func (r *run) end() typed.End { return choose(r, []typed.End{typed.EndFront, typed.EndBack}) }

// item is a value that the list holds, or any.
func (r *run) item(k string) []byte {
	if e := r.model.get(k); e != nil && len(e.list) > 0 && r.rng.IntN(4) > 0 {
		return choose(r, e.list)
	}
	return r.value()
}

// valueIs returns the test for values that equal v.
func valueIs(v []byte) func([]byte) bool {
	return func(other []byte) bool { return bytes.Equal(v, other) }
}

func callPushX(r *run, a API) error {
	k, vs, end := r.key(), several(r, r.value), r.end()
	e, wantErr := r.model.open(k, typed.TypeList)
	if wantErr == nil && len(e.list) > 0 {
		for _, v := range vs {
			if end == typed.EndFront {
				e.list = slices.Insert(e.list, 0, v)
			} else {
				e.list = append(e.list, v)
			}
		}
	}
	var want int64
	if wantErr == nil {
		want = int64(len(e.list))
	}
	push := a.List(k).PushBackX
	if end == typed.EndFront {
		push = a.List(k).PushFrontX
	}
	got, err := push(vs...)
	return check(r, fmt.Sprintf("List(%q).PushX(%.60q) %v", k, vs, end), got, err, want, wantErr)
}

func callInsert(r *run, a API) error {
	k := r.key()
	return r.insert(a, k, r.item(k), r.value(), r.rng.IntN(2) == 0)
}

func (r *run) insert(a API, k string, pivot, v []byte, before bool) error {
	e, wantErr := r.model.open(k, typed.TypeList)
	want := false
	if wantErr == nil {
		at := slices.IndexFunc(e.list, valueIs(pivot))
		if want = at >= 0; want {
			if !before {
				at++
			}
			e.list = slices.Insert(slices.Clone(e.list), at, v)
		}
	}
	insert := a.List(k).InsertAfter
	if before {
		insert = a.List(k).InsertBefore
	}
	got, err := insert(pivot, v)
	return check(r, fmt.Sprintf("List(%q).Insert(%.20q, %.20q) before %v", k, pivot, v, before), got, err, want, wantErr)
}

// callInsertRun inserts at one place until the room there must be used up.
func callInsertRun(r *run, a API) error {
	k := r.key()
	if e := r.model.get(k); e == nil || len(e.list) < 2 || len(e.list) > 40 {
		return callInsert(r, a)
	}
	pivot, before := r.item(k), r.rng.IntN(2) == 0
	for i := range 20 {
		if err := r.insert(a, k, pivot, fmt.Append(nil, "run ", i), before); err != nil {
			return err
		}
		r.settled()
	}
	return nil
}

func callListRemove(r *run, a API) error {
	k, count := r.key(), r.rng.IntN(6)-3
	v := r.item(k)
	e, wantErr := r.model.open(k, typed.TypeList)
	want := 0
	if wantErr == nil {
		limit := max(count, -count)
		if count < 0 {
			slices.Reverse(e.list)
		}
		kept := slices.DeleteFunc(slices.Clone(e.list), func(other []byte) bool {
			gone := bytes.Equal(v, other) && (count == 0 || want < limit)
			if gone {
				want++
			}
			return gone
		})
		if count < 0 {
			slices.Reverse(kept)
		}
		e.list = kept
		r.model.save(k, e)
	}
	got, err := a.List(k).Remove(count, v)
	return check(r, fmt.Sprintf("List(%q).Remove(%d, %.20q)", k, count, v), got, err, want, wantErr)
}

func callPos(r *run, a API) error {
	k := r.key()
	v := r.item(k)
	e, wantErr := r.model.open(k, typed.TypeList)
	var want int64
	if wantErr == nil {
		if want = int64(slices.IndexFunc(e.list, valueIs(v))); want < 0 {
			wantErr = base.ErrNotFound
		}
	}
	got, err := a.List(k).Pos(v)
	return check(r, fmt.Sprintf("List(%q).Pos(%.20q)", k, v), got, err, want, wantErr)
}

func callPosMany(r *run, a API) error {
	k := r.key()
	v := r.item(k)
	o := typed.PosOptions{Rank: int64(r.rng.IntN(7) - 3), Count: r.rng.IntN(5) - 1, MaxLen: int64(r.rng.IntN(7) - 1)}
	e, wantErr := r.model.open(k, typed.TypeList)
	if o.Count < 0 || o.MaxLen < 0 {
		wantErr = base.ErrBadOption
	}
	var want []int64
	if wantErr == nil {
		want = e.positions(v, o)
	}
	got, err := a.List(k).PosMany(v, o)
	return check(r, fmt.Sprintf("List(%q).PosMany(%.20q, %+v)", k, v, o), got, err, want, wantErr)
}

// positions first gathers all matches and then chooses.
func (e *entry) positions(v []byte, o typed.PosOptions) (at []int64) {
	for i, other := range e.list {
		looked := int64(i)
		if o.Rank < 0 {
			looked = int64(len(e.list) - 1 - i)
		}
		if bytes.Equal(v, other) && (o.MaxLen == 0 || looked < o.MaxLen) {
			at = append(at, int64(i))
		}
	}
	skip := max(o.Rank, -o.Rank, 1) - 1
	if o.Rank < 0 {
		slices.Reverse(at)
	}
	at = at[min(skip, int64(len(at))):]
	if o.Count > 0 {
		at = at[:min(o.Count, len(at))]
	}
	return at
}

func callListMove(r *run, a API) error {
	k, dst, from, to := r.key(), r.key(), r.end(), r.end()
	if r.rng.IntN(4) == 0 {
		dst = k
	}
	var want []byte
	e, wantErr := r.model.open(k, typed.TypeList)
	if wantErr == nil && len(e.list) == 0 {
		wantErr = base.ErrNotFound
	}
	if wantErr == nil {
		_, wantErr = r.model.open(dst, typed.TypeList)
	}
	if wantErr == nil {
		want = r.move(k, dst, e, from, to)
	}
	got, err := a.List(k).MoveTo(dst, from, to)
	return check(r, fmt.Sprintf("List(%q).MoveTo(%q, %v, %v)", k, dst, from, to), got, err, want, wantErr)
}

// move is MoveTo in the model; e, which is not empty, is the entry of k.
func (r *run) move(k, dst string, e *entry, from, to typed.End) (v []byte) {
	if last := len(e.list) - 1; from == typed.EndFront {
		v, e.list = e.list[0], slices.Clone(e.list[1:])
	} else {
		v, e.list = e.list[last], slices.Clone(e.list[:last])
	}
	d := e
	if dst != k {
		r.model.save(k, e)
		d, _ = r.model.open(dst, typed.TypeList)
	}
	if to == typed.EndFront {
		d.list = slices.Insert(d.list, 0, v)
	} else {
		d.list = append(d.list, v)
	}
	r.model.save(dst, d)
	return v
}

func callPopAny(r *run, a API) error {
	names, n, end := several(r, r.key), r.rng.IntN(5)-1, r.end()
	wantName, want, wantErr := "", [][]byte(nil), error(nil)
	if n < 0 {
		wantErr = base.ErrBadOption
	}
	for i := 0; i < len(names) && len(want) == 0 && wantErr == nil; i++ {
		want, wantErr = r.popFrom(names[i], n, end == typed.EndFront)
		if len(want) > 0 {
			wantName = names[i]
		}
	}
	name, got, err := a.List(names[0]).PopAny(end, n, names[1:]...)
	call := fmt.Sprintf("List(%q).PopAny(%v, %d, %q)", names[0], end, n, names[1:])
	if err := check(r, call, got, err, want, wantErr); err != nil || wantErr != nil {
		return err
	}
	return check(r, call+" name", name, nil, wantName, nil)
}
