package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/archive"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/vfs"
)

var bg = context.Background()

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wall is the clock of the stores.
var wall = time.UnixMilli(1_800_000_000_000)

func open(t testing.TB, f vfs.FS, dir string, change ...func(*siltstone.Options)) *siltstone.DB {
	t.Helper()
	o := &siltstone.Options{
		FS: f, MemoryLimit: 8 << 20, MemtableBytes: 64 << 10, Durability: siltstone.OSDurability,
		Clock: func() time.Time { return wall },
	}
	for _, c := range change {
		c(o)
	}
	db, err := siltstone.Open(dir, o)
	must(t, err)
	return db
}

func readOnly(o *siltstone.Options) { o.ReadOnly = true }
func beside(o *siltstone.Options)   { o.ReadOnly, o.Beside = true, true }

// backupOf returns a backup of the store, since another one if that is given.
func backupOf(t testing.TB, db *siltstone.DB, since ...archive.Mark) ([]byte, archive.Summary) {
	t.Helper()
	o := &siltstone.BackupOptions{}
	if len(since) > 0 {
		o.Since = since[0]
	}
	var b bytes.Buffer
	sum, err := db.Backup(bg, &b, o)
	must(t, err)
	if sum.Bytes != int64(b.Len()) {
		t.Fatalf("%v: %d bytes were written", sum, b.Len())
	}
	return b.Bytes(), sum
}

func readers(streams ...[]byte) []io.Reader {
	all := make([]io.Reader, len(streams))
	for i, s := range streams {
		all[i] = bytes.NewReader(s)
	}
	return all
}

// restored makes a store of backups and opens it.
func restored(t testing.TB, f vfs.FS, dir string, streams ...[]byte) *siltstone.DB {
	t.Helper()
	verified, err := siltstone.VerifyBackup(bg, readers(streams...)...)
	must(t, err)
	sum, err := siltstone.Restore(bg, dir, &siltstone.Options{FS: f}, readers(streams...)...)
	must(t, err)
	if sum.String() != verified.String() {
		t.Errorf("verified %v, restored %v", verified, sum)
	}
	db := open(t, f, dir, func(o *siltstone.Options) { o.MustExist = true })
	must(t, db.Check(bg))
	return db
}

// image is all that a store holds, keyspace by keyspace.
func image(t *testing.T, db *siltstone.DB) string {
	t.Helper()
	names, err := db.Keyspaces()
	must(t, err)
	all := typedtest.Image(t, db)
	for _, name := range names {
		ks, err := db.Keyspace(name)
		must(t, err)
		all += fmt.Sprintf("keyspace %q\n%s", name, typedtest.Image(t, ks))
	}
	return all
}

// fill puts values of all types into two keyspaces, with times to live, then deletes some.
func fill(t *testing.T, db *siltstone.DB) {
	t.Helper()
	must(t, typedtest.Populate(db))
	for _, name := range []string{"tenant", "\xff\x00odd"} {
		ks, err := db.CreateKeyspace(name)
		must(t, err)
		must(t, typedtest.Populate(ks))
		must(t, ks.PutTTL([]byte("brief"), []byte(name), time.Hour))
	}
	for i := range 3000 {
		must(t, db.Put(fmt.Appendf(nil, "key%05d", i), bytes.Repeat([]byte{byte(i)}, i%300)))
		_, err := db.Hash("large").Set(fmt.Sprint("f", i), []byte("v"))
		must(t, err)
	}
	must(t, db.DeleteRange(siltstone.Range{Lower: []byte("key01"), Upper: []byte("key02")}))
	_, err := db.Hash("large").ExpireFields(time.Hour, 0, "f7", "f8")
	must(t, err)
	must(t, db.Put([]byte("key00000"), []byte("last")))
}

func TestARestoredStoreHoldsAllThatTheStoreHeld(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	db := open(t, mem, "db")
	fill(t, db)
	want := image(t, db)
	stream, sum := backupOf(t, db)
	if sum.Since != 0 || sum.Tables == 0 || sum.Tables != len(sum.Mark.Tables) || !sum.Time.Equal(wall) {
		t.Errorf("%v", sum)
	}
	again := restored(t, mem, "a/b/again", stream)
	if got := image(t, again); got != want {
		t.Errorf("the restored store holds\n%.2000s\nwant\n%.2000s", got, want)
	}
	must(t, again.Put([]byte("after"), nil))
	_, err := again.Hash("new").Set("f", nil)
	must(t, err)
	must(t, errors.Join(again.Check(bg), again.Close(), db.Close()))
	// The restored store can be backed up in its turn, and is no continuation of its parent.
	again = open(t, mem, "a/b/again")
	var b bytes.Buffer
	if _, err := again.Backup(bg, &b, &siltstone.BackupOptions{Since: sum.Mark}); !errors.Is(err, siltstone.ErrBadOption) {
		t.Errorf("since a backup of another store: %v", err)
	}
	must(t, again.Close())
}

func TestABackupOfAnEmptyStoreIsAnEmptyStore(t *testing.T) {
	db := open(t, vfs.NewMem(), "db")
	stream, _ := backupOf(t, db)
	again := restored(t, vfs.NewMem(), "again", stream)
	if got := image(t, again); got != "" {
		t.Error(got)
	}
	must(t, errors.Join(again.Close(), db.Close()))
}

func TestIncrementsAddToTheBackupBeforeThem(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	db := open(t, mem, "db")
	var streams [][]byte
	var marks []archive.Mark
	var images []string
	take := func(since ...archive.Mark) archive.Summary {
		s, sum := backupOf(t, db, since...)
		streams, marks, images = append(streams, s), append(marks, sum.Mark), append(images, image(t, db))
		return sum
	}
	fill(t, db)
	must(t, db.Compact(bg, siltstone.Range{}))
	whole := take()
	must(t, db.Put([]byte("one"), []byte("more")))
	second := take(marks[0])
	if second.Bytes > whole.Bytes/4 || second.Tables != 1 || second.Since != marks[0].Backup {
		t.Errorf("one key more: %v, behind %v", second, whole)
	}
	third := take(marks[1]) // nothing is new
	if third.Tables != 0 {
		t.Errorf("nothing is new: %v", third)
	}
	must(t, db.DeleteRange(siltstone.Range{}))
	must(t, db.Compact(bg, siltstone.Range{})) // tables of before are in none of what follows
	must(t, db.Put([]byte("k"), []byte("v")))
	take(marks[2])
	for n := range streams {
		_, err := siltstone.Restore(bg, fmt.Sprint("files", n), &siltstone.Options{FS: mem}, readers(streams[:n+1]...)...)
		must(t, err)
		if files := tableFiles(t, mem, fmt.Sprint("files", n)); files != len(marks[n].Tables) {
			t.Errorf("after %d increments: %d files of tables, want %d", n, files, len(marks[n].Tables))
		}
		again := restored(t, mem, fmt.Sprint("again", n), streams[:n+1]...)
		if got := image(t, again); got != images[n] {
			t.Errorf("after %d increments: %.1000s, want %.1000s", n, got, images[n])
		}
		must(t, again.Close())
	}
	anybody := marks[0]
	anybody.Store = 0 // tables that the receiver has from anywhere
	if _, sum := backupOf(t, db, anybody); sum.Tables == 0 || sum.Since != anybody.Backup {
		t.Errorf("since tables of any store: %v", sum)
	}
	// An increment to the first one may stand in the place of those between.
	differing, _ := backupOf(t, db, marks[0])
	again := restored(t, mem, "direct", streams[0], differing)
	if got := image(t, again); got != images[3] {
		t.Errorf("directly since the first: %.1000s", got)
	}
	must(t, again.Close())
	if sum, err := siltstone.VerifyBackup(bg, bytes.NewReader(streams[1])); err != nil || sum.Since != marks[0].Backup {
		t.Errorf("an increment by itself: %v, %v", sum, err)
	}
	for name, wrong := range map[string][][]byte{
		"without the first": streams[1:2], "with a gap": {streams[0], streams[2]}, "twice": {streams[0], streams[0]},
		"out of order": {streams[0], streams[2], streams[1]},
	} {
		if _, err := siltstone.Restore(bg, "wrong", &siltstone.Options{FS: mem}, readers(wrong...)...); !errors.Is(err, siltstone.ErrBadOption) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, db.Close())
}

// tableFiles returns how many files of tables a directory has.
func tableFiles(t *testing.T, f vfs.FS, dir string) (n int) {
	t.Helper()
	names, err := f.List(dir)
	must(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") {
			n++
		}
	}
	return n
}

// Each increment of a store that is only read has another table of the same log: there are
// more of them than the store has reserved numbers.
func TestManyIncrementsAreRestored(t *testing.T) {
	mem := vfs.NewMem()
	db := open(t, mem, "db")
	must(t, db.Put([]byte("k"), []byte("v")))
	reader := open(t, mem, "db", beside)
	first, sum := backupOf(t, reader)
	streams := [][]byte{first}
	for range 200 {
		var s []byte
		s, sum = backupOf(t, reader, sum.Mark)
		streams = append(streams, s)
	}
	must(t, errors.Join(reader.Close(), db.Close()))
	again := restored(t, mem, "again", streams...)
	must(t, again.Put([]byte("after"), nil))
	must(t, again.Flush(bg))
	must(t, errors.Join(again.Check(bg), again.Close()))
}

func TestAMarkIsKeptAsBytes(t *testing.T) {
	db := open(t, vfs.NewMem(), "db")
	must(t, db.Put([]byte("k"), []byte("v")))
	_, sum := backupOf(t, db)
	b, err := sum.Mark.MarshalBinary()
	must(t, err)
	var m archive.Mark
	must(t, m.UnmarshalBinary(b))
	if stream, s := backupOf(t, db, m); s.Tables != 0 || len(stream) == 0 {
		t.Errorf("since the mark: %v", s)
	}
	for i := range b {
		wrong := bytes.Clone(b)
		wrong[i] ^= 4
		for _, wrong := range [][]byte{wrong, b[:i]} {
			if err := new(archive.Mark).UnmarshalBinary(wrong); !errors.Is(err, siltstone.ErrCorruption) {
				t.Fatalf("a mark that is damaged at %d: %v", i, err)
			}
		}
	}
	must(t, db.Close())
}

func TestAStoreThatIsOnlyReadIsBackedUpWithItsLogs(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	db := open(t, mem, "db")
	fill(t, db)
	whole, first := backupOf(t, db)
	must(t, db.Put([]byte("in the log"), []byte("v")))
	want := image(t, db)
	reader := open(t, mem, "db", beside)
	stream, sum := backupOf(t, reader)
	more, _ := backupOf(t, reader, first.Mark) // tables of one number, and of two contents
	must(t, reader.Close())
	must(t, db.Put([]byte("later"), []byte("v")))
	later := image(t, db)
	last, _ := backupOf(t, db, sum.Mark)
	for name, c := range map[string]struct {
		want    string
		streams [][]byte
	}{
		"beside": {want, [][]byte{stream}}, "increment": {want, [][]byte{whole, more}}, "followed": {later, [][]byte{stream, last}},
	} {
		again := restored(t, mem, name, c.streams...)
		if got := image(t, again); got != c.want {
			t.Errorf("%s: the restored store holds %.1000s", name, got)
		}
		must(t, again.Close())
	}
	must(t, db.Close())
	closed := open(t, mem, "db", readOnly)
	stream, _ = backupOf(t, closed)
	must(t, closed.Close())
	again := restored(t, mem, "closed", stream)
	if got := image(t, again); got != later {
		t.Errorf("of a store opened read-only: %.1000s", got)
	}
	must(t, again.Close())
}

func TestOneKeyspaceIsRestoredAlone(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	db := open(t, mem, "db")
	fill(t, db)
	ks, err := db.Keyspace("tenant")
	must(t, err)
	want := typedtest.Image(t, ks)
	stream, _ := backupOf(t, db)
	must(t, db.Close())
	o := &siltstone.Options{FS: mem, Clock: func() time.Time { return wall }}
	_, err = siltstone.RestoreKeyspace(bg, "one", "tenant", o, bytes.NewReader(stream))
	must(t, err)
	one := open(t, mem, "one")
	must(t, one.Check(bg))
	if names, err := one.Keyspaces(); len(names) != 1 || names[0] != "tenant" || err != nil {
		t.Errorf("%q, %v", names, err)
	}
	ks, err = one.Keyspace("tenant")
	must(t, err)
	if got := typedtest.Image(t, ks); got != want {
		t.Errorf("%.1000s, want %.1000s", got, want)
	}
	if got := typedtest.Image(t, one); got != "" {
		t.Errorf("the default keyspace holds %.1000s", got)
	}
	if most, size := int64(len(stream))/4, one.Metrics().Tables.Bytes; size > most {
		t.Errorf("tables take %d bytes, at most %d", size, most)
	}
	must(t, one.Close())
	if _, err := siltstone.RestoreKeyspace(bg, "none", "nobody", o, bytes.NewReader(stream)); !errors.Is(err, siltstone.ErrNotFound) {
		t.Errorf("a keyspace that is not there: %v", err)
	}
	if names, err := mem.List("."); err != nil || len(names) != 2 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

func TestRestoreNeverTouchesWhatIsThere(t *testing.T) {
	mem := vfs.NewMem()
	db := open(t, mem, "db")
	stream, _ := backupOf(t, db)
	if _, err := siltstone.Restore(bg, "db", &siltstone.Options{FS: mem}, bytes.NewReader(stream)); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	must(t, errors.Join(db.Check(bg), db.Close()))
}

// commit is commit n: it writes its number to several places.
func commit(db *siltstone.DB, ks *siltstone.Keyspace, n int) error {
	return db.Update(bg, func(tx *siltstone.Tx) error {
		value := []byte(strconv.Itoa(n))
		for _, err := range []error{
			tx.Put([]byte("n"), value),
			tx.Put(fmt.Appendf(nil, "k%04d", n%200), fmt.Appendf(nil, "%d %s", n, strings.Repeat("v", n%400))),
			tx.In(ks).Put([]byte("n"), value),
		} {
			if err != nil {
				return err
			}
		}
		if _, err := tx.Hash("h").Set(fmt.Sprint("f", n%100), value); err != nil {
			return err
		}
		_, err := tx.In(ks).ZSet("z").Add(fmt.Sprint("m", n%50), float64(n))
		return err
	})
}

// state returns the number of the commit whose state the store has.
func state(t *testing.T, db *siltstone.DB) int {
	t.Helper()
	v, err := db.Get([]byte("n"))
	must(t, err)
	n, err := strconv.Atoi(string(v))
	must(t, err)
	newest := func(i, of int) int { return n - (n-i+of)%of } // the last commit that wrote place i of so many
	for i := range 200 {
		v, err := db.Get(fmt.Appendf(nil, "k%04d", i))
		if want := newest(i, 200); want > 0 && (err != nil || !strings.HasPrefix(string(v), fmt.Sprint(want, " "))) {
			t.Fatalf("after commit %d: place %d is %.20q, want that of %d: %v", n, i, v, want, err)
		}
	}
	for i := range 100 {
		v, err := db.Hash("h").Get(fmt.Sprint("f", i))
		if want := newest(i, 100); want > 0 && (err != nil || string(v) != fmt.Sprint(want)) {
			t.Fatalf("after commit %d: field %d is %.20q, want %d: %v", n, i, v, want, err)
		}
	}
	ks, err := db.Keyspace("all")
	must(t, err)
	if v, err := ks.Get([]byte("n")); err != nil || string(v) != fmt.Sprint(n) {
		t.Fatalf("after commit %d: the keyspace says %q, %v", n, v, err)
	}
	for i := range 50 {
		s, err := ks.ZSet("z").Score(fmt.Sprint("m", i))
		if want := newest(i, 50); want > 0 && (err != nil || s != float64(want)) {
			t.Fatalf("after commit %d: member %d has %v, want %d: %v", n, i, s, want, err)
		}
	}
	return n
}

func TestEachBackupUnderAWriterHoldsTheStateAfterOneCommit(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	db := open(t, mem, "db")
	ks, err := db.CreateKeyspace("all")
	must(t, err)
	var done, stop atomic.Int64
	write := func() error {
		n := done.Load() + 1
		if err := commit(db, ks, int(n)); err != nil {
			return err
		}
		done.Store(n)
		return nil
	}
	must(t, write())
	ended := make(chan error, 1)
	go func() {
		for stop.Load() == 0 {
			if err := write(); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	rounds := 12
	if testing.Short() {
		rounds = 6
	}
	var chain [][]byte
	var mark archive.Mark
	for i := range rounds {
		if i%2 == 1 {
			must(t, db.Compact(bg, siltstone.Range{}))
		}
		if i == rounds/2 {
			chain, mark = nil, archive.Mark{}
		}
		lo := done.Load()
		stream, sum := backupOf(t, db, mark)
		hi := done.Load() + 1
		chain, mark = append(chain, stream), sum.Mark
		again := restored(t, vfs.NewMem(), "again", chain...)
		if n := int64(state(t, again)); n < lo || n > hi {
			t.Errorf("backup %d holds the state after commit %d, want one of %d to %d", i, n, lo, hi)
		}
		must(t, again.Close())
	}
	stop.Store(1)
	must(t, <-ended)
	must(t, db.Close())
}
