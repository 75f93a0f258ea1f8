package typedtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/typed"
)

func names(fields []typed.Field) (names []string) {
	for _, f := range fields {
		names = append(names, f.Name)
	}
	return names
}

// gone fails the test unless the key is not there for any call.
func (t test) gone(s Store, k string) {
	t.Helper()
	exists, err := s.Key(k).Exists()
	ok(t, exists, err, false)
	n, err := s.Keys().Exists(k)
	ok(t, n, err, 0)
	_, err = s.Key(k).Type()
	t.refused(err, base.ErrNotFound)
	_, err = s.Key(k).TTL()
	t.refused(err, base.ErrNotFound)
	_, err = s.Key(k).Deadline()
	t.refused(err, base.ErrNotFound)
	t.refused(s.Key(k).Expire(time.Hour), base.ErrNotFound)
	t.refused(s.Key(k).Rename("elsewhere"), base.ErrNotFound)
	copied, err := s.Key(k).CopyTo("elsewhere", true)
	ok(t, copied, err, false)
	existed, err := s.Key(k).Drop()
	ok(t, existed, err, false)
	for key, err := range s.Keys().All(typed.KeyOptions{}) {
		t.done(err)
		ok(t, key.Name() == k, nil, false)
	}
}

// volatileHash makes a hash with two fields that live for a second, which lives
// for an hour.
func volatileHash(t test, s Store, k string) {
	t.Helper()
	for _, f := range []string{"f", "g"} {
		_, err := s.Hash(k).SetTTL(f, []byte(f), time.Second)
		t.done(err)
	}
	t.done(s.Key(k).Expire(time.Hour))
}

func lastFieldExpired(t test, s Store) {
	volatileHash(t, s, "h")
	s.Advance(999)
	n, err := s.Hash("h").Len()
	ok(t, n, err, 2)
	s.Advance(1)
	for _, call := range []func() error{
		func() error { return second(s.Hash("h").Get("f")) },
		func() error { return second(s.Hash("h").FieldTTL("f")) },
		func() error { return second(s.String("h").Get()) },
	} {
		t.refused(call(), base.ErrNotFound)
	}
	n, err = s.Hash("h").Len()
	ok(t, n, err, 0)
	fields, err := s.Hash("h").Random(5)
	ok(t, fields, err, nil)
	members, err := collect(s.Set("h").Union(), asIs) // no type, and so not the wrong one
	ok(t, members, err, nil)
	t.gone(s, "h")
}

func nextValueOverExpired(t test, s Store) {
	writes := []Call{
		{"hash", func(a API) error { return second(a.Hash("hash").Set("new", nil)) }},
		{"set", func(a API) error { return second(a.Set("set").Add("new")) }},
		{"zset", func(a API) error { return second(a.ZSet("zset").Add("new", 1)) }},
		{"list", func(a API) error { return second(a.List("list").PushBack(nil)) }},
		{"string", func(a API) error { return second(a.String("string").SetWith(nil, typed.SetOptions{KeepTTL: true})) }},
		{"nx", func(a API) error {
			r, err := a.String("nx").SetWith(nil, typed.SetOptions{Cond: typed.CondNX})
			if err == nil && (!r.Written || r.Existed) {
				return errRollback
			}
			return err
		}},
		{"append", func(a API) error { return second(a.String("append").Append(nil)) }},
		{"renamed", func(a API) error { return a.Key("other").Rename("renamed") }},
		{"copied", func(a API) error {
			copied, err := a.Key("hash").CopyTo("copied", false)
			if err == nil && !copied {
				return errRollback
			}
			return err
		}},
		{"moved", func(a API) error { return second(a.Set("set").MoveTo("moved", "new")) }},
		{"stored", func(a API) error { return second(a.Set("stored").StoreUnion("moved", "renamed")) }},
	}
	for _, w := range writes {
		volatileHash(t, s, w.Name)
	}
	s.Advance(2000)
	_, err := s.Set("other").Add("m")
	t.done(err)
	for _, w := range writes {
		if err := w.Run(s); err != nil {
			t.Fatalf("%s: %v", w.Name, err)
		}
		if w.Name == "moved" {
			t.gone(s, "set")
			continue
		}
		ttl, err := s.Key(w.Name).TTL()
		ok(t, ttl, err, typed.NoTTL)
	}
	n, err := s.Hash("hash").Len()
	ok(t, n, err, 1)
}

func countsAreExact(t test, s Store) {
	for i := range 10 {
		_, err := s.Set("s").AddTTL(time.Duration(i+1)*time.Second, fmt.Sprint("m", i))
		t.done(err)
	}
	_, err := s.Set("s").Add("stays", "m9")
	t.done(err)
	for i := range 11 {
		n, err := s.Set("s").Len()
		ok(t, n, err, int64(11-i))
		has, err := s.Set("s").HasMany("m0", "m4", "m9", "stays")
		ok(t, has, err, []bool{i < 1, i < 5, i < 10, true})
		all, err := s.Set("s").Random(20)
		ok(t, len(all), err, 11-i)
		n, err = s.Set("s").InterLen(0, "s")
		ok(t, n, err, int64(11-i))
		if i%3 == 2 {
			_, err := s.Set("s").Remove("none such") // purges
			t.done(err)
		}
		s.Advance(1000)
	}
	n, err := s.Set("s").StoreDiff("s", "none such")
	ok(t, n, err, 1)
}

func callsAndTimesToLive(t test, s Store) {
	h := s.Hash("h")
	for _, f := range []string{"set", "many", "incr", "nx", "stays"} {
		_, err := h.SetTTL(f, []byte("1"), time.Second)
		t.done(err)
	}
	_, err := h.Set("set", nil)
	t.done(err)
	_, err = h.SetMany(typed.Field{Name: "many"})
	t.done(err)
	_, err = h.Incr("incr", 1)
	t.done(err)
	_, err = h.IncrFloat("incr", 1.5)
	t.done(err)
	_, err = h.SetNX("nx", nil)
	t.done(err)
	for f, want := range map[string]time.Duration{"set": typed.NoTTL, "many": typed.NoTTL, "incr": time.Second, "nx": time.Second, "stays": time.Second} {
		ttl, err := h.FieldTTL(f)
		ok(t, ttl, err, want)
	}
	v, err := h.Get("incr")
	ok(t, v, err, []byte("3.5"))
	s.Advance(1000)
	fields, err := collect(h.All(), ownField)
	ok(t, names(fields), err, []string{"many", "set"})
	sum, err := h.Incr("incr", 5) // of nothing
	ok(t, sum, err, 5)
	ttl, err := h.FieldTTL("incr")
	ok(t, ttl, err, typed.NoTTL)
}

func deadlinesGoAlong(t test, s Store) {
	_, err := s.Set("s").AddTTL(time.Second, "a", "b")
	t.done(err)
	_, err = s.Set("s").Add("c")
	t.done(err)
	t.done(s.Key("s").Rename("r"))
	copied, err := s.Key("r").CopyTo("k", false)
	ok(t, copied, err, true)
	moved, err := s.Set("r").MoveTo("d", "a")
	ok(t, moved, err, true)
	for k, m := range map[string]string{"r": "b", "k": "a", "d": "a"} {
		ttl, err := s.Set(k).MemberTTL(m)
		ok(t, ttl, err, time.Second)
	}
	n, err := s.Set("union").StoreUnion("r", "k")
	ok(t, n, err, 3)
	s.Advance(1000)
	for k, want := range map[string][]string{"r": {"c"}, "k": {"c"}, "d": nil, "union": {"a", "b", "c"}} {
		all, err := collect(s.Set(k).All(), asIs)
		ok(t, all, err, want)
	}
	t.gone(s, "d")
	copied, err = s.Key("k").CopyTo("late", false)
	ok(t, copied, err, true)
	n, err = s.Set("late").Len()
	ok(t, n, err, 1)
}

func manyDue(t test, s Store) {
	const many = 2500
	var members []string
	for i := range many {
		members = append(members, fmt.Sprintf("m%05d", i))
	}
	for _, k := range []string{"all", "some"} {
		_, err := s.Set(k).AddTTL(time.Second, members...)
		t.done(err)
	}
	_, err := s.Set("some").Add("stays")
	t.done(err)
	t.done(s.Key("all").Expire(time.Hour))
	s.Advance(1000)
	for range 4 {
		n, err := s.Set("some").Len()
		ok(t, n, err, 1)
		added, err := s.Set("some").Add(members[many-1]) // due, and perhaps not purged
		t.done(err)
		removed, err := s.Set("some").Remove(members[many-1])
		ok(t, removed, err, 1)
		ok(t, added, nil, 1)
		popped, err := s.Set("some").Random(9)
		ok(t, popped, err, []string{"stays"})
	}
	n, err := s.Set("all").Len()
	ok(t, n, err, 0)
	added, err := s.Set("all").Add("new")
	ok(t, added, err, 1)
	ttl, err := s.Key("all").TTL()
	ok(t, ttl, err, typed.NoTTL)
	all, err := collect(s.Set("all").All(), asIs)
	ok(t, all, err, []string{"new"})
}

func equalDeadlines(t test, s Store) {
	at := time.UnixMilli(s.Now() + 1000)
	for _, k := range []string{"persisted", "renewed", "dropped"} {
		_, err := s.Hash(k).SetMany(typed.Field{Name: "f"}, typed.Field{Name: "g"})
		t.done(err)
		n, err := s.Hash(k).ExpireFieldsAt(at, 0, "f", "none such")
		ok(t, n, err, 1)
		t.done(s.Key(k).ExpireAt(at))
	}
	_, err := s.Key("persisted").Persist()
	t.done(err)
	t.done(s.Key("renewed").Expire(time.Hour))
	_, err = s.Key("dropped").Drop()
	t.done(err)
	s.Advance(1000)
	for _, k := range []string{"persisted", "renewed"} {
		fields, err := collect(s.Hash(k).Fields(), asIs)
		ok(t, fields, err, []string{"g"})
	}
}

func conditionsOfDeadlines(t test, s Store) {
	h := s.Hash("h")
	in := func(d time.Duration) time.Time { return time.UnixMilli(s.Now()).Add(d) }
	_, err := h.SetMany(typed.Field{Name: "f"}, typed.Field{Name: "never"})
	t.done(err)
	for i, c := range []struct {
		deadline time.Time
		cond     typed.Cond
		n        int
		ttl      time.Duration
	}{
		{in(time.Hour), typed.CondXX, 0, typed.NoTTL}, {in(time.Hour), typed.CondGT, 0, typed.NoTTL},
		{in(time.Hour), typed.CondNX, 1, time.Hour}, {in(time.Minute), typed.CondNX, 0, time.Hour},
		{in(time.Minute), typed.CondGT, 0, time.Hour}, {in(time.Minute), typed.CondLT, 1, time.Minute},
		{in(time.Hour), typed.CondLT, 0, time.Minute}, {in(time.Hour), typed.CondXX | typed.CondGT, 1, time.Hour},
		{in(time.Hour), typed.CondGT, 0, time.Hour}, {in(time.Hour), typed.CondLT, 0, time.Hour},
		{time.Time{}, typed.CondLT, 0, time.Hour}, {time.Time{}, typed.CondGT, 1, typed.NoTTL},
		{in(time.Hour), typed.CondLT, 1, time.Hour}, {time.Time{}, 0, 1, typed.NoTTL},
	} {
		n, err := h.ExpireFieldsAt(c.deadline, c.cond, "f")
		ok(t, n, err, c.n)
		ttl, err := h.FieldTTL("f")
		if err := differ(fmt.Sprintf("after step %d", i), ttl, err, c.ttl, nil); err != nil {
			t.Fatal(err)
		}
	}
	n, err := h.ExpireFieldsAt(in(0), 0, "f", "f", "none such") // is over: removed
	ok(t, n, err, 1)
	fields, err := collect(h.Fields(), asIs)
	ok(t, fields, err, []string{"never"})
	n, err = h.ExpireFieldsAt(in(-time.Hour), 0, "never")
	ok(t, n, err, 1)
	t.gone(s, "h")
	_, err = h.SetTTL("f", nil, 0)
	t.refused(err, base.ErrBadTTL)
	_, err = s.Set("s").AddTTL(-1, "m")
	t.refused(err, base.ErrBadTTL)
	added, err := h.SetTTL("f", nil, typed.NoTTL)
	ok(t, added, err, true)
	had, err := h.PersistFields("f")
	ok(t, had, err, 0)
}

func resumedLoops(t test, s Store) {
	want := []string{"", "\x00", "a", "a\x00", "b", "\xff", "\xff\xff"}
	_, err := s.Set("s").Add(want...)
	t.done(err)
	for _, m := range want {
		_, err := s.Hash("h").Set(m, []byte(m))
		t.done(err)
	}
	for i, m := range want {
		members, err := collect(s.Set("s").After(m), asIs)
		ok(t, members, err, want[i+1:])
		fields, err := collect(s.Hash("h").After(m), ownField)
		ok(t, names(fields), err, want[i+1:])
		back := slices.Clone(want[:i])
		slices.Reverse(back)
		members, err = collect(s.Set("s").ScanBack(typed.Range{}.Before(m)), asIs)
		ok(t, members, err, back)
		fields, err = collect(s.Hash("h").ScanBack(typed.Range{}.Before(m)), ownField)
		ok(t, names(fields), err, back)
	}
	for _, call := range []func(typed.Range) error{
		func(r typed.Range) error { return second(collect(s.Set("s").Scan(r), asIs)) },
		func(r typed.Range) error { return second(collect(s.Hash("h").ScanBack(r), ownField)) },
		func(r typed.Range) error { return second(collect(s.Hash("none").ScanFields(r), asIs)) },
	} {
		t.refused(call(typed.Range{Lower: "b", Upper: "a"}), base.ErrBadRange)
		t.refused(call(typed.Range{Lower: "b", Upper: "a"}.After("x").Before("c")), base.ErrBadRange)
		t.refused(call(typed.Range{Upper: strings.Repeat("x", base.MaxKeyLen+1)}), base.ErrKeyTooLarge)
		t.done(call(typed.Range{Lower: "b", Upper: "b"}))
		t.done(call(typed.Range{}.After(strings.Repeat("\xff", base.MaxKeyLen))))
	}
	var met []string
	for last, more := "", true; more; {
		more = false
		for f, err := range s.Hash("h").After(last) {
			t.done(err)
			met, last, more = append(met, f.Name), f.Name, true
			break
		}
	}
	ok(t, met, nil, slices.Clone(want[1:]))
}
