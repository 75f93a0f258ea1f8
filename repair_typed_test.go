package siltstone

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
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
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// collectionsStore is a store with one large collection of every type in its last
// level.
func collectionsStore(t testing.TB, mem vfs.FS) *DB {
	t.Helper()
	db := mustOpen(t, mem, newHandClock(), func(o *Options) { o.MemtableBytes = 256 << 10 })
	for i := range 200 {
		name := fmt.Sprintf("e%03d", i)
		_, herr := db.Hash("hash").Set(name, []byte("value of "+name))
		_, serr := db.Set("set").Add(name)
		_, zerr := db.ZSet("zset").Add(name, float64(i%17))
		_, lerr := db.List("list").PushBack([]byte(name))
		if err := errors.Join(herr, serr, zerr, lerr); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Compact(bg, Range{}); err != nil {
		t.Fatal(err)
	}
	return db
}

// elementsOf returns what is in the collections, and fails if it is not what was
// written there.
func elementsOf(t testing.TB, db *DB) (counts [4]int) {
	t.Helper()
	fine := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for f, err := range db.Hash("hash").All() {
		fine(err)
		if string(f.Value) != "value of "+f.Name {
			t.Errorf("field %s is %q", f.Name, f.Value)
		}
		counts[0]++
	}
	for _, err := range db.Set("set").All() {
		fine(err)
		counts[1]++
	}
	for m, err := range db.ZSet("zset").Range(typed.ByRank(0, -1)) {
		fine(err)
		var i int
		if _, err := fmt.Sscanf(m.Name, "e%d", &i); err != nil || m.Score != float64(i%17) {
			t.Errorf("member %s has score %v", m.Name, m.Score)
		}
		counts[2]++
	}
	last := ""
	for v, err := range db.List("list").Range(0, -1) {
		fine(err)
		if string(v) <= last {
			t.Errorf("item %s stands behind %s", v, last)
		}
		last = string(v)
		counts[3]++
	}
	return counts
}

func TestRepairMakesCollectionsWhole(t *testing.T) {
	typedtest.InEveryForm(t, repairMakesCollectionsWhole)
}

func repairMakesCollectionsWhole(t *testing.T) {
	mem := vfs.NewMem()
	db := collectionsStore(t, mem)
	mustClose(t, db)
	files := filesOf(t, mem)
	damagedCollections := map[string]bool{}
	for name, content := range files {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		for at := 20; at < len(content)-64; at += 1500 {
			damaged := maps.Clone(files)
			damaged[name] = append([]byte(nil), content...)
			damaged[name][at] ^= 4
			mem := storeOf(t, damaged)
			o := denseOptions(mem, newHandClock())
			report, err := Repair(bg, goldenDir, "new", &o)
			if err != nil {
				t.Fatalf("byte %d of %s: %v\n%v", at, name, err, report)
			}
			o.MustExist = true
			db, err := Open("new", &o)
			if err != nil {
				t.Fatal(err)
			}
			counts := elementsOf(t, db)
			total := counts[0] + counts[1] + counts[2] + counts[3]
			if total < 500 && len(report.Collections) == 0 {
				t.Errorf("byte %d of %s: %v elements are left, and the report says\n%v", at, name, counts, report)
			}
			if m := metadataOf(t, db, "zset"); m.Encoding == record.EncodingRows && m.Bytes != m.Count*record.MemberBytes(len("e000")) {
				t.Errorf("byte %d of %s: %d members take %d bytes by the metadata", at, name, m.Count, m.Bytes)
			}
			for i, what := range []string{"hash", "set", "zset", "list"} {
				damagedCollections[what] = damagedCollections[what] || counts[i] > 0 && counts[i] < 200
			}
			// They go on as any other does.
			_, herr := db.Hash("hash").Set("more", []byte("v"))
			_, lerr := db.List("list").PushFront([]byte("!"))
			_, zerr := db.ZSet("zset").Add("e000", 5)
			if err := errors.Join(herr, lerr, zerr, db.Check(bg)); err != nil {
				t.Errorf("byte %d of %s: %v", at, name, err)
			}
			mustClose(t, db)
		}
	}
	for _, what := range []string{"hash", "set", "list"} {
		if !damagedCollections[what] {
			t.Errorf("no damage took a part of the %s: nothing was shown", what)
		}
	}
}

// metadataOf returns what the store says of a collection, the zero Meta if there is
// none.
func metadataOf(t testing.TB, db *DB, name string) (m record.Meta) {
	t.Helper()
	rs := db.states.Hold()
	defer db.states.Drop(rs)
	row := keyenc.AppendNameRow(nil, nil, name)
	f, err := rs.Get(row, base.HashRow(row), 1<<50)
	if err == nil && f.OK {
		m, err = record.DecodeMeta(f.Value)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRepairMendsEachHalfOfASortedSetFromTheOther(t *testing.T) {
	typedtest.InEveryForm(t, repairMendsEachHalfOfASortedSetFromTheOther)
}

func repairMendsEachHalfOfASortedSetFromTheOther(t *testing.T) {
	mem := vfs.NewMem()
	db := collectionsStore(t, mem)
	it := keyenc.AppendElementRow
	id := uint64(0)
	for i := uint64(1); i < 10 && id == 0; i++ {
		rs := db.states.Hold()
		row := it(nil, nil, i, keyenc.TagElement, "e001")
		if f, err := rs.Get(row, base.HashRow(row), 1<<50); err == nil && f.OK && len(f.Value) == keyenc.ScoreLen {
			id = i
		}
		db.states.Drop(rs)
	}
	score := func(n float64) string { return string(keyenc.AppendScore(nil, n)) }
	commitRows(t, db,
		rowOp(2, it(nil, nil, id, keyenc.TagElement, "e001"), ""),
		rowOp(2, it(nil, nil, id, keyenc.TagScore, score(2)+"e002"), ""),
		rowOp(2, it(nil, nil, id, keyenc.TagOwner, ""), ""))
	if err := db.Check(bg); !errors.Is(err, ErrCorruption) {
		t.Fatal("nothing was damaged")
	}
	mustClose(t, db)
	o := denseOptions(mem, newHandClock())
	report, err := Repair(bg, goldenDir, "new", &o)
	if err != nil || len(report.Collections) != 1 || !strings.Contains(report.String(), "made whole") {
		t.Fatalf("%v\n%v", err, report)
	}
	db, err = Open("new", &o)
	if err != nil {
		t.Fatal(err)
	}
	if counts := elementsOf(t, db); counts != [4]int{200, 200, 200, 200} {
		t.Errorf("elements left: %v", counts)
	}
	mustClose(t, db)
}

func TestRepairRefusesWhatItMustNotTouch(t *testing.T) {
	disk := vfstest.NewDisk(1)
	db := mustOpen(t, disk, newHandClock())
	putAt(t, db, SyncDurability, "k", "v")
	o := denseOptions(disk, newHandClock())
	if _, err := Repair(bg, "db", "new", &o); !errors.Is(err, ErrLocked) {
		t.Errorf("an open store: %v", err)
	}
	mustClose(t, db)
	if _, err := Repair(bg, "db", "db", &o); !errors.Is(err, fs.ErrExist) {
		t.Errorf("into itself: %v", err)
	}
	if _, err := Repair(bg, "missing", "new", &o); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no source: %v", err)
	}
	if err := disk.MkdirAll("empty"); err != nil {
		t.Fatal(err)
	}
	if _, err := Repair(bg, "empty", "new", &o); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty source: %v", err)
	}
	ctx, cancel := context.WithCancel(bg)
	cancel()
	if _, err := Repair(ctx, "db", "new", &o); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if names, err := disk.List("."); err != nil || len(names) != 2 {
		t.Errorf("left behind: %v, %v", names, err)
	}
	if open := disk.OpenFiles(); len(open) > 0 {
		t.Errorf("left open: %v", open)
	}
}

func TestAFailedRepairLeavesNothing(t *testing.T) {
	t.Parallel()
	disk := vfstest.NewDisk(2)
	mustClose(t, copyable(t, disk, newHandClock()))
	counting := vfstest.NewFaults(disk.Image(vfstest.P0, nil))
	o := denseOptions(counting, newHandClock())
	if _, err := Repair(bg, "db", "copy", &o); err != nil {
		t.Fatal(err)
	}
	for n := int64(1); n <= counting.Ops(); n += tier[int64](3, 1, 1) {
		image := disk.Image(vfstest.P0, nil)
		faults := vfstest.NewFaults(image)
		faults.Inject(vfstest.Fault{Nth: n})
		before := storeImage(t, image, "db")
		o := denseOptions(faults, newHandClock())
		_, err := Repair(bg, "db", "copy", &o)
		if storeImage(t, image, "db") != before {
			t.Fatalf("call %d fails: the source has changed", n)
		}
		names, lerr := image.List(".")
		if lerr != nil {
			t.Fatal(lerr)
		}
		if err != nil && len(names) != 1 {
			t.Errorf("call %d fails with %v: left behind %v", n, err, names)
		}
		if err == nil {
			again := openCopy(t, image, newHandClock())
			mustClose(t, again)
		}
		if open := image.OpenFiles(); len(open) > 0 {
			t.Fatalf("call %d fails: left open: %v", n, open)
		}
	}
}

// Whatever the files hold, Repair ends without a panic, and what it makes passes
// its own Check; nothing is in it that was never written.
func TestRepairOfRandomDamageInventsNothing(t *testing.T) {
	typedtest.InEveryForm(t, repairOfRandomDamageInventsNothing)
}

func repairOfRandomDamageInventsNothing(t *testing.T) {
	b := makeBroken(t)
	written := map[string]bool{}
	for _, r := range b.records {
		written[r.key+"="+r.value] = true
	}
	rng, rounds, made := seeded(21), tier(30, 150, 10_000), 0
	names := b.names("")
	for round := range rounds {
		files := maps.Clone(b.files)
		for range 1 + rng.IntN(6) {
			name := names[rng.IntN(len(names))]
			c := append([]byte(nil), files[name]...)
			if len(c) == 0 {
				continue
			}
			switch at := rng.IntN(len(c)); rng.IntN(6) {
			case 0:
				c = c[:at]
			case 1:
				c = append(c[:at:at], c[min(len(c), at+rng.IntN(500)):]...)
			case 2:
				other := b.files[names[rng.IntN(len(names))]]
				copy(c[at:], other[rng.IntN(len(other)+1):])
			case 3:
				for i := range min(len(c)-at, rng.IntN(2000)) {
					c[at+i] = byte(rng.Uint32())
				}
			default:
				c[at] ^= 1 << rng.IntN(8)
			}
			files[name] = c
			if rng.IntN(20) == 0 {
				delete(files, name)
			}
		}
		mem := storeOf(t, files)
		o := denseOptions(mem, newHandClock())
		if report, err := Repair(bg, goldenDir, "new", &o); err != nil {
			t.Fatalf("round %d: %v\n%v", round, err, report)
		}
		for key, value := range showsNow(t, mem, "new") {
			if !written["\x01"+key+"="+value] {
				t.Fatalf("round %d: %q is %q, which was never written", round, key, value)
			}
			made++
		}
	}
	if made == 0 {
		t.Error("nothing was ever kept")
	}
}

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
