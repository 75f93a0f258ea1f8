package siltstone

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/event"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// A store with every kind of file is damaged in every way. Each open must say
// ErrCorruption and name the file, or answer as if nothing had happened; the newest log
// alone may have lost what a torn end would have.
func TestDamageIsNeverAWrongAnswer(t *testing.T) {
	t.Parallel()
	g := makeGolden(t)
	t.Run("of", func(t *testing.T) {
		for _, name := range g.names {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for w := range waysToChange {
					t.Run(waysToChange[w].name, func(t *testing.T) { g.changeBytes(t, name, w) })
				}
				t.Run("cuts", func(t *testing.T) { g.cut(t, name) })
			})
		}
		t.Run("places", func(t *testing.T) {
			t.Parallel()
			g.misplace(t, makeGolden(t))
		})
	})
	t.Log(g.figures())
	if changed := g.counts["changed"]; len(changed) > 0 && changed["detected"] == 0 {
		t.Error("nothing was ever detected")
	}
}

// copyLength is how many bytes are copied from another place.
const copyLength = 16

// waysToChange are what a byte of c, a copy of a file, is changed to. Each frame of a log
// proves that the one before it was durable, so one commit may be missing; bytes that
// are copied may be of two.
var waysToChange = []struct {
	name   string
	atMost int
	change func(rng *rand.Rand, c []byte, i int)
}{
	{"zero", 1, func(_ *rand.Rand, c []byte, i int) { c[i] = 0 }},
	{"ones", 1, func(_ *rand.Rand, c []byte, i int) { c[i] = 0xFF }},
	{"bit", 1, func(rng *rand.Rand, c []byte, i int) { c[i] ^= 1 << rng.IntN(8) }},
	{"random", 1, func(rng *rand.Rand, c []byte, i int) { c[i] ^= byte(1 + rng.IntN(255)) }},
	{"copy", 2, func(rng *rand.Rand, c []byte, i int) {
		copy(c[i:min(i+copyLength, len(c))], bytes.Clone(c[rng.IntN(len(c)):]))
	}},
}

// changeBytes changes bytes of a file in one way, one at a time.
func (g *soundStore) changeBytes(t *testing.T, name string, w int) {
	way, content := waysToChange[w], g.files[name]
	rng := seeded(21 + uint64(w))
	share := tier(0.001, 0.02, 1)
	for i := range g.meaningful(name) {
		if rng.Float64() >= share {
			continue
		}
		c := bytes.Clone(content)
		if way.change(rng, c, i); bytes.Equal(c, content) {
			continue
		}
		g.hurt(t, rot{"changed", fmt.Sprintf("%s: byte %d: %s", name, i, way.name), name, way.atMost, func(files map[string][]byte) {
			files[name] = c
		}})
	}
}

// cut cuts a file short, and makes it longer.
func (g *soundStore) cut(t *testing.T, name string) {
	if testing.Short() {
		t.Skip("the full tier")
	}
	step := tier(307, 61, 1)
	for n := seeded(22).IntN(step); n < g.meaningful(name); n += step {
		g.hurt(t, rot{"cut", fmt.Sprintf("%s: cut to %d bytes", name, n), name, -1, func(files map[string][]byte) {
			files[name] = files[name][:n]
		}})
	}
	for _, more := range []int{1, 512, 4096} {
		g.hurt(t, rot{"longer", fmt.Sprintf("%s: %d zeros more", name, more), name, 0, func(files map[string][]byte) {
			files[name] = append(bytes.Clone(files[name]), make([]byte, more)...)
		}})
		g.hurt(t, rot{"longer", fmt.Sprintf("%s: %d own bytes more", name, more), name, 0, func(files map[string][]byte) {
			files[name] = append(bytes.Clone(files[name]), files[name][:min(more, len(files[name]))]...)
		}})
	}
}

// misplace takes files away, swaps them, and puts others in their places: empty ones,
// those of another store, and what they were earlier.
func (g *soundStore) misplace(t *testing.T, other *soundStore) {
	current := base.Filename(base.FileCurrent, 0)
	put := func(kind, name string, content []byte) {
		if bytes.Equal(content, g.files[name]) {
			return
		}
		g.hurt(t, rot{kind, name + " is " + kind, name, -1, func(files map[string][]byte) { files[name] = content }})
	}
	for _, name := range g.names {
		if name == base.Filename(base.FileLock, 0) {
			continue
		}
		g.hurt(t, rot{"missing", name + " is missing", name, -1, func(files map[string][]byte) { delete(files, name) }})
		put("empty", name, nil)
		if content, ok := other.files[name]; ok && name != current {
			put("of another store", name, content)
		}
		for _, files := range g.older {
			if content, ok := files[name]; ok {
				put("older", name, content)
			}
		}
		for _, with := range g.names {
			if name < with && with != base.Filename(base.FileLock, 0) {
				g.hurt(t, rot{"swapped", fmt.Sprintf("%s and %s swapped", name, with), "", -1, func(files map[string][]byte) {
					files[name], files[with] = files[with], files[name]
				}})
			}
		}
	}
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
				for image := range disk.Images(p, tier(1, 10, 30), rng) {
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

// soundStore is a small store that was killed: several tables in several runs, one
// log that is complete and one that is in use, and a manifest of many edits. It
// is damaged in every way, and opened.
type soundStore struct {
	files   map[string][]byte
	model   *oracle
	clock   *handClock
	current stored // what it holds undamaged
	newest  string // the log in use
	names   []string
	older   []map[string][]byte // its files at earlier moments, oldest first

	mu     sync.Mutex
	counts map[string]map[string]int // verdicts, of each kind of damage
}

const goldenDir = "db"

func makeGolden(t testing.TB) *soundStore {
	t.Helper()
	disk := vfstest.NewDisk(3)
	s := newSession(t, disk, goldenDir, 3)
	s.openOpts = func(o *Options) { o.MemtableBytes = 16 << 10 }
	s.open()
	var older []map[string][]byte
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
		older = append(older, filesOf(t, disk))
	}
	// Two logs whose records are in no table: rotated, not flushed.
	for range 12 {
		s.put(SyncDurability, s.key(), s.value(60))
	}
	if err := s.db.section.Rotate(s.db.section.Mem()); err != nil {
		t.Fatal(err)
	}
	older = append(older, filesOf(t, disk))
	for range 12 {
		s.put(SyncDurability, s.key(), s.value(60))
	}
	s.compare()
	newest := base.Filename(base.FileLog, s.db.section.Mem().Log)
	g := &soundStore{model: s.model, clock: s.clock, newest: newest, counts: map[string]map[string]int{}, files: filesOf(t, disk), older: older}
	g.names = slices.Sorted(maps.Keys(g.files))
	s.close()
	verdict := g.open(t, g.files, false)
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
func (g *soundStore) open(t testing.TB, files map[string][]byte, readOnly bool) (v outcome) {
	t.Helper()
	mem := vfs.NewMem()
	if err := mem.MkdirAll(goldenDir); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		f, err := mem.Create(path.Join(goldenDir, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
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
		untouched(t, mem, files)
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
func untouched(t testing.TB, mem *vfs.Mem, files map[string][]byte) {
	t.Helper()
	after := filesOf(t, mem)
	for name, content := range files {
		if have, ok := after[name]; !ok || !bytes.Equal(have, content) {
			t.Fatalf("an Open that failed has changed or deleted %s", name)
		}
	}
}

// rot is a damage of files of the store.
type rot struct {
	kind   string // for the figures
	how    string
	file   string // the one to be named; "" if there are several
	atMost int    // so many commits may be missing if it is the newest log; negative: any number
	change func(files map[string][]byte)
}

// hurt opens the store with a damage, in both modes, and judges the outcome.
func (g *soundStore) hurt(t testing.TB, d rot) {
	t.Helper()
	files := maps.Clone(g.files)
	d.change(files)
	least := 0
	if d.atMost >= 0 {
		least = g.model.issued() - d.atMost
	}
	for _, readOnly := range []bool{true, false} {
		v := g.open(t, files, readOnly)
		verdict := g.judge(v, d.file, least)
		g.count(d.kind, verdict)
		if strings.HasPrefix(verdict, "WRONG") {
			t.Errorf("%s (read-only %v): %s: %v", d.how, readOnly, verdict, v.err)
		}
	}
}

func (g *soundStore) count(kind, verdict string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.counts[kind] == nil {
		g.counts[kind] = map[string]int{}
	}
	g.counts[kind][verdict]++
}

// figures returns the line of what was done, and what it came to.
func (g *soundStore) figures() string {
	size, all, wrong := 0, 0, 0
	for _, name := range g.names {
		size += g.meaningful(name)
	}
	var b strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(g.counts)) {
		n := 0
		for verdict, count := range g.counts[kind] {
			n += count
			if strings.HasPrefix(verdict, "WRONG") {
				wrong += count
			}
		}
		all += n
		fmt.Fprintf(&b, "; %s %d: %v", kind, n, g.counts[kind])
	}
	return fmt.Sprintf("bitrot: %d files of %d bytes, %d opens, %d wrong%s", len(g.names), size, all, wrong, &b)
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

// judge names the outcome. All but the last are honest.
func (g *soundStore) judge(v outcome, file string, least int) string {
	var damage *CorruptionError
	_, prefix := g.model.find(v.sum, v.now, least, g.model.issued())
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
