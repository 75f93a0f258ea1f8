package siltstone

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/sstable"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/wal"
)

// broken is a store of plain keys that was killed, as files, together with every
// record in them.
type broken struct {
	t       testing.TB
	files   map[string][]byte
	records []storedRecord
	retired map[string][]byte // logs that were flushed, tables that were merged
}

// storedRecord is a record or range tombstone with the part of a file it is in.
type storedRecord struct {
	file     string
	from, to int64 // of its block or frame
	key, end string
	value    string
	base.Trailer
}

func makeBroken(t testing.TB) *broken {
	t.Helper()
	mem := vfs.NewMem()
	db := mustOpen(t, mem, newHandClock(), func(o *Options) { o.MemtableBytes, o.runLimit = 64<<10, 8 })
	rng, retired := seeded(11), map[string][]byte{}
	write := func(n int) {
		for range n {
			var b Batch
			for range 1 + rng.IntN(3) {
				key := fmt.Sprintf("key%03d", rng.IntN(150))
				if rng.IntN(5) == 0 {
					b.Delete([]byte(key))
				} else {
					b.Put([]byte(key), fmt.Appendf(nil, "%d %s", rng.Uint32(), strings.Repeat("v", rng.IntN(60))))
				}
			}
			if rng.IntN(30) == 0 {
				lo := rng.IntN(140)
				b.DeleteRange(Range{fmt.Appendf(nil, "key%03d", lo), fmt.Appendf(nil, "key%03d", lo+5)})
			}
			if err := db.Apply(&b, SyncDurability); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range 5 {
		write(100)
		maps.Copy(retired, filesOf(t, mem))
		if err := db.Flush(bg); err != nil {
			t.Fatal(err)
		}
		maps.Copy(retired, filesOf(t, mem))
		if i == 1 {
			if err := db.CompactTables(); err != nil { // zeroed sequences
				t.Fatal(err)
			}
		}
	}
	write(40)
	db.keepStep()
	b := &broken{t: t, files: filesOf(t, mem), retired: retired}
	for name := range b.files {
		delete(retired, name)
	}
	for _, table := range db.set.State().Version.AllTables() {
		b.table(base.Filename(base.FileTable, table.Num))
	}
	b.log(logFile(db))
	mustClose(t, db)
	return b
}

// table notes the records of a table, block by block: what is lost without a
// part of it.
func (b *broken) table(name string) {
	b.t.Helper()
	content := b.files[name]
	open := func(content []byte) *sstable.Salvage {
		s, err := sstable.OpenSalvage(strings.NewReader(string(content)), int64(len(content)), sstable.ReaderOptions{Name: name})
		if err != nil {
			b.t.Fatal(err)
		}
		return s
	}
	s := open(content)
	for e := s.First(); e != nil; e = s.Next() {
		from, to := s.Extent()
		b.records = append(b.records, storedRecord{file: name, from: from, to: to, key: string(e.Key), value: string(e.Value), Trailer: e.Trailer})
	}
	for _, d := range s.RangeDeletes().Tombstones() {
		tr := base.Trailer{Seq: d.Seq, Attr: base.MakeAttr(base.KindRangeDelete, 0, false)}
		b.records = append(b.records, storedRecord{file: name, from: -1, key: string(d.Start), end: string(d.End), Trailer: tr})
	}
	if len(s.Gaps()) > 0 {
		b.t.Fatalf("%s: %v", name, s.Gaps())
	}
	// That the blocks are what the writer made: as many records as it counted.
	r, err := sstable.Open(strings.NewReader(string(content)), int64(len(content)), sstable.ReaderOptions{Name: name})
	if err != nil {
		b.t.Fatal(err)
	}
	if p := r.Properties(); int64(p.Records()) != s.Records() {
		b.t.Fatalf("%s: %d records of %d", name, s.Records(), p.Records())
	}
}

func (b *broken) log(name string) {
	b.t.Helper()
	content := b.files[name]
	r, err := wal.Open(strings.NewReader(string(content)), int64(len(content)), name)
	if err != nil {
		b.t.Fatal(err)
	}
	for {
		f, payload, err := r.Next()
		if err != nil {
			return
		}
		for i := 0; len(payload) > 0; i++ {
			o, n, err := record.DecodeOp(payload)
			if err != nil {
				b.t.Fatal(err)
			}
			payload = payload[n:]
			rec := storedRecord{file: name, from: f.Offset, to: r.End(), key: string(o.Key), value: string(o.Value)}
			rec.Trailer = base.Trailer{Seq: f.First + base.SeqNum(i), Attr: o.Attr}
			if o.Attr.Kind() == base.KindRangeDelete {
				rec.end, rec.value = rec.value, ""
			}
			b.records = append(b.records, rec)
		}
	}
}

// shows is what a store of the records that are not lost shows.
func (b *broken) shows(lost func(r *storedRecord) bool) map[string]string {
	newest, alive := map[string]storedRecord{}, []storedRecord{}
	for _, r := range b.records {
		if lost(&r) {
			continue
		}
		if r.end != "" {
			alive = append(alive, r)
		} else if old, ok := newest[r.key]; !ok || old.Seq < r.Seq {
			newest[r.key] = r
		}
	}
	shown := map[string]string{}
	for key, r := range newest {
		dead := r.Attr.Kind() != base.KindPut
		for _, d := range alive {
			dead = dead || d.key <= key && key < d.end && d.Seq > r.Seq
		}
		if !dead {
			shown[key[1:]] = r.value
		}
	}
	return shown
}

// repaired repairs a store of the given files and returns what it shows then.
func (b *broken) repaired(files map[string][]byte) (map[string]string, RepairReport) {
	b.t.Helper()
	mem := storeOf(b.t, files)
	before := storeImage(b.t, mem, goldenDir)
	o := denseOptions(mem, newHandClock())
	report, err := Repair(bg, goldenDir, "new", &o)
	if err != nil {
		b.t.Fatalf("%v\n%v", err, report)
	}
	if storeImage(b.t, mem, goldenDir) != before {
		b.t.Error("the source has changed")
	}
	shown := showsNow(b.t, mem, "new")
	if names, err := mem.List("."); err != nil || len(names) != 2 {
		b.t.Errorf("left behind: %v, %v", names, err)
	}
	return shown, report
}

// storeOf makes a file system with a store of these files.
func storeOf(t testing.TB, files map[string][]byte) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem()
	if err := mem.MkdirAll(goldenDir); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		replace(t, mem, goldenDir+"/"+name, content)
	}
	return mem
}

func showsNow(t testing.TB, f vfs.FS, dir string) map[string]string {
	t.Helper()
	o := denseOptions(f, newHandClock())
	o.MustExist = true
	db, err := Open(dir, &o)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for kv, err := range db.Scan(Range{}) {
		if err != nil {
			t.Fatal(err)
		}
		shown[string(kv.Key)] = string(kv.Value)
	}
	if err := db.Check(bg); err != nil {
		t.Error(err)
	}
	if err := db.Put([]byte("~new"), []byte("v")); err != nil {
		t.Error(err)
	}
	mustClose(t, db)
	return shown
}

func nothingLost(*storedRecord) bool { return false }

// same fails unless the store shows what it must.
func (b *broken) same(what string, got, want map[string]string) {
	b.t.Helper()
	if maps.Equal(got, want) {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			b.t.Fatalf("%s: %s is %.40q, want %.40q", what, key, got[key], want[key])
		}
	}
	b.t.Fatalf("%s: %d keys, want %d", what, len(got), len(want))
}

func (b *broken) names(suffix string) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(b.files)) {
		if strings.Contains(name, suffix) {
			names = append(names, name)
		}
	}
	return names
}

func (b *broken) without(name string) map[string][]byte {
	files := maps.Clone(b.files)
	delete(files, name)
	return files
}

func (b *broken) changed(name string, change func(content []byte) []byte) map[string][]byte {
	files := maps.Clone(b.files)
	files[name] = change(slices.Clone(files[name]))
	return files
}

func TestRepairOfAWholeStoreKeepsEverything(t *testing.T) {
	b := makeBroken(t)
	want := b.shows(nothingLost)
	b.same("opened", showsNow(t, storeOf(t, b.files), goldenDir), want) // the reckoning is right
	got, report := b.repaired(b.files)
	b.same("repaired", got, want)
	if !report.Complete() || len(report.Files) < 4 {
		t.Errorf("the report says\n%v", report)
	}
}

func TestRepairWithoutCurrentOrManifestKeepsEverything(t *testing.T) {
	b := makeBroken(t)
	want := b.shows(nothingLost)
	name := b.names("MANIFEST")[0]
	got, report := b.repaired(b.without("CURRENT"))
	b.same("without CURRENT", got, want)
	if !report.Complete() || !errors.Is(report.Current, fs.ErrNotExist) {
		t.Errorf("without CURRENT the report says\n%v", report)
	}
	for what, files := range map[string]map[string][]byte{
		"without manifest": b.without(name),
		"manifest damaged": b.changed(name, func(c []byte) []byte { c[200] ^= 1; return c }),
		"manifest cut":     b.changed(name, func(c []byte) []byte { return c[:150] }),
	} {
		got, report = b.repaired(files)
		b.same(what, got, want)
		if report.Manifest == nil || !report.MayRevive() || !strings.Contains(report.String(), "may be back") {
			t.Errorf("%s the report says\n%v", what, report)
		}
	}
}

func TestRepairLeavesOutWhatTheManifestHasRetired(t *testing.T) {
	b := makeBroken(t)
	want := b.shows(nothingLost)
	files := maps.Clone(b.files)
	logs := 0
	for name, content := range b.retired {
		files[name] = content
		if strings.HasSuffix(name, ".wal") {
			logs++
		}
	}
	if logs == 0 || logs == len(b.retired) {
		t.Fatalf("%d files, %d logs: nothing is shown", len(b.retired), logs)
	}
	got, report := b.repaired(files)
	b.same("beside retired files", got, want)
	if !report.Complete() {
		t.Errorf("the report says\n%v", report)
	}
	// Without manifest a log may be read beside the tables that hold its records.
	files = b.without(b.names("MANIFEST")[0])
	newest := ""
	for name := range b.retired {
		if strings.HasSuffix(name, ".wal") && name > newest {
			newest = name
		}
	}
	files[newest] = b.retired[newest]
	got, _ = b.repaired(files)
	b.same("with the records of a log twice", got, want)
}

func TestRepairFindsBlocksWithoutIndexAndFooter(t *testing.T) {
	b := makeBroken(t)
	for _, name := range b.names(".sst") {
		at := b.dataEnd(name) / 2
		files := b.changed(name, func(c []byte) []byte {
			c[at] ^= 1
			return c[:len(c)-20]
		})
		got, _ := b.repaired(files)
		b.same(name, got, b.shows(func(r *storedRecord) bool {
			return r.file == name && (r.from < 0 || at >= r.from && at < r.to)
		}))
	}
}

func TestRepairLosesTheDamagedBlockAlone(t *testing.T) {
	t.Parallel()
	b := makeBroken(t)
	manifest, cases := b.names("MANIFEST")[0], 0
	for _, name := range b.names(".sst") {
		for at := 10; at < len(b.files[name]); at += tier(1501, 301, 301) {
			files := b.changed(name, func(c []byte) []byte { c[at] ^= 0x10; return c })
			end := b.dataEnd(name)
			lost := func(r *storedRecord) bool {
				if r.file != name {
					return false
				}
				if r.from < 0 {
					return b.rangesAt(name, int64(at))
				}
				return int64(at) >= r.from && int64(at) < r.to
			}
			if int64(at) >= end && at >= len(b.files[name])-64 && at < len(b.files[name])-16 {
				continue // the footer: below
			}
			what := fmt.Sprintf("byte %d of %s", at, name)
			got, report := b.repaired(files)
			b.same(what, got, b.shows(lost))
			if int64(at) < end && (report.Complete() || !strings.Contains(report.String(), name+": lost")) {
				t.Errorf("%s: the report says\n%v", what, report)
			}
			if cases++; cases%4 == 0 {
				delete(files, manifest)
				got, _ = b.repaired(files)
				b.same(what+", without manifest", got, b.shows(lost))
			}
		}
	}
	t.Logf("repair: %d damaged bytes, each cost its block alone", cases)
}

// dataEnd is where the last data block of a table ends.
func (b *broken) dataEnd(name string) (end int64) {
	for _, r := range b.records {
		if r.file == name {
			end = max(end, r.to)
		}
	}
	return end
}

// rangesAt reports whether a byte is in the table's range tombstones.
func (b *broken) rangesAt(name string, at int64) bool {
	content := b.files[name]
	length := int64(content[len(content)-64]) | int64(content[len(content)-63])<<8
	end := b.dataEnd(name)
	return at >= end && at < end+length
}

func TestRepairKeepsTheBlocksOfATableThatWasCut(t *testing.T) {
	t.Parallel()
	b := makeBroken(t)
	for _, name := range b.names(".sst") {
		for size := 0; size < len(b.files[name]); size += tier(2999, 997, 997) {
			got, report := b.repaired(b.changed(name, func(c []byte) []byte { return c[:size] }))
			want := b.shows(func(r *storedRecord) bool { return r.file == name && (r.from < 0 || r.to > int64(size)) })
			what := fmt.Sprintf("%s cut to %d bytes", name, size)
			b.same(what, got, want)
			if !report.MayRevive() {
				t.Errorf("%s: the report says\n%v", what, report)
			}
		}
		// With neither manifest nor footer nothing says whose blocks they are.
		files := b.changed(name, func(c []byte) []byte { return c[:len(c)-1] })
		delete(files, b.names("MANIFEST")[0])
		got, report := b.repaired(files)
		b.same(name+" without footer and manifest", got, b.shows(func(r *storedRecord) bool { return r.file == name }))
		if !strings.Contains(report.String(), name+": lost") {
			t.Errorf("the report says\n%v", report)
		}
	}
	for _, name := range b.names(".sst") {
		got, report := b.repaired(b.without(name))
		b.same("without "+name, got, b.shows(func(r *storedRecord) bool { return r.file == name }))
		if !strings.Contains(report.String(), "table is missing") {
			t.Errorf("without %s the report says\n%v", name, report)
		}
	}
}

func TestRepairKeepsTheCommitsAroundADamagedOne(t *testing.T) {
	t.Parallel()
	b := makeBroken(t)
	name := ""
	for _, r := range b.records {
		if strings.HasSuffix(r.file, ".wal") {
			name = r.file
		}
	}
	end := b.dataEnd(name)
	for at := int64(5); at < end; at += tier[int64](259, 37, 37) {
		got, report := b.repaired(b.changed(name, func(c []byte) []byte { c[at] ^= 1; return c }))
		b.same(fmt.Sprintf("byte %d of the log", at), got, b.shows(func(r *storedRecord) bool {
			return r.file == name && at >= r.from && at < r.to
		}))
		if last := b.records[len(b.records)-1]; at < last.from && report.Complete() {
			t.Errorf("byte %d of the log: the report says\n%v", at, report)
		}
	}
}
