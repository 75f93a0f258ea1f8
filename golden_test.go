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
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

// goldenStores are stores of every format version, kept as files: whatever is
// changed later, they open and show what stands beside them. They are never
// rewritten once a version with them has been released; a new format gets a
// directory of its own, and this list a line. So -update leaves them alone. To
// write one of the version being developed anew:
//
//	go test . -run TestGoldenStoresOpen -golden-store format2-s2
var goldenStores = []goldenStore{
	{dir: "testdata/stores/format1-s2", compression: S2Compression, killed: true, counted: 2200},
	{dir: "testdata/stores/format1-zstd", compression: ZstdCompression, counted: 300},
	{dir: "testdata/stores/format2-s2", compression: S2Compression, counted: 300}, // values in pages
}

type goldenStore struct {
	dir         string
	compression Compression
	killed      bool // else closed
	counted     int  // members of a sorted set with a counted order; over 2048 it has pages above pages
}

var writeStore = flag.String("golden-store", "", "write the golden store of this name anew")

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
	flush := func() { must(db.Flush(bg)) }
	for i := range 300 {
		must(db.Put(fmt.Appendf(nil, "plain/%03d", i), fmt.Appendf(nil, "value %d %s", i, strings.Repeat("ab", i%40))))
	}
	must(db.Put([]byte("plain"), nil), db.Put([]byte{0}, []byte("key of one zero")), db.Put([]byte{0xFF, 0xFF}, []byte("key of ones")))
	must(db.Put(bytes.Repeat([]byte("k"), 3000), []byte("long key")), db.Put([]byte("long value"), bytes.Repeat([]byte("v"), 70_000)))
	must(goldenInline(db))
	typedtest.InRows(t)
	must(goldenCollections(db), g.rows(db), goldenKeyspaces(db))
	flush()
	must(db.Compact(bg, Range{}))
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
	must(err, db.DropKeyspace("dropped"))
	_, err = db.ZSet("zset/counted").Add("late", 100.5)
	must(err)
	_, err = db.List("list/gaps").InsertAfter([]byte("item 3"), []byte("late"))
	must(err)
	flush()
	clock.advance(time.Minute)
	must(db.Put([]byte("in the log"), []byte("v")), db.Delete([]byte("plain/200")), db.DeleteRange(Range{[]byte("plain/210"), []byte("plain/220")}))
	_, err = db.List("list").PushFront([]byte("newest"))
	must(err)
	ks, err := db.CreateKeyspace("in the log")
	must(err)
	must(ks.Put([]byte("k"), []byte("v")))
	_, err = ks.Hash("h").SetTTL("f", []byte("v"), time.Hour)
	must(err)
}

// rows makes elements with deadlines, of which one is over when the store is opened
// and one is not, a sorted set with a counted order, and a list with gaps.
func (g *goldenStore) rows(db *DB) error {
	var errs []error
	note := func(_ any, err error) { errs = append(errs, err) }
	note(db.Hash("hash/volatile").Set("stays", []byte("v")))
	for name, ttl := range map[string]time.Duration{"due": time.Second, "not due": time.Hour} {
		note(db.Hash("hash/volatile").SetTTL(name, []byte("v"), ttl))
		note(db.Set("set/volatile").AddTTL(ttl, name))
		note(db.ZSet("zset/volatile").AddTTL(ttl, typed.Member{Name: name, Score: -1.5}))
	}
	note(db.Set("set/all due").AddTTL(time.Second, "a", "b"))
	var members []typed.Member
	for i := range g.counted {
		members = append(members, typed.Member{Name: fmt.Sprint(i), Score: float64(i)})
	}
	note(db.ZSet("zset/counted").AddMany(0, members[:280]...))
	note(db.ZSet("zset/counted").AddMany(0, members[280:]...))
	for i := range 8 {
		item := fmt.Appendf(nil, "item %d", i)
		note(db.List("list/gaps").PushBack(item))
		note(db.List("list/gaps").InsertBefore(item, fmt.Appendf(nil, "before %d", i)))
	}
	return errors.Join(errs...)
}

// goldenKeyspaces makes a keyspace that stays and one to be dropped.
func goldenKeyspaces(db *DB) error {
	var errs []error
	note := func(_ any, err error) { errs = append(errs, err) }
	for _, name := range []string{"dropped", "kept"} {
		ks, err := db.CreateKeyspace(name)
		if err != nil {
			return err
		}
		for i := range 20 {
			errs = append(errs, ks.Put(fmt.Appendf(nil, "plain/%03d", i), fmt.Appendf(nil, "of %s", name)))
			note(ks.Hash("hash").Set(fmt.Sprintf("field%03d", i), []byte(name)))
			note(ks.ZSet("zset").Add(fmt.Sprintf("member%02d", i), float64(-i)))
			note(ks.List("list").PushBack(fmt.Appendf(nil, "item %d", i)))
		}
		note(ks.Hash("hash").SetTTL("not due", []byte("v"), time.Hour))
		note(ks.Set("set").AddTTL(time.Second, "due"))
		note(ks.Set("set").Add("stays"))
		errs = append(errs, ks.Expire([]byte("list"), time.Hour))
	}
	return errors.Join(errs...)
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

// goldenInline makes a collection of each type that lies in its metadata.
func goldenInline(db *DB) error {
	_, herr := db.Hash("inline/hash").SetMany(typed.Field{Name: "a", Value: []byte("1")}, typed.Field{Name: "b", Value: nil})
	_, serr := db.Set("inline/set").Add("x", "y", "")
	_, zerr := db.ZSet("inline/zset").AddMany(0, typed.Member{Name: "low", Score: -1.5}, typed.Member{Name: "high", Score: 2})
	_, lerr := db.List("inline/list").PushBack([]byte("first"), nil, []byte("last"))
	return errors.Join(herr, serr, zerr, lerr, db.Expire([]byte("inline/set"), 24*time.Hour))
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
	if err := db.Check(bg); err != nil {
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
		case base.FileBallast:
			continue // it says nothing
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
		if strings.HasSuffix(line, ": map[]") {
			continue // its elements are all due: it is there until the reaper comes
		}
		if len(line) > 1000 {
			line = fmt.Sprintf("%s… %d bytes, %x", line[:100], len(line), hashParts(line))
		}
		fmt.Fprintln(&b, line)
	}
	for _, name := range []string{"zset", "list", "list/gaps"} {
		fmt.Fprintf(&b, "%s in order: %s\n", name, orderOf(t, db, name))
	}
	for _, member := range []string{"0", "7", "100", "late", "101", "299"} {
		rank, err := db.ZSet("zset/counted").Rank(member)
		fmt.Fprintf(&b, "member %s of zset/counted: rank %d, %v\n", member, rank, err)
	}
	for _, name := range []string{"stays", "due", "not due"} {
		h, herr := db.Hash("hash/volatile").FieldDeadline(name)
		s, serr := db.Set("set/volatile").MemberDeadline(name)
		z, zerr := db.ZSet("zset/volatile").MemberDeadline(name)
		fmt.Fprintf(&b, "%s: deadlines %d %v, %d %v, %d %v\n", name, h.UnixMilli(), herr, s.UnixMilli(), serr, z.UnixMilli(), zerr)
	}
	return b.String()
}

// orderOf is a collection in the order it is looped over in.
func orderOf(t testing.TB, db *DB, name string) string {
	t.Helper()
	var parts []string
	if strings.HasPrefix(name, "list") {
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
	if *writeStore == "" { // filling one changes what is the package's
		t.Parallel()
	}
	for i := range goldenStores {
		g := &goldenStores[i]
		t.Run(filepath.Base(g.dir), func(t *testing.T) {
			if filepath.Base(g.dir) == *writeStore {
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
			for range tier(1, 2, 2) {
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
		if err := db.Check(bg); err != nil {
			t.Error(err)
		}
	}
	look("opened")
	if !o.ReadOnly {
		if err := errors.Join(db.Compact(bg, Range{}), db.step()); err != nil {
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

// Every kind of row that this version writes.
func TestGoldenStoresHoldRowsOfEveryKind(t *testing.T) {
	for _, g := range goldenStores {
		dir := t.TempDir()
		copyFiles(t, g.dir, dir)
		clock := newHandClock()
		clock.advance(time.Minute)
		o := g.options(clock)
		o.ReadOnly = true
		db, err := Open(dir, &o)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := liveRows(db)
		if err != nil {
			t.Fatal(err)
		}
		kinds := map[string]int{}
		for _, r := range rows {
			space := fmt.Sprintf("space %d", r.Key[0])
			if at, _, ok := keyenc.ParseTimerRow(r.Key); ok {
				space = fmt.Sprintf("timer, due %v", at <= db.clock.Now())
			}
			prefix, rest, _ := keyenc.KeyspaceOf(r.Key)
			typ := record.Type(r.Attr.Type())
			if _, tag, _, ok := keyenc.ParseCollectionRow(rest); ok {
				space = fmt.Sprintf("named %v, tag %d", len(prefix) > 0, tag)
				if tag == keyenc.TagBucket && rest[10] > 1 {
					space += ", upper level"
				}
				if deadline, _, ok := record.CutDeadline(r.Value); ok && typ == record.TypeVolatile {
					space += fmt.Sprintf(", due %v", deadline <= db.clock.Now())
				}
			} else if len(rest) > 0 {
				space = fmt.Sprintf("named %v, %v", len(prefix) > 0, typ)
				switch m, err := record.DecodeMeta(r.Value); {
				case err != nil || !typ.IsCollection():
				case m.Encoding == record.EncodingInline:
					space += ", inline"
				case typ == record.TypeList:
					space += fmt.Sprintf(", gaps %d", m.Body[16])
				}
			}
			kinds[space]++
		}
		for _, want := range goldenKinds {
			if kinds[want] == 0 && (g.counted > 2048 || !strings.Contains(want, "upper")) {
				t.Errorf("%s holds no row of %q, but %v", g.dir, want, kinds)
			}
		}
		mustClose(t, db)
	}
}

var goldenKinds = []string{
	"space 0", "timer, due false", "timer, due true",
	"named false, string", "named false, hash", "named false, set", "named false, zset", "named false, list, gaps 0", "named false, list, gaps 1",
	"named false, hash, inline", "named false, set, inline", "named false, zset, inline", "named false, list, inline",
	"named true, string", "named true, hash", "named true, set", "named true, zset", "named true, list, gaps 0",
	"named false, tag 1", "named false, tag 2", "named false, tag 3", "named false, tag 4", "named false, tag 4, upper level", "named false, tag 5", "named false, tag 6",
	"named false, tag 2, due false", "named false, tag 2, due true", "named false, tag 3, due false", "named false, tag 3, due true",
	"named true, tag 1", "named true, tag 2", "named true, tag 2, due true", "named true, tag 3", "named true, tag 5", "named true, tag 6",
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
	if size > 320<<10 {
		t.Errorf("the golden stores take %d bytes", size)
	}
}
