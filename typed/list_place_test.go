package typed_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
)

// numbered fills the list with the values 0, 1, … in order.
func numbered(t testing.TB, l typed.List, n int) (values [][]byte) {
	t.Helper()
	for i := range n {
		values = append(values, fmt.Append(nil, i))
	}
	if got := must[int64](t)(l.PushBack(values...)); got != int64(n) {
		t.Fatalf("%d items", got)
	}
	return values
}

func TestInsertsAtOnePlaceOfALongListWriteFewRows(t *testing.T) {
	typedtest.InRows(t)
	const size, place = 100_000, 200
	for name, c := range map[string]struct {
		inserts int
		before  func(i int) bool
	}{
		"after it":   {10_000, func(int) bool { return false }},
		"before it":  {2_000, func(int) bool { return true }},
		"both sides": {2_000, func(i int) bool { return i*i%7 < 2 }},
	} {
		s := newListStore()
		l := s.List("l")
		want := numbered(t, l, size)
		var low, high [][]byte // around the pivot, as inserted
		s.writes = 0
		most := 0
		for i := range c.inserts {
			writes, v, insert := s.writes, fmt.Append(nil, "new ", i), l.InsertAfter
			if c.before(i) {
				insert, low = l.InsertBefore, append(low, v)
			} else {
				high = append(high, v)
			}
			if !must[bool](t)(insert(want[place], v)) {
				t.Fatal("the pivot is gone")
			}
			most = max(most, s.writes-writes)
		}
		slices.Reverse(high)
		s.check(t, "l", slices.Concat(want[:place], low, want[place:place+1], high, want[place+1:]))
		each := float64(s.writes) / float64(c.inserts)
		t.Logf("%s: %.1f rows per insert, at most %d", name, each, most)
		if each > 35 {
			t.Errorf("%s: an insert writes %.1f rows", name, each)
		}
		if most > 3*c.inserts {
			t.Errorf("%s: an insert wrote %d rows", name, most)
		}
	}
}

// The clumps shift, so that windows of many sizes and places meet.
func TestListsAreRightThroughManyRenumberings(t *testing.T) {
	typedtest.InRows(t)
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 7))
		s := newListStore()
		l := s.List("l")
		model := numbered(t, l, 30)
		renumbered := 0
		pivot := model[10]
		for step := range 3_000 {
			if rng.IntN(60) == 0 {
				pivot = model[rng.IntN(len(model))]
			}
			at := slices.IndexFunc(model, func(v []byte) bool { return bytes.Equal(v, pivot) })
			v := fmt.Append(nil, "v", step)
			writes := s.writes
			switch n := rng.IntN(100); {
			case n < 50:
				must[bool](t)(l.InsertBefore(pivot, v))
				model = slices.Insert(model, at, v)
			case n < 85:
				must[bool](t)(l.InsertAfter(pivot, v))
				model = slices.Insert(model, at+1, v)
				pivot = v
			case n < 90:
				must[int64](t)(l.PushFront(v))
				model = slices.Insert(model, 0, v)
			case n < 95:
				must[int64](t)(l.PushBack(v))
				model = append(model, v)
			case len(model) > 1:
				gone := rng.IntN(len(model))
				must[int](t)(l.Remove(1-2*rng.IntN(2), model[gone]))
				model = slices.Delete(model, gone, gone+1)
				pivot = model[min(gone, len(model)-1)]
			}
			if s.writes-writes > 2 {
				renumbered++
			}
			at = rng.IntN(len(model))
			if got := must[[]byte](t)(l.At(int64(at))); !bytes.Equal(got, model[at]) {
				t.Fatalf("seed %d, step %d: item %d is %q, want %q", seed, step, at, got, model[at])
			}
			if step%100 == 99 {
				s.check(t, "l", model)
			}
		}
		if renumbered < 50 {
			t.Errorf("seed %d: items were numbered anew %d times only", seed, renumbered)
		}
	}
}

func TestEndsOfAListWithGapsCostTheSame(t *testing.T) {
	typedtest.InRows(t)
	s := newListStore()
	l := s.List("l")
	want := numbered(t, l, 10_000)
	for i := range 200 {
		must[bool](t)(l.InsertBefore(want[100], fmt.Append(nil, "new ", i)))
	}
	must[int](t)(l.Remove(1, want[1])) // the second is a gap now
	for range 50 {
		for name, call := range map[string]func() error{
			"PushFront": func() error { _, err := l.PushFront(nil); return err },
			"PushBack":  func() error { _, err := l.PushBack(nil); return err },
			"PopFront":  func() error { _, err := l.PopFront(); return err },
			"PopBack":   func() error { _, err := l.PopBack(); return err },
			"rotation":  func() error { _, err := l.MoveTo("l", typed.EndBack, typed.EndFront); return err },
		} {
			s.writes, s.steps = 0, 0
			if err := call(); err != nil {
				t.Fatal(err)
			}
			if s.writes > 3 || s.steps > 1 {
				t.Errorf("%s wrote %d rows in %d steps", name, s.writes, s.steps)
			}
		}
	}
}

func TestPositionsInAListWithGapsAreWalkedToFromTheNearerEnd(t *testing.T) {
	typedtest.InRows(t)
	s := newListStore()
	l := s.List("l")
	numbered(t, l, 1000)
	read := func(start, stop int64) func() {
		return func() {
			for _, err := range l.Range(start, stop) {
				must[int](t)(0, err)
			}
		}
	}
	at := func(i int64) func() { return func() { must[[]byte](t)(l.At(i)) } }
	costs := func(want map[string]int) {
		for name, call := range map[string]func(){
			"At(0)": at(0), "At(9)": at(9), "At(-1)": at(-1), "At(-10)": at(-10), "At(500)": at(500),
			"Range(0, 4)": read(0, 4), "Range(500, 502)": read(500, 502), "Range(-5, -1)": read(-5, -1),
			"Trim(0, -3)": func() { must[int](t)(0, l.Trim(0, -3)); must[int64](t)(l.PushBack(nil, nil)) },
			"SetAt(-2)":   func() { must[int](t)(0, l.SetAt(-2, nil)) },
		} {
			s.steps = 0
			if call(); s.steps != want[name] {
				t.Errorf("%s took %d steps, want %d", name, s.steps, want[name])
			}
		}
	}
	costs(map[string]int{"Range(0, 4)": 5, "Range(500, 502)": 3, "Range(-5, -1)": 5})
	must[bool](t)(l.InsertAfter([]byte("500"), nil))
	must[int](t)(l.Remove(1, []byte("501")))
	costs(map[string]int{
		"At(0)": 1, "At(9)": 10, "At(-1)": 1, "At(-10)": 10, "At(500)": 500,
		"Range(0, 4)": 5, "Range(500, 502)": 500 + 3, "Range(-5, -1)": 5 + 5,
		"Trim(0, -3)": 2 + 3, "SetAt(-2)": 2,
	})
}

func TestInsertWithoutRoomIsAllOrNothing(t *testing.T) {
	typedtest.InRows(t)
	db := newFake(t, 1)
	l := db.List("l")
	numbered(t, l, 30)
	insert := func() error { _, err := l.InsertAfter([]byte("10"), []byte("new")); return err }
	for range 16 { // as often as the distance of two neighbours can be halved
		must[int](t)(0, insert())
	}
	rows := db.rows
	failed := 0
	for n := 1; ; n++ {
		db.failIn = n
		err := insert()
		unused := db.failIn
		if db.failIn = 0; unused > 0 {
			must[int](t)(0, err)
			break
		}
		if failed++; !errors.Is(err, errEngine) || &rows[0] != &db.rows[0] {
			t.Fatalf("engine call %d failed: %v", n, err)
		}
	}
	if failed < 20 {
		t.Errorf("%d engine calls: nothing was numbered anew", failed)
	}
	must[int](t)(0, db.check())
	if n := must[int64](t)(l.Len()); n != 47 {
		t.Errorf("%d items", n)
	}
}
