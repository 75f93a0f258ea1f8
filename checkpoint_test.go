package siltstone

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

var bg = context.Background()

// numbered makes commit number n: a function of n alone turns the state after
// n-1 into the state after n.
func numbered(tx *Tx, n int) error {
	if err := tx.Put([]byte("commit"), strconv.AppendInt(nil, int64(n), 10)); err != nil {
		return err
	}
	if err := tx.Put(fmt.Appendf(nil, "k/%08d", n), fmt.Appendf(nil, "%d %s", n, strings.Repeat("x", n%300))); err != nil {
		return err
	}
	if _, err := tx.Hash("h").Set(fmt.Sprint("f", n%50), []byte(strconv.Itoa(n))); err != nil {
		return err
	}
	return tx.Delete(fmt.Appendf(nil, "k/%08d", n-60))
}

// checkNumbered returns the number of the commit after which the store is as it
// is; it fails if there is no such one.
func checkNumbered(t testing.TB, db *DB) int {
	t.Helper()
	v, err := db.Get([]byte("commit"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(string(v))
	if err != nil {
		t.Fatal(err)
	}
	next := max(1, n-59)
	for kv, err := range db.Scan(Prefix([]byte("k/"))) {
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("%d %s", next, strings.Repeat("x", next%300))
		if string(kv.Key) != fmt.Sprintf("k/%08d", next) || string(kv.Value) != want {
			t.Fatalf("after commit %d: %s is %q, want that of %d", n, kv.Key, kv.Value, next)
		}
		next++
	}
	if next != n+1 {
		t.Fatalf("commit says %d, and the newest of its keys is of %d", n, next-1)
	}
	fields := 0
	for f, err := range db.Hash("h").All() {
		if err != nil {
			t.Fatal(err)
		}
		var i int
		if _, err := fmt.Sscanf(f.Name, "f%d", &i); err != nil {
			t.Fatal(err)
		}
		if want := n - (n-i+50)%50; string(f.Value) != strconv.Itoa(want) {
			t.Fatalf("after commit %d: field %d is %s, want %d", n, i, f.Value, want)
		}
		fields++
	}
	if fields != min(n, 50) {
		t.Fatalf("after commit %d: %d fields", n, fields)
	}
	if err := db.Check(bg); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFiftyCheckpointsUnderTwoWritersEachHoldTheStateAfterOneCommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := killedOptions()
	o.Durability = BufferedDurability
	db, err := Open(dir+"/db", o)
	if err != nil {
		t.Fatal(err)
	}
	var done atomic.Int64
	commit := func() error {
		n := 0
		err := db.Update(bg, func(tx *Tx) error {
			n = 1
			if v, err := tx.Get([]byte("commit")); err == nil {
				n, _ = strconv.Atoi(string(v))
				n++
			} else if err != ErrNotFound {
				return err
			}
			return numbered(tx, n)
		})
		for old := done.Load(); err == nil && int64(n) > old && !done.CompareAndSwap(old, int64(n)); old = done.Load() {
		}
		return err
	}
	if err := commit(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(bg)
	var writers sync.WaitGroup
	defer writers.Wait() // also after a failure, whose message would be lost
	defer stop()
	for range 2 {
		writers.Go(func() {
			for ctx.Err() == nil {
				if err := commit(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	linked, copies := 0, tier(4, 50, 50)
	for i := range copies {
		target := fmt.Sprintf("%s/copy%02d", dir, i)
		lo := done.Load()
		if err := db.Checkpoint(bg, target); err != nil {
			t.Fatal(err)
		}
		hi := done.Load() + 2
		tables, err := filepath.Glob(target + "/*.sst")
		if err != nil || len(tables) == 0 {
			t.Fatal(tables, err)
		}
		linked += checkLinks(t, tables, dir+"/db")
		if logs, _ := filepath.Glob(target + "/*.wal"); len(logs) > 0 {
			t.Fatalf("the copy has logs: %v", logs)
		}
		again, err := Open(target, o)
		if err != nil {
			t.Fatal(err)
		}
		if n := int64(checkNumbered(t, again)); n < lo || n > hi {
			t.Fatalf("copy %d holds the state after commit %d; before the call it was %d, after it at most %d", i, n, lo, hi)
		}
		mustClose(t, again)
	}
	stop()
	writers.Wait()
	if linked == 0 {
		t.Error("no table had two names: nothing was shown")
	}
	n := checkNumbered(t, db)
	mustClose(t, db)
	t.Logf("checkpoint: copies=%d commits=%d tables with two names=%d", copies, n, linked)
}

// checkLinks looks that each table of the copy has a second name or more: the
// parent's, unless it has merged the table away by now, and other copies'.
func checkLinks(t testing.TB, tables []string, parent string) (linked int) {
	t.Helper()
	for _, name := range tables {
		ours, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := os.Stat(filepath.Join(parent, filepath.Base(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil || !os.SameFile(ours, theirs) {
			t.Fatalf("%s is no second name of its parent's: %v", name, err)
		}
		linked++
	}
	return linked
}

// copyable is a store with tables, a range tombstone, a collection, a time to
// live and something in its log.
func copyable(t testing.TB, f vfs.FS, clock *handClock) *DB {
	t.Helper()
	db := mustOpen(t, f, clock)
	for n := 1; n <= 70; n++ {
		if err := db.Update(bg, func(tx *Tx) error { return numbered(tx, n) }); err != nil {
			t.Fatal(err)
		}
		if n%30 == 0 {
			if err := db.Flush(bg); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := db.DeleteRange(Range{[]byte("x"), []byte("y")}); err != nil {
		t.Fatal(err)
	}
	return db
}

// openCopy opens the checkpoint "copy" in f.
func openCopy(t testing.TB, f vfs.FS, clock *handClock) *DB {
	t.Helper()
	o := denseOptions(f, clock)
	o.MustExist = true
	db, err := Open("copy", &o)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestACheckpointNeverTouchesWhatIsThere(t *testing.T) {
	disk := vfstest.NewDisk(1)
	db := copyable(t, disk, newHandClock())
	if err := db.Checkpoint(bg, "copy"); err != nil {
		t.Fatal(err)
	}
	for _, make := range []func() error{
		func() error { return nil }, // the copy of just now
		func() error { return disk.MkdirAll("empty") },
		func() error {
			f, err := disk.Create("file")
			return errors.Join(err, f.Close())
		},
	} {
		if err := make(); err != nil {
			t.Fatal(err)
		}
	}
	before := disk.Hash()
	for _, target := range []string{"copy", "empty", "file", "db"} {
		if err := db.Checkpoint(bg, target); !errors.Is(err, fs.ErrExist) {
			t.Errorf("checkpoint to %s: %v", target, err)
		}
	}
	if disk.Hash() != before {
		t.Error("a refused checkpoint changed something")
	}
	mustClose(t, db)
}

// unlinkable is a file system without links.
type unlinkable struct{ vfs.FS }

func (unlinkable) Link(string, string) error { return vfs.ErrNoLink }

func TestWithoutLinksACheckpointCopies(t *testing.T) {
	disk := vfstest.NewDisk(1)
	db := copyable(t, unlinkable{disk}, newHandClock())
	if err := db.Checkpoint(bg, "a/b/copy"); err != nil {
		t.Fatal(err)
	}
	o := denseOptions(disk, newHandClock())
	again, err := Open("a/b/copy", &o)
	if err != nil {
		t.Fatal(err)
	}
	if n := checkNumbered(t, again); n != 70 {
		t.Errorf("the copy holds the state after commit %d", n)
	}
	mustClose(t, again)

	name := filesLike(t, disk, ".sst")[0]
	flip(t, disk, "db/"+name, 20)
	err = db.Checkpoint(bg, "copy")
	if !errors.Is(err, ErrCorruption) || !strings.Contains(err.Error(), name) {
		t.Errorf("a damaged table is copied: %v", err)
	}
	if names, err := disk.List("."); err != nil || len(names) != 2 {
		t.Errorf("left behind: %v, %v", names, err)
	}
	mustClose(t, db)
}

// flip changes one bit of a file.
func flip(t testing.TB, f vfs.FS, name string, at int64) {
	t.Helper()
	content := contentOf(t, f, name)
	content[at] ^= 1
	replace(t, f, name, content)
}

func contentOf(t testing.TB, f vfs.FS, name string) []byte {
	t.Helper()
	file, err := f.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, st.Size())
	if n, err := file.ReadAt(b, 0); n < len(b) {
		t.Fatal(err)
	}
	return b
}

// replace puts content in the place of a file.
func replace(t testing.TB, f vfs.FS, name string, content []byte) {
	t.Helper()
	if err := f.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	file, err := f.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestParentAndCopyLiveOnIndependently(t *testing.T) {
	typedtest.InRows(t)
	disk, clock := vfstest.NewDisk(5), newHandClock()
	db := copyable(t, disk, clock)
	if err := db.PutTTL([]byte("brief"), []byte("v"), time.Second); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Hash("dead").SetMany(manyFields(50)...); err != nil {
		t.Fatal(err)
	}
	if err := db.Flush(bg); err != nil {
		t.Fatal(err)
	}
	if err := db.Delete([]byte("dead")); err != nil { // its elements wait for the reaper
		t.Fatal(err)
	}
	if err := db.Compact(bg, Range{}); err != nil { // which meets the dead collection
		t.Fatal(err)
	}
	early := clock.copy()
	clock.advance(time.Minute)
	if err := db.Checkpoint(bg, "copy"); err != nil {
		t.Fatal(err)
	}
	parent := db.set.State()
	again := openCopy(t, disk, early)
	child := again.set.State()
	if child.Parent != parent.DBID || child.DBID == parent.DBID || child.DBID == 0 {
		t.Errorf("ids: the copy is %x of %x, the parent %x", child.DBID, child.Parent, parent.DBID)
	}
	if len(parent.Nominated) == 0 || !slices.Equal(child.Nominated, parent.Nominated) {
		t.Errorf("nominated: %v, the parent's %v", child.Nominated, parent.Nominated)
	}
	if child.FileLimit < parent.FileLimit || child.IDLimit < parent.IDLimit {
		t.Errorf("limits of the copy %d %d, of the parent %d %d", child.FileLimit, child.IDLimit, parent.FileLimit, parent.IDLimit)
	}
	if _, err := again.Get([]byte("brief")); err != ErrNotFound {
		t.Errorf("what had expired is back on a clock that is behind: %v", err)
	}
	id, err := again.set.NewID()
	if err != nil || id < parent.IDLimit {
		t.Errorf("the copy hands out collection %d, the parent may have used ids below %d: %v", id, parent.IDLimit, err)
	}
	for n := 71; n <= 140; n++ {
		if err := db.Update(bg, func(tx *Tx) error { return numbered(tx, n) }); err != nil {
			t.Fatal(err)
		}
	}
	for n := 71; n <= 100; n++ {
		if err := again.Update(bg, func(tx *Tx) error { return numbered(tx, n) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []*DB{db, again} {
		if err := s.Compact(bg, Range{}); err != nil {
			t.Fatal(err)
		}
		if err := s.step(); err != nil {
			t.Fatal(err)
		}
	}
	if n := checkNumbered(t, db); n != 140 {
		t.Errorf("the parent is at commit %d", n)
	}
	if n := checkNumbered(t, again); n != 100 {
		t.Errorf("the copy is at commit %d", n)
	}
	mustClose(t, db)
	mustClose(t, again)
}

func TestACheckpointOfAReadOnlyStoreHoldsItsLogs(t *testing.T) {
	disk, clock := vfstest.NewDisk(6), newHandClock()
	db := copyable(t, disk, clock)
	killed := disk.Image(vfstest.P0, nil)
	mustClose(t, db)
	o := denseOptions(killed, clock)
	o.ReadOnly = true
	read, err := Open("db", &o)
	if err != nil {
		t.Fatal(err)
	}
	if len(read.states.Current.Load().Imms) == 0 {
		t.Fatal("nothing was replayed: nothing is shown")
	}
	before := storeImage(t, killed, "db")
	if err := read.Checkpoint(bg, "copy"); err != nil {
		t.Fatal(err)
	}
	mustClose(t, read)
	if after := storeImage(t, killed, "db"); after != before {
		t.Error("the store that was only to be read has changed")
	}
	again := openCopy(t, killed, clock)
	if n := checkNumbered(t, again); n != 70 {
		t.Errorf("the copy holds the state after commit %d", n)
	}
	mustClose(t, again)
}

// storeImage is the names and contents of a directory.
func storeImage(t testing.TB, f vfs.FS, dir string) string {
	t.Helper()
	names, err := f.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "%s %x\n", name, contentOf(t, f, dir+"/"+name))
	}
	return b.String()
}

func TestCloseEndsACheckpointAndWaitsForIt(t *testing.T) {
	disk := vfstest.NewDisk(8)
	db := copyable(t, disk, newHandClock())
	var closing sync.WaitGroup
	var once sync.Once
	disk.OnOp(func(op vfstest.Op) {
		if op.Kind == vfstest.Link {
			once.Do(func() {
				closing.Go(func() {
					if err := db.Close(); err != nil {
						t.Error(err)
					}
				})
				<-db.life.Context().Done()
			})
		}
	})
	err := db.Checkpoint(bg, "copy")
	if !errors.Is(err, ErrClosed) {
		t.Errorf("checkpoint while the store is closed: %v", err)
	}
	closing.Wait()
	disk.OnOp(nil)
	if names, err := disk.List("."); err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

func TestACheckpointOfKeyspacesLeavesTheTablesOfOthersOutUnread(t *testing.T) {
	disk, clock := vfs.NewMem(), newHandClock()
	db := mustOpen(t, disk, clock)
	for _, name := range []string{"a", "big", "c"} {
		ks, err := db.CreateKeyspace(name)
		for i := range map[string]int{"a": 1, "big": 2000, "c": 1}[name] {
			err = errors.Join(err, ks.Put(fmt.Appendf(nil, "%05d", i), fmt.Appendf(nil, "%0100d", i)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(db.Compact(bg, Range{}), db.CheckpointKeyspaces(bg, "copy", "a", "c")); err != nil {
		t.Fatal(err)
	}
	only := openCopy(t, disk, clock)
	tables, left := len(db.states.Version().AllTables()), len(only.states.Version().AllTables())
	if tables < 10 || left > 3 { // one on each side, and that of the drop
		t.Errorf("%d tables of %d are left", left, tables)
	}
	if err := only.Check(bg); err != nil {
		t.Error(err)
	}
	mustClose(t, only)
	mustClose(t, db)
}
