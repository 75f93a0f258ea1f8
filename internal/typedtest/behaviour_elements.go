package typedtest

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/typed"
)

func anyBytes(t test, s Store) {
	odd := []string{"a", "a\x00", "a\x00\x00", "\x00", "\x01", "\x02\xff", "\xff", "\xff\xff"}
	for _, k := range odd {
		for _, m := range append(odd, "") {
			v := []byte(k + "|" + m)
			added, err := s.Hash("h"+k).Set(m, v)
			ok(t, added, err, true)
			n, err := s.Set("s" + k).Add(m)
			ok(t, n, err, 1)
			added, err = s.ZSet("z"+k).Add(m, 1)
			ok(t, added, err, true)
		}
		t.done(s.String(k).Set([]byte(k)))
	}
	want := slices.Sorted(slices.Values(append(slices.Clone(odd), "")))
	for _, k := range odd {
		for _, m := range want {
			v, err := s.Hash("h" + k).Get(m)
			ok(t, v, err, []byte(k+"|"+m))
		}
		members, err := collect(s.Set("s"+k).All(), asIs)
		ok(t, members, err, want)
		for i, m := range want {
			rank, err := s.ZSet("z" + k).Rank(m)
			ok(t, rank, err, int64(i))
		}
		n, err := s.ZSet("z" + k).Remove(want...)
		ok(t, n, err, len(want))
		v, err := s.String(k).Get()
		ok(t, v, err, []byte(k))
	}
	t.refused(s.String("").Set(nil), base.ErrEmptyKey)
	// An empty value is a value.
	t.done(s.String("e").Set(nil))
	v, err := s.String("e").Get()
	ok(t, v != nil, err, true)
}

func longNames(t test, s Store) {
	for _, n := range []int{base.MaxKeyLen - 1, base.MaxKeyLen, base.MaxKeyLen + 1} {
		long := strings.Repeat("\xff", n)
		var want error
		if n > base.MaxKeyLen {
			want = base.ErrKeyTooLarge
		}
		for _, call := range []func() error{
			func() error { return s.String(long).Set([]byte("v")) },
			func() error { return second(s.Hash("h").Set(long, []byte("v"))) },
			func() error { return second(s.Set("s").Add(long)) },
			func() error { return second(s.ZSet("z").Add(long, 1)) },
			func() error { return second(s.Set("s").Has(long)) },
			func() error { return second(s.ZSet("z").Count(typed.ByLex(long, long))) },
			func() error { return second(collect(s.Hash("h").Prefix(long), ownField)) },
		} {
			if err := differ("call", 0, call(), 0, want); err != nil {
				t.Fatalf("%d bytes: %v", n, err)
			}
		}
		if want != nil {
			continue
		}
		v, err := s.Hash("h").Get(long)
		ok(t, v, err, []byte("v"))
		score, err := s.ZSet("z").Score(long)
		ok(t, score, err, 1)
		fields, err := collect(s.Hash("h").Prefix(long), ownField)
		t.done(err)
		ok(t, fields[0].Name == long, nil, true)
		count, err := s.ZSet("z").Count(typed.ByLex(long, long))
		ok(t, count, err, 1)
	}
}

func oddScores(t test, s Store) {
	z := s.ZSet("z")
	want := []float64{negInf, -math.MaxFloat64, -1.5, -math.SmallestNonzeroFloat64, 0,
		math.SmallestNonzeroFloat64, 1, 1.5, math.MaxFloat64, posInf}
	for i, score := range want {
		_, err := z.Add(fmt.Sprint(9-i), score)
		t.done(err)
	}
	members, err := collect(z.Range(typed.ByScore(negInf, posInf)), asIs)
	t.done(err)
	for i, m := range members {
		ok(t, m, nil, typed.Member{Name: fmt.Sprint(9 - i), Score: want[i]})
	}
	added, err := z.Add("zero", negZero)
	ok(t, added, err, true)
	score, err := z.Score("zero")
	ok(t, math.Signbit(score), err, false)
	for _, zero := range []float64{0, negZero} {
		n, err := z.Count(typed.ByScore(zero, zero))
		ok(t, n, err, 2)
	}
	n, err := z.Count(typed.ByScore(negInf, negInf))
	ok(t, n, err, 1)
	n, err = z.Count(typed.ByScore(negInf, posInf).OpenMin().OpenMax())
	ok(t, n, err, 9)
	_, err = z.Add("nan", math.NaN())
	t.refused(err, base.ErrNaN)
	_, err = z.Count(typed.ByScore(math.NaN(), 1))
	t.refused(err, base.ErrNaN)
}

func scoreLookalike(t test, s Store) {
	// The name is what stands behind the tag in the score row of ("a", 1).
	const lookalike = "\xbf\xf0\x00\x00\x00\x00\x00\x00a"
	z := s.ZSet("z")
	_, err := z.AddMany(0, typed.Member{Name: "a", Score: 1}, typed.Member{Name: lookalike, Score: 2})
	t.done(err)
	n, err := z.Remove(lookalike)
	ok(t, n, err, 1)
	members, err := collect(z.Range(typed.ByScore(0, 3)), asIs)
	ok(t, members, err, []typed.Member{{Name: "a", Score: 1}})
	_, err = z.Add(lookalike, 2)
	t.done(err)
	_, err = z.Remove("a")
	t.done(err)
	score, err := z.Score(lookalike)
	ok(t, score, err, 2)
	rank, err := z.Rank(lookalike)
	ok(t, rank, err, 0)
}

func algebraOfMissingSets(t test, s Store) {
	populate(t, s)
	abc := []string{"a", "b", "c"}
	for _, c := range []struct {
		op      byte
		base    string
		others  []string
		members []string
	}{
		{'u', "none", nil, nil}, {'u', "none", []string{"none", "nil"}, nil},
		{'u', "none", []string{"set"}, abc}, {'u', "set", []string{"none", "set"}, abc},
		{'d', "none", []string{"set"}, nil}, {'d', "set", nil, abc},
		{'d', "set", []string{"none", "nil"}, abc}, {'d', "set", []string{"none", "set"}, nil},
		{'i', "set", []string{"none"}, nil}, {'i', "none", []string{"set"}, nil}, {'i', "set", nil, abc},
	} {
		seq := s.Set(c.base).Union(c.others...)
		store := s.Set("result").StoreUnion
		switch c.op {
		case 'd':
			seq, store = s.Set(c.base).Diff(c.others...), s.Set("result").StoreDiff
		case 'i':
			seq, store = s.Set(c.base).Inter(c.others...), s.Set("result").StoreInter
		}
		got, err := collect(seq, asIs)
		ok(t, got, err, c.members)
		n, err := store(append([]string{c.base}, c.others...)...)
		ok(t, n, err, int64(len(c.members)))
		exists, err := s.Key("result").Exists()
		ok(t, exists, err, len(c.members) > 0)
	}
}

func moveTo(t test, s Store) {
	populate(t, s)
	_, err := s.Set("other").Add("a")
	t.done(err)
	moved, err := s.Set("set").MoveTo("other", "none such")
	ok(t, moved, err, false)
	moved, err = s.Set("set").MoveTo("set", "a")
	ok(t, moved, err, true)
	moved, err = s.Set("set").MoveTo("set", "none such")
	ok(t, moved, err, false)
	moved, err = s.Set("set").MoveTo("other", "a") // is there already
	ok(t, moved, err, true)
	n, err := s.Set("set").Len()
	ok(t, n, err, 2)
	n, err = s.Set("other").Len()
	ok(t, n, err, 1)
	moved, err = s.Set("none").MoveTo("zset", "a") // no source: the type is not looked at
	ok(t, moved, err, false)
	for _, m := range []string{"b", "c"} {
		moved, err = s.Set("set").MoveTo("new", m)
		ok(t, moved, err, true)
	}
	exists, err := s.Key("set").Exists()
	ok(t, exists, err, false)
}

func storeOverSource(t test, s Store) {
	_, err := s.Set("s").Add("a", "b", "c", "d")
	t.done(err)
	_, err = s.Set("t").Add("b", "d")
	t.done(err)
	n, err := s.Set("s").StoreDiff("s", "t")
	ok(t, n, err, 2)
	members, err := collect(s.Set("s").All(), asIs)
	ok(t, members, err, []string{"a", "c"})
	n, err = s.Set("s").StoreUnion("s", "s", "t")
	ok(t, n, err, 4)
	n, err = s.Set("s").StoreInter("s", "none")
	ok(t, n, err, 0)
	exists, err := s.Key("s").Exists()
	ok(t, exists, err, false)
}

func reverseRanks(t test, s Store) {
	z := s.ZSet("z")
	for i := range 30 {
		_, err := z.Add(fmt.Sprintf("m%02d", i), float64(i))
		t.done(err)
	}
	names := func(r typed.ZRange) (names []string) {
		for m, err := range z.Range(r) {
			t.done(err)
			names = append(names, m.Name)
		}
		return names
	}
	ok(t, names(typed.ByRank(0, 2).Reverse()), nil, []string{"m29", "m28", "m27"})
	ok(t, names(typed.ByRank(-2, -1)), nil, []string{"m28", "m29"})
	ok(t, names(typed.ByRank(-2, -1).Reverse()), nil, []string{"m01", "m00"})
	ok(t, names(typed.ByScore(3, 20).Reverse().Limit(1, 2)), nil, []string{"m19", "m18"})
	ok(t, names(typed.ByLex("m05", "m08").OpenMax().Reverse()), nil, []string{"m07", "m06", "m05"})
	for i := range int64(30) {
		rank, err := z.Rank(fmt.Sprintf("m%02d", i))
		ok(t, rank, err, i)
		rank, err = z.RevRank(fmt.Sprintf("m%02d", i))
		ok(t, rank, err, 29-i)
		ok(t, names(typed.ByRank(i, i)), nil, []string{fmt.Sprintf("m%02d", i)})
		ok(t, names(typed.ByRank(i, i).Reverse()), nil, []string{fmt.Sprintf("m%02d", 29-i)})
	}
}

func fractionsAdd(t test, s Store) {
	k := s.String("k")
	for range 1000 {
		_, err := k.IncrFloat(0.1)
		t.done(err)
	}
	v, err := k.Get()
	ok(t, string(v), err, "100")
	for _, c := range []struct {
		old  string
		by   float64
		want string
	}{
		{"0.1", 0.2, "0.3"}, {"10.50", 0.1, "10.6"}, {"5.0e3", 200, "5200"}, {"1000", 0.1, "1000.1"},
		{"-0.5", 0.5, "0"}, {"1e-400", 1, "1"}, {"9007199254740993", 1, "9007199254740994"},
		{"9223372036854775806", 1, "9223372036854775807"}, {"0", 1e-17, "0.00000000000000001"},
		{"0", 1e20, "100000000000000000000"},
		{"0", 1.7e-17, "0.00000000000000002"}, {"0", 4e-18, "0"}, {"0", -4e-18, "0"}, {"0.5", 1e-10 / 3, "0.50000000003333333"},
		{"0", 1.0 / 3e5, "0.00000333333333333"}, {"0e-5000", 5e-324, "0"}, {"-1e-4950", 2, "2"},
	} {
		t.done(k.Set([]byte(c.old)))
		sum, err := k.IncrFloat(c.by)
		t.done(err)
		v, err := k.Get()
		ok(t, string(v), err, c.want)
		stored, err := strconv.ParseFloat(c.want, 64)
		ok(t, sum, err, stored)
	}
	for _, bad := range []string{"", " 1", "1 ", "0x10", "1_0", "inf", "nan", "1e999", "1e-5000", "1e", "--1", strings.Repeat("1", 600)} {
		t.done(k.Set([]byte(bad)))
		_, err := k.IncrFloat(1)
		t.refused(err, base.ErrNotNumber)
	}
	t.done(k.Set([]byte("1e308")))
	_, err = k.IncrFloat(math.MaxFloat64)
	t.refused(err, base.ErrOverflow)
	_, err = k.IncrFloat(math.NaN())
	t.refused(err, base.ErrNaN)
}

func trimLongList(t test, s Store) {
	l := s.List("l")
	var all [][]byte
	for i := range 300 {
		all = append(all, []byte(fmt.Sprint(i)))
	}
	n, err := l.PushBack(all...)
	ok(t, n, err, 300)
	t.done(l.Trim(100, 199)) // more on each side than are deleted one by one
	got, err := collect(l.Range(0, -1), ownBytes)
	t.done(err)
	if !slices.EqualFunc(got, all[100:200], bytes.Equal) {
		t.Fatalf("got %q", got)
	}
	n, err = l.PushFront([]byte("front"))
	ok(t, n, err, 101)
	v, err := l.At(1)
	ok(t, v, err, []byte("100"))
	t.done(l.Trim(5, 4))
	exists, err := s.Key("l").Exists()
	ok(t, exists, err, false)
}
