package siltstone

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

// everyRowKind makes collections that have rows of every tag: a hash and a sorted
// set with deadlines inside, the latter counted, a list with gaps and one without,
// and a set that expires.
func everyRowKind(t testing.TB, a typedtest.API) {
	t.Helper()
	for i := range 6 {
		want(t, true)(a.Hash("hash").Set(fmt.Sprint("f", i), fmt.Appendf(nil, "%d", i)))
		want(t, int64(i+1))(a.List("list").PushBack(fmt.Appendf(nil, "%d", i)))
		want(t, int64(2*i+1))(a.List("gaps").PushBack(fmt.Appendf(nil, "%d", i)))
		want(t, true)(a.List("gaps").InsertBefore(fmt.Appendf(nil, "%d", i), fmt.Appendf(nil, "%d-", i)))
	}
	for i := range 3 {
		want(t, false)(a.Hash("hash").SetTTL(fmt.Sprint("f", i), []byte("volatile"), time.Duration(i+1)*time.Minute))
	}
	var members []typed.Member
	for i := range 600 {
		members = append(members, typed.Member{Name: fmt.Sprintf("m%03d", i), Score: float64(i)})
	}
	want(t, 600)(a.ZSet("zset").AddMany(0, members...))
	for i := range 3 {
		want(t, 0)(a.ZSet("zset").AddTTL(time.Duration(i+1)*time.Minute, members[100*i]))
	}
	want(t, 2)(a.Set("set").Add("a", "b"))
	if err := a.Key("set").Expire(time.Hour); err != nil {
		t.Fatal(err)
	}
}

// rowsAt are the rows of a keyspace, for a fault to be made among them.
type rowsAt struct {
	t      testing.TB
	prefix []byte
	rows   []typedtest.Row
}

// meta returns the metadata row of a key.
func (r *rowsAt) meta(name string) (typedtest.Row, record.Meta) {
	r.t.Helper()
	for _, row := range r.rows {
		if bytes.Equal(row.Key, keyenc.AppendNameRow(nil, r.prefix, name)) {
			m, err := record.DecodeMeta(row.Value)
			if err != nil {
				r.t.Fatal(err)
			}
			return row, m
		}
	}
	r.t.Fatalf("no row of %s", name)
	return typedtest.Row{}, record.Meta{}
}

// tagged returns the rows of a tag of a collection.
func (r *rowsAt) tagged(name string, tag byte) (rows []typedtest.Row) {
	r.t.Helper()
	_, m := r.meta(name)
	lo := keyenc.AppendElementRow(nil, r.prefix, m.ID, tag, "")
	for _, row := range r.rows {
		if bytes.HasPrefix(row.Key, lo) {
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		r.t.Fatalf("%s has no rows of tag %d", name, tag)
	}
	return rows
}

func without(row typedtest.Row) record.Op { return rowOp(base.KindDelete, row.Key, "") }

func with(row typedtest.Row, value []byte) record.Op {
	return record.Op{Attr: row.Attr, Expiry: row.Expiry, Key: row.Key, Value: value}
}

// remeta is the metadata row of a key with a change.
func (r *rowsAt) remeta(name string, change func(m *record.Meta)) record.Op {
	row, m := r.meta(name)
	m.Body = bytes.Clone(m.Body)
	change(&m)
	return with(row, record.AppendMeta(nil, m))
}

// rowFault is a fault that Check names and Repair mends.
type rowFault struct {
	name  string
	make  func(r *rowsAt) []record.Op
	words string // of Check
	loses bool   // something that is shown changes with it
}

func timerOf(r *rowsAt, name string, at func(typedtest.Row, record.Meta) int64) []byte {
	row, m := r.meta(name)
	return keyenc.AppendTimerRow(nil, at(row, m), m.ID)
}

func nextDueOf(_ typedtest.Row, m record.Meta) int64  { return m.NextDue }
func expiryOf(row typedtest.Row, _ record.Meta) int64 { return row.Expiry }

var rowFaults = []rowFault{
	{"the expiry timer is missing", func(r *rowsAt) []record.Op {
		return []record.Op{rowOp(base.KindDelete, timerOf(r, "set", expiryOf), "")}
	}, "has no timer at", false},
	{"the timer of the next due is missing", func(r *rowsAt) []record.Op {
		return []record.Op{rowOp(base.KindDelete, timerOf(r, "hash", nextDueOf), "")}
	}, "has no timer at", false},
	{"the timer is of another keyspace", func(r *rowsAt) []record.Op {
		return []record.Op{rowOp(base.KindPut, timerOf(r, "zset", nextDueOf), string(keyspace.Prefix(77)))}
	}, "of keyspace 100000004d", false},
	{"a due row is missing", func(r *rowsAt) []record.Op {
		return []record.Op{without(r.tagged("hash", keyenc.TagDue)[1])}
	}, "3 elements with deadlines and 2 due rows", false},
	{"a due row of no element", func(r *rowsAt) []record.Op {
		_, m := r.meta("zset")
		return []record.Op{rowOp(base.KindPut, keyenc.AppendDueRow(nil, r.prefix, m.ID, m.NextDue+1, "m555"), "")}
	}, "3 elements with deadlines and 4 due rows", false},
	{"a due row of another element", func(r *rowsAt) []record.Op {
		_, m := r.meta("hash")
		return []record.Op{
			without(r.tagged("hash", keyenc.TagDue)[1]),
			rowOp(base.KindPut, keyenc.AppendDueRow(nil, r.prefix, m.ID, m.NextDue+1, "f5"), ""),
		}
	}, "due rows that are not those of its elements", false},
	{"a due row of another deadline", func(r *rowsAt) []record.Op {
		row := r.tagged("zset", keyenc.TagDue)[2]
		other := bytes.Clone(row.Key)
		other[keyenc.CollectionHeaderLen(r.prefix)+7]++
		return []record.Op{without(row), rowOp(base.KindPut, other, "")}
	}, "due rows that are not those of its elements", false},
	{"a due row without deadline", func(r *rowsAt) []record.Op {
		_, m := r.meta("hash")
		return []record.Op{rowOp(base.KindPut, keyenc.AppendElementRow(nil, r.prefix, m.ID, keyenc.TagDue, "short"), "")}
	}, "malformed row", false},
	{"an element before the next due", func(r *rowsAt) []record.Op {
		_, m := r.meta("hash")
		at := m.NextDue + 5
		return []record.Op{
			r.remeta("hash", func(m *record.Meta) { m.NextDue = at }),
			rowOp(base.KindPut, keyenc.AppendTimerRow(nil, at, m.ID), string(r.prefix)),
		}
	}, "says that none is before", false},
	{"no next due", func(r *rowsAt) []record.Op {
		return []record.Op{r.remeta("zset", func(m *record.Meta) { m.NextDue = 0 })}
	}, "says that none is before 0", false},
	{"a volatile element without deadline", func(r *rowsAt) []record.Op {
		return []record.Op{with(r.tagged("hash", keyenc.TagElement)[0], []byte("short"))}
	}, "malformed row", true},
	{"a score row without its deadline", func(r *rowsAt) []record.Op {
		return []record.Op{rowOp(base.KindPut, r.tagged("zset", keyenc.TagScore)[100].Key, "")}
	}, "scores that are not those of its members", false},
	{"a score row with another deadline", func(r *rowsAt) []record.Op {
		row := r.tagged("zset", keyenc.TagScore)[100]
		return []record.Op{with(row, binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(row.Value)+1))}
	}, "scores that are not those of its members", false},
	{"a score row twice", func(r *rowsAt) []record.Op {
		_, m := r.meta("zset")
		return []record.Op{rowOp(base.KindPut, keyenc.AppendScoreRow(nil, r.prefix, m.ID, keyenc.OrderScore(5000), "m100"), "")}
	}, "600 members and 601 scores", false},
	{"a volatile member has lost its element", func(r *rowsAt) []record.Op {
		return []record.Op{without(r.tagged("zset", keyenc.TagElement)[200])}
	}, "counts 600 elements and has 599", false},
	{"a member has lost its element and has two scores", func(r *rowsAt) []record.Op {
		_, m := r.meta("zset")
		return []record.Op{
			without(r.tagged("zset", keyenc.TagElement)[7]),
			rowOp(base.KindPut, keyenc.AppendScoreRow(nil, r.prefix, m.ID, keyenc.OrderScore(-5), "m007"), ""),
		}
	}, "counts 600 elements and has 599", true},
	{"a bucket counts one more", func(r *rowsAt) []record.Op {
		row := r.tagged("zset", keyenc.TagBucket)[0]
		value := bytes.Clone(row.Value)
		value[1]++ // members of the first, whose boundary is empty
		return []record.Op{with(row, value)}
	}, "a bucket that does not count", false},
	{"a bucket page is missing", func(r *rowsAt) []record.Op {
		return []record.Op{without(r.tagged("zset", keyenc.TagBucket)[0])}
	}, "does not count", false},
	{"a bucket page is malformed", func(r *rowsAt) []record.Op {
		row := r.tagged("zset", keyenc.TagBucket)[0]
		return []record.Op{with(row, row.Value[:len(row.Value)-1])}
	}, "malformed row", false},
	{"buckets of more levels", func(r *rowsAt) []record.Op {
		return []record.Op{r.remeta("zset", func(m *record.Meta) { m.Body[1]++ })}
	}, "level 2 that do not count those below", false},
	{"buckets of no levels", func(r *rowsAt) []record.Op {
		return []record.Op{r.remeta("zset", func(m *record.Meta) { m.Body[1] = 0 })}
	}, "says 0100 of its counted order", false},
	{"an item of a list with gaps behind its end", func(r *rowsAt) []record.Op {
		rows := r.tagged("gaps", keyenc.TagItem)
		last := rows[len(rows)-1]
		_, m := r.meta("gaps")
		return []record.Op{without(last), rowOp(base.KindPut, keyenc.AppendItemRow(nil, r.prefix, m.ID, keyenc.ItemMiddle+1<<40), string(last.Value))}
	}, "items outside its ends", false},
	{"an item of a list with gaps before its first", func(r *rowsAt) []record.Op {
		first := r.tagged("gaps", keyenc.TagItem)[0]
		_, m := r.meta("gaps")
		return []record.Op{without(first), rowOp(base.KindPut, keyenc.AppendItemRow(nil, r.prefix, m.ID, keyenc.ItemMiddle-1<<40), string(first.Value))}
	}, "items outside its ends", false},
	{"an item of a list with gaps is missing", func(r *rowsAt) []record.Op {
		return []record.Op{without(r.tagged("gaps", keyenc.TagItem)[4])}
	}, "counts 12 elements and has 11", true},
	{"an item of a list without gaps is missing", func(r *rowsAt) []record.Op {
		return []record.Op{without(r.tagged("list", keyenc.TagItem)[3])}
	}, "counts 6 elements and has 5", true},
	{"an item row without index", func(r *rowsAt) []record.Op {
		_, m := r.meta("list")
		return []record.Op{rowOp(base.KindPut, keyenc.AppendElementRow(nil, r.prefix, m.ID, keyenc.TagItem, "short"), "")}
	}, "malformed row", false},
	{"a list says that it has no gaps", func(r *rowsAt) []record.Op {
		return []record.Op{r.remeta("gaps", func(m *record.Meta) { m.Body[16] = 0 })}
	}, "has a gap", false},
	{"the owner row names nobody", func(r *rowsAt) []record.Op {
		return []record.Op{with(r.tagged("hash", keyenc.TagOwner)[0], keyenc.AppendNameRow(nil, r.prefix, "nobody"))}
	}, "its owner row says", false},
	{"a row more names the collection", func(r *rowsAt) []record.Op {
		row, _ := r.meta("set")
		row.Key = keyenc.AppendNameRow(nil, r.prefix, "a second name")
		return []record.Op{with(row, row.Value)}
	}, "name it", false},
	{"a later row names the collection, and nobody owns it", func(r *rowsAt) []record.Op {
		row, _ := r.meta("hash")
		row.Key = keyenc.AppendNameRow(nil, r.prefix, "i")
		return []record.Op{with(row, row.Value), without(r.tagged("hash", keyenc.TagOwner)[0])}
	}, "name it", false},
}

// faultyStore is a store with everyRowKind in the default keyspace and in a named
// one, and what it shows.
func faultyStore(t testing.TB, mem vfs.FS, clock *handClock) (db *DB, prefixes [][]byte, shows string) {
	t.Helper()
	db = mustOpen(t, mem, clock, func(o *Options) { o.MemtableBytes = 256 << 10 })
	ks, err := db.CreateKeyspace("ks")
	if err != nil {
		t.Fatal(err)
	}
	everyRowKind(t, db)
	everyRowKind(t, ks)
	if err := errors.Join(db.Compact(bg, Range{}), db.Check(bg)); err != nil {
		t.Fatal(err)
	}
	return db, [][]byte{nil, ks.space.Prefix()}, shownBy(t, db)
}

func shownBy(t testing.TB, db *DB) string {
	t.Helper()
	got, err := readAll(db)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(got.lines, "\n")
}

func TestCheckNamesEveryFaultOfRowsAndRepairMendsIt(t *testing.T) {
	typedtest.InRows(t)
	for i, f := range rowFaults {
		if i%tier(8, 1, 1) > 0 {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			mem, clock := vfs.NewMem(), newHandClock()
			db, prefixes, before := faultyStore(t, mem, clock)
			rows, err := liveRows(db)
			if err != nil {
				t.Fatal(err)
			}
			for _, prefix := range prefixes {
				commitRows(t, db, f.make(&rowsAt{t, prefix, rows})...)
			}
			err = db.Check(bg)
			if faults := faultLines(err); len(faults) < 2 || !strings.Contains(err.Error(), f.words) {
				t.Errorf("Check: %v\nwant it to say %q of both keyspaces", err, f.words)
			}
			mustClose(t, db)
			o := denseOptions(mem, clock)
			report, err := Repair(bg, goldenDir, "new", &o)
			if err != nil || len(report.Collections) < 2 {
				t.Fatalf("%v\n%v", err, report)
			}
			db, err = Open("new", &o)
			if err != nil {
				t.Fatal(err)
			}
			if after := shownBy(t, db); !f.loses && after != before {
				t.Errorf("repaired it shows\n%s", firstDifference(after, before))
			}
			goesOn(t, db, clock)
			mustClose(t, db)
		})
	}
}

func faultLines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

// goesOn writes to everything that everyRowKind made, lets the deadlines pass,
// and looks that all rows still agree.
func goesOn(t testing.TB, db *DB, clock *handClock) {
	t.Helper()
	ks, err := db.CreateKeyspace("ks")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []typedtest.API{db, ks} {
		want(t, true)(a.ZSet("zset").Add("new", 5.5))
		want(t, int64(6))(a.ZSet("zset").Rank("new"))
		if _, err := a.List("gaps").PushBack([]byte("new")); err != nil {
			t.Fatal(err)
		}
		if _, err := a.List("list").PushFront([]byte("new")); err != nil {
			t.Fatal(err)
		}
	}
	rows := func() {
		t.Helper()
		all, err := liveRows(db)
		if err == nil {
			err = typedtest.CheckRows(all, db.clock.Now(), func(uint64) bool { return false })
		}
		if err := errors.Join(err, db.Check(bg)); err != nil {
			t.Error(err)
		}
	}
	rows()
	clock.advance(10 * time.Minute)
	if err := db.step(); err != nil {
		t.Fatal(err)
	}
	rows()
	for _, a := range []typedtest.API{db, ks} {
		want(t, int64(598))(a.ZSet("zset").Len())
		n, err := a.Hash("hash").Len()
		if err != nil || n != 3 {
			if ok, herr := a.Key("i").Exists(); herr != nil || !ok {
				t.Errorf("%d fields are left, %v", n, err)
			}
		}
	}
}

func TestRepairLeavesTheItemsOfAListInTheirOrder(t *testing.T) {
	typedtest.InRows(t)
	for _, name := range []string{"list", "gaps"} {
		mem, clock := vfs.NewMem(), newHandClock()
		db, prefixes, _ := faultyStore(t, mem, clock)
		rows, err := liveRows(db)
		if err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, prefix := range prefixes {
			r := &rowsAt{t, prefix, rows}
			items := r.tagged(name, keyenc.TagItem)
			commitRows(t, db, without(items[1]), without(items[2]))
			left = left[:0]
			for _, row := range slices.Delete(items, 1, 3) {
				left = append(left, string(row.Value))
			}
		}
		mustClose(t, db)
		o := denseOptions(mem, clock)
		if _, err := Repair(bg, goldenDir, "new", &o); err != nil {
			t.Fatal(err)
		}
		if db, err = Open("new", &o); err != nil {
			t.Fatal(err)
		}
		ks, err := db.CreateKeyspace("ks")
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range []typedtest.API{db, ks} {
			var got []string
			for v, err := range a.List(name).Range(0, -1) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(v))
			}
			if !slices.Equal(got, left) {
				t.Errorf("%s: %q, want %q", name, got, left)
			}
		}
		mustClose(t, db)
	}
}

// rowsBetween returns the keys from a to z that s shows, from the front and from the back.
func rowsBetween(t *testing.T, s interface {
	Scan(Range) iter.Seq2[KV, error]
	ScanBack(Range) iter.Seq2[KV, error]
}) (keys []string) {
	t.Helper()
	r := Range{Lower: []byte("a"), Upper: []byte("z")}
	for kv, err := range s.Scan(r) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, string(kv.Key))
	}
	i := len(keys)
	for kv, err := range s.ScanBack(r) {
		if i--; err != nil || i < 0 || string(kv.Key) != keys[i] {
			t.Fatalf("backwards there is %q, %v; forwards %q", kv.Key, err, keys)
		}
	}
	return keys
}

func TestARowThatIsPutIntoAGapIsShown(t *testing.T) {
	db := mustOpen(t, vfs.NewMem(), newHandClock(), func(o *Options) { o.MemtableBytes = 1 << 20 })
	defer mustClose(t, db)
	var gone Batch
	for i := range 1000 {
		gone.Delete(fmt.Appendf(nil, "k%04d", i))
	}
	if err := db.Apply(&gone, SyncDurability); err != nil {
		t.Fatal(err)
	}
	update := func(change func(tx *Tx) error) error { return db.Update(t.Context(), change) }
	puts := map[string]func() error{
		"k0300": func() error { return db.Put([]byte("k0300"), nil) },
		"k0500": func() error { return update(func(tx *Tx) error { return tx.Put([]byte("k0500"), nil) }) },
		"k0700": func() error { return db.String("k0700").Set(nil) },
		"k0800": func() error { return db.Put([]byte("k0800"), make([]byte, 1<<20)) }, // in a table of its own
	}
	for key, put := range puts {
		for range 3 { // the gaps begin empty and grow
			if got := rowsBetween(t, db); len(got) != 0 {
				t.Fatalf("rows %q are there", got)
			}
		}
		row := keyenc.AppendKeyRow(nil, nil, []byte(key))
		if db.states.Gaps.End(row, db.section.Visible(), false) == nil || db.states.Gaps.End(row, db.section.Visible(), true) == nil {
			t.Fatalf("%s lies in no gap", key)
		}
		if err := put(); err != nil {
			t.Fatal(err)
		}
		if got := rowsBetween(t, db); len(got) != 1 || got[0] != key {
			t.Errorf("%s was put, and walks show %q", key, got)
		}
		if err := db.Delete([]byte(key)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestARowThatIsPutIntoAGapOfItsTransactionIsShown(t *testing.T) {
	db := mustOpen(t, vfs.NewMem(), newHandClock())
	defer mustClose(t, db)
	err := db.Update(t.Context(), func(tx *Tx) error {
		for i := range 1000 {
			if err := tx.Delete(fmt.Appendf(nil, "k%04d", i)); err != nil {
				return err
			}
		}
		for range 3 {
			if got := rowsBetween(t, tx); len(got) != 0 {
				t.Errorf("rows %q are there", got)
			}
		}
		if err := tx.Put([]byte("k0500"), nil); err != nil {
			return err
		}
		if got := rowsBetween(t, tx); len(got) != 1 || got[0] != "k0500" {
			t.Errorf("k0500 was put, and walks show %q", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
