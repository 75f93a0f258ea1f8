package typedtest

import (
	"fmt"
	"math"
	"path"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/typed"
)

var (
	posInf  = math.Inf(1)
	negInf  = math.Inf(-1)
	negZero = math.Copysign(0, -1)
)

// calls are the calls a history makes, each as likely as any other. A call picks
// its arguments, runs in the store and in the model, and compares.
var calls = concat(keyCalls, stringCalls, exchangeCalls, bitCalls, hashCalls, setCalls, zsetCalls, listCalls, listMiddleCalls)

func concat(lists ...[]func(*run, API) error) (all []func(*run, API) error) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

var keyCalls = []func(*run, API) error{
	callType, callDrop, callTTL, callExpire, callExpireAt, callPersist, callRename, callCopy,
	callKeys, callKeysExist, callKeysGet, callKeysSet,
	callRenameNX, callExpireIf, callRandomKey, callKeysSetNX, callKeysInPieces,
}

func callType(r *run, a API) error {
	k := r.key()
	got, gotErr := a.Key(k).Type()
	want, wantErr := typed.TypeNone, error(base.ErrNotFound)
	if e := r.model.get(k); e != nil {
		want, wantErr = e.typ, nil
	}
	if err := check(r, fmt.Sprintf("Key(%q).Type", k), got, gotErr, want, wantErr); err != nil {
		return err
	}
	exists, err := a.Key(k).Exists()
	return check(r, fmt.Sprintf("Key(%q).Exists", k), exists, err, wantErr == nil, nil)
}

func callDrop(r *run, a API) error {
	k := r.key()
	if r.rng.IntN(3) > 0 {
		k = "none such" // keys are to grow, too
	}
	got, err := a.Key(k).Drop()
	return check(r, fmt.Sprintf("Key(%q).Drop", k), got, err, r.model.drop(k) == 1, nil)
}

func callTTL(r *run, a API) error {
	k := r.key()
	want, wantErr := time.Duration(0), error(base.ErrNotFound)
	if e := r.model.get(k); e != nil {
		want, wantErr = typed.NoTTL, nil
		if e.expiry != 0 {
			want = time.Duration(e.expiry-r.now()) * time.Millisecond
		}
	}
	got, err := a.Hash(k).TTL()
	return check(r, fmt.Sprintf("Key(%q).TTL", k), got, err, want, wantErr)
}

func callExpire(r *run, a API) error {
	k, ms := r.key(), int64(r.rng.IntN(300)-20)
	ttl := time.Duration(ms) * time.Millisecond
	if ms > 0 {
		ttl -= time.Duration(r.rng.IntN(1000)) * time.Microsecond // is rounded up
	}
	err := a.Key(k).Expire(ttl)
	return check(r, fmt.Sprintf("Key(%q).Expire(%v)", k, ttl), 0, err, 0, r.model.expire(k, r.now()+ms))
}

func callExpireAt(r *run, a API) error {
	k, at := r.key(), r.now()+int64(r.rng.IntN(300)-20)
	err := a.Key(k).ExpireAt(time.UnixMilli(at))
	wantErr := r.model.expire(k, at)
	if err := check(r, fmt.Sprintf("Key(%q).ExpireAt(%d)", k, at), 0, err, 0, wantErr); err != nil {
		return err
	}
	if r.model.get(k) == nil {
		return nil
	}
	got, err := a.Key(k).Deadline()
	return check(r, fmt.Sprintf("Key(%q).Deadline", k), got.UnixMilli(), err, at, nil)
}

func callPersist(r *run, a API) error {
	k := r.key()
	e := r.model.get(k)
	want := e != nil && e.expiry != 0
	if want {
		e.expiry = 0
	}
	got, err := a.Key(k).Persist()
	return check(r, fmt.Sprintf("Key(%q).Persist", k), got, err, want, nil)
}

func callRename(r *run, a API) error {
	k, to := r.key(), r.key()
	err := a.Key(k).Rename(to)
	var wantErr error = base.ErrNotFound
	if e := r.model.get(k); e != nil {
		wantErr = nil
		delete(r.model.keys, k)
		r.model.keys[to] = e
	}
	return check(r, fmt.Sprintf("Key(%q).Rename(%q)", k, to), 0, err, 0, wantErr)
}

func callCopy(r *run, a API) error {
	k, to, replace := r.key(), r.key(), r.rng.IntN(2) == 0
	got, err := a.Key(k).CopyTo(to, replace)
	var wantErr error
	want := false
	e := r.model.get(k)
	switch {
	case k == to:
		wantErr = base.ErrBadOption
	case e != nil && (replace || r.model.get(to) == nil):
		want = true
		r.model.keys[to] = e.clone()
	}
	return check(r, fmt.Sprintf("Key(%q).CopyTo(%q, %v)", k, to, replace), got, err, want, wantErr)
}

func callKeys(r *run, a API) error {
	o := typed.KeyOptions{
		Match: choose(r, []string{"", "*", "user:*", "user:?", "[ab]", "a*", "?", "none*"}),
		Type:  choose(r, []typed.Type{typed.TypeNone, typed.TypeNone, typed.TypeHash, typed.TypeString}),
		After: choose(r, []string{"", "", "a", "user:", "\xff\xff"}),
	}
	var want []string
	for _, name := range r.model.names() {
		// None of the patterns reads bytes differently in Go, but that ? and * of
		// path.Match leave the slash alone and a rune may be several bytes.
		ok, _ := path.Match(o.Match, name)
		if ok || o.Match == "" || o.Match == "*" {
			if (o.Type == typed.TypeNone || o.Type == r.model.get(name).typ) && name > o.After {
				want = append(want, name)
			}
		}
	}
	var got []string
	for k, err := range a.Keys().All(o) {
		if err != nil {
			return err
		}
		got = append(got, k.Name())
	}
	if err := check(r, fmt.Sprintf("Keys.All(%+v)", o), got, nil, want, nil); err != nil {
		return err
	}
	n, err := a.Keys().Count()
	return check(r, "Keys.Count", n, err, int64(len(r.model.names())), nil)
}

func callKeysExist(r *run, a API) error {
	names := several(r, r.key)
	want := 0
	for _, k := range names {
		if r.model.get(k) != nil {
			want++
		}
	}
	got, err := a.Keys().Exists(names...)
	if err := check(r, fmt.Sprintf("Keys.Exists(%q)", names), got, err, want, nil); err != nil {
		return err
	}
	got, err = a.Keys().Touch(names...)
	if err := check(r, fmt.Sprintf("Keys.Touch(%q)", names), got, err, want, nil); err != nil {
		return err
	}
	if r.rng.IntN(6) > 0 {
		return nil
	}
	got, err = a.Keys().Drop(names...)
	return check(r, fmt.Sprintf("Keys.Drop(%q)", names), got, err, r.model.drop(names...), nil)
}

func callKeysGet(r *run, a API) error {
	names := several(r, r.key)
	want := make([][]byte, len(names))
	for i, k := range names {
		if e := r.model.get(k); e != nil && e.typ == typed.TypeString {
			want[i] = e.str
		}
	}
	got, err := a.Keys().Get(names...)
	return check(r, fmt.Sprintf("Keys.Get(%q)", names), got, err, want, nil)
}

func callKeysSet(r *run, a API) error {
	pairs := several(r, func() typed.Pair { return typed.Pair{Name: r.key(), Value: r.value()} })
	if r.rng.IntN(2) == 0 {
		pairs = pairs[:1]
	}
	for _, p := range pairs {
		if _, err := r.model.setString(p.Name, p.Value, typed.SetOptions{}); err != nil {
			return err
		}
	}
	return check(r, fmt.Sprintf("Keys.Set(%q)", pairs), 0, a.Keys().Set(pairs...), 0, nil)
}

func callRenameNX(r *run, a API) error {
	k, to := r.key(), r.key()
	got, err := a.Key(k).RenameNX(to)
	var wantErr error
	e, want := r.model.get(k), r.model.get(to) == nil
	switch {
	case e == nil:
		wantErr = base.ErrNotFound
	case want:
		delete(r.model.keys, k)
		r.model.keys[to] = e
	}
	return check(r, fmt.Sprintf("Key(%q).RenameNX(%q)", k, to), got, err, want, wantErr)
}

func callExpireIf(r *run, a API) error {
	k, at := r.key(), r.now()+int64(r.rng.IntN(300)-20)
	c := choose(r, []typed.Cond{0, typed.CondNX, typed.CondXX, typed.CondGT, typed.CondLT, typed.CondXX | typed.CondGT, typed.CondXX | typed.CondLT,
		typed.CondNX | typed.CondLT, typed.CondGT | typed.CondLT, typed.CondCH})
	deadline := time.UnixMilli(at)
	if r.rng.IntN(8) == 0 {
		at, deadline = 0, time.Time{}
	}
	far := func(expiry int64) int64 {
		if expiry == 0 {
			return math.MaxInt64
		}
		return expiry
	}
	var wantErr error
	want := false
	e := r.model.get(k)
	switch {
	case c == typed.CondNX|typed.CondLT || c == typed.CondGT|typed.CondLT || c == typed.CondCH:
		wantErr = base.ErrBadOption
	case e != nil:
		want = !(c&typed.CondNX != 0 && e.expiry != 0 || c&typed.CondXX != 0 && e.expiry == 0 ||
			c&typed.CondGT != 0 && far(at) <= far(e.expiry) || c&typed.CondLT != 0 && far(at) >= far(e.expiry))
		if want {
			if err := r.model.expire(k, at); err != nil {
				return err
			}
		}
	}
	got, err := a.Key(k).ExpireIf(c, deadline)
	return check(r, fmt.Sprintf("Key(%q).ExpireIf(%d, %d)", k, c, at), got, err, want, wantErr)
}

func callRandomKey(r *run, a API) error {
	name, err := a.Keys().Random()
	var wantErr error
	if len(r.model.names()) == 0 {
		wantErr = base.ErrNotFound
	}
	lives := err == nil && r.model.get(name) != nil
	return check(r, fmt.Sprintf("Keys.Random, %q", name), lives, err, true, wantErr)
}

func callKeysSetNX(r *run, a API) error {
	pairs := several(r, func() typed.Pair { return typed.Pair{Name: r.key(), Value: r.value()} })
	want := true
	for _, p := range pairs {
		want = want && r.model.get(p.Name) == nil
	}
	for _, p := range pairs {
		if want {
			r.model.keys[p.Name] = &entry{typ: typed.TypeString, str: p.Value}
		}
	}
	got, err := a.Keys().SetNX(pairs...)
	return check(r, fmt.Sprintf("Keys.SetNX(%q)", pairs), got, err, want, nil)
}

// callKeysInPieces walks the keys with a break after each, and drops or makes one
// in between: those that are not touched come exactly once.
func callKeysInPieces(r *run, a API) error {
	if r.rng.IntN(4) > 0 {
		return nil
	}
	touched := map[string]bool{}
	stable := func(names []string) (left []string) {
		for _, n := range names {
			if !touched[n] {
				left = append(left, n)
			}
		}
		return left
	}
	before := r.model.names()
	var got []string
	for o := (typed.KeyOptions{}); ; {
		last := o.After
		for k, err := range a.Keys().All(o) {
			if err != nil {
				return err
			}
			got, o.After = append(got, k.Name()), k.Name()
			break
		}
		if o.After == last {
			break
		}
		k := r.key()
		touched[k] = true
		if _, err := r.model.setString(k, []byte{}, typed.SetOptions{}); err != nil {
			return err
		}
		if err := a.String(k).Set(nil); err != nil {
			return err
		}
		r.settled()
		if r.rng.IntN(2) == 0 {
			r.model.drop(k)
			if _, err := a.Key(k).Drop(); err != nil {
				return err
			}
			r.settled()
		}
	}
	return check(r, fmt.Sprintf("Keys.All in pieces, writes to %v", touched), stable(got), nil, stable(before), nil)
}
