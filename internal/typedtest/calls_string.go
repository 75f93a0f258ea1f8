package typedtest

import (
	"fmt"
	"math"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/typed"
)

var stringCalls = []func(*run, API) error{
	callGet, callSet, callAppend, callStringRange, callIncr, callIncrFloat,
}

// str opens a string in the model; a missing one is ErrNotFound.
func (r *run) str(k string) (*entry, error) {
	e, err := r.model.open(k, typed.TypeString)
	if err == nil && r.model.get(k) == nil {
		err = base.ErrNotFound
	}
	return e, err
}

func callGet(r *run, a API) error {
	k := r.key()
	e, wantErr := r.str(k)
	var want []byte
	if wantErr == nil {
		want = e.str
	}
	got, err := a.String(k).Get()
	return check(r, fmt.Sprintf("String(%q).Get", k), got, err, want, wantErr)
}

func callSet(r *run, a API) error {
	k, v := r.key(), r.value()
	var o typed.SetOptions
	o.Cond = choose(r, []typed.Cond{0, 0, typed.CondNX, typed.CondXX})
	o.Get = r.rng.IntN(4) == 0
	switch r.rng.IntN(5) {
	case 0:
		o.TTL = time.Duration(1+r.rng.IntN(300)) * time.Millisecond
	case 1:
		o.At = time.UnixMilli(r.now() + int64(r.rng.IntN(300)-30))
	case 2:
		o.KeepTTL = true
	}
	want, wantErr := r.model.setString(k, v, o)
	got, err := a.String(k).SetWith(v, o)
	return check(r, fmt.Sprintf("String(%q).SetWith(%.20q, %+v)", k, v, o), got, err, want, wantErr)
}

func callAppend(r *run, a API) error {
	k, v := r.key(), r.value()
	e, wantErr := r.model.open(k, typed.TypeString)
	var want int64
	if wantErr == nil {
		e.str = append(append([]byte{}, e.str...), v...)
		want = int64(len(e.str))
		r.model.save(k, e)
	}
	got, err := a.String(k).Append(v)
	return check(r, fmt.Sprintf("String(%q).Append(%.20q)", k, v), got, err, want, wantErr)
}

func callStringRange(r *run, a API) error {
	k, start, stop := r.key(), r.position(), r.position()
	e, wantErr := r.model.open(k, typed.TypeString)
	var want []byte
	length := int64(0)
	if wantErr == nil {
		want, length = part(e.str, start, stop), int64(len(e.str))
	}
	got, err := a.String(k).Range(start, stop)
	call := fmt.Sprintf("String(%q).Range(%d, %d)", k, start, stop)
	if err := check(r, call, got, err, want, wantErr); err != nil {
		return err
	}
	n, err := a.String(k).Len()
	return check(r, fmt.Sprintf("String(%q).Len", k), n, err, length, wantErr)
}

func callIncr(r *run, a API) error {
	k, by := r.key(), choose(r, []int64{1, -1, 100, math.MaxInt64, math.MinInt64, 0})
	e, wantErr := r.model.open(k, typed.TypeString)
	var want int64
	if wantErr == nil {
		var text []byte
		if text, want, wantErr = incr(e.str, r.model.get(k) != nil, by); wantErr == nil {
			e.str = text
			r.model.save(k, e)
		}
	}
	got, err := a.String(k).Incr(by)
	return check(r, fmt.Sprintf("String(%q).Incr(%d)", k, by), got, err, want, wantErr)
}

func callIncrFloat(r *run, a API) error {
	k, by := r.key(), choose(r, []float64{0.1, 0.5, -0.25, 3, 1e3, 1.7e-17, -4e-18})
	e, wantErr := r.model.open(k, typed.TypeString)
	if wantErr == nil && !exact(e.str) {
		return nil
	}
	var want float64
	if wantErr == nil {
		var text []byte
		if text, want, wantErr = incrFloat(e.str, r.model.get(k) != nil, by); wantErr == nil {
			e.str = text
			r.model.save(k, e)
		}
	}
	got, err := a.String(k).IncrFloat(by)
	return check(r, fmt.Sprintf("String(%q).IncrFloat(%v)", k, by), got, err, want, wantErr)
}
