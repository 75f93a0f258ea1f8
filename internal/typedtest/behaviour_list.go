package typedtest

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/typed"
)

// listGaps makes a list with gaps, so dense in one place that items there were
// numbered anew, and asks for all that goes by position.
func listGaps(t test, s Store) {
	l := s.List("l")
	_, err := l.PushBack([]byte("a"), []byte("b"), []byte("c"), []byte("d"))
	t.done(err)
	want := []string{"a", "b", "c", "d"}
	insert := func(l typed.List, i int) {
		v := fmt.Sprint(i)
		inserted, err := l.InsertAfter([]byte("b"), []byte(v))
		ok(t, inserted, err, true)
		want = slices.Insert(want, 2, v)
	}
	for i := range 20 {
		insert(l, i)
	}
	before := want
	t.done(s.Update(func(tx API) error {
		want = slices.Clone(before) // a store may run it again
		for i := 20; i < 60; i++ {
			insert(tx.List("l"), i)
		}
		return nil
	}))
	removed, err := l.Remove(1, []byte("30"))
	ok(t, removed, err, 1)
	want = slices.DeleteFunc(want, func(v string) bool { return v == "30" })
	t.done(l.SetAt(-2, []byte("C")))
	want[len(want)-2] = "C"
	t.sameList(l, want)
	_, err = l.At(int64(len(want)))
	t.refused(err, base.ErrNotFound)
	t.refused(l.SetAt(-int64(len(want))-1, nil), base.ErrOutOfRange)
	copied, err := l.CopyTo("copy", false)
	ok(t, copied, err, true)
	t.done(l.Rename("m"))
	t.sameList(s.List("m"), want)
	t.done(s.List("m").Trim(2, -2))
	t.sameList(s.List("m"), want[2:len(want)-1])
	t.sameList(s.List("copy"), want)
	popped, err := s.List("copy").PopBackN(100)
	t.done(err)
	slices.Reverse(popped)
	ok(t, fmt.Sprintf("%s", popped), nil, fmt.Sprint(want))
	exists, err := s.Key("copy").Exists()
	ok(t, exists, err, false)
}

// sameList compares a list by loop, by position from both ends, and in part.
func (t test) sameList(l typed.List, want []string) {
	t.Helper()
	n, err := l.Len()
	ok(t, n, err, int64(len(want)))
	var raw [][]byte
	for i, w := range want {
		raw = append(raw, []byte(w))
		for _, at := range []int64{int64(i), int64(i - len(want))} {
			v, err := l.At(at)
			ok(t, v, err, []byte(w))
		}
	}
	for _, c := range []struct{ start, stop int64 }{{0, -1}, {3, 5}, {-4, -2}, {1, -20}} {
		got, err := collect(l.Range(c.start, c.stop), ownBytes)
		t.done(err)
		if !slices.EqualFunc(got, part(raw, c.start, c.stop), bytes.Equal) {
			t.Fatalf("from %d to %d: %q", c.start, c.stop, got)
		}
	}
}

// listRotates turns a list round, with its time to live, and moves a last value.
func listRotates(t test, s Store) {
	l := s.List("l")
	_, err := l.PushBack([]byte("a"))
	t.done(err)
	t.done(l.Expire(time.Second))
	for _, to := range []typed.End{typed.EndFront, typed.EndBack} {
		v, err := l.MoveTo("l", typed.EndBack, to) // the only one
		ok(t, v, err, []byte("a"))
	}
	ttl, err := l.TTL()
	ok(t, ttl, err, time.Second)
	_, err = l.PushBack([]byte("b"), []byte("c"))
	t.done(err)
	v, err := l.MoveTo("l", typed.EndBack, typed.EndFront)
	ok(t, v, err, []byte("c"))
	t.sameList(l, []string{"c", "a", "b"})
	for _, want := range []string{"c", "a", "b"} {
		v, err := l.MoveTo("m", typed.EndFront, typed.EndFront)
		ok(t, v, err, []byte(want))
	}
	t.sameList(s.List("m"), []string{"b", "a", "c"})
	ttl, err = s.Key("m").TTL()
	ok(t, ttl, err, typed.NoTTL)
	_, err = l.MoveTo("m", typed.EndFront, typed.EndFront)
	t.refused(err, base.ErrNotFound)
	n, err := l.PushFrontX([]byte("x"))
	ok(t, n, err, 0)
	_, err = s.Set("set").Add("m")
	t.done(err)
	_, err = l.MoveTo("set", typed.EndFront, typed.EndFront) // nothing to move
	t.refused(err, base.ErrNotFound)
	_, err = s.List("m").MoveTo("", typed.EndFront, typed.EndFront)
	t.refused(err, base.ErrEmptyKey)
	name, values, err := l.PopAny(typed.EndBack, 9, "none", "m", "set")
	ok(t, values, err, [][]byte{[]byte("c"), []byte("a"), []byte("b")})
	ok(t, name, nil, "m")
	_, _, err = l.PopAny(typed.EndBack, 9, "none", "m", "set")
	t.refused(err, base.ErrWrongType)
}
