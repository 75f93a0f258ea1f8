package siltstone

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/vfs"
)

// mustRepair repairs the store of mem and opens the new one.
func mustRepair(t testing.TB, mem vfs.FS, clock *handClock) (*DB, RepairReport) {
	t.Helper()
	o := denseOptions(mem, clock)
	report, err := Repair(bg, goldenDir, "new", &o)
	if err != nil {
		t.Fatalf("%v\n%v", err, report)
	}
	db, err := Open("new", &o)
	if err != nil {
		t.Fatal(err)
	}
	return db, report
}

func TestRepairNamesTheKeyspacesWhoseNamesWereLost(t *testing.T) {
	mem, clock := vfs.NewMem(), newHandClock()
	db := mustOpen(t, mem, clock)
	for _, name := range []string{"first", "recovered-1", "third"} {
		ks, err := db.CreateKeyspace(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := ks.Put([]byte("k"), []byte(name)); err != nil {
			t.Fatal(err)
		}
		want(t, true)(ks.Hash("h").SetTTL("f", nil, time.Minute))
	}
	row := func(name string) []byte { return keyenc.AppendRegistryRow(nil, name) }
	commitRows(t, db,
		rowOp(base.KindDelete, row("first"), ""),
		rowOp(base.KindPut, row("twice"), string(keyspace.Prefix(2))), // "recovered-1" comes first
		rowOp(base.KindPut, row("zero"), "\x10\x00\x00\x00\x00"),
		rowOp(base.KindPut, row("short"), "x"),
		rowOp(base.KindPut, row("last"), string(keyspace.Prefix(math.MaxUint32))),
		rowOp(base.KindPut, []byte{keyenc.SpaceNamed, 0, 0, 0, 1, 9}, "v"),
		record.Op{Attr: base.MakeAttr(base.KindPut, uint8(record.TypeString), false), Key: keyenc.AppendNameRow(nil, keyspace.Prefix(math.MaxUint32), "k")},
	)
	mustClose(t, db)
	db, report := mustRepair(t, mem, clock)
	defer mustClose(t, db)
	names, err := db.Keyspaces()
	if err != nil || !slices.Equal(names, []string{"recovered-1", "recovered-1+", "third"}) {
		t.Errorf("keyspaces %q, %v", names, err)
	}
	for name, value := range map[string]string{"recovered-1": "recovered-1", "recovered-1+": "first", "third": "third"} {
		ks, err := db.CreateKeyspace(name)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := ks.Get([]byte("k")); err != nil || string(v) != value {
			t.Errorf("%s holds %q, %v", name, v, err)
		}
		want(t, int64(1))(ks.Hash("h").Len())
	}
	if report.Complete() || len(report.Keyspaces) != 7 || !strings.Contains(report.String(), `named "recovered-1+"`) {
		t.Errorf("the report says\n%v", report)
	}
	clock.advance(time.Hour) // their timers know them
	if err := errors.Join(db.step(), db.Check(bg)); err != nil {
		t.Error(err)
	}
	if _, timers := rowsOf(t, db); timers != 0 {
		t.Errorf("%d timers are left", timers)
	}
}

// Also without manifest: an old number would show what a dropped keyspace held.
func TestRepairGivesOutNoNumberThatWasMet(t *testing.T) {
	mem, clock := vfs.NewMem(), newHandClock()
	db := mustOpen(t, mem, clock)
	for range 40 { // more than one block of numbers
		ks, err := db.CreateKeyspace("dropped")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(ks.Put([]byte("k"), nil), db.DropKeyspace("dropped")); err != nil {
			t.Fatal(err)
		}
	}
	empty, err := db.CreateKeyspace("empty")
	if err != nil {
		t.Fatal(err)
	}
	commitRows(t, db, rowOp(base.KindPut, keyenc.AppendTimerRow(nil, math.MaxInt32, 70_000), string(keyspace.Prefix(500))))
	mustClose(t, db)
	for _, name := range storeNames(t, mem) {
		if strings.HasPrefix(name, "MANIFEST") || name == "CURRENT" {
			if err := mem.Remove(goldenDir + "/" + name); err != nil {
				t.Fatal(err)
			}
		}
	}
	db, report := mustRepair(t, mem, clock)
	defer mustClose(t, db)
	if report.Manifest == nil || len(report.Keyspaces) > 0 {
		t.Errorf("the report says\n%v", report)
	}
	again, err := db.CreateKeyspace("empty")
	if err != nil || again.space.Number != empty.space.Number {
		t.Errorf("number %d became %d, %v", empty.space.Number, again.space.Number, err)
	}
	fresh, err := db.CreateKeyspace("new")
	if err != nil || fresh.space.Number <= 500 {
		t.Errorf("a new one has number %d, %v", fresh.space.Number, err)
	}
	if id, err := db.set.NewID(); err != nil || id <= 70_000 {
		t.Errorf("a new collection has id %d, %v", id, err)
	}
	if n := rowsUnder(t, db, []byte{keyenc.SpaceNamed}); n != 0 {
		t.Errorf("%d rows of dropped keyspaces are back", n)
	}
}

func storeNames(t testing.TB, f vfs.FS) []string {
	t.Helper()
	names, err := f.List(goldenDir)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// A store that nothing is wrong with is repaired without a word, whatever it went
// through, and shows the same.
func TestRepairOfATypedHistoryChangesNothing(t *testing.T) {
	seeds, steps := uint64(6), 400
	if testing.Short() {
		seeds = 2
	}
	if longRun() {
		seeds, steps = 100, 3000
	}
	for seed := uint64(1); seed <= seeds; seed++ {
		s := newTypedStore(t, seed)
		err := typedtest.History(s, typedtest.HistoryOptions{Seed: 1000 + seed, Steps: steps, Each: func(int) error {
			if s.rng.IntN(12) == 0 {
				s.disturb()
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		before, o := shownBy(t, s.db), s.db.opts
		s.done(s.db.Close())
		report, err := Repair(bg, "db", "new", &o)
		if err != nil || !report.Complete() {
			t.Fatalf("seed %d: %v\n%v", seed, err, report)
		}
		again, err := Open("new", &o)
		s.done(err)
		if after := shownBy(t, again); after != before {
			t.Errorf("seed %d: repaired it shows\n%s", seed, firstDifference(after, before))
		}
		s.done(again.Check(bg))
		s.done(again.step())
		s.done(again.Check(bg))
		s.done(again.Close())
	}
}
