package siltstone

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/event"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// soundStore is a small store that was killed: several tables in several runs, one
// log that is complete and one that is in use, and a manifest of many edits. It
// is damaged in every way, and opened.
type soundStore struct {
	t       testing.TB
	files   map[string][]byte
	model   *oracle
	clock   *handClock
	current stored // what it holds undamaged
	newest  string // the log in use
	names   []string
	counts  map[string]int
	least   int // the earliest commit whose state a damaged newest log may end in
}

const goldenDir = "db"

func makeGolden(t testing.TB) *soundStore {
	t.Helper()
	disk := vfstest.NewDisk(3)
	s := newSession(t, disk, goldenDir, 3)
	s.openOpts = func(o *Options) { o.MemtableBytes = 16 << 10 }
	s.open()
	for i := range 8 {
		for range 25 {
			s.put(SyncDurability, s.key(), s.value(60))
		}
		s.commit(SyncDurability, func(m *oracle) { m.deleteRange("key10", "key13") }, func() error {
			return s.db.DeleteRange(Range{[]byte("key10"), []byte("key13")})
		})
		s.commit(SyncDurability, func(m *oracle) { m.putTTL("timed", "x", time.Hour) }, func() error {
			return s.db.PutTTL([]byte("timed"), []byte("x"), time.Hour)
		})
		for range 6 {
			name := fmt.Sprintf("coll%d", s.rng.IntN(3))
			s.element(name, s.key(), s.model.live(name))
		}
		if err := s.db.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		if i < 5 {
			_, err := s.db.work.CompactStep(context.Background(), nil)
			s.do("compact", err)
		}
		s.db.keepStep()
	}
	// Two logs whose records are in no table: rotated, not flushed.
	for range 12 {
		s.put(SyncDurability, s.key(), s.value(60))
	}
	if err := s.db.section.Rotate(s.db.section.Mem()); err != nil {
		t.Fatal(err)
	}
	for range 12 {
		s.put(SyncDurability, s.key(), s.value(60))
	}
	s.compare()
	newest := base.Filename(base.FileLog, s.db.section.Mem().Log)
	g := &soundStore{t: t, model: s.model, clock: s.clock, newest: newest, counts: map[string]int{}, files: filesOf(t, disk)}
	g.names = slices.Sorted(maps.Keys(g.files))
	s.close()
	verdict := g.open(g.files, false)
	if verdict.err != nil || verdict.tables == 0 {
		t.Fatalf("the golden store: %v", verdict.err)
	}
	g.current = verdict.stored
	return g
}

// filesOf copies the files of the store on disk.
func filesOf(t testing.TB, disk vfs.FS) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	names, err := disk.List(goldenDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		f, err := disk.Open(path.Join(goldenDir, name))
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = content
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// outcome is what opening and reading a store came to.
type outcome struct {
	stored
	err    error // of the open, a read or Check
	opened bool
	torn   bool // a torn tail was reported
	tables int
}

// open makes a store of files, opens and reads it.
func (g *soundStore) open(files map[string][]byte, readOnly bool) (v outcome) {
	g.t.Helper()
	mem := vfs.NewMem()
	if err := mem.MkdirAll(goldenDir); err != nil {
		g.t.Fatal(err)
	}
	for name, content := range files {
		f, err := mem.Create(path.Join(goldenDir, name))
		if err != nil {
			g.t.Fatal(err)
		}
		if _, err := f.Write(content); err != nil {
			g.t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			g.t.Fatal(err)
		}
	}
	o := denseOptions(mem, g.clock)
	o.ReadOnly = readOnly
	o.OnEvent = func(e event.Event) {
		if _, ok := e.(event.TornTail); ok {
			v.torn = true
		}
	}
	db, err := Open(goldenDir, &o)
	if err != nil {
		v.err = err
		g.untouched(mem, files)
		return v
	}
	v.opened = true
	v.tables = len(db.set.State().Version.AllTables())
	v.stored, err = readAll(db)
	v.err = errors.Join(err, db.Check(context.Background()))
	if err := db.Close(); err != nil && v.err == nil {
		v.err = err
	}
	return v
}

// untouched looks that an Open that failed has changed and deleted nothing.
func (g *soundStore) untouched(mem *vfs.Mem, files map[string][]byte) {
	g.t.Helper()
	after := filesOf(g.t, mem)
	for name, content := range files {
		if have, ok := after[name]; !ok || !bytes.Equal(have, content) {
			g.t.Fatalf("an Open that failed has changed or deleted %s", name)
		}
	}
}

// damage opens the store with some files replaced, in both modes, and judges
// the outcome. The damaged file is the one to be named.
func (g *soundStore) damage(how, file string, change func(files map[string][]byte)) {
	g.t.Helper()
	files := maps.Clone(g.files)
	change(files)
	for _, readOnly := range []bool{true, false} {
		v := g.open(files, readOnly)
		verdict := g.judge(v, file)
		g.counts[verdict]++
		if strings.HasPrefix(verdict, "WRONG") {
			g.t.Errorf("%s (read-only %v): %s: %v", how, readOnly, verdict, v.err)
		}
	}
}

// judge names the outcome. All but the last are honest.
func (g *soundStore) judge(v outcome, file string) string {
	var damage *CorruptionError
	_, prefix := g.model.find(v.sum, v.now, g.least, g.model.issued())
	switch {
	case v.err == nil && v.sum == g.current.sum:
		return "harmless"
	case errors.As(v.err, &damage):
		if damage.File == file || file == "" {
			return "detected"
		}
		return "detected, by another file"
	case errors.Is(v.err, fs.ErrNotExist) && file == base.Filename(base.FileCurrent, 0):
		return "detected" // a reader says that there is no store
	case errors.Is(v.err, ErrCorruption):
		return "WRONG: corruption without a file"
	case v.err != nil:
		return "WRONG: an error that is not ErrCorruption"
	case file == g.newest && prefix && v.torn:
		return "torn tail"
	case file == g.newest && prefix:
		return "newest log gone whole"
	}
	return "WRONG: answers of another state"
}

// flip is a way to change a byte.
var flips = map[string]func(b byte) byte{
	"^01": func(b byte) byte { return b ^ 0x01 },
	"^80": func(b byte) byte { return b ^ 0x80 },
	"^FF": func(b byte) byte { return b ^ 0xFF },
	"=00": func(byte) byte { return 0 },
	"=FF": func(byte) byte { return 0xFF },
}

func TestDamagedByteIsNeverAWrongAnswer(t *testing.T) {
	t.Parallel()
	g := makeGolden(t)
	g.least = g.model.issued() - 1 // each frame proves that the one before it was durable
	rng := seeded(21)
	share := tier(0.001, 0.02, 1)
	for _, name := range g.names {
		content := g.files[name]
		for i := range g.meaningful(name) {
			for how, flip := range flips {
				if rng.Float64() >= share || flip(content[i]) == content[i] {
					continue
				}
				g.damage(fmt.Sprintf("%s: byte %d %s", name, i, how), name, func(files map[string][]byte) {
					c := bytes.Clone(content)
					c[i] = flip(c[i])
					files[name] = c
				})
			}
		}
	}
	t.Logf("bitrot: %d files, %d bytes: %v", len(g.names), g.size(), g.counts)
	if g.counts["detected"] == 0 {
		t.Error("nothing was ever detected")
	}
}

func (g *soundStore) size() (n int) {
	for _, name := range g.names {
		n += g.meaningful(name)
	}
	return n
}

// meaningful is the length of a file without the zeros reserved at a log's end,
// but for some of them.
func (g *soundStore) meaningful(name string) int {
	content := g.files[name]
	if strings.HasSuffix(name, ".wal") {
		return min(len(content), len(bytes.TrimRight(content, "\x00"))+64)
	}
	return len(content)
}

func TestFileCutShortIsNeverAWrongAnswer(t *testing.T) {
	if testing.Short() {
		t.Skip("the full tier")
	}
	t.Parallel()
	g := makeGolden(t)
	rng := seeded(22)
	step := tier(307, 61, 1)
	for _, name := range g.names {
		for n := rng.IntN(step); n < g.meaningful(name); n += step {
			g.damage(fmt.Sprintf("%s: cut to %d bytes", name, n), name, func(files map[string][]byte) {
				files[name] = files[name][:n]
			})
		}
		for _, more := range []int{1, 512, 4096} {
			g.damage(fmt.Sprintf("%s: %d zeros more", name, more), name, func(files map[string][]byte) {
				files[name] = append(bytes.Clone(files[name]), make([]byte, more)...)
			})
			g.damage(fmt.Sprintf("%s: %d own bytes more", name, more), name, func(files map[string][]byte) {
				files[name] = append(bytes.Clone(files[name]), files[name][:min(more, len(files[name]))]...)
			})
		}
	}
	t.Logf("cuts and extensions: %v", g.counts)
}

func TestMisplacedFileIsNeverAWrongAnswer(t *testing.T) {
	g := makeGolden(t)
	other := makeGolden(t)
	for _, name := range g.names {
		if name == base.Filename(base.FileLock, 0) {
			continue
		}
		g.damage(name+" is missing", name, func(files map[string][]byte) { delete(files, name) })
		g.damage(name+" is empty", name, func(files map[string][]byte) { files[name] = nil })
		if content, ok := other.files[name]; ok && name != base.Filename(base.FileCurrent, 0) {
			g.damage(name+" of another store", name, func(files map[string][]byte) { files[name] = content })
		}
		for _, with := range g.names {
			if name < with && with != base.Filename(base.FileLock, 0) {
				g.damage(fmt.Sprintf("%s and %s swapped", name, with), "", func(files map[string][]byte) {
					files[name], files[with] = files[with], files[name]
				})
			}
		}
	}
	t.Logf("missing, empty, foreign and swapped files: %v", g.counts)
}

func TestCollectionIDsAreReservedInGrowingBlocksAndNeverReused(t *testing.T) {
	const n = 5 * 4096 // a block, one of twice as many, and some of the next
	disk := vfstest.NewDisk(1)
	syncs := 0
	disk.OnOp(func(op vfstest.Op) {
		if vfstest.OnName("MANIFEST", vfstest.Sync)(op) {
			syncs++
		}
	})
	last := uint64(0)
	for opened := range 3 {
		db := mustOpen(t, disk, newHandClock())
		syncs = 0
		for range n {
			id, err := db.set.NewID()
			if err != nil || id <= last {
				t.Fatalf("open %d: id %d after %d, %v", opened, id, last, err)
			}
			last = id
		}
		if syncs != 3 {
			t.Errorf("open %d: %d syncs of the manifest for %d ids, want 3", opened, syncs, n)
		}
		if limit := db.set.State().IDLimit; limit <= last {
			t.Errorf("open %d: id %d is not below the limit %d", opened, last, limit)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A state of many tables with long keys is larger than a manifest usually gets.
func TestManifestOfALargeStateIsNotWrittenAnewWithEachEdit(t *testing.T) {
	t.Parallel()
	f := vfstest.NewFaults(vfs.NewMem())
	var made int
	f.OnOp(func(op vfstest.Op) {
		if op.Kind == vfstest.Create && strings.Contains(op.Name, "MANIFEST-") {
			made++
		}
	})
	clock := newHandClock()
	o := denseOptions(f, clock)
	o.MemtableBytes, o.blockSize = 1<<20, 1<<10
	db, err := Open("db", &o)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("k", 60<<10)
	for i := range 60 {
		putAt(t, db, BufferedDurability, fmt.Sprintf("%04d", i)+long, "v")
	}
	ctx := context.Background()
	if err := db.Compact(ctx, Range{}); err != nil {
		t.Fatal(err)
	}
	if n := len(db.states.Version().AllTables()); n*120<<10 < 4<<20 {
		t.Fatalf("%d tables are no large state", n)
	}
	made = 0
	const edits = 30
	for i := range edits {
		putAt(t, db, BufferedDurability, fmt.Sprint("zz", i), "v")
		if err := db.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if made > edits/10 {
		t.Errorf("%d manifests for %d flushes", made, edits)
	}
	mustClose(t, db)
}

// killedWithANewestLog is what happens between two synced commits, the second of which
// is in the newest log alone when the store is killed.
var killedWithANewestLog = map[string]func(t *testing.T, db *DB){
	"in its first log": func(t *testing.T, db *DB) {},
	"behind a flush": func(t *testing.T, db *DB) {
		if err := db.Flush(bg); err != nil {
			t.Fatal(err)
		}
	},
	"in the second of two logs": func(t *testing.T, db *DB) {
		if err := db.section.Rotate(db.section.Mem()); err != nil {
			t.Fatal(err)
		}
	},
}

// Without it the store would open to an earlier state.
func TestANewestLogThatIsMissingOrCutInItsHeaderIsDamage(t *testing.T) {
	for name, before := range killedWithANewestLog {
		for i := range 4 {
			readOnly, cut := i%2 == 0, i/2 == 0
			disk := vfstest.NewDisk(1)
			db := mustOpen(t, disk, newHandClock())
			putAt(t, db, SyncDurability, "a", "1")
			before(t, db)
			putAt(t, db, SyncDurability, "b", "2")
			newest := base.Filename(base.FileLog, db.section.Mem().Log)
			image := disk.Image(vfstest.P0, nil)
			mustClose(t, db)
			if cut {
				replace(t, image, "db/"+newest, contentOf(t, image, "db/"+newest)[:100])
			} else if err := image.Remove("db/" + newest); err != nil {
				t.Fatal(err)
			}
			files := storeImage(t, image, "db")
			o := denseOptions(image, newHandClock())
			o.ReadOnly = readOnly
			_, err := Open("db", &o)
			damage := new(CorruptionError)
			if !errors.As(err, &damage) || !strings.HasSuffix(damage.File, ".wal") {
				t.Errorf("%s, read only %v: %s is cut (%v) or missing, and Open says %v", name, readOnly, newest, cut, err)
			}
			if storeImage(t, image, "db") != files {
				t.Errorf("%s: Open refused the store and changed it", name)
			}
		}
	}
}

// Close is cut at every operation: its last memtable has no log file, and the log
// before it no successor.
func TestAPowerCutInCloseLeavesNoLogMissing(t *testing.T) {
	t.Parallel()
	for name, before := range killedWithANewestLog {
		disk, rng, cuts := vfstest.NewDisk(1), seeded(1), 0
		db := mustOpen(t, disk, newHandClock())
		putAt(t, db, SyncDurability, "a", "1")
		before(t, db)
		putAt(t, db, SyncDurability, "b", "2")
		disk.OnOp(func(op vfstest.Op) {
			for _, p := range vfstest.Profiles() {
				for image := range disk.Images(p, tier(2, 10, 30), rng) {
					cuts++
					again := mustOpen(t, image, newHandClock())
					if keys := fmt.Sprint(keysOf(t, again)); keys != "[a b]" {
						t.Fatalf("%s, %v before %v: the store holds %s", name, p, op, keys)
					}
					mustClose(t, again)
				}
			}
		})
		mustClose(t, db)
		disk.OnOp(nil)
		if cuts < 50 {
			t.Errorf("%s: only %d cuts", name, cuts)
		}
	}
}
