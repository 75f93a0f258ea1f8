package codec_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/codec"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

func openTest(t testing.TB) *siltstone.DB {
	t.Helper()
	db, err := siltstone.Open("data", &siltstone.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// want fails the test if a call failed or answered otherwise.
func want[T any](t testing.TB, wanted T) func(T, error) {
	return func(got T, err error) {
		t.Helper()
		if err != nil || fmt.Sprint(got) != fmt.Sprint(wanted) {
			t.Fatalf("got %v, %v, want %v", got, err, wanted)
		}
	}
}

// refused fails the test if a call did not fail with the error.
func refused[T any](t testing.TB, wanted error) func(T, error) {
	return func(got T, err error) {
		t.Helper()
		if !errors.Is(err, wanted) {
			t.Fatalf("got %v, %v, want the error %v", got, err, wanted)
		}
	}
}

// undecodable fails the test if the error does not name these elements of the key.
func undecodable(t testing.TB, err error, name string, elements ...string) {
	t.Helper()
	var e *codec.DecodeError
	if !errors.As(err, &e) || e.Name != name || e.Element != elements[0] || errors.Is(err, siltstone.ErrCorruption) {
		t.Fatalf("error %v", err)
	}
	for _, s := range elements {
		if want := fmt.Sprintf("siltstone: key %q, element %q: ", name, s); !strings.Contains(err.Error(), want) {
			t.Fatalf("error %v does not say %q", err, want)
		}
	}
}

func collect[T any](items iter.Seq2[T, error]) (all []T, err error) {
	for v, err := range items {
		if err != nil {
			return all, err
		}
		all = append(all, v)
	}
	return all, nil
}

type entry = codec.Entry[int64, string]

func TestMapAnswersAsItsHash(t *testing.T) {
	db := openTest(t)
	m := codec.MapOf(db.Hash("m"), codec.Int64, codec.Text)
	refused[string](t, siltstone.ErrNotFound)(m.Get(1))
	want(t, true)(m.Set(2, "two"))
	want(t, false)(m.Set(2, "zwei"))
	want(t, false)(m.SetNX(2, "deux"))
	want(t, true)(m.SetNX(-1, ""))
	want(t, 2)(m.SetMany(entry{100, "c"}, entry{-50, "l"}, entry{100, "C"}, entry{2, "II"}))
	want(t, 0)(m.SetMany())
	want(t, "II")(m.Get(2))
	want(t, "")(m.Get(-1))
	refused[string](t, siltstone.ErrNotFound)(m.Get(3))
	want(t, true)(m.Has(100))
	want(t, false)(m.Has(101))
	want(t, int64(4))(m.Len())
	want(t, []codec.Optional[string]{{"C", true}, {}, {"", true}, {"C", true}})(m.GetMany(100, 7, -1, 100))
	want(t, []entry{{-50, "l"}, {-1, ""}, {2, "II"}, {100, "C"}})(collect(m.All()))
	want(t, []int64{-50, -1, 2, 100})(collect(m.Keys()))
	want(t, 2)(m.Remove(2, 3, -50))
	want(t, []int64{-1, 100})(collect(m.Keys()))
	want(t, int64(2))(m.Handle().Len())
	want(t, true)(m.Drop())
	want(t, int64(0))(m.Len())
}

func TestMapPrefixYieldsTheTuplesThatStartSo(t *testing.T) {
	db := openTest(t)
	by := codec.Tuple3(codec.String, codec.Int16, codec.String)
	m := codec.MapOf(db.Hash("m"), by, codec.AsValue(codec.Int))
	for i, k := range []codec.Triple[string, int16, string]{
		codec.NewTriple("a", int16(1), ""), codec.NewTriple("a", int16(-1), "x"), codec.NewTriple("a\x00", int16(1), ""),
		codec.NewTriple("ab", int16(1), ""), codec.NewTriple("", int16(1), "a"), codec.NewTriple("a", int16(1), "x"),
	} {
		want(t, true)(m.Set(k, i))
	}
	values := func(p codec.Prefix[codec.Triple[string, int16, string]]) (is []int) {
		for e, err := range m.Prefix(p) {
			if err != nil {
				t.Fatal(err)
			}
			is = append(is, e.Value)
		}
		return is
	}
	for _, c := range []struct{ got, want []int }{
		{values(by.Prefix("a")), []int{1, 0, 5}},
		{values(by.Prefix("")), []int{4}},
		{values(by.Prefix("a\x00")), []int{2}},
		{values(by.Prefix("b")), nil},
		{values(by.Prefix2("a", 1)), []int{0, 5}},
		{values(codec.Prefix[codec.Triple[string, int16, string]]{}), []int{4, 1, 0, 5, 2, 3}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("got %v, want %v", c.got, c.want)
		}
	}
	names := codec.MapOf(db.Hash("names"), codec.StringOf[tag](), codec.Raw)
	want(t, 3)(names.SetMany(codec.Entry[tag, []byte]{Key: "go"}, codec.Entry[tag, []byte]{Key: "golf"}, codec.Entry[tag, []byte]{Key: "g"}))
	var got []tag
	for e, err := range names.Prefix(codec.StartsWith(tag("go"))) {
		if err != nil || e.Value == nil {
			t.Fatal(e, err)
		}
		got = append(got, e.Key)
	}
	want(t, []tag{"go", "golf"})(got, nil)
}

func TestSetAnswersAsItsSet(t *testing.T) {
	db := openTest(t)
	s := codec.SetOf(db.Set("s"), codec.Float64)
	want(t, 3)(s.Add(1.5, -2, 1.5, 10))
	want(t, true)(s.Has(-2))
	want(t, false)(s.Has(2))
	want(t, int64(3))(s.Len())
	want(t, []float64{-2, 1.5, 10})(collect(s.All()))
	want(t, 1)(s.Remove(10, 11))
	random, err := s.Random(5)
	slices.Sort(random)
	want(t, []float64{-2, 1.5})(random, err)
	want(t, true)(s.MoveTo("other", -2))
	want(t, false)(s.MoveTo("other", -2))
	other := codec.SetOf(db.Set("other"), codec.Float64)
	want(t, 1)(other.Add(1.5))
	want(t, []float64{-2, 1.5})(collect(s.Union("other")))
	want(t, []float64{1.5})(collect(s.Inter("other")))
	want(t, []float64{-2})(collect(other.Diff("s", "missing")))
	result := codec.SetOf(db.Set("result"), codec.Float64)
	want(t, int64(2))(result.StoreUnion("s", "other"))
	want(t, int64(1))(result.StoreInter("s", "other"))
	want(t, int64(0))(result.StoreDiff("s", "other"))
	want(t, []float64{1.5})(s.Pop(2))
	want(t, []float64(nil))(s.Pop(2))
	refused[[]float64](t, siltstone.ErrBadOption)(s.Pop(-1))
	want(t, false)(s.Exists())
}

type scored = codec.Member[int]

func TestZSetAnswersAsItsSortedSet(t *testing.T) {
	db := openTest(t)
	z := codec.ZSetOf(db.ZSet("z"), codec.Int)
	want(t, true)(z.Add(-1, 5))
	want(t, 3)(z.AddMany(0, scored{3, 5}, scored{20, 1}, scored{-1, 5}, scored{300, 9}))
	want(t, 1)(z.AddMany(typed.CondXX|typed.CondCH, scored{300, 8}, scored{7, 7}))
	want(t, 6.5)(z.Incr(3, 1.5))
	want(t, 6.5)(z.Score(3))
	refused[float64](t, siltstone.ErrNotFound)(z.Score(4))
	refused[bool](t, siltstone.ErrNaN)(z.Add(4, inf-inf))
	want(t, int64(2))(z.Rank(3))
	want(t, int64(1))(z.RevRank(3))
	want(t, int64(4))(z.Len())
	want(t, []scored{{20, 1}, {-1, 5}, {3, 6.5}, {300, 8}})(collect(z.Range(typed.ByRank(0, -1))))
	want(t, []scored{{3, 6.5}, {-1, 5}})(collect(z.Range(typed.ByScore(5, 7).Reverse())))
	want(t, []scored{{-1, 5}, {3, 6.5}, {20, 1}})(collect(z.Range(z.ByLex(-1, 20))))
	want(t, []scored{{3, 6.5}, {20, 1}})(collect(z.Range(z.ByLex(-1, 20).OpenMin())))
	want(t, []scored{{20, 1}, {300, 8}})(collect(z.Range(z.ByLexFrom(4))))
	want(t, int64(2))(z.Count(z.ByLex(0, 20)))
	want(t, []scored{{20, 1}})(z.PopMin(1))
	want(t, []scored{{300, 8}})(z.PopMax(1))
	want(t, scored{-1, 5})(z.WaitMin(context.Background(), typed.UnixSeconds))
	want(t, 0)(z.RemoveRange(z.ByLex(0, 2)))
	want(t, 1)(z.Remove(3, -1))
	want(t, []scored(nil))(z.PopMin(1))
	want(t, false)(z.Exists())
}

func TestByPrefixChoosesTheMembersThatStartSo(t *testing.T) {
	db := openTest(t)
	z := codec.ZSetOf(db.ZSet("z"), codec.String)
	for i, s := range samples {
		want(t, true)(z.Add(s, float64(-i)))
	}
	for _, p := range samples {
		var starting []string
		for _, s := range samples {
			if strings.HasPrefix(s, p) {
				starting = append(starting, s)
			}
		}
		var got []string
		for m, err := range z.Range(z.ByPrefix(codec.StartsWith(p))) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, m.Name)
		}
		if !slices.Equal(got, starting) {
			t.Errorf("prefix %q: got %q, want %q", p, got, starting)
		}
	}
}

// What follows a prefix that ends in high bytes is found by the last byte that is
// not the highest, whether or not the bytes are text.
func TestByPrefixTakesBytesThatAreNoText(t *testing.T) {
	db := openTest(t)
	z := codec.ZSetOf(db.ZSet("z"), codec.String)
	for i, s := range []string{"\x7f\xff", "\x80", "\x80\xfe\xff", "\x80\xff", "\x80\xff\x00", "\x81", "\xff", "\xff\xff"} {
		want(t, true)(z.Add(s, float64(i)))
	}
	for p, starting := range map[string]int{"\x80": 4, "\x80\xff": 2, "\x80\xfe": 1, "\xff": 2, "\xff\xff": 1, "\x7f": 1} {
		n := 0
		for _, err := range z.Range(z.ByPrefix(codec.StartsWith(p))) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != starting {
			t.Errorf("prefix %q: %d members, want %d", p, n, starting)
		}
	}
}

func TestHandlesEmbedTheirKey(t *testing.T) {
	db := openTest(t)
	m := codec.MapOf(db.Hash("m"), codec.Int, codec.Raw)
	s := codec.SetOf(db.Set("s"), codec.Int)
	z := codec.ZSetOf(db.ZSet("z"), codec.Int)
	want(t, true)(m.Set(1, nil))
	want(t, 1)(s.Add(1))
	want(t, true)(z.Add(1, 1))
	for _, k := range []typed.Key{m.Key, s.Key, z.Key} {
		if err := k.Expire(time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	refused[int64](t, siltstone.ErrWrongType)(codec.SetOf(db.Set("m"), codec.Int).Len())
	if err := m.Rename("n"); err != nil {
		t.Fatal(err)
	}
	want(t, true)(codec.MapOf(db.Hash("n"), codec.Int, codec.Raw).Has(1))
}

func TestBytesOfAnotherCodecNameTheElement(t *testing.T) {
	db := openTest(t)
	hash := db.Hash("m")
	want(t, 2)(hash.SetMany(typed.Field{Name: "12345678", Value: []byte("{")}, typed.Field{Name: "odd", Value: []byte("1")}))
	m := codec.MapOf(hash, codec.Int64, codec.JSON[int]())
	key, err := codec.Int64.DecodeKey([]byte("12345678"))
	want(t, int64(0))(0, err)
	_, err = m.Get(key)
	undecodable(t, err, "m", "12345678")
	_, err = m.GetMany(key)
	undecodable(t, err, "m", "12345678")
	_, err = collect(m.All())
	undecodable(t, err, "m", "12345678")
	keys, err := collect(m.Keys())
	want(t, []int64{key})(keys, nil)
	undecodable(t, err, "m", "odd")

	want(t, 1)(db.Set("s").Add("odd"))
	s := codec.SetOf(db.Set("s"), codec.Int16)
	_, err = collect(s.All())
	undecodable(t, err, "s", "odd")
	want(t, 2)(db.ZSet("z").AddMany(0, typed.Member{Name: "odd"}, typed.Member{Name: "ok", Score: 1}))
	_, err = collect(codec.ZSetOf(db.ZSet("z"), codec.Int16).Range(typed.ByRank(0, -1)))
	undecodable(t, err, "z", "odd")
}

func TestErrorIsTheLastItemOfALoop(t *testing.T) {
	db := openTest(t)
	want(t, 3)(db.Set("s").Add("aa", "odd", "zz"))
	var log []string
	for m, err := range codec.SetOf(db.Set("s"), codec.Uint16).All() {
		log = append(log, fmt.Sprint(m, err != nil))
	}
	want(t, []string{"24929 false", "0 true"})(log, nil)
}

func TestPopReturnsWhatItCanAndNamesTheRest(t *testing.T) {
	db := openTest(t)
	want(t, 2)(db.Set("s").Add("odd", "ok"))
	members, err := codec.SetOf(db.Set("s"), codec.Uint16).Pop(2)
	want(t, []uint16{'o'<<8 | 'k'})(members, nil)
	undecodable(t, err, "s", "odd")
	want(t, 3)(db.ZSet("z").AddMany(0, typed.Member{Name: "odd"}, typed.Member{Name: "ok", Score: 1}, typed.Member{Name: "queer", Score: 2}))
	popped, err := codec.ZSetOf(db.ZSet("z"), codec.Uint16).PopMin(3)
	want(t, []codec.Member[uint16]{{Name: 'o'<<8 | 'k', Score: 1}})(popped, nil)
	undecodable(t, err, "z", "odd", "queer")
	want(t, true)(db.ZSet("z").Add("odd", 1))
	_, err = codec.ZSetOf(db.ZSet("z"), codec.Uint16).WaitMin(context.Background(), nil)
	undecodable(t, err, "z", "odd")
	want(t, int64(0))(db.ZSet("z").Len())
}

func TestDecodeErrorDoesNotEndTheTransaction(t *testing.T) {
	db := openTest(t)
	want(t, true)(db.Hash("m").Set("odd", nil))
	err := db.Update(context.Background(), func(tx *siltstone.Tx) error {
		m := codec.MapOf(tx.Hash("m"), codec.Int64, codec.JSON[int]())
		_, err := collect(m.All())
		undecodable(t, err, "m", "odd")
		_, err = m.Set(7, 8)
		return err
	})
	want(t, int64(2))(db.Hash("m").Len())
	want(t, true)(err == nil, err)
}

func TestValueThatCannotBeEncodedChangesNothing(t *testing.T) {
	db := openTest(t)
	m := codec.MapOf(db.Hash("m"), codec.String, codec.JSON[float64]())
	_, err := m.Set("k", inf)
	if err == nil || !strings.HasPrefix(err.Error(), `siltstone: key "m", element "k": value: json:`) {
		t.Errorf("error %v", err)
	}
	_, err = m.SetMany(codec.Entry[string, float64]{Key: "a", Value: 1}, codec.Entry[string, float64]{Key: "b", Value: inf})
	if err == nil || !strings.Contains(err.Error(), `element "b"`) {
		t.Errorf("error %v", err)
	}
	want(t, int64(0))(m.Len())
	refused[bool](t, siltstone.ErrKeyTooLarge)(m.Set(strings.Repeat("x", siltstone.MaxKeyLen+1), 1))
}

func TestHandleWithoutCodecRefusesEveryCall(t *testing.T) {
	db := openTest(t)
	want(t, true)(db.Hash("m").Set("12345678", nil))
	want(t, 1)(db.Set("s").Add("a"))
	want(t, true)(db.ZSet("z").Add("a", 1))
	m := codec.MapOf[int, int](db.Hash("m"), nil, nil)
	s := codec.SetOf[int](db.Set("s"), nil)
	z := codec.ZSetOf[int](db.ZSet("z"), nil)
	calls := map[string]func() (any, error){
		"Map.Set":    func() (any, error) { return m.Set(1, 1) },
		"Map.Get":    func() (any, error) { return m.Get(1) },
		"Map.Remove": func() (any, error) { return m.Remove(1) },
		"Map.All":    func() (any, error) { return collect(codec.MapOf[int, int](db.Hash("m"), codec.Int, nil).All()) },
		"Set.Add":    func() (any, error) { return s.Add(1) },
		"Set.All":    func() (any, error) { return collect(s.All()) },
		"Set.Pop":    func() (any, error) { return s.Pop(1) },
		"Set.Random": func() (any, error) { return s.Random(1) },
		"ZSet.Add":   func() (any, error) { return z.Add(1, 1) },
		"ZSet.Range": func() (any, error) { return collect(z.Range(z.ByLexFrom(1))) },
		"ZSet.Count": func() (any, error) { return z.Count(z.ByLexFrom(1)) },
		"ZSet.RemoveRange": func() (any, error) {
			return z.RemoveRange(z.ByLexFrom(1))
		},
		"ZSet.PopMin":  func() (any, error) { return z.PopMin(1) },
		"ZSet.PopMax":  func() (any, error) { return z.PopMax(1) },
		"ZSet.WaitMin": func() (any, error) { return z.WaitMin(context.Background(), nil) },
		"zero Map":     func() (any, error) { return codec.Map[int, int]{}.Set(1, 1) },
	}
	for name, call := range calls {
		if _, err := call(); err == nil || err.Error() != "siltstone: handle has no codec" {
			t.Errorf("%s: %v", name, err)
		}
	}
	want(t, int64(1))(s.Len())
	want(t, int64(1))(z.Len())
}
