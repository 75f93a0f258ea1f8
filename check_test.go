package siltstone

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/check"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// checkable is an open store of three runs and something in its log, in which
// each run has a record of "shared" and the newest a range tombstone.
func checkable(t testing.TB, disk *vfstest.Disk) *DB {
	t.Helper()
	db := mustOpen(t, disk, newHandClock(), func(o *Options) { o.runLimit, o.MemtableBytes = 8, 64<<10 })
	for i := range 3 {
		putAt(t, db, SyncDurability, "shared", fmt.Sprint(i))
		for k := range 40 {
			putAt(t, db, SyncDurability, fmt.Sprintf("k%d/%02d", i, k), strings.Repeat("v", 50))
		}
		if i == 2 {
			if err := db.DeleteRange(Range{[]byte("k1/10"), []byte("k1/20")}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.Hash("h").Set(fmt.Sprint("f", i), []byte("v")); err != nil {
			t.Fatal(err)
		}
		_, err := db.ZSet("z").Add(fmt.Sprint("m", i), float64(i))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.List("l").PushBack([]byte("v")); err != nil {
			t.Fatal(err)
		}
		if err := db.Flush(bg); err != nil {
			t.Fatal(err)
		}
	}
	putAt(t, db, SyncDurability, "in the log", "v")
	putAt(t, db, SyncDurability, "in the log too", "v")
	if err := db.Check(bg); err != nil {
		t.Fatal(err)
	}
	if n := len(db.set.State().Version.Runs); n != 3 {
		t.Fatalf("%d runs", n)
	}
	return db
}

// wantFault fails unless Check names file and, if it is not negative, offset.
func wantFault(t testing.TB, db *DB, file string, offset int64, words string) {
	t.Helper()
	err := db.Check(bg)
	if !errors.Is(err, ErrCorruption) {
		t.Fatalf("Check: %v, want a fault in %s", err, file)
	}
	told := map[string]bool{}
	for _, e := range faultsOf(err) {
		if told[e.Error()] || strings.Count(e.Error(), e.File) != 1 {
			t.Errorf("Check names a fault twice: %v", err)
		}
		told[e.Error()] = true
	}
	for _, e := range faultsOf(err) {
		if e.File == file && (offset < 0 || e.Offset == offset) && strings.Contains(e.Error(), words) {
			return
		}
	}
	t.Errorf("Check: %v\nwant %q in %s at %d", err, words, file, offset)
}

// faultsOf takes a joined error apart.
func faultsOf(err error) (all []*CorruptionError) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			all = append(all, faultsOf(e)...)
		}
		return all
	}
	var e *CorruptionError
	if errors.As(err, &e) {
		all = append(all, e)
	}
	return all
}

// Damage on disk, while the store is open.
func TestCheckNamesTheFileThatWasDamaged(t *testing.T) {
	for _, c := range []struct {
		name   string
		file   func(db *DB) string
		at     func(db *DB, size int64) int64
		offset int64 // −1: any
		words  string
	}{
		{"a block of a table", tableFile, func(*DB, int64) int64 { return 20 }, 0, "checksum"},
		{"a table's footer", tableFile, func(_ *DB, size int64) int64 { return size - 64 }, -1, "footer"},
		{"a log's frame", logFile, func(*DB, int64) int64 { return 128 + 70 }, 128, "payload"},
		{"the manifest's header", manifestFile, func(*DB, int64) int64 { return 20 }, 0, "header"},
		{"an edit", manifestFile, func(*DB, int64) int64 { return 128 + 80 }, -1, ""},
		{"CURRENT", func(*DB) string { return "CURRENT" }, func(*DB, int64) int64 { return 3 }, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			disk := vfstest.NewDisk(1)
			db := checkable(t, disk)
			name := c.file(db)
			content := contentOf(t, disk, "db/"+name)
			at := c.at(db, int64(len(content)))
			damage(t, db, disk, name, at)
			wantFault(t, db, name, c.offset, c.words)
			damage(t, db, disk, name, at)
			if err := db.Check(bg); err != nil {
				t.Errorf("healed: %v", err)
			}
			mustClose(t, db)
		})
	}
}

// damage turns a bit in place, so that whoever has the file open meets it.
func damage(t testing.TB, db *DB, disk *vfstest.Disk, name string, at int64) {
	t.Helper()
	flip(t, disk, "db/"+name, at)
	// A file that was replaced is another one to those who have it open.
	db.states.Tables.Forget()
}

func tableFile(db *DB) string {
	return base.Filename(base.FileTable, db.set.State().Version.Runs[1].Tables[0].Num)
}

func logFile(db *DB) string { return base.Filename(base.FileLog, db.section.Mem().Log) }

func manifestFile(db *DB) string {
	name, _ := db.set.LogName()
	return name
}

func TestCheckComparesDirectoryAndManifest(t *testing.T) {
	disk := vfstest.NewDisk(2)
	db := checkable(t, disk)
	stray := base.Filename(base.FileTable, db.set.State().FileLimit+7)
	replace(t, disk, "db/"+stray, []byte("?"))
	wantFault(t, db, stray, -1, "never reserved")
	if err := disk.Remove("db/" + stray); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{tableFile(db), logFile(db), "CURRENT", manifestFile(db)} {
		content := contentOf(t, disk, "db/"+name)
		if err := disk.Remove("db/" + name); err != nil {
			t.Fatal(err)
		}
		wantFault(t, db, name, -1, "missing")
		replace(t, disk, "db/"+name, content)
	}
	if err := db.Check(bg); err != nil {
		t.Error(err)
	}
	mustClose(t, db)
}

// A manifest that verifies and lies.
func TestCheckComparesTablesWithWhatTheManifestSays(t *testing.T) {
	for name, c := range map[string]struct {
		lie   func(s *manifest.State, t *manifest.Table)
		words string
	}{
		"digest":              {func(_ *manifest.State, t *manifest.Table) { t.Digest++ }, "digest"},
		"size":                {func(_ *manifest.State, t *manifest.Table) { t.Size++ }, "bytes"},
		"id":                  {func(_ *manifest.State, t *manifest.Table) { t.ID++ }, "id"},
		"count":               {func(_ *manifest.State, t *manifest.Table) { t.Puts++ }, "counts"},
		"smallest":            {func(_ *manifest.State, t *manifest.Table) { t.Smallest = []byte{0} }, "bounds"},
		"largest sequence":    {func(_ *manifest.State, t *manifest.Table) { t.MaxSeq++ }, "sequences"},
		"expiry":              {func(_ *manifest.State, t *manifest.Table) { t.MaxExpiry++ }, "counts"},
		"last sequence taken": {func(s *manifest.State, t *manifest.Table) { s.LastSeq = t.MinSeq }, "the manifest ends at"},
	} {
		t.Run(name, func(t *testing.T) {
			disk := vfstest.NewDisk(3)
			db := checkable(t, disk)
			mustClose(t, db)
			table := 0
			lying(t, disk, func(s *manifest.State) []*manifest.Table {
				all := s.Version.AllTables()
				table = int(all[0].Num)
				lie := *all[0]
				c.lie(s, &lie)
				all[0] = &lie
				return all
			})
			// As found, for a start that may write would go on from a last sequence of its own.
			db = mustOpen(t, disk, newHandClock(), func(o *Options) { o.ReadOnly = true })
			wantFault(t, db, base.Filename(base.FileTable, base.FileNum(table)), -1, c.words)
			mustClose(t, db)
		})
	}
}

// lying publishes a manifest with other tables than the store has.
func lying(t testing.TB, disk *vfstest.Disk, lie func(s *manifest.State) []*manifest.Table) {
	t.Helper()
	s, info, err := manifest.Load(disk, "db")
	if err != nil {
		t.Fatal(err)
	}
	tables := lie(s)
	s.Version, err = (&manifest.Version{}).Apply(&manifest.Edit{Added: tables})
	if err != nil {
		t.Fatal(err)
	}
	log, err := manifest.Create(disk, "db", info.Number+1, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCheckFindsNewerBelowOlder(t *testing.T) {
	disk := vfstest.NewDisk(4)
	mustClose(t, checkable(t, disk))
	older := ""
	lying(t, disk, func(s *manifest.State) []*manifest.Table {
		var all []*manifest.Table
		runs := s.Version.Runs
		for i, r := range runs {
			for _, table := range r.Tables {
				moved := *table
				moved.Run, moved.Level = runs[len(runs)-1-i].Age, runs[len(runs)-1-i].Level
				all = append(all, &moved)
			}
		}
		older = base.Filename(base.FileTable, runs[len(runs)-2].Tables[0].Num)
		return all
	})
	db := mustOpen(t, disk, newHandClock())
	wantFault(t, db, older, -1, "not below")
	mustClose(t, db)
}

func TestCheckFindsATombstoneBelowWhatItDeleted(t *testing.T) {
	disk := vfstest.NewDisk(5)
	db := mustOpen(t, disk, newHandClock(), func(o *Options) { o.runLimit = 8 })
	putAt(t, db, SyncDurability, "k", "old")
	if err := db.Flush(bg); err != nil {
		t.Fatal(err)
	}
	if err := db.DeleteRange(Range{[]byte("a"), []byte("z")}); err != nil {
		t.Fatal(err)
	}
	if err := db.Flush(bg); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	var tombstone string
	lying(t, disk, func(s *manifest.State) []*manifest.Table {
		all := s.Version.AllTables()
		if len(all) != 2 {
			t.Fatalf("%d tables", len(all))
		}
		first, second := *all[0], *all[1]
		first.Run, second.Run = second.Run, first.Run
		first.Level, second.Level = 0, 0
		tombstone = base.Filename(base.FileTable, first.Num)
		return []*manifest.Table{&first, &second}
	})
	db = mustOpen(t, disk, newHandClock(), func(o *Options) { o.runLimit = 8 })
	wantFault(t, db, tombstone, -1, "not below")
	mustClose(t, db)
}

func TestCheckFindsTablesOfARunThatOverlap(t *testing.T) {
	disk := vfstest.NewDisk(6)
	db := checkable(t, disk)
	v := db.set.State().Version
	one, two := *v.Runs[1].Tables[0], *v.Runs[2].Tables[0]
	two.Run, two.Level = one.Run, one.Level
	tables := []*manifest.Table{&one, &two}
	slices.SortFunc(tables, func(a, b *manifest.Table) int { return strings.Compare(string(a.Smallest), string(b.Smallest)) })
	c, err := db.pinForCheck()
	if err != nil {
		t.Fatal(err)
	}
	pinned := c.View.State
	c.View.State = &readstate.State{
		Gaps:    pinned.Gaps,
		Mem:     pinned.Mem,
		Version: &manifest.Version{Runs: []manifest.Run{{Age: one.Run, Level: one.Level, Tables: tables}}},
	}
	if err := check.Run(bg, c); !errors.Is(err, ErrCorruption) || !strings.Contains(err.Error(), "overlap") || !strings.Contains(err.Error(), manifestFile(db)) {
		t.Errorf("tables that overlap: %v", err)
	}
	db.states.Drop(pinned)
	mustClose(t, db)
}

func TestCheckCountsCollectionsAnew(t *testing.T) {
	typedtest.InRows(t)
	id := func(db *DB, name string) uint64 {
		rs := db.states.Hold()
		defer db.states.Drop(rs)
		f, err := db.look(rs, nil, []byte(name), base.SeqMax, 0, readstate.WantValue)
		if err != nil {
			t.Fatal(err)
		}
		id, _ := record.CollectionID(record.Type(f.Attr.Type()), f.Value)
		return id
	}
	put, remove := base.KindPut, base.KindDelete
	row := func(id uint64, tag byte, rest string) []byte { return keyenc.AppendElementRow(nil, nil, id, tag, rest) }
	one := string(keyenc.AppendScore(nil, 1))
	for name, c := range map[string]struct {
		ops   func(db *DB) []record.Op
		words string
	}{
		"a field is missing": {func(db *DB) []record.Op {
			return []record.Op{rowOp(remove, row(id(db, "h"), keyenc.TagElement, "f1"), "")}
		}, `hash "\x01h" counts 3 elements and has 2`},
		"a field too many": {func(db *DB) []record.Op {
			return []record.Op{rowOp(put, row(id(db, "h"), keyenc.TagElement, "more"), "")}
		}, "counts 3 elements and has 4"},
		"a score is missing": {func(db *DB) []record.Op {
			return []record.Op{rowOp(remove, row(id(db, "z"), keyenc.TagScore, one+"m1"), "")}
		}, "3 members and 2 scores"},
		"a score is another": {func(db *DB) []record.Op {
			return []record.Op{rowOp(put, row(id(db, "z"), keyenc.TagElement, "m2"), one)}
		}, "scores that are not those"},
		"a list with a gap": {func(db *DB) []record.Op {
			z := id(db, "l")
			return []record.Op{
				rowOp(remove, keyenc.AppendItemRow(nil, nil, z, keyenc.ItemMiddle+2*keyenc.ItemStride), ""),
				rowOp(put, keyenc.AppendItemRow(nil, nil, z, keyenc.ItemMiddle+5*keyenc.ItemStride), "v"),
			}
		}, "has a gap"},
		"no owner": {func(db *DB) []record.Op {
			return []record.Op{rowOp(put, row(1<<40, keyenc.TagElement, "f"), "")}
		}, "rows without an owner"},
		"no metadata": {func(db *DB) []record.Op {
			return []record.Op{rowOp(put, row(1<<40, keyenc.TagOwner, ""), "\x01nobody")}
		}, "rows that no record names"},
		"no rows": {func(db *DB) []record.Op {
			z := id(db, "h")
			ops := []record.Op{rowOp(remove, row(z, keyenc.TagOwner, ""), "")}
			for i := range 3 {
				ops = append(ops, rowOp(remove, row(z, keyenc.TagElement, fmt.Sprint("f", i)), ""))
			}
			return ops
		}, "it has no rows"},
		"no element row": {func(db *DB) []record.Op {
			return []record.Op{rowOp(put, []byte{keyenc.SpaceElements, 1}, "")}
		}, "is no element row"},
	} {
		t.Run(name, func(t *testing.T) {
			disk := vfstest.NewDisk(7)
			db := checkable(t, disk)
			commitRows(t, db, c.ops(db)...)
			err := db.Check(bg)
			if !errors.Is(err, ErrCorruption) || !strings.Contains(err.Error(), c.words) {
				t.Errorf("Check: %v\nwant it to say %q", err, c.words)
			}
			mustClose(t, db)
		})
	}
}

func rowOp(k base.Kind, row []byte, value string) record.Op {
	return record.Op{Attr: base.MakeAttr(k, 0, false), Key: row, Value: []byte(value)}
}

// commitRows writes rows of the engine's own as nothing in the engine does.
func commitRows(t testing.TB, db *DB, ops ...record.Op) {
	t.Helper()
	c := commit.NewChange()
	defer c.Free()
	for _, o := range ops {
		c.AddOp(o)
	}
	if err := db.commit(c, SyncDurability); err != nil {
		t.Fatal(err)
	}
}

func TestCheckReadsCollectionsInTheirMetadata(t *testing.T) {
	one, two := string(keyenc.AppendScore(nil, 1)), string(keyenc.AppendScore(nil, 2))
	body := func(typ record.Type, elements ...string) (b []byte) {
		for _, e := range elements {
			b = record.AppendInline(b, typ, []byte(e), []byte(e))
		}
		return b
	}
	for name, c := range map[string]struct {
		typ   record.Type
		count uint64
		due   int64
		body  []byte
		words string // empty: no fault
	}{
		"a hash":               {record.TypeHash, 2, 0, body(record.TypeHash, "a", "b"), ""},
		"a sorted set":         {record.TypeZSet, 2, 0, body(record.TypeZSet, one+"b", two+"a"), ""},
		"a list":               {record.TypeList, 2, 0, body(record.TypeList, "b", "a"), ""},
		"a field too many":     {record.TypeHash, 1, 0, body(record.TypeHash, "a", "b"), "counts 1 elements"},
		"a member is missing":  {record.TypeSet, 3, 0, body(record.TypeSet, "a", "b"), "counts 3 elements"},
		"a wrong order":        {record.TypeSet, 2, 0, body(record.TypeSet, "b", "a"), "malformed"},
		"a field twice":        {record.TypeHash, 2, 0, body(record.TypeHash, "a", "a"), "malformed"},
		"a body cut short":     {record.TypeList, 2, 0, body(record.TypeList, "a", "bcd")[:4], "malformed"},
		"a member twice":       {record.TypeZSet, 2, 0, body(record.TypeZSet, one+"a", two+"a"), "twice"},
		"a score that is none": {record.TypeZSet, 1, 0, body(record.TypeZSet, strings.Repeat("\xff", 8)+"a"), "score that is none"},
		"no score":             {record.TypeZSet, 1, 0, body(record.TypeZSet, "1234567"), "malformed"},
		"a deadline":           {record.TypeSet, 1, 5, body(record.TypeSet, "a"), "deadlines"},
	} {
		t.Run(name, func(t *testing.T) {
			db := checkable(t, vfstest.NewDisk(7))
			value := record.AppendMeta(nil, record.Meta{Encoding: record.EncodingInline, Count: c.count, NextDue: c.due, Body: c.body})
			commitRows(t, db, record.Op{
				Attr: base.MakeAttr(base.KindPut, uint8(c.typ), false), Key: keyenc.AppendNameRow(nil, nil, "inline"), Value: value,
			})
			err := db.Check(bg)
			if c.words == "" && err != nil || c.words != "" && (!errors.Is(err, ErrCorruption) || !strings.Contains(err.Error(), c.words) || !strings.Contains(err.Error(), "inline")) {
				t.Errorf("Check: %v\nwant it to say %q", err, c.words)
			}
			mustClose(t, db)
		})
	}
}
