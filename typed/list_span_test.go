package typed_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
)

// picture draws a list: bounds and items in strides from the middle of the index
// space, and ~ between the bounds if there are gaps.
func picture(t testing.TB, s *listStore, name string) string {
	t.Helper()
	m := metaOf(t, s.Get, name)
	if m.Body == nil {
		return "none"
	}
	at := func(b []byte) string {
		return fmt.Sprint(float64(int64(binary.BigEndian.Uint64(b)-keyenc.ItemMiddle)) / keyenc.ItemStride)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[%s %s)", at(m.Body), at(m.Body[8:]))
	if m.Body[16] == 1 {
		b.WriteString("~")
	}
	lo := keyenc.AppendItemRow(nil, nil, m.ID, 0)
	hi := keyenc.AppendItemRow(nil, nil, m.ID, math.MaxUint64)
	cur := must[collection.Cursor](t)(s.Scan(lo, hi, collection.ScanOptions{}))
	for cur.Next() {
		fmt.Fprintf(&b, " %s@%s", cur.Value(), at(cur.Key()[len(cur.Key())-8:]))
	}
	return b.String()
}

func TestWhereTheItemsOfAListLie(t *testing.T) {
	typedtest.InRows(t)
	v := func(s string) []byte { return []byte(s) }
	remove := func(n int, s string) func(l typed.List) error {
		return func(l typed.List) error { _, err := l.Remove(n, v(s)); return err }
	}
	before := func(pivot, s string) func(l typed.List) error {
		return func(l typed.List) error { _, err := l.InsertBefore(v(pivot), v(s)); return err }
	}
	pop := func(l typed.List) error { _, err := l.PopBack(); return err }
	s := newListStore()
	l := s.List("l")
	for _, c := range []struct {
		name string
		call func(l typed.List) error
		want string
	}{
		{"pushes", func(l typed.List) error {
			if _, err := l.PushBack(v("b"), v("c"), v("b")); err != nil {
				return err
			}
			_, err := l.PushFront(v("b"), v("a"))
			return err
		}, "[-2 3) a@-2 b@-1 b@0 c@1 b@2"},
		{"insert in front of the first", before("a", "a"), "[-3 3) a@-3 a@-2 b@-1 b@0 c@1 b@2"},
		{"remove at the front", remove(0, "a"), "[-1 3) b@-1 b@0 c@1 b@2"},
		{"remove at both ends", remove(0, "b"), "[1 2) c@1"},
		{"insert behind the last", func(l typed.List) error { _, err := l.InsertAfter(v("c"), v("d")); return err },
			"[1 3) c@1 d@2"},
		{"rotate", func(l typed.List) error { _, err := l.MoveTo("l", typed.EndFront, typed.EndBack); return err },
			"[2 4) d@2 c@3"},
		{"insert in between", before("c", "x"), "[2 4)~ d@2 x@2.5 c@3"},
		{"again", before("c", "y"), "[2 4)~ d@2 x@2.5 y@2.75 c@3"},
		{"push behind gaps", func(l typed.List) error { _, err := l.PushBack(v("z")); return err },
			"[2 5)~ d@2 x@2.5 y@2.75 c@3 z@4.9999847412109375"},
		{"pop behind gaps", pop, "[2 4.9999847412109375)~ d@2 x@2.5 y@2.75 c@3"},
		{"push again", func(l typed.List) error { _, err := l.PushBack(v("z")); return err },
			"[2 5.9999847412109375)~ d@2 x@2.5 y@2.75 c@3 z@5.999969482421875"},
		{"pop again", pop, "[2 5.999969482421875)~ d@2 x@2.5 y@2.75 c@3"},
		{"remove the last but one", remove(-1, "y"), "[2 5.999969482421875)~ d@2 x@2.5 c@3"},
		{"remove the last", remove(-1, "c"), "[2 3)~ d@2 x@2.5"},
		{"one is left", remove(1, "d"), "[2.5 3.5) x@2.5"},
		{"none is left", pop, "none"},
		{"a new list", func(l typed.List) error { _, err := l.PushBack(v("a"), v("b"), v("c"), v("d")); return err },
			"[0 4) a@0 b@1 c@2 d@3"},
		{"remove in between from the back", remove(-1, "b"), "[0 4)~ a@0 c@2 d@3"},
		{"trim", func(l typed.List) error { return l.Trim(1, 2) }, "[2 4)~ c@2 d@3"},
		{"trim to one", func(l typed.List) error { return l.Trim(0, 0) }, "[2 3) c@2"},
	} {
		if err := c.call(l); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := picture(t, s, "l"); got != c.want {
			t.Fatalf("%s: the list is\n%s, want\n%s", c.name, got, c.want)
		}
	}
}

// putList makes a list of one stretch of items; gaps is its flag.
func putList(t testing.TB, s *listStore, first, end uint64, gaps byte, items ...uint64) {
	t.Helper()
	body := append(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, first), end), gaps)
	m := record.Meta{Encoding: record.EncodingRows, ID: 7, Count: uint64(len(items)), Body: body}
	must[int](t)(0, s.Put(keyenc.AppendNameRow(nil, nil, "l"), record.TypeList, 0, record.AppendMeta(nil, m)))
	must[int](t)(0, s.Put(keyenc.AppendElementRow(nil, nil, 7, keyenc.TagOwner, ""), record.TypeNone, 0,
		keyenc.AppendNameRow(nil, nil, "l")))
	for i, index := range items {
		must[int](t)(0, s.Put(keyenc.AppendItemRow(nil, nil, 7, index), record.TypeNone, 0, fmt.Append(nil, i)))
	}
}

func TestEndWithoutIndexesRefusesAndTheOtherGrows(t *testing.T) {
	typedtest.InRows(t)
	const stride = keyenc.ItemStride
	for name, c := range map[string]struct {
		first uint64
		full  typed.End
	}{
		"front": {stride + 5, typed.EndFront},
		"back":  {math.MaxUint64 - 4*stride - 5, typed.EndBack},
	} {
		s := newListStore()
		l := s.List("l")
		putList(t, s, c.first, c.first+3*stride, 0, c.first, c.first+stride, c.first+2*stride)
		push, other, pivot := l.PushFront, l.PushBack, []byte("0")
		insert := l.InsertBefore
		if c.full == typed.EndBack {
			push, other, pivot, insert = l.PushBack, l.PushFront, []byte("2"), l.InsertAfter
		}
		writes := s.writes
		if _, err := push(nil, nil); !errors.Is(err, base.ErrOverflow) {
			t.Errorf("%s: two pushes: %v", name, err)
		}
		if s.writes != writes {
			t.Errorf("%s: a push that was refused wrote", name)
		}
		must[int64](t)(push([]byte("last")))
		must[bool](t)(insert(pivot, []byte("between")))
		must[int64](t)(s.List("other").PushBack(nil))
		for what, call := range map[string]func() error{
			"push":     func() error { return second(push(nil)) },
			"insert":   func() error { return second(insert([]byte("last"), nil)) },
			"rotation": func() error { return second(l.MoveTo("l", 1-c.full, c.full)) },
			"move":     func() error { return second(s.List("other").MoveTo("l", typed.EndFront, c.full)) },
		} {
			writes := s.writes
			if err := call(); !errors.Is(err, base.ErrOverflow) || s.writes != writes {
				t.Errorf("%s: %s: %v, %d rows", name, what, err, s.writes-writes)
			}
		}
		must[int64](t)(other(nil, nil, nil))
		if n := must[int64](t)(l.Len()); n != 8 {
			t.Errorf("%s: %d items", name, n)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// The windows there end where the indexes do.
func TestInsertsAtTheEdgesOfTheIndexSpace(t *testing.T) {
	typedtest.InRows(t)
	for name, c := range map[string]struct{ first, end uint64 }{
		"lowest":  {0, 4},
		"highest": {math.MaxUint64 - 4, math.MaxUint64},
	} {
		s := newListStore()
		putList(t, s, c.first, c.end, 1, c.first, c.first+1, c.first+2, c.first+3)
		l := s.List("l")
		want := [][]byte{{'0'}, {'1'}, {'2'}, {'3'}}
		for i := range 300 {
			v := fmt.Append(nil, "new ", i)
			must[bool](t)(l.InsertAfter(want[len(want)-2], v))
			want = append(want[:len(want)-1], v, want[len(want)-1])
			must[bool](t)(l.InsertAfter(want[0], fmt.Append(nil, "low ", i)))
			want = append([][]byte{want[0], fmt.Append(nil, "low ", i)}, want[1:]...)
		}
		t.Log(name)
		s.check(t, "l", want)
	}
}

func TestDamagedListsAreCorruption(t *testing.T) {
	typedtest.InRows(t)
	calls := map[string]func(l typed.List) error{
		"At":       func(l typed.List) error { return second(l.At(1)) },
		"At(-1)":   func(l typed.List) error { return second(l.At(-1)) },
		"SetAt":    func(l typed.List) error { return l.SetAt(1, nil) },
		"Trim":     func(l typed.List) error { return l.Trim(1, 1) },
		"PopFront": func(l typed.List) error { return second(l.PopFront()) },
		"PopBackN": func(l typed.List) error { return second(l.PopBackN(3)) },
		"Rotation": func(l typed.List) error { return second(l.MoveTo("l", typed.EndFront, typed.EndBack)) },
		"PopAny":   func(l typed.List) error { return third(l.PopAny(typed.EndBack, 3)) },
		"Range": func(l typed.List) error {
			for _, err := range l.Range(0, -1) {
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	malformed := func(s *listStore) error {
		return s.Put(append(keyenc.AppendItemRow(nil, nil, 7, 10), 1), record.TypeNone, 0, nil)
	}
	walks := map[string]func(l typed.List) error{
		"Pos":    func(l typed.List) error { return second(l.Pos([]byte("none"))) },
		"Insert": func(l typed.List) error { return second(l.InsertBefore([]byte("none"), nil)) },
		"Remove": func(l typed.List) error { return second(l.Remove(0, []byte("none"))) },
		"Range":  calls["Range"],
	}
	run := func(what string, calls map[string]func(l typed.List) error, damage func(s *listStore) error, end uint64) {
		for name, call := range calls {
			s := newListStore()
			putList(t, s, 5, end, 1, 5, 10, 12)
			must[int](t)(0, damage(s))
			if err := call(s.List("l")); !errors.Is(err, base.ErrCorruption) {
				t.Errorf("%s, %s: %v", what, name, err)
			}
		}
	}
	run("malformed row", walks, malformed, 20)
	run("end too near", calls, func(*listStore) error { return nil }, 7)
	run("all items lost", calls, func(s *listStore) error {
		return s.DeleteRange(keyenc.AppendItemRow(nil, nil, 7, 0), keyenc.AppendItemRow(nil, nil, 7, 100))
	}, 20)
}

func third[T, U any](_ T, _ U, err error) error { return err }

// A list as the version before gaps wrote it.
func TestContiguousListsStayReadableAndTakeEveryCall(t *testing.T) {
	typedtest.InRows(t)
	const first, stride = keyenc.ItemMiddle - keyenc.ItemStride, keyenc.ItemStride
	s := newListStore()
	putList(t, s, first, first+3*stride, 0, first, first+stride, first+2*stride)
	l := s.List("l")
	s.check(t, "l", [][]byte{{'0'}, {'1'}, {'2'}})
	must[bool](t)(l.InsertAfter([]byte("1"), []byte("x")))
	must[int](t)(l.Remove(1, []byte("1")))
	must[int64](t)(l.PushFrontX([]byte("y")))
	s.check(t, "l", [][]byte{{'y'}, {'0'}, {'x'}, {'2'}})
	if name, values, err := s.List("none").PopAny(typed.EndBack, 2, "l"); name != "l" || len(values) != 2 || err != nil {
		t.Errorf("%q %q %v", name, values, err)
	}
}

func TestCallsOnOneListLockItsKey(t *testing.T) {
	db := newFake(t, 1)
	l := db.List("l")
	for name, c := range map[string]struct {
		call func() error
		want string
	}{
		"rotation":         {func() error { return second(l.MoveTo("l", typed.EndFront, typed.EndBack)) }, "l"},
		"move":             {func() error { return second(l.MoveTo("m", typed.EndFront, typed.EndBack)) }, ""},
		"pop of any":       {func() error { return third(l.PopAny(typed.EndFront, 1, "m")) }, ""},
		"pop of any of it": {func() error { return third(l.PopAny(typed.EndFront, 1)) }, "l"},
		"insert":           {func() error { return second(l.InsertBefore(nil, nil)) }, "l"},
		"remove":           {func() error { return second(l.Remove(0, nil)) }, "l"},
		"push":             {func() error { return second(l.PushBackX(nil)) }, "l"},
	} {
		db.locks = nil
		if err := c.call(); err != nil && !errors.Is(err, base.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
		if len(db.locks) != 1 || db.locks[0] != c.want {
			t.Errorf("%s locks %q", name, db.locks)
		}
	}
}
