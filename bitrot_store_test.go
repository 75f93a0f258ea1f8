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
	"sync"
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
