package typed_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/handle"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
)

// rowsWithTag counts the rows of collections with the given tag.
func (db *fakeDB) rowsWithTag(tag byte) (n int) {
	for _, r := range db.rows {
		_, rest, _ := keyenc.KeyspaceOf(r.Key)
		if _, t, _, ok := keyenc.ParseCollectionRow(rest); ok && t == tag {
			n++
		}
	}
	return n
}

func (db *fakeDB) timers() (n int) {
	for _, r := range db.rows {
		if _, _, ok := keyenc.ParseTimerRow(r.Key); ok {
			n++
		}
	}
	return n
}

func TestElementWithADeadlineLooksLikeThis(t *testing.T) {
	db := newFake(t, 1)
	must[bool](t)(db.Hash("h").SetTTL("f", []byte("v"), time.Millisecond))
	var picture bytes.Buffer
	for _, r := range db.rows {
		fmt.Fprintf(&picture, "%x %v %d %x\n", r.Key, record.Type(r.Attr.Type()), r.Expiry, r.Value)
	}
	want := "006500000000000f42410000000000000001 none 0 \n" + // timer, 1,000,001 ms
		"0168 hash 0 0100000000000000010116c1843d\n" +
		"02000000000000000101 none 0 0168\n" +
		"02000000000000000102" + "66 volatile 0 00000000000f424176\n" +
		"02000000000000000105" + "00000000000f424166 none 0 \n"
	if picture.String() != want {
		t.Errorf("got\n%swant\n%s", picture.String(), want)
	}
}

func TestRenewingADeadlineLeavesMetadataAlone(t *testing.T) {
	db := newFake(t, 1)
	must[int](t)(db.Set("s").AddTTL(time.Minute, "m", "n"))
	must[int](t)(db.Set("s").Add("stays"))
	metadata := func() []byte { return db.rows[find(db.rows, []byte("\x01s"))].Value }
	before := metadata()
	must[int](t)(db.Set("s").AddTTL(time.Hour, "m"))
	must[int](t)(db.Set("s").PersistMembers("n"))
	if !bytes.Equal(before, metadata()) || db.timers() != 1 {
		t.Errorf("metadata %x became %x, %d timers", before, metadata(), db.timers())
	}
	db.Advance(time.Minute.Milliseconds()) // nothing is due, and a write finds out
	must[int](t)(db.Set("s").Remove("none"))
	if bytes.Equal(before, metadata()) || db.timers() != 1 {
		t.Errorf("metadata is still %x, %d timers", before, db.timers())
	}
	if err := db.check(); err != nil {
		t.Error(err)
	}
}

func TestCopyLeavesOutWhatIsDue(t *testing.T) {
	db := newFake(t, 1)
	must[int](t)(db.Set("s").AddTTL(time.Second, "a", "b", "c"))
	must[int](t)(db.Set("s").AddTTL(time.Minute, "d"))
	must[int](t)(db.Set("s").Add("e"))
	db.Advance(1000)
	must[bool](t)(db.Key("s").CopyTo("copy", false))
	if e, due := db.rowsWithTag(keyenc.TagElement), db.rowsWithTag(keyenc.TagDue); e != 5+2 || due != 4+1 {
		t.Errorf("%d elements and %d deadlines of both", e, due)
	}
	if err := db.check(); err != nil {
		t.Error(err)
	}
}

func TestValueOverExpiredElementsGivesThemUp(t *testing.T) {
	writes := map[string]func(db *fakeDB) error{
		"hash":   func(db *fakeDB) error { _, err := db.Hash("k").Set("f", nil); return err },
		"set":    func(db *fakeDB) error { _, err := db.Set("k").Add("m"); return err },
		"zset":   func(db *fakeDB) error { _, err := db.ZSet("k").Add("m", 1); return err },
		"list":   func(db *fakeDB) error { _, err := db.List("k").PushBack(nil); return err },
		"string": func(db *fakeDB) error { return db.String("k").Set(nil) },
	}
	for name, write := range writes {
		db := newFake(t, 1)
		must[int](t)(db.Set("k").AddTTL(time.Second, "a", "b"))
		must[int](t)(0, db.Key("k").Expire(time.Hour))
		db.Advance(1000)
		if err := write(db); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !db.dead[1] {
			t.Errorf("%s: the old collection is not nominated", name)
		}
		if err := db.check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPurgeIsBoundedAndTellsWhatIsLeft(t *testing.T) {
	typedtest.PurgeUpTo(t, 3)
	db := newFake(t, 1)
	must[int](t)(db.Set("s").AddTTL(time.Second, "a", "b", "c", "d", "e", "f", "g"))
	must[int](t)(db.Set("s").Add("stays"))
	must[int](t)(db.Set("all").AddTTL(time.Second, "a", "b", "c", "d"))
	must[int](t)(0, db.String("string").Set(nil))
	purge := func(key string) bool {
		tx := db.newTxn()
		more := must[bool](t)(collection.Purge(tx, []byte(key)))
		tx.commit()
		return more
	}
	if purge("\x01s") || db.rowsWithTag(keyenc.TagDue) != 11 {
		t.Error("purged before the time")
	}
	db.Advance(1000)
	for i, left := range []int{8, 5, 4, 4} {
		if more := purge("\x01s"); more != (i < 2) || db.rowsWithTag(keyenc.TagDue) != left {
			t.Errorf("round %d: more %v, %d left", i, more, db.rowsWithTag(keyenc.TagDue))
		}
	}
	if purge("\x01all") || !db.dead[2] {
		t.Error("a collection without a live element is not given up")
	}
	for _, odd := range []string{"", "\x01", "\x01none", "\x01string", "\x02\x00", "\x10"} {
		if purge(odd) {
			t.Errorf("%q has more", odd)
		}
	}
	if err := db.check(); err != nil {
		t.Error(err)
	}
}

// nextDue returns what the metadata of a key says of the next deadline.
func (db *fakeDB) nextDue(key string) int64 {
	m, err := record.DecodeMeta(db.rows[find(db.rows, []byte("\x01"+key))].Value)
	if err != nil {
		db.t.Fatal(err)
	}
	return m.NextDue
}

// With a deadline that is over in the metadata, every later call would look for
// what is due, and a timer would stand for nothing.
func TestPurgeNotesTheNextDeadlineOrNone(t *testing.T) {
	db := newFake(t, 1)
	must[int](t)(db.Set("s").AddTTL(time.Second, "first"))
	must[int](t)(db.Set("s").AddTTL(time.Hour, "last"))
	must[int](t)(db.Set("s").Add("stays"))
	start := db.now
	for _, c := range []struct {
		after  time.Duration
		next   int64
		timers int
	}{
		{0, start + time.Second.Milliseconds(), 1},
		{time.Second, start + time.Hour.Milliseconds(), 1},
		{time.Hour, 0, 0},
	} {
		db.now = start + c.after.Milliseconds()
		tx := db.newTxn()
		if must[bool](t)(collection.Purge(tx, []byte("\x01s"))) {
			t.Errorf("after %v there is more to purge", c.after)
		}
		tx.commit()
		if next, timers := db.nextDue("s"), db.timers(); next != c.next || timers != c.timers {
			t.Errorf("after %v: next due %d and %d timers, want %d and %d", c.after, next, timers, c.next, c.timers)
		}
		must[int](t)(0, db.check())
	}
}

// A call that is refused may have removed an element because it was due.
func TestRefusedCallCountsWhatItFoundDue(t *testing.T) {
	typedtest.PurgeUpTo(t, 1)
	for name, c := range map[string]struct {
		fill, call func(tx typedtest.API) error
		want       error
	}{
		"ZSet.Incr": {func(tx typedtest.API) error {
			_, err := tx.ZSet("k").AddTTL(time.Second, typed.Member{Name: "a"}, typed.Member{Name: "b"}, typed.Member{Name: "c"})
			_, e := tx.ZSet("k").Add("stays", 1)
			return errors.Join(err, e)
		}, func(tx typedtest.API) error { _, err := tx.ZSet("k").Incr("c", math.NaN()); return err }, base.ErrNaN},
		"Hash.IncrFloat": {func(tx typedtest.API) error {
			for _, f := range []string{"a", "b", "c"} {
				if _, err := tx.Hash("k").SetTTL(f, nil, time.Second); err != nil {
					return err
				}
			}
			_, err := tx.Hash("k").Set("stays", nil)
			return err
		}, func(tx typedtest.API) error { _, err := tx.Hash("k").IncrFloat("c", math.Inf(1)); return err }, base.ErrNaN},
	} {
		db := newFake(t, 1)
		must[int](t)(0, db.Update(c.fill))
		db.Advance(time.Second.Milliseconds())
		must[int](t)(0, db.Update(func(tx typedtest.API) error {
			if err := c.call(tx); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
			return nil
		}))
		if err := db.check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDamagedDeadlinesAreReportedAndNeverAPanic(t *testing.T) {
	element := append(keyenc.AppendCollection(nil, nil, 1), keyenc.TagElement, 'a')
	due := append(keyenc.AppendCollection(nil, nil, 1), keyenc.TagDue)
	for name, damage := range map[string]func(tx *fakeTxn) error{
		"short":         func(tx *fakeTxn) error { return tx.Put(element, record.TypeVolatile, 0, []byte("1234567")) },
		"zero":          func(tx *fakeTxn) error { return tx.Put(element, record.TypeVolatile, 0, make([]byte, 8)) },
		"negative":      func(tx *fakeTxn) error { return tx.Put(element, record.TypeVolatile, 0, bytes.Repeat([]byte{255}, 9)) },
		"due too often": func(tx *fakeTxn) error { return tx.Put(append(due, 0, 0, 0, 0, 0, 0, 0, 1, 'x'), 0, 0, nil) },
		"due, short":    func(tx *fakeTxn) error { return tx.Put(append(due, 0, 1, 0), 0, 0, nil) },
	} {
		db := newFake(t, 1)
		must[bool](t)(db.Hash("h").SetTTL("a", nil, time.Second))
		db.Advance(1000)
		tx := db.newTxn()
		must[int](t)(0, damage(tx))
		tx.commit()
		reported := 0
		h := db.Hash("h")
		for _, call := range []func() error{
			func() error { _, err := h.Get("a"); return err },
			func() error { _, err := h.Len(); return err },
			func() error { _, err := h.FieldTTL("a"); return err },
			func() error { _, err := h.Random(1); return err },
			func() error { _, err := h.CopyTo("x", true); return err },
			func() error { _, err := h.Set("b", nil); return err },
			func() error { _, err := h.Exists(); return err },
		} {
			if err := call(); errors.Is(err, base.ErrCorruption) {
				reported++
			} else if err != nil && !errors.Is(err, base.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if reported == 0 {
			t.Errorf("%s: nobody reports it", name)
		}
	}
}

func TestLongValueTakesNoTimeToLive(t *testing.T) {
	db := newFake(t, 1)
	_, err := db.Hash("h").SetTTL("f", make([]byte, base.MaxValueLen-record.DeadlineLen+1), time.Hour)
	if !errors.Is(err, base.ErrValueTooLarge) || len(db.rows) != 0 {
		t.Errorf("%v, %d rows", err, len(db.rows))
	}
}

// TestDrawsBesideDueElementsAreUniform compares how often each of ten members comes with
// how often it is to: with nine degrees of freedom chi-square is above 27.9 once
// in a thousand seeds. Two more members are due.
func TestDrawsBesideDueElementsAreUniform(t *testing.T) {
	const members, rounds = 10, 4000
	db := newFake(t, 7)
	for i := range members {
		must[int](t)(db.Set("s").Add(fmt.Sprint(i)))
		must[bool](t)(db.Hash("h").Set(fmt.Sprint(i), nil))
	}
	must[int](t)(db.Set("s").AddTTL(time.Second, "30", "99"))
	must[bool](t)(db.Hash("h").SetTTL("5x", nil, time.Second))
	db.Advance(1000)
	pop := func(n int) (popped []string, err error) {
		err = db.Update(func(tx typedtest.API) error { popped, err = tx.Set("s").Pop(n); return errors.Join(err, errRollback) })
		if errors.Is(err, errRollback) {
			err = nil
		}
		return popped, err
	}
	for name, draw := range map[string]func() ([]string, error){
		"Random(1)":  func() ([]string, error) { return db.Set("s").Random(1) },
		"Random(3)":  func() ([]string, error) { return db.Set("s").Random(3) },
		"Random(-3)": func() ([]string, error) { return db.Set("s").Random(-3) },
		"Pop(1)":     func() ([]string, error) { return pop(1) },
		"Pop(4)":     func() ([]string, error) { return pop(4) },
		"Hash":       func() ([]string, error) { f, err := db.Hash("h").Random(2); return []string{f[0].Name, f[1].Name}, err },
	} {
		drawn, first, total := map[string]int{}, map[string]int{}, 0
		for range rounds {
			for i, m := range must[[]string](t)(draw()) {
				drawn[m]++
				total++
				if i == 0 {
					first[m]++
				}
			}
		}
		for what, counts := range map[string]map[string]int{"drawn": drawn, "drawn first": first} {
			want := float64(total) / members
			if what == "drawn first" {
				want = rounds / members
			}
			chi := 0.0
			for _, n := range counts {
				chi += (float64(n) - want) * (float64(n) - want) / want
			}
			if len(counts) != members || chi > 27.9 {
				t.Errorf("%s, %s: chi-square %.1f over %v", name, what, chi, counts)
			}
		}
	}
}

func TestCollectionWithoutDeadlinesPaysForNone(t *testing.T) {
	typedtest.InRows(t)
	db := newFake(t, 1)
	must[bool](t)(db.Hash("h").Set("f", []byte("v")))
	for name, c := range map[string]struct {
		call  func() error
		calls int // of the engine
	}{
		"Get":  {func() error { _, err := db.Hash("h").Get("f"); return err }, 2},
		"Has":  {func() error { _, err := db.Hash("h").Has("f"); return err }, 2},
		"Len":  {func() error { _, err := db.Hash("h").Len(); return err }, 1},
		"Set":  {func() error { _, err := db.Hash("h").Set("f", nil); return err }, 3},
		"Key":  {func() error { _, err := db.Key("h").Exists(); return err }, 1},
		"Type": {func() error { _, err := db.Key("h").Type(); return err }, 1},
	} {
		const plenty = 1000
		db.failIn = plenty
		if err := c.call(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n := plenty - db.failIn; n != c.calls {
			t.Errorf("%s: %d calls of the engine, want %d", name, n, c.calls)
		}
	}
}

// longTxn is a transaction that finds a value of the greatest length in every field
// called long. Nobody touches its memory.
type longTxn struct{ *fakeTxn }

var longest = make([]byte, base.MaxValueLen)

func (tx longTxn) Begin(bool, string, int) (collection.Txn, error) { return tx, nil }

func (tx longTxn) Get(dst, row []byte) ([]byte, base.Trailer, error) {
	v, trailer, err := tx.fakeTxn.Get(dst, row)
	if _, tag, name, ok := keyenc.ParseCollectionRow(row); ok && tag == keyenc.TagElement && string(name) == "long" {
		v = longest
	}
	return v, trailer, err
}

// A transaction goes on after a refusal, and commits.
func TestDeadlinesThatALongValueRefusesAreGivenToNoField(t *testing.T) {
	typedtest.InRows(t)
	typedtest.PurgeUpTo(t, 1)
	db := newFake(t, 1)
	h := db.Hash("h")
	must[int](t)(h.SetMany(typed.Field{Name: "a"}, typed.Field{Name: "long"}, typed.Field{Name: "z"}))
	for _, f := range []string{"due 1", "due 2", "due 3"} {
		must[bool](t)(h.SetTTL(f, nil, time.Second))
	}
	must[bool](t)(h.SetTTL("lives", nil, time.Hour))
	db.Advance(1000)
	tx := longTxn{db.newTxn()}
	_, err := handle.Hash(tx, "h").ExpireFieldsAt(time.UnixMilli(db.Now()+1), 0, "due 3", "a", "lives", "long", "z")
	if !errors.Is(err, base.ErrValueTooLarge) {
		t.Fatal(err)
	}
	db.ended(tx.fakeTxn)
	tx.commit()
	must[int](t)(0, db.check())
	for _, f := range []string{"a", "z"} {
		if ttl := must[time.Duration](t)(h.FieldTTL(f)); ttl != typed.NoTTL {
			t.Errorf("%s has the time to live %v", f, ttl)
		}
	}
	if ttl := must[time.Duration](t)(h.FieldTTL("lives")); ttl != time.Hour-time.Second {
		t.Errorf("the deadline that there was is now in %v", ttl)
	}
	// What is not to get a deadline may be as long as it likes.
	tx = longTxn{db.newTxn()}
	n, err := handle.Hash(tx, "h").ExpireFieldsAt(time.UnixMilli(db.Now()+2*time.Hour.Milliseconds()), typed.CondXX, "long", "lives")
	if n != 1 || err != nil {
		t.Errorf("only fields with a deadline: %d, %v", n, err)
	}
	if n, err := handle.Hash(tx, "h").ExpireFieldsAt(time.UnixMilli(1), 0, "long"); n != 1 || err != nil {
		t.Errorf("a past deadline: %d, %v", n, err)
	}
	db.ended(tx.fakeTxn)
}
