package beside_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

var bg = context.Background()

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open opens a store of little memory in "db".
func open(t testing.TB, f vfs.FS, change ...func(*siltstone.Options)) *siltstone.DB {
	t.Helper()
	db, err := siltstone.Open("db", options(f, change...))
	must(t, err)
	return db
}

func options(f vfs.FS, change ...func(*siltstone.Options)) *siltstone.Options {
	o := &siltstone.Options{FS: f, MemoryLimit: 8 << 20, MemtableBytes: 64 << 10}
	for _, c := range change {
		c(o)
	}
	return o
}

func besides(o *siltstone.Options) { o.ReadOnly, o.Beside = true, true }

// reader opens a reader beside the writer of "db".
func reader(t testing.TB, f vfs.FS) *siltstone.DB {
	t.Helper()
	return open(t, f, besides)
}

// commit is commit n: it writes its number to several places, and drops and makes a
// keyspace now and then. A reader that finds parts of two commits shows it in state.
func commit(db *siltstone.DB, n int) error {
	ks, err := db.CreateKeyspace("all")
	if err != nil {
		return err
	}
	return db.Update(bg, func(tx *siltstone.Tx) error {
		value := []byte(strconv.Itoa(n))
		if err := tx.Put([]byte("n"), value); err != nil {
			return err
		}
		if err := tx.Put(fmt.Appendf(nil, "k%04d", n%200), fmt.Appendf(nil, "%d %s", n, strings.Repeat("v", n%400))); err != nil {
			return err
		}
		if n > 100 {
			if err := tx.Delete(fmt.Appendf(nil, "k%04d", (n-100)%200)); err != nil {
				return err
			}
		}
		if err := tx.In(ks).Put([]byte("n"), value); err != nil {
			return err
		}
		if _, err := tx.Hash("h").Set("n", value); err != nil {
			return err
		}
		if _, err := tx.Hash("h").Set(fmt.Sprint("f", n%100), value); err != nil {
			return err
		}
		_, err := tx.In(ks).ZSet("z").Add(fmt.Sprint("m", n%50), float64(n))
		return err
	})
}

// state returns the number of the commit whose state from shows, 0 for none; an error if
// there is no such one.
func state(db *siltstone.DB) (n int, err error) {
	snap, err := db.NewSnapshot()
	if err != nil {
		return 0, err
	}
	defer snap.Close()
	return stateOf(db, snap)
}

func stateOf(db *siltstone.DB, snap *siltstone.Snapshot) (int, error) {
	v, err := snap.Get([]byte("n"))
	if errors.Is(err, siltstone.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(string(v))
	if err != nil {
		return 0, err
	}
	ks, err := db.Keyspace("all")
	if err != nil {
		return n, fmt.Errorf("after commit %d: %w", n, err)
	}
	next := max(1, n-99)
	keys := map[int]bool{}
	for kv, err := range snap.Scan(siltstone.Prefix([]byte("k"))) {
		if err != nil {
			return n, err
		}
		var of int
		if _, err := fmt.Sscanf(string(kv.Value), "%d", &of); err != nil || string(kv.Key) != fmt.Sprintf("k%04d", of%200) {
			return n, fmt.Errorf("after commit %d: %s is %.20q", n, kv.Key, kv.Value)
		}
		keys[of] = true
	}
	for of := next; of <= n; of++ {
		if !keys[of] {
			return n, fmt.Errorf("after commit %d: the key of commit %d is missing", n, of)
		}
	}
	if len(keys) != n-next+1 {
		return n, fmt.Errorf("after commit %d: %d keys, want %d", n, len(keys), n-next+1)
	}
	if got, err := snap.In(ks).Get([]byte("n")); err != nil || string(got) != string(v) {
		return n, fmt.Errorf("after commit %d: the keyspace is after %q, %w", n, got, err)
	}
	if got, err := snap.Hash("h").Get("n"); err != nil || string(got) != string(v) {
		return n, fmt.Errorf("after commit %d: the hash is after %q, %w", n, got, err)
	}
	if got, err := snap.In(ks).ZSet("z").Score(fmt.Sprint("m", n%50)); err != nil || int(got) != n {
		return n, fmt.Errorf("after commit %d: the sorted set is after %v, %w", n, got, err)
	}
	if got, err := snap.Hash("h").Len(); err != nil || int(got) != min(n, 100)+1 {
		return n, fmt.Errorf("after commit %d: the hash has %d fields, %w", n, got, err)
	}
	return n, nil
}

// wantState fails unless db shows the state after commit n.
func wantState(t testing.TB, db *siltstone.DB, n int) {
	t.Helper()
	if got, err := state(db); err != nil || got != n {
		t.Fatalf("it shows the state after commit %d, want %d: %v", got, n, err)
	}
}

func commits(t testing.TB, db *siltstone.DB, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		must(t, commit(db, n))
	}
}

// own returns the readers' directories in the store's.
func own(t testing.TB, f vfs.FS) (names []string) {
	t.Helper()
	all, err := f.List("db")
	must(t, err)
	for _, name := range all {
		if strings.HasPrefix(name, "READER-") {
			names = append(names, "db/"+name)
		}
	}
	return names
}

func TestAReaderSeesEachCommitThatReturnedBeforeItsRefresh(t *testing.T) {
	mem := vfs.NewMem()
	w := open(t, mem)
	commits(t, w, 1, 1)
	r := reader(t, mem)
	for n := 2; n <= 400; n++ {
		must(t, commit(w, n))
		must(t, r.Refresh(bg))
		if v, err := r.Get([]byte("n")); err != nil || string(v) != strconv.Itoa(n) {
			t.Fatalf("after commit %d it shows %s: %v", n, v, err)
		}
		if n%7 == 0 {
			wantState(t, r, n)
		}
		if n%37 == 0 {
			must(t, w.Flush(bg))
		}
		if n%119 == 0 {
			must(t, w.Compact(bg, siltstone.Range{}))
		}
		if n%97 == 0 {
			must(t, w.Close())
			must(t, r.Refresh(bg))
			wantState(t, r, n)
			w = open(t, mem)
			must(t, r.Check(bg))
		}
	}
	must(t, r.Close())
	must(t, w.Close())
	if left := own(t, mem); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestOldStatesStayReadableAndTheirTablesGoAfterwards(t *testing.T) {
	mem := vfs.NewMem()
	w := open(t, mem)
	commits(t, w, 1, 120)
	must(t, w.Flush(bg))
	r := reader(t, mem)
	snap, err := r.NewSnapshot()
	must(t, err)
	tx, err := r.Begin(bg, siltstone.ReadOnlyMode)
	must(t, err)
	it, err := r.NewIter(&siltstone.IterOptions{Range: siltstone.Prefix([]byte("k"))})
	must(t, err)
	if !it.First() {
		t.Fatal("no key")
	}
	for n := 121; n <= 600; n++ {
		must(t, commit(w, n))
		if n%60 == 0 {
			must(t, w.Compact(bg, siltstone.Range{}))
			must(t, r.Refresh(bg))
		}
	}
	wantState(t, r, 600)
	if n, err := stateOf(r, snap); err != nil || n != 120 {
		t.Errorf("the snapshot shows commit %d: %v", n, err)
	}
	if v, err := tx.Get([]byte("n")); err != nil || string(v) != "120" {
		t.Errorf("the transaction shows commit %s: %v", v, err)
	}
	keys := 1
	for it.Next() {
		keys++
	}
	if keys != 100 || it.Err() != nil {
		t.Errorf("the iterator shows %d keys: %v", keys, it.Err())
	}
	snap2, err := r.NewSnapshot()
	must(t, err)
	if n, err := stateOf(r, snap2); err != nil || n != 600 {
		t.Errorf("a new snapshot shows commit %d: %v", n, err)
	}
	snap2.Close()
	must(t, it.Close())
	must(t, tx.Rollback())
	snap.Close()
	if _, err := snap.Get([]byte("n")); !errors.Is(err, siltstone.ErrClosed) {
		t.Errorf("a closed snapshot: %v", err)
	}
	must(t, r.Refresh(bg))
	tables := r.Metrics().Tables.Count
	names, err := mem.List(own(t, mem)[0])
	must(t, err)
	if len(names) != tables+1 { // and LOCK
		t.Errorf("the state has %d tables, the directory %v", tables, names)
	}
	must(t, r.Close())
	must(t, w.Close())
}

// Walks remember stretches that they found empty.
func TestWhatWasEmptyIsLookedAtAgainInTheNextState(t *testing.T) {
	mem := vfs.NewMem()
	w := open(t, mem)
	key := func(i int) []byte { return fmt.Appendf(nil, "q%06d", i) }
	for i := range 5000 {
		must(t, w.Put(key(i), nil))
	}
	for i := range 4999 {
		must(t, w.Delete(key(i)))
	}
	r := reader(t, mem)
	first := func() (found string) {
		t.Helper()
		for range 3 { // the first walks find the gap, the last goes over it
			for kv, err := range siltstone.Limit(r.ScanKeys(siltstone.Range{}), 1) {
				must(t, err)
				found = string(kv.Key)
			}
		}
		return found
	}
	if got := first(); got != "q004999" {
		t.Fatalf("the first key is %s", got)
	}
	must(t, w.Put(key(2500), nil))
	must(t, r.Refresh(bg))
	if got := first(); got != "q002500" {
		t.Errorf("the first key is %s, and q002500 was put", got)
	}
	must(t, r.Close())
	must(t, w.Close())
}

func TestHandlesReadTheNewestStateAndADroppedKeyspaceSaysSo(t *testing.T) {
	mem := vfs.NewMem()
	w := open(t, mem)
	ks, err := w.CreateKeyspace("tenant")
	must(t, err)
	must(t, ks.Put([]byte("a"), []byte("1")))
	_, err = w.Hash("h").Set("f", []byte("1"))
	must(t, err)
	r := reader(t, mem)
	h := r.Hash("h")
	read, err := r.Keyspace("tenant")
	must(t, err)
	old, err := r.NewSnapshot()
	must(t, err)
	_, err = w.Hash("h").Set("f", []byte("2"))
	must(t, err)
	must(t, ks.Put([]byte("a"), []byte("2")))
	must(t, r.Refresh(bg))
	if v, err := h.Get("f"); err != nil || string(v) != "2" {
		t.Errorf("the hash shows %s, %v", v, err)
	}
	if v, err := read.Get([]byte("a")); err != nil || string(v) != "2" {
		t.Errorf("the keyspace shows %s, %v", v, err)
	}
	must(t, w.DropKeyspace("tenant"))
	again, err := w.CreateKeyspace("tenant")
	must(t, err)
	must(t, again.Put([]byte("a"), []byte("3")))
	must(t, w.Compact(bg, siltstone.Range{}))
	must(t, r.Refresh(bg))
	if _, err := read.Get([]byte("a")); !errors.Is(err, siltstone.ErrDropped) {
		t.Errorf("the keyspace was dropped: %v", err)
	}
	if v, err := old.In(read).Get([]byte("a")); err != nil || string(v) != "1" {
		t.Errorf("in the snapshot it shows %s, %v", v, err)
	}
	now, err := r.Keyspace("tenant")
	must(t, err)
	if v, err := now.Get([]byte("a")); err != nil || string(v) != "3" {
		t.Errorf("the new keyspace shows %s, %v", v, err)
	}
	old.Close()
	must(t, r.Close())
	must(t, w.Close())
}

func TestAReaderBesideRefusesWhatIsNotItsBusiness(t *testing.T) {
	mem := vfs.NewMem()
	if _, err := siltstone.Open("db", options(mem, besides)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no store: %v", err)
	}
	_, err := siltstone.Open("db", options(mem, func(o *siltstone.Options) { o.Beside = true }))
	if !errors.Is(err, siltstone.ErrBadOption) || !strings.Contains(err.Error(), "Beside") || !strings.Contains(err.Error(), "ReadOnly") {
		t.Errorf("without ReadOnly: %v", err)
	}
	w := open(t, mem)
	if err := w.Refresh(bg); err == nil || !strings.Contains(err.Error(), "Beside") {
		t.Errorf("Refresh of the writer: %v", err)
	}
	r := reader(t, mem)
	var none context.Context
	if err := r.Refresh(none); err == nil {
		t.Error("a nil context")
	}
	ended, cancel := context.WithCancel(bg)
	cancel()
	if err := r.Refresh(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	if err := r.Put([]byte("a"), nil); !errors.Is(err, siltstone.ErrReadOnly) {
		t.Errorf("a write: %v", err)
	}
	must(t, r.Close())
	if err := r.Refresh(bg); !errors.Is(err, siltstone.ErrClosed) {
		t.Errorf("Refresh of a closed store: %v", err)
	}
	var zero siltstone.DB
	if err := zero.Refresh(bg); !errors.Is(err, siltstone.ErrClosed) {
		t.Errorf("Refresh of a zero DB: %v", err)
	}
	if err := (*siltstone.DB)(nil).Refresh(bg); !errors.Is(err, siltstone.ErrClosed) {
		t.Errorf("Refresh of a nil DB: %v", err)
	}
	must(t, w.Close())
}

// unlinkable is a file system without links.
type unlinkable struct{ vfs.FS }

func (unlinkable) Link(string, string) error { return vfs.ErrNoLink }

func TestAFileSystemOnWhichNobodyCanReadBesideIsRefused(t *testing.T) {
	for name, of := range map[string]struct {
		fs   func(vfs.FS) vfs.FS
		want error
	}{
		"no links": {func(f vfs.FS) vfs.FS { return unlinkable{f} }, vfs.ErrNoLink},
		"windows":  {func(f vfs.FS) vfs.FS { return vfstest.NewWindows(f) }, errors.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			f := of.fs(mem)
			w := open(t, f)
			_, err := siltstone.Open("db", options(f, besides))
			if !errors.Is(err, of.want) {
				t.Errorf("%v", err)
			}
			must(t, commit(w, 1))
			must(t, w.Close())
			if left := own(t, mem); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestADirectoryOfADeadReaderGoesWithTheNext(t *testing.T) {
	mem := vfs.NewMem()
	w := open(t, mem)
	commits(t, w, 1, 10)
	must(t, w.Flush(bg))
	alive := reader(t, mem)
	for i, files := range [][]string{{"LOCK", "000007.sst"}, {}, {"000007.sst"}} {
		dir := fmt.Sprintf("db/READER-%016x", i)
		must(t, mem.MkdirAll(dir))
		for _, name := range files {
			f, err := mem.Create(dir + "/" + name)
			must(t, err)
			must(t, f.Close())
		}
	}
	must(t, mem.MkdirAll("db/READER-notes"))
	must(t, w.Put([]byte("a"), nil))
	r := reader(t, mem)
	if left := own(t, mem); len(left) != 3 {
		t.Errorf("there are %v, want those of two readers and one that is none", left)
	}
	wantState(t, alive, 10)
	must(t, alive.Check(bg))
	must(t, r.Close())
	must(t, alive.Close())
	must(t, w.Close())
}

func TestACheckpointOfAReaderBesideIsItsState(t *testing.T) {
	mem := vfs.NewMem()
	w := open(t, mem)
	commits(t, w, 1, 150)
	must(t, w.Flush(bg))
	commits(t, w, 151, 170)
	r := reader(t, mem)
	commits(t, w, 171, 200)
	must(t, r.Checkpoint(bg, "copy"))
	c, err := siltstone.Open("copy", options(mem))
	must(t, err)
	wantState(t, c, 170)
	must(t, c.Check(bg))
	must(t, c.Close())
	must(t, r.Close())
	must(t, w.Close())
}

func TestAnotherStoreInTheDirectoryIsNoticed(t *testing.T) {
	mem := vfs.NewMem()
	w := open(t, mem)
	commits(t, w, 1, 10)
	r := reader(t, mem)
	must(t, w.Close())
	names, err := mem.List("db")
	must(t, err)
	for _, name := range names {
		if !strings.HasPrefix(name, "READER-") {
			must(t, mem.Remove("db/"+name))
		}
	}
	w = open(t, mem)
	if err := r.Refresh(bg); err == nil || !strings.Contains(err.Error(), "not the one that was opened") {
		t.Errorf("Refresh: %v", err)
	}
	wantState(t, r, 10)
	must(t, r.Close())
	must(t, w.Close())
}
