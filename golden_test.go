package siltstone

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

// goldenStores are stores of this format version, kept as files: whatever is
// changed later, they open and show what stands beside them. They are never
// rewritten once a version with them has been released; a new format gets a
// directory of its own, and this list a line. To write those of the version
// being developed anew:
//
//	go test -run TestGoldenStoresOpen -update .
var goldenStores = []goldenStore{
	{dir: "testdata/stores/format1-s2", compression: S2, killed: true},
	{dir: "testdata/stores/format1-zstd", compression: Zstd},
}

type goldenStore struct {
	dir         string
	compression Compression
	killed      bool // else closed
}

func updateGolden() bool {
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}

func (g *goldenStore) options(clock *handClock) Options {
	o := denseOptions(vfs.OS, clock)
	o.Compression, o.MemtableBytes, o.runLimit = g.compression, 64<<10, 8
	return o
}

// fill writes everything that a store can hold, in several runs, and leaves some
// of it in the log.
func (g *goldenStore) fill(t *testing.T, db *DB, clock *handClock) {
	t.Helper()
	must := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	flush := func() { must(db.Flush(background)) }
	for i := range 300 {
		must(db.Put(fmt.Appendf(nil, "plain/%03d", i), fmt.Appendf(nil, "value %d %s", i, strings.Repeat("ab", i%40))))
	}
	must(db.Put([]byte("plain"), nil), db.Put([]byte{0}, []byte("key of one zero")), db.Put([]byte{0xFF, 0xFF}, []byte("key of ones")))
	must(db.Put(bytes.Repeat([]byte("k"), 3000), []byte("long key")), db.Put([]byte("long value"), bytes.Repeat([]byte("v"), 70_000)))
	must(goldenCollections(db))
	flush()
	must(db.Compact(background, Range{}))
	for i := range 20 {
		must(db.Delete(fmt.Appendf(nil, "plain/%03d", 3*i)), db.Put(fmt.Appendf(nil, "plain/%03d", 3*i+1), []byte("overwritten")))
	}
	must(db.PutTTL([]byte("ttl/hour"), []byte("v"), time.Hour), db.PutTTL([]byte("ttl/second"), []byte("v"), time.Second))
	must(db.Expire([]byte("ttl/hash"), 2*time.Hour), db.Expire([]byte("set"), 24*time.Hour))
	flush()
	must(db.DeleteRange(Range{[]byte("plain/100"), []byte("plain/150")}))
	_, err := db.Key("hash/dropped").Drop()
	must(err)
	_, err = db.Hash("hash").Set("field003", []byte("changed"))
	must(err)
	flush()
	clock.advance(time.Minute)
	must(db.Put([]byte("in the log"), []byte("v")), db.Delete([]byte("plain/200")), db.DeleteRange(Range{[]byte("plain/210"), []byte("plain/220")}))
	_, err = db.List("list").PushFront([]byte("newest"))
	must(err)
}

// goldenCollections makes one of every type, small and of many elements.
func goldenCollections(db *DB) error {
	var errs []error
	note := func(_ any, err error) { errs = append(errs, err) }
	for _, h := range []string{"hash", "hash/dropped", "ttl/hash"} {
		for i := range 40 {
			note(db.Hash(h).Set(fmt.Sprintf("field%03d", i), fmt.Appendf(nil, "%d", i*i)))
		}
	}
	note(db.Hash("hash/one").Set("", nil))
	note(db.Set("set").Add("a", "b", "\x00", strings.Repeat("m", 300)))
	for i := range 60 {
		note(db.ZSet("zset").Add(fmt.Sprintf("member%02d", i*7%60), float64(i%13)-6.5))
		note(db.List("list").PushBack(fmt.Appendf(nil, "item %d", i)))
	}
	note(db.List("list").PushFront([]byte("front")))
	note(db.String("counter").Incr(41))
	note(db.String("counter").Incr(1))
	return errors.Join(errs...)
}

// write makes the golden store anew.
func (g *goldenStore) write(t *testing.T) {
	t.Helper()
	clock, dir := newHandClock(), t.TempDir()
	o := g.options(clock)
	db, err := Open(dir, &o)
	if err != nil {
		t.Fatal(err)
	}
	g.fill(t, db, clock)
	if err := db.Check(background); err != nil {
		t.Fatal(err)
	}
	text := pictureOf(t, db)
	db.keepStep()
	if g.killed {
		g.keep(t, dir)
	}
	mustClose(t, db)
	if !g.killed {
		g.keep(t, dir)
	}
	if err := os.WriteFile(g.dir+".txt", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// keep copies the files of dir, without the space that logs have reserved.
func (g *goldenStore) keep(t *testing.T, dir string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(g.dir), os.MkdirAll(g.dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(dir, name.Name()))
		if err != nil {
			t.Fatal(err)
		}
		switch kind, _ := base.ParseFilename(name.Name()); kind {
		case base.FileLog:
			used := len(bytes.TrimRight(content, "\x00"))
			if used == 0 {
				continue
			}
			content = content[:min(used+64, len(content))] // the last frame may end in zeros
		case base.FileLock:
			content = nil // the process that held it
		}
		if err := os.WriteFile(filepath.Join(g.dir, name.Name()), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// pictureOf is everything the store shows, a line a key; long ones are hashed.
func pictureOf(t testing.TB, db *DB) string {
	t.Helper()
	got, err := readAll(db)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, line := range got.lines {
		if len(line) > 1000 {
			line = fmt.Sprintf("%s… %d bytes, %x", line[:100], len(line), hashParts(line))
		}
		fmt.Fprintln(&b, line)
	}
	for _, name := range []string{"zset", "list"} {
		fmt.Fprintf(&b, "%s in order: %s\n", name, orderOf(t, db, name))
	}
	return b.String()
}

// orderOf is a collection in the order it is looped over in.
func orderOf(t testing.TB, db *DB, name string) string {
	t.Helper()
	var parts []string
	if name == "list" {
		for v, err := range db.List(name).Range(0, -1) {
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, string(v))
		}
	} else {
		for m, err := range db.ZSet(name).Range(typed.ByRank(0, -1)) {
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, fmt.Sprintf("%s=%v", m.Name, m.Score))
		}
	}
	return strings.Join(parts, " ")
}

func TestGoldenStoresOpen(t *testing.T) {
	for i := range goldenStores {
		g := &goldenStores[i]
		t.Run(filepath.Base(g.dir), func(t *testing.T) {
			if updateGolden() {
				g.write(t)
			}
			want, err := os.ReadFile(g.dir + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			copyFiles(t, g.dir, dir)
			before := tree(t, dir)
			clock := newHandClock()
			clock.advance(time.Minute)
			o := g.options(clock)
			o.ReadOnly = true
			g.compare(t, dir, o, string(want))
			if tree(t, dir) != before {
				t.Error("reading changed the store")
			}
			o.ReadOnly = false
			for range 2 {
				g.compare(t, dir, o, string(want))
			}
		})
	}
}

// compare opens a copy and compares; one that may be written to is merged and
// compared again.
func (g *goldenStore) compare(t *testing.T, dir string, o Options, want string) {
	t.Helper()
	db, err := Open(dir, &o)
	if err != nil {
		t.Fatal(err)
	}
	look := func(when string) {
		t.Helper()
		if got := pictureOf(t, db); got != want {
			t.Errorf("%s it shows\n%s", when, firstDifference(got, want))
		}
		if err := db.Check(background); err != nil {
			t.Error(err)
		}
	}
	look("opened")
	if !o.ReadOnly {
		if err := errors.Join(db.Compact(background, Range{}), db.step()); err != nil {
			t.Fatal(err)
		}
		look("merged")
	}
	mustClose(t, db)
}

// firstDifference is the first line in which two texts differ.
func firstDifference(got, want string) string {
	wants := strings.Split(want, "\n")
	for i, line := range strings.Split(got, "\n") {
		if i >= len(wants) || line != wants[i] {
			return fmt.Sprintf("line %d: %.300s\nwant: %.300s", i+1, line, append(wants, "")[min(i, len(wants))])
		}
	}
	return "too few lines"
}

func TestAStoreOfALaterFormatIsRefusedAndLeftAlone(t *testing.T) {
	dir := t.TempDir()
	copyFiles(t, goldenStores[0].dir, dir)
	names, err := filepath.Glob(dir + "/MANIFEST-*")
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	content, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	// Versions and checksum keep their places in all formats.
	binary.LittleEndian.PutUint32(content[8:], manifest.FormatVersion+2)
	binary.LittleEndian.PutUint32(content[12:], manifest.FormatVersion+1)
	binary.LittleEndian.PutUint64(content[120:], xxhash.Sum64(content[:120]))
	if err := os.WriteFile(names[0], content, 0o600); err != nil {
		t.Fatal(err)
	}
	before := storeImage(t, vfs.OS, dir)
	for _, o := range []*Options{nil, {ReadOnly: true}} {
		_, err := Open(dir, o)
		needs, known := fmt.Sprintf("reads format %d", manifest.FormatVersion+1), fmt.Sprintf("up to %d", manifest.FormatVersion)
		if !errors.Is(err, ErrFormatTooNew) || errors.Is(err, ErrCorruption) || !strings.Contains(err.Error(), needs) || !strings.Contains(err.Error(), known) {
			t.Errorf("Open: %v\nwant it to say %q and %q", err, needs, known)
		}
	}
	if storeImage(t, vfs.OS, dir) != before {
		t.Error("refused, the store has changed")
	}
}

func TestGoldenStoresHoldWhatTheyAreFor(t *testing.T) {
	size := int64(0)
	for _, g := range goldenStores {
		names, err := os.ReadDir(g.dir)
		if err != nil {
			t.Fatal(err)
		}
		logs := 0
		for _, name := range names {
			info, err := name.Info()
			if err != nil {
				t.Fatal(err)
			}
			size += info.Size()
			if kind, _ := base.ParseFilename(name.Name()); kind == base.FileLog {
				logs++
			}
		}
		s, _, err := manifest.Load(vfs.OS, g.dir)
		if err != nil {
			t.Fatal(err)
		}
		var ranges, deletes, expiring, meta uint64
		for _, table := range s.Version.AllTables() {
			ranges, deletes = ranges+table.RangeDeletes, deletes+table.Deletes
			expiring, meta = expiring+table.Expiring, meta+table.MetaRows
		}
		if len(s.Version.Runs) < 3 || ranges == 0 || deletes == 0 || expiring == 0 || meta == 0 || (logs > 0) != g.killed || s.Clean == g.killed {
			t.Errorf("%s: %d runs, %d range tombstones, %d tombstones, %d expiring, %d collections, %d logs, clean %v",
				g.dir, len(s.Version.Runs), ranges, deletes, expiring, meta, logs, s.Clean)
		}
	}
	if size > 200<<10 {
		t.Errorf("the golden stores take %d bytes", size)
	}
}
