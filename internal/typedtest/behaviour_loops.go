package typedtest

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/siltstonedb/siltstone/typed"
)

// Loop is a loop over what PopulateLoops makes, each item as text.
type Loop struct {
	Name string
	Over func(a API) iter.Seq2[string, error]
}

// Loops returns every loop there is over typed values. Each yields several items.
func Loops() []Loop {
	text := func(s string) string { return s }
	field := func(f typed.Field) string { return fmt.Sprintf("%q=%q", f.Name, f.Value) }
	member := func(m typed.Member) string { return fmt.Sprint(m) }
	item := func(v []byte) string { return string(v) }
	key := func(k typed.Key) string { return k.Name() }
	zset := func(r typed.ZRange) func(a API) iter.Seq2[string, error] {
		return func(a API) iter.Seq2[string, error] { return mapped(a.ZSet("zset").Range(r), member) }
	}
	set := func(loop func(s typed.Set) iter.Seq2[string, error]) func(a API) iter.Seq2[string, error] {
		return func(a API) iter.Seq2[string, error] { return mapped(loop(a.Set("set")), text) }
	}
	return []Loop{
		{"Keys.All", func(a API) iter.Seq2[string, error] { return mapped(a.Keys().All(typed.KeyOptions{}), key) }},
		{"Hash.All", func(a API) iter.Seq2[string, error] { return mapped(a.Hash("hash").All(), field) }},
		{"Hash.Prefix", func(a API) iter.Seq2[string, error] { return mapped(a.Hash("hash").Prefix(""), field) }},
		{"Hash.After", func(a API) iter.Seq2[string, error] { return mapped(a.Hash("hash").After(""), field) }},
		{"Hash.ScanBack", func(a API) iter.Seq2[string, error] {
			return mapped(a.Hash("hash").ScanBack(typed.Range{}), field)
		}},
		{"Hash.ScanFieldsBack", func(a API) iter.Seq2[string, error] {
			return mapped(a.Hash("hash").ScanFieldsBack(typed.Range{}), text)
		}},
		{"Hash.Fields", func(a API) iter.Seq2[string, error] { return mapped(a.Hash("hash").Fields(), text) }},
		{"Set.All", set(func(s typed.Set) iter.Seq2[string, error] { return s.All() })},
		{"Set.Prefix", set(func(s typed.Set) iter.Seq2[string, error] { return s.Prefix("") })},
		{"Set.After", set(func(s typed.Set) iter.Seq2[string, error] { return s.After("") })},
		{"Set.ScanBack", set(func(s typed.Set) iter.Seq2[string, error] { return s.ScanBack(typed.Range{}) })},
		{"Set.Union", set(func(s typed.Set) iter.Seq2[string, error] { return s.Union("second", "large") })},
		{"Set.Inter", set(func(s typed.Set) iter.Seq2[string, error] { return s.Inter("second") })},
		{"Set.Inter with look-ups", set(func(s typed.Set) iter.Seq2[string, error] { return s.Inter("large") })},
		{"Set.Diff", set(func(s typed.Set) iter.Seq2[string, error] { return s.Diff("zero") })},
		{"Set.Diff with look-ups", set(func(s typed.Set) iter.Seq2[string, error] { return s.Diff("apart") })},
		{"ZSet.All", func(a API) iter.Seq2[string, error] { return mapped(a.ZSet("zset").All(), member) }},
		{"ZSet.After", func(a API) iter.Seq2[string, error] {
			return mapped(a.ZSet("zset").After(typed.Member{Score: negInf}), member)
		}},
		{"ZSet.Range by rank", zset(typed.ByRank(0, -1))},
		{"ZSet.Range by rank, reverse", zset(typed.ByRank(0, -1).Reverse())},
		{"ZSet.Range by score", zset(typed.ByScore(0, 1e9))},
		{"ZSet.Range by name", zset(typed.ByLexFrom(""))},
		{"List.Range", func(a API) iter.Seq2[string, error] { return mapped(a.List("list").Range(0, -1), item) }},
		{"List.Range with gaps", func(a API) iter.Seq2[string, error] { return mapped(a.List("gaps").Range(1, -1), item) }},
	}
}

func mapped[T any](loop iter.Seq2[T, error], text func(T) string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for v, err := range loop {
			s := ""
			if err == nil {
				s = text(v)
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

// PopulateLoops makes what Loops walk: what Populate does, and some sets and a list
// beside.
func PopulateLoops(a API) error {
	if err := Populate(a); err != nil {
		return err
	}
	names := make([]string, 200)
	for i := range names {
		names[i] = fmt.Sprintf("m%03d", i)
	}
	for set, members := range map[string][]string{
		"second": {"a", "b", "c", "d"}, "zero": {"0"}, "large": append([]string{"a", "b", "c"}, names...), "apart": names,
	} {
		if _, err := a.Set(set).Add(members...); err != nil {
			return err
		}
	}
	if _, err := a.List("gaps").PushBack([]byte("1"), []byte("2"), []byte("4")); err != nil {
		return err
	}
	_, err := a.List("gaps").InsertAfter([]byte("2"), []byte("3"))
	return err
}

// changesOfLoops are changes of what Populate does not make.
var changesOfLoops = []Call{
	{"Remove from the large set", func(a API) error { return second(a.Set("large").Remove("b", "c")) }},
	{"Drop of the large set", func(a API) error { return second(a.Key("large").Drop()) }},
	{"Rename over the large set", func(a API) error { return a.Key("zero").Rename("large") }},
	{"Add to the set apart", func(a API) error { return second(a.Set("apart").Add("a", "b", "c")) }},
	{"Remove from the second set", func(a API) error { return second(a.Set("second").Remove("b", "c")) }},
	{"Insert into gaps", func(a API) error { return second(a.List("gaps").InsertBefore([]byte("4"), []byte("5"))) }},
}

// everyLoopSeesItsStart makes every change in the body of every loop.
func everyLoopSeesItsStart(t test, s Store) {
	t.done(PopulateLoops(s))
	for _, loop := range Loops() {
		for _, change := range slices.Concat(Changes(), changesOfLoops) {
			err := s.Update(func(tx API) error {
				want, err := collect(loop.Over(tx), asIs)
				t.done(err)
				if len(want) < 2 {
					t.Fatalf("%s yields %q: nothing is shown", loop.Name, want)
				}
				var got []string
				for v, err := range loop.Over(tx) {
					t.done(err)
					if got = append(got, v); len(got) == 1 {
						t.done(change.Run(tx))
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s yields %q, and with %s in its body %q", loop.Name, want, change.Name, got)
				}
				return errRollback
			})
			t.refused(err, errRollback)
		}
	}
}

// keysBesideDueElements: a walk of keys that has to ask for each collection whether
// it has a live element asks what there was at its start.
func keysBesideDueElements(t test, s Store) {
	for _, k := range []string{"s1", "s2", "s3"} {
		n, err := s.Set(k).AddTTL(time.Second, "due")
		ok(t, n, err, 1)
		n, err = s.Set(k).Add("stays")
		ok(t, n, err, 1)
	}
	s.Advance(2000)
	t.done(s.Update(func(tx API) error {
		var got []string
		for k, err := range tx.Keys().All(typed.KeyOptions{}) {
			t.done(err)
			if got = append(got, k.Name()); len(got) == 1 {
				n, err := tx.Set("s2").Remove("stays")
				ok(t, n, err, 1)
				existed, err := tx.Key("s3").Drop()
				ok(t, existed, err, true)
			}
		}
		ok(t, got, nil, []string{"s1", "s2", "s3"})
		return nil
	}))
	n, err := s.Keys().Count()
	ok(t, n, err, 1)
}
