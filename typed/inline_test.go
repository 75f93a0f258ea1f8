package typed_test

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
)

// dump is the rows, one a line.
func dump(db *fakeDB) string {
	var b strings.Builder
	for _, r := range db.rows {
		fmt.Fprintf(&b, "%x %x\n", r.Key, r.Value)
	}
	return b.String()
}

// The worked example of docs/format/keys.md.
func TestInlineCollectionsLookLikeThis(t *testing.T) {
	db := newFake(t, 1)
	must[int](t)(db.Hash("h").SetMany(typed.Field{Name: "n", Value: []byte("Ada")}, typed.Field{Name: "e"}))
	must[int64](t)(db.List("l").PushBack([]byte("b"), []byte("c")))
	must[int64](t)(db.List("l").PushFront([]byte("a")))
	must[int](t)(db.Set("s").Add("q", "p"))
	must[int](t)(db.ZSet("z").AddMany(0, typed.Member{Name: "a", Score: 1}, typed.Member{Name: "b", Score: 0}))
	must[int](t)(0, db.Key("z").Expire(time.Minute))
	const want = "" +
		"0168 02020000" + "016500" + "016e03416461" + "\n" +
		"016c 02030000" + "0161" + "0162" + "0163" + "\n" +
		"0173 02020000" + "0170" + "0171" + "\n" +
		"017a 02020000" + "09800000000000000062" + "09bff000000000000061" + "\n"
	if got := dump(db); got != want {
		t.Errorf("rows are\n%s, want\n%s", got, want)
	}
}

// growing has a collection of each type: add adds element i, drop removes it.
var growing = map[string]struct {
	add, drop func(db typedtest.API, i int) error
}{
	"h": {
		func(db typedtest.API, i int) error { _, err := db.Hash("h").Set(fmt.Sprint(i), nil); return err },
		func(db typedtest.API, i int) error { _, err := db.Hash("h").Remove(fmt.Sprint(i)); return err },
	},
	"s": {
		func(db typedtest.API, i int) error { _, err := db.Set("s").Add(fmt.Sprint(i)); return err },
		func(db typedtest.API, i int) error { _, err := db.Set("s").Remove(fmt.Sprint(i)); return err },
	},
	"z": {
		func(db typedtest.API, i int) error { _, err := db.ZSet("z").Add(fmt.Sprint(i), 1); return err },
		func(db typedtest.API, i int) error { _, err := db.ZSet("z").Remove(fmt.Sprint(i)); return err },
	},
	"l": {
		func(db typedtest.API, i int) error { _, err := db.List("l").PushBack([]byte("x")); return err },
		func(db typedtest.API, i int) error { _, err := db.List("l").PopFront(); return err },
	},
}

func TestCollectionThatOutgrowsItsRecordTakesAnIDAndNeverGoesBack(t *testing.T) {
	typedtest.InlineUpTo(t, 3, 1000)
	for name, c := range growing {
		db := newFake(t, 1)
		for i := range 3 {
			must[int](t)(0, c.add(db, i))
		}
		must[int](t)(0, db.Key(name).Expire(time.Minute))
		if len(db.rows) != 1 {
			t.Errorf("%s: 3 elements are %d rows", name, len(db.rows))
		}
		must[int](t)(0, c.add(db, 3))
		id := collectionID(t, db, name)
		must[int](t)(0, db.check()) // also that it has a timer
		for i := range 3 {
			must[int](t)(0, c.drop(db, i))
		}
		if got := collectionID(t, db, name); got != id || id == 0 {
			t.Errorf("%s: grown it had id %d, shrunk %d", name, id, got)
		}
		must[int](t)(0, c.drop(db, 3))
		must[int](t)(0, c.add(db, 9))
		if got := collectionID(t, db, name); got != 0 || !db.dead[id] {
			t.Errorf("%s: a new one has id %d; the old one's was given up: %v", name, got, db.dead[id])
		}
		for i := range 3 {
			must[int](t)(0, c.add(db, i))
		}
		if got := collectionID(t, db, name); got <= id {
			t.Errorf("%s: moved out again under id %d, after %d", name, got, id)
		}
		must[int](t)(0, db.check())
	}
}

// collectionID returns the id in the metadata, 0 for an inline collection.
func collectionID(t *testing.T, db *fakeDB, name string) uint64 {
	t.Helper()
	i := find(db.rows, keyenc.AppendNameRow(nil, db.prefix, name))
	m, err := record.DecodeMeta(db.rows[i].Value)
	if err != nil {
		t.Fatal(err)
	}
	return m.ID
}

func TestLimitsOfTheInlineFormAreExact(t *testing.T) {
	typedtest.InlineUpTo(t, 100, 20)
	for _, c := range []struct {
		size   int // of the value of a field with a name of 1 byte
		inline bool
	}{{17, true}, {18, false}} {
		db := newFake(t, 1)
		must[bool](t)(db.Hash("h").Set("f", make([]byte, c.size)))
		if inline := collectionID(t, db, "h") == 0; inline != c.inline {
			t.Errorf("new with %d bytes: inline %v", c.size, inline)
		}
		db = newFake(t, 1)
		must[bool](t)(db.Hash("h").Set("f", nil))
		must[bool](t)(db.Hash("h").Set("f", make([]byte, c.size)))
		if inline := collectionID(t, db, "h") == 0; inline != c.inline {
			t.Errorf("overwritten with %d bytes: inline %v", c.size, inline)
		}
		db = newFake(t, 1)
		must[int64](t)(db.List("l").PushBack([]byte("a")))
		must[bool](t)(db.List("l").InsertAfter([]byte("a"), make([]byte, c.size)))
		if inline := collectionID(t, db, "l") == 0; inline != c.inline {
			t.Errorf("a list with %d bytes in between: inline %v", c.size, inline)
		}
		must[int](t)(0, db.check())
	}
}

func TestMiddleOfAnInlineListChangesInPlace(t *testing.T) {
	db := newFake(t, 1)
	l := db.List("l")
	must[int64](t)(l.PushBack([]byte("a"), []byte("b"), []byte("a"), []byte("c"), []byte("a"), []byte("a")))
	is := func(want string) {
		t.Helper()
		var got []byte
		for v, err := range l.Range(0, -1) {
			must[int](t)(0, err)
			got = append(got, v...)
		}
		if string(got) != want || collectionID(t, db, "l") != 0 {
			t.Errorf("the list is %q with id %d, want %q inline", got, collectionID(t, db, "l"), want)
		}
	}
	remove := func(count int, value string, want int) {
		t.Helper()
		if n := must[int](t)(l.Remove(count, []byte(value))); n != want {
			t.Errorf("%d of %q removed, want %d", n, value, want)
		}
	}
	remove(-2, "a", 2)
	is("abac")
	remove(1, "a", 1)
	is("bac")
	remove(math.MinInt, "c", 1)
	remove(-1, "x", 0)
	must[bool](t)(l.InsertBefore([]byte("b"), []byte("1")))
	must[bool](t)(l.InsertAfter([]byte("a"), []byte("3")))
	must[bool](t)(l.InsertAfter([]byte("b"), []byte("2")))
	is("1b2a3")
	must[int](t)(0, l.SetAt(-2, []byte("long")))
	must[int](t)(0, l.Trim(1, 3))
	is("b2long")
	must[int64](t)(l.PushFront([]byte("0")))
	is("0b2long")
	must[int](t)(0, db.check())
}

func TestElementWithADeadlineMovesTheCollectionOut(t *testing.T) {
	db := newFake(t, 1)
	must[int](t)(db.Set("s").Add("a", "b"))
	must[int](t)(db.Set("s").ExpireMembersAt(time.UnixMilli(db.now+5), 0, "missing"))
	if id := collectionID(t, db, "s"); id != 0 {
		t.Errorf("nothing got a deadline, and the set has id %d", id)
	}
	must[int](t)(db.Set("s").ExpireMembersAt(time.UnixMilli(db.now+5), 0, "a"))
	if id := collectionID(t, db, "s"); id == 0 {
		t.Error("the set is inline and has a member with a deadline")
	}
	must[int](t)(0, db.check())
	db.Advance(5)
	if n, err := db.Set("s").Len(); n != 1 || err != nil {
		t.Error(n, err)
	}
}

func TestLoopsOverInlineCollectionsSeeTheStateAtTheirStart(t *testing.T) {
	typedtest.InlineUpTo(t, 4, 64)
	db := newFake(t, 1)
	must[int](t)(0, db.Update(func(tx typedtest.API) error {
		must[int](t)(tx.Set("s").Add("a", "b", "c"))
		must[int64](t)(tx.List("l").PushBack([]byte("1"), []byte("2")))
		var seen []string
		for m, err := range tx.Set("s").All() {
			must[int](t)(0, err)
			seen = append(seen, m)
			must[int](t)(tx.Set("s").Add(m+"x", m+"y"))
			must[int](t)(tx.Set("s").Remove("c"))
			for v, err := range tx.List("l").Range(0, -1) {
				must[int](t)(0, err)
				seen = append(seen, string(v))
				must[int64](t)(tx.List("l").PushFront([]byte("0")))
				must[[]byte](t)(tx.List("l").PopFront())
			}
		}
		if want := []string{"a", "1", "2", "b", "1", "2", "c", "1", "2"}; !slices.Equal(seen, want) {
			t.Errorf("seen %q, want %q", seen, want)
		}
		return nil
	}))
	must[int](t)(0, db.check())
}

// Loops that are pulled do not end in the order in which they began.
func TestLoopsThatTakeTurnsDoNotDisturbEachOther(t *testing.T) {
	db := newFake(t, 1)
	must[int](t)(0, db.Update(func(tx typedtest.API) error {
		var nexts []func() (typed.Field, error, bool)
		var stops []func()
		const loops = 4
		for i := range loops {
			h := tx.Hash(fmt.Sprint("h", i))
			for j := range 5 {
				must[bool](t)(h.Set(fmt.Sprint(j), []byte(fmt.Sprint(i, j))))
			}
			next, stop := iter.Pull2(h.All())
			defer stop()
			nexts, stops = append(nexts, next), append(stops, stop)
		}
		first := 0
		for j := range 5 {
			for at := first; at < loops; at++ {
				f, err, ok := nexts[at]()
				if !ok || err != nil || f.Name != fmt.Sprint(j) || string(f.Value) != fmt.Sprint(at, j) {
					t.Errorf("loop %d, step %d: %q=%q, %v, %v", at, j, f.Name, f.Value, err, ok)
				}
				must[bool](t)(tx.Hash("other").Set(fmt.Sprint(at), []byte("written between steps")))
			}
			if j == 2 { // ends first, as it began
				stops[0]()
				first = 1
			}
		}
		return nil
	}))
}

func TestDamagedBodiesAreErrorsAndNeverAPanic(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	typ := map[string]record.Type{"h": record.TypeHash, "s": record.TypeSet, "z": record.TypeZSet, "l": record.TypeList}
	for round := range 300 {
		db := newFake(t, uint64(round))
		must[int](t)(0, typedtest.Populate(db))
		tx := db.newTxn()
		for _, r := range db.rows {
			if r.Key[0] != keyenc.SpaceKeys || !record.Type(r.Attr.Type()).IsCollection() {
				continue
			}
			kind := record.Type(r.Attr.Type())
			var body []byte
			for i := range 3 {
				key := append(keyenc.AppendScore(nil, float64(i)), 'a'+byte(i))
				body = record.AppendInline(body, kind, key, []byte("v"))
			}
			switch i := rng.IntN(len(body)); rng.IntN(3) {
			case 0:
				body[i] = byte(rng.Uint32())
			case 1:
				body = body[:i]
			case 2:
				body = append(body, body[i:]...)
			}
			m := record.Meta{Encoding: record.EncodingInline, Count: 3, Body: body}
			must[int](t)(0, tx.Put(r.Key, kind, 0, record.AppendMeta(nil, m)))
		}
		tx.commit()
		for _, call := range append(typedtest.Changes(), typedtest.Reads()...) {
			if err := call.Run(db); errors.Is(err, base.ErrCorruption) && !strings.Contains(err.Error(), `key "`) {
				t.Errorf("%s: %v does not name the key", call.Name, err)
			}
		}
	}
	for name, m := range map[string]record.Meta{
		"no elements":       {Encoding: record.EncodingInline, Body: []byte{1, 'a'}},
		"too many":          {Encoding: record.EncodingInline, Count: 1 << 61, Body: []byte{1, 'a'}},
		"one too many":      {Encoding: record.EncodingInline, Count: 2, Body: []byte{1, 'a', 0}},
		"deadlines":         {Encoding: record.EncodingInline, Count: 1, NextDue: 5, Body: []byte{1, 'a'}},
		"longer than there": {Encoding: record.EncodingInline, Count: 1, Body: []byte{2, 'a'}},
	} {
		for key, kind := range typ {
			db := newFake(t, 1)
			tx := db.newTxn()
			must[int](t)(0, tx.Put(keyenc.AppendNameRow(nil, nil, key), kind, 0, record.AppendMeta(nil, m)))
			tx.commit()
			if err := growing[key].add(db, 1); !errors.Is(err, base.ErrCorruption) || !strings.Contains(err.Error(), "malformed") {
				if name != "one too many" || key != "l" { // those are two items
					t.Errorf("%s, %s: %v", key, name, err)
				}
			}
			if had, err := db.Key(key).Drop(); !had || err != nil {
				t.Errorf("%s, %s: Drop %v %v", key, name, had, err)
			}
		}
	}
}
