package typedtest

import (
	"fmt"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/typed"
)

func deadlineIsExclusive(t test, s Store) {
	populate(t, s)
	start := s.Now()
	for _, k := range []string{"string", "hash", "set", "zset", "list"} {
		t.done(s.Key(k).Expire(100 * time.Millisecond))
		at, err := s.Key(k).Deadline()
		ok(t, at.UnixMilli(), err, start+100)
	}
	s.Advance(99)
	n, err := s.Keys().Count()
	ok(t, n, err, 5)
	ttl, err := s.Key("zset").TTL()
	ok(t, ttl, err, time.Millisecond)
	s.Advance(1)
	n, err = s.Keys().Count()
	ok(t, n, err, 0)
	_, err = s.Hash("hash").Get("f")
	t.refused(err, base.ErrNotFound)
	_, err = s.Key("zset").TTL()
	t.refused(err, base.ErrNotFound)
	for range s.Set("set").All() {
		t.Error("an expired set has a member")
	}
	// A new key under the old name takes any type and has no time to live.
	added, err := s.Set("hash").Add("m")
	ok(t, added, err, 1)
	ttl, err = s.Key("hash").TTL()
	ok(t, ttl, err, typed.NoTTL)
}

func setOverExpired(t test, s Store) {
	_, err := s.String("k").SetWith([]byte("old"), typed.SetOptions{TTL: time.Second})
	t.done(err)
	s.Advance(1000)
	t.done(s.String("k").Set([]byte("new")))
	s.Advance(1000)
	v, err := s.String("k").Get()
	ok(t, v, err, []byte("new"))
	r, err := s.String("k").SetWith([]byte("x"), typed.SetOptions{At: time.UnixMilli(s.Now())})
	ok(t, r, err, typed.SetResult{Written: true, Existed: true})
	exists, err := s.Key("k").Exists()
	ok(t, exists, err, false)
}

func persistAfterRenewal(t test, s Store) {
	populate(t, s)
	t.done(s.Key("set").Expire(time.Second))
	t.done(s.Key("set").Expire(time.Minute))
	s.Advance(2000)
	had, err := s.Key("set").Persist()
	ok(t, had, err, true)
	had, err = s.Key("set").Persist()
	ok(t, had, err, false)
	s.Advance(120_000)
	n, err := s.Set("set").Len()
	ok(t, n, err, 3)
	t.done(s.Key("set").Expire(time.Second))
	t.done(s.Key("set").Expire(typed.NoTTL)) // what TTL returned puts back what was
	ttl, err := s.Key("set").TTL()
	ok(t, ttl, err, typed.NoTTL)
	t.done(s.Key("set").Expire(time.Second))
	t.done(s.Key("set").ExpireAt(time.Time{}))
	at, err := s.Key("set").Deadline()
	ok(t, at, err, time.Time{})
	t.done(s.Key("set").Expire(-1))
	exists, err := s.Key("set").Exists()
	ok(t, exists, err, false)
}

func collectionOverExpired(t test, s Store) {
	_, err := s.Hash("h").Set("old", []byte("1"))
	t.done(err)
	t.done(s.Key("h").Expire(time.Second))
	s.Advance(1000)
	added, err := s.Hash("h").Set("new", []byte("2"))
	ok(t, added, err, true)
	fields, err := collect(s.Hash("h").All(), ownField)
	ok(t, fields, err, []typed.Field{{Name: "new", Value: []byte("2")}})
}

func shrankAndGrew(t test, s Store) {
	for _, drop := range []func() error{
		func() error { return second(s.Hash("h").Remove("old")) },
		func() error { return second(s.Key("h").Drop()) },
		func() error { return s.String("h").Set(nil) },
	} {
		_, err := s.Hash("h").Set("old", []byte("1"))
		t.done(err)
		t.done(drop())
		_, err = s.Key("h").Drop()
		t.done(err)
		added, err := s.Hash("h").Set("new", []byte("2"))
		ok(t, added, err, true)
		fields, err := collect(s.Hash("h").Fields(), asIs)
		ok(t, fields, err, []string{"new"})
		_, err = s.Hash("h").Get("old")
		t.refused(err, base.ErrNotFound)
		_, err = s.Key("h").Drop()
		t.done(err)
	}
}

func renameThenSet(t test, s Store) {
	populate(t, s)
	t.done(s.Key("hash").Rename("moved"))
	t.done(s.String("hash").Set([]byte("x")))
	n, err := s.Hash("moved").Len()
	ok(t, n, err, 2)
	v, err := s.Hash("moved").Get("f")
	ok(t, v, err, []byte("1"))
	ttl, err := s.Key("moved").TTL()
	ok(t, ttl, err, time.Hour)
	t.done(s.Key("moved").Rename("moved"))
	n, err = s.Hash("moved").Len()
	ok(t, n, err, 2)
}

func copySharesNothing(t test, s Store) {
	populate(t, s)
	for _, k := range []string{"string", "hash", "set", "zset", "list"} {
		copied, err := s.Key(k).CopyTo(k+" copy", false)
		ok(t, copied, err, true)
		copied, err = s.Key(k).CopyTo(k+" copy", false)
		ok(t, copied, err, false)
	}
	before := image(t, s)
	_, err := s.Keys().Drop("string", "hash", "set", "zset", "list")
	t.done(err)
	score, err := s.ZSet("zset copy").Score("b")
	ok(t, score, err, 2)
	rank, err := s.ZSet("zset copy").Rank("c")
	ok(t, rank, err, 2)
	ttl, err := s.Key("hash copy").TTL()
	ok(t, ttl, err, time.Hour)
	for _, k := range []string{"string", "hash", "set", "zset", "list"} {
		copied, err := s.Key(k+" copy").CopyTo(k, true)
		ok(t, copied, err, true)
	}
	ok(t, image(t, s), nil, before)
	copied, err := s.Key("none").CopyTo("x", true)
	ok(t, copied, err, false)
}

func loopSeesItsStart(t test, s Store) {
	populate(t, s)
	t.done(s.Update(func(tx API) error {
		var seen []string
		for m, err := range tx.Set("set").All() {
			t.done(err)
			seen = append(seen, m)
			n, err := tx.Set("set").Remove("a", "b", "c")
			t.done(err)
			if n > 0 {
				n, err = tx.Set("set").Add("a0", "z")
				ok(t, n, err, 2)
			}
		}
		ok(t, seen, nil, []string{"a", "b", "c"})
		members, err := collect(tx.Set("set").All(), asIs)
		ok(t, members, err, []string{"a0", "z"})
		for k, err := range tx.Keys().All(typed.KeyOptions{}) {
			t.done(err)
			_, err = k.Drop()
			t.done(err)
		}
		return nil
	}))
	n, err := s.Keys().Count()
	ok(t, n, err, 0)
}

func loopOutlivesItsCollection(t test, s Store) {
	t.done(s.Update(func(tx API) error {
		var want []string
		for i := range 200 {
			want = append(want, fmt.Sprintf("m%03d", i))
		}
		n, err := tx.Set("born").Add(want...)
		ok(t, n, err, len(want))
		var seen []string
		for m, err := range tx.Set("born").All() {
			t.done(err)
			if len(seen) == 0 {
				existed, err := tx.Key("born").Drop()
				ok(t, existed, err, true)
				t.done(tx.String("born").Set([]byte("again")))
			}
			seen = append(seen, m)
		}
		ok(t, seen, nil, want)
		return nil
	}))
	v, err := s.String("born").Get()
	ok(t, v, err, []byte("again"))
}
