package typed_test

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
)

// These tests are about what the package asks of the engine and when.

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestCreateAndDeleteInOneTransactionLeavesNoRow(t *testing.T) {
	typedtest.InRows(t)
	db := newFake(t, 1)
	drops := map[string]func(tx typedtest.API) error{
		"Drop":   func(tx typedtest.API) error { _, err := tx.Key("k").Drop(); return err },
		"Remove": func(tx typedtest.API) error { _, err := tx.Hash("k").Remove("f", "g"); return err },
		"Expire": func(tx typedtest.API) error { return tx.Key("k").Expire(0) },
		"Set over it": func(tx typedtest.API) error {
			if err := tx.String("k").Set(nil); err != nil {
				return err
			}
			_, err := tx.Key("k").Drop()
			return err
		},
		"Rename over it": func(tx typedtest.API) error {
			if err := tx.String("other").Set(nil); err != nil {
				return err
			}
			if err := tx.Key("other").Rename("k"); err != nil {
				return err
			}
			_, err := tx.Key("k").Drop()
			return err
		},
	}
	for name, drop := range drops {
		must[int](t)(0, db.Update(func(tx typedtest.API) error {
			if _, err := tx.Hash("k").SetMany(typed.Field{Name: "f"}, typed.Field{Name: "g"}); err != nil {
				return err
			}
			if err := tx.Key("k").Expire(time.Hour); err != nil {
				return err
			}
			return drop(tx)
		}))
		if len(db.rows) != 0 || len(db.dead) != 0 {
			t.Errorf("%s left %d rows, nominated %v", name, len(db.rows), db.dead)
		}
	}
}

func TestEndOfACollectionIsNominatedOnceAndCostsNoElement(t *testing.T) {
	typedtest.InRows(t)
	ends := map[string]func(db *fakeDB) error{
		"Drop":        func(db *fakeDB) error { _, err := db.Key("k").Drop(); return err },
		"Keys.Drop":   func(db *fakeDB) error { _, err := db.Keys().Drop("k"); return err },
		"Set":         func(db *fakeDB) error { return db.String("k").Set(nil) },
		"Keys.Set":    func(db *fakeDB) error { return db.Keys().Set(typed.Pair{Name: "k"}) },
		"Rename over": func(db *fakeDB) error { return db.Key("s").Rename("k") },
		"CopyTo":      func(db *fakeDB) error { _, err := db.Key("s").CopyTo("k", true); return err },
		"StoreUnion":  func(db *fakeDB) error { _, err := db.Set("k").StoreUnion("set"); return err },
		"Expire":      func(db *fakeDB) error { return db.Key("k").Expire(-time.Second) },
		"RemoveRange": func(db *fakeDB) error { _, err := db.ZSet("k").RemoveRange(typed.ByRank(0, -1)); return err },
		"SetWith past At": func(db *fakeDB) error {
			_, err := db.String("k").SetWith(nil, typed.SetOptions{At: time.UnixMilli(5)})
			return err
		},
	}
	for name, end := range ends {
		db := newFake(t, 1)
		for i := range 100 {
			must[bool](t)(db.ZSet("k").Add(fmt.Sprint(i), 1))
		}
		must[int](t)(0, db.Key("k").Expire(time.Hour))
		must[int](t)(0, db.String("s").Set([]byte("x")))
		must[int](t)(db.Set("set").Add("m"))
		before := len(db.rows)
		if err := end(db); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !db.dead[1] || len(db.dead) != 1 {
			t.Errorf("%s nominated %v", name, db.dead)
		}
		if before-len(db.rows) > 4 {
			t.Errorf("%s deleted %d rows", name, before-len(db.rows))
		}
		for _, r := range db.rows {
			if _, _, ok := keyenc.ParseTimerRow(r.Key); ok {
				t.Errorf("%s left the timer", name)
			}
		}
		if err := db.check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRenewedTTLLeavesOneTimer(t *testing.T) {
	typedtest.InRows(t)
	db := newFake(t, 1)
	must[bool](t)(db.Hash("h").Set("f", nil))
	for i := range 5 {
		must[int](t)(0, db.Key("h").Expire(time.Duration(i+1)*time.Minute))
	}
	must[int](t)(0, db.Key("h").Rename("g"))
	timers := 0
	for _, r := range db.rows {
		if expiry, id, ok := keyenc.ParseTimerRow(r.Key); ok {
			timers++
			if expiry != db.now+5*60_000 || id != 1 {
				t.Errorf("timer at %d of %d", expiry-db.now, id)
			}
		}
	}
	if timers != 1 {
		t.Errorf("%d timers", timers)
	}
	if had, err := db.Key("g").Persist(); !had || err != nil || len(db.rows) != 3 {
		t.Errorf("Persist %v %v left %d rows", had, err, len(db.rows))
	}
}

// breakingLoop returns a loop over items that runs a body once and breaks.
func breakingLoop[T any](items iter.Seq2[T, error]) func(body func()) {
	return func(body func()) {
		for range items {
			body()
			break
		}
	}
}

func TestLoopThatBreaksReleasesItsCursor(t *testing.T) {
	db := newFake(t, 1)
	for _, m := range []string{"a", "b", "c"} {
		must[int](t)(db.Set("s").Add(m))
		must[bool](t)(db.Hash("h").Set(m, nil))
		must[bool](t)(db.ZSet("z").Add(m, 1))
		must[int64](t)(db.List("l").PushBack([]byte(m)))
	}
	loops := map[string]func(body func()){
		"Keys":   breakingLoop(db.Keys().All(typed.KeyOptions{})),
		"Hash":   breakingLoop(db.Hash("h").All()),
		"Fields": breakingLoop(db.Hash("h").Fields()),
		"Set":    breakingLoop(db.Set("s").All()),
		"Union":  breakingLoop(db.Set("s").Union("s", "none", "s")),
		"Inter":  breakingLoop(db.Set("s").Inter("s")),
		"Diff":   breakingLoop(db.Set("s").Diff("none")),
		"Score":  breakingLoop(db.ZSet("z").Range(typed.ByScore(0, 2))),
		"Rank":   breakingLoop(db.ZSet("z").Range(typed.ByRank(2, -1))),
		"List":   breakingLoop(db.List("l").Range(0, -1)),
	}
	for name, loop := range loops {
		ran := false
		loop(func() { ran = true })
		if !ran || db.cursors != 0 || db.txns != 0 {
			t.Errorf("%s: ran %v; a break left %d cursors, %d transactions", name, ran, db.cursors, db.txns)
		}
		func() {
			defer func() { _ = recover() }()
			loop(func() { panic("in the body") })
		}()
		if db.cursors != 0 || db.txns != 0 {
			t.Errorf("%s: a panic left %d cursors, %d transactions", name, db.cursors, db.txns)
		}
	}
}

func TestLoopYieldsItsErrorLastAndOnce(t *testing.T) {
	db := newFake(t, 1)
	must[int](t)(0, db.String("s").Set(nil))
	n := 0
	for _, err := range db.Set("s").All() {
		if n++; !errors.Is(err, base.ErrWrongType) {
			t.Errorf("error %v", err)
		}
	}
	for _, err := range db.Set("none").Union("s") {
		if n++; !errors.Is(err, base.ErrWrongType) {
			t.Errorf("error %v", err)
		}
	}
	if n != 2 {
		t.Errorf("%d items", n)
	}
}

func TestOneShotsNameTheKeyTheyWorkOn(t *testing.T) {
	db := newFake(t, 1)
	calls := []struct {
		want string
		call func() error
	}{
		{"k", func() error { _, err := db.String("k").Incr(1); return err }},
		{"k", func() error { _, err := db.Key("k").Drop(); return err }},
		{"k", func() error { _, err := db.Hash("k").Set("f", nil); return err }},
		{"k", func() error { _, err := db.Keys().Drop("k"); return err }},
		{"", func() error { _, err := db.Keys().Drop("k", "l"); return err }},
		{"k", func() error { return db.Keys().Set(typed.Pair{Name: "k"}) }},
		{"", func() error { return db.Key("k").Rename("l") }},
		{"", func() error { _, err := db.Set("k").MoveTo("l", "m"); return err }},
		{"", func() error { _, err := db.Set("k").StoreUnion("m"); return err }},
	}
	for i, c := range calls {
		db.locks = nil
		if err := c.call(); err != nil || !slices.Equal(db.locks, []string{c.want}) {
			t.Errorf("call %d: locks %q, error %v", i, db.locks, err)
		}
	}
}

func TestReadsBeginNoWritingTransaction(t *testing.T) {
	db := newFake(t, 1)
	db.Key("k").Exists()
	db.Hash("k").Len()
	db.ZSet("k").Rank("m")
	db.Set("k").Random(2)
	db.Keys().Get("k")
	for range db.List("k").Range(0, -1) {
	}
	if len(db.locks) != 0 {
		t.Errorf("%d did", len(db.locks))
	}
	tx := db.newTxn()
	tx.readOnly = true
	if _, err := typedtest.Handles(tx).Set("s").Add("m"); !errors.Is(err, base.ErrReadOnly) {
		t.Errorf("a write in a transaction that reads: %v", err)
	}
}

func TestOverwritesLeaveTheMetadataRowAlone(t *testing.T) {
	typedtest.InRows(t)
	db := newFake(t, 1)
	must[bool](t)(db.Hash("h").Set("f", []byte("1")))
	must[bool](t)(db.ZSet("z").Add("m", 1))
	must[int64](t)(db.List("l").PushBack(nil))
	tx := db.newTxn()
	api := typedtest.Handles(tx)
	must[bool](t)(api.Hash("h").Set("f", []byte("2")))
	must[int64](t)(api.Hash("h").Incr("f", 2))
	must[bool](t)(api.ZSet("z").Add("m", 2))
	must[float64](t)(api.ZSet("z").Incr("m", 2))
	must[int](t)(0, api.List("l").SetAt(0, nil))
	for k := range tx.own {
		if k[0] == keyenc.SpaceKeys {
			t.Errorf("row %q was written", k)
		}
	}
}

func TestZeroHandleIsAnErrorNotAPanic(t *testing.T) {
	if _, err := (typed.String{}).Get(); !errors.Is(err, base.ErrClosed) {
		t.Error(err)
	}
	if _, err := (typed.Set{}).Add("m"); !errors.Is(err, base.ErrClosed) {
		t.Error(err)
	}
	for _, err := range (typed.Keys{}).All(typed.KeyOptions{}) {
		if !errors.Is(err, base.ErrClosed) {
			t.Error(err)
		}
	}
}

func TestDamagedMetadataIsCorruptionAndCanBeDropped(t *testing.T) {
	good := record.AppendMeta(nil, record.Meta{Encoding: record.EncodingRows, ID: 9, Count: 2,
		Body: []byte{0x80, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 2, 0, 0, 0}})
	list := func(change func(b []byte) []byte) []byte { return change(slices.Clone(good)) }
	for name, c := range map[string]struct {
		value []byte
		want  error
	}{
		"empty":            {nil, base.ErrCorruption},
		"cut short":        {good[:20], base.ErrCorruption},
		"count differs":    {list(func(b []byte) []byte { b[9] = 3; return b }), base.ErrCorruption},
		"end before first": {list(func(b []byte) []byte { b[20] = 0x70; return b }), base.ErrCorruption},
		"later encoding":   {list(func(b []byte) []byte { return append([]byte{3}, b[9:]...) }), base.ErrFormatTooNew},
		"later list":       {list(func(b []byte) []byte { b[len(b)-1] = 2; return b }), base.ErrFormatTooNew},
	} {
		db := newFake(t, 1)
		tx := db.newTxn()
		must[int](t)(0, tx.Put(keyenc.AppendNameRow(nil, nil, "l"), record.TypeList, 0, c.value))
		tx.commit()
		if _, err := db.List("l").Len(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if existed, err := db.Key("l").Drop(); !existed || err != nil {
			t.Errorf("%s: Drop %v %v", name, existed, err)
		}
	}
	db := newFake(t, 1)
	tx := db.newTxn()
	must[int](t)(0, tx.Put(keyenc.AppendNameRow(nil, nil, "l"), record.TypeList, 0, good))
	tx.commit()
	for name, err := range map[string]error{
		"At":       func() error { _, err := db.List("l").At(0); return err }(),
		"PopFront": func() error { _, err := db.List("l").PopFront(); return err }(),
		"PopBackN": func() error { _, err := db.List("l").PopBackN(1); return err }(),
	} {
		if !errors.Is(err, base.ErrCorruption) {
			t.Errorf("%s of a lost item: %v", name, err)
		}
	}
}

func TestFailureOfAnyEngineCallIsReturnedAndLeavesNothing(t *testing.T) {
	for _, c := range append(typedtest.Changes(), typedtest.Reads()...) {
		db := newFake(t, 1)
		must[int](t)(0, typedtest.Populate(db))
		for n := 1; ; n++ {
			before := db.rows
			db.failIn = n
			err := c.Run(db)
			unused := db.failIn
			db.failIn = 0
			if unused > 0 {
				if err != nil || n == 1 {
					t.Errorf("%s: %v after %d engine calls", c.Name, err, n-1)
				}
				break
			}
			if !errors.Is(err, errEngine) {
				t.Errorf("%s: call %d of the engine failed, the error is %v", c.Name, n, err)
			}
			if db.cursors != 0 || db.txns != 0 {
				t.Fatalf("%s: call %d of the engine failed and left %d cursors, %d transactions",
					c.Name, n, db.cursors, db.txns)
			}
			if &before[0] != &db.rows[0] || len(before) != len(db.rows) {
				t.Fatalf("%s: call %d of the engine failed and something was committed", c.Name, n)
			}
		}
	}
}

// The worked example of docs/format/keys.md.
func TestRowsAreThoseOfTheFormatDocument(t *testing.T) {
	typedtest.InRows(t)
	db := newFake(t, 1)
	must[bool](t)(db.Hash("u").Set("n", []byte("Ada")))
	must[bool](t)(db.ZSet("b").Add("a", 1))
	must[int](t)(0, db.Key("b").ExpireAt(time.UnixMilli(1_700_000_000_000)))
	want := []string{
		"00650000018bcfe568000000000000000002 ",
		"0162 010000000000000002013a00",
		"0175 010000000000000001011800",
		"02000000000000000101 0175",
		"020000000000000001026e 416461",
		"02000000000000000201 0162",
		"0200000000000000020261 bff0000000000000",
		"02000000000000000203bff000000000000061 ",
	}
	var got []string
	for _, r := range db.rows {
		got = append(got, fmt.Sprintf("%x %x", r.Key, r.Value))
	}
	if !slices.Equal(got, want) {
		t.Errorf("rows are\n%q, want\n%q", got, want)
	}
}
