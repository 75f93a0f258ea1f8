package siltstone

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

func manyFields(n int) (fields []typed.Field) {
	for i := range n {
		fields = append(fields, typed.Field{Name: fmt.Sprint("field", i), Value: []byte("value")})
	}
	return fields
}

func TestNoSpaceBeforeASequenceIsTakenIsDefinite(t *testing.T) {
	big := []byte(strings.Repeat("v", 100_000))
	for name, write := range map[string]func(db *DB) error{
		"a log to extend": func(db *DB) error {
			for range 100 {
				if err := db.Put([]byte("k"), big[:900]); err != nil {
					return err
				}
			}
			return nil
		},
		"logs of a large batch": func(db *DB) error { return db.Put([]byte("k"), big) },
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			db := mustOpen(t, mem, newHandClock(), func(o *Options) { o.MemtableBytes = 200 << 10 })
			putAt(t, db, SyncDurability, "before", "1")
			mem.SetCapacity(1)
			seq := db.section.Visible()
			var err error
			for err == nil {
				seq = db.section.Visible()
				err = write(db)
			}
			if !errors.Is(err, ErrNoSpace) || errors.Is(err, ErrIndeterminate) || errors.Is(err, ErrPoisoned) {
				t.Fatalf("a write on a full disk: %v", err)
			}
			if now := db.section.Visible(); name == "logs of a large batch" && now != seq {
				t.Errorf("the refused commit took sequences %d to %d", seq, now)
			}
			if db.life.Poisoned() {
				t.Error("the refused commit poisoned the store")
			}
			mem.SetCapacity(0)
			if err := db.Put([]byte("after"), nil); err != nil {
				t.Errorf("a write once there is space again: %v", err)
			}
			mustClose(t, db)
			again := mustOpen(t, mem, newHandClock())
			if _, err := again.Get([]byte("after")); err != nil {
				t.Error(err)
			}
			mustClose(t, again)
		})
	}
}

func TestAMergeWhoseTablesCannotBeNamedLeavesNone(t *testing.T) {
	f := vfstest.NewFaults(vfs.NewMem())
	db := mustOpen(t, f, newHandClock())
	defer mustClose(t, db)
	for range 2 {
		for i := range 20 {
			putAt(t, db, SyncDurability, fmt.Sprint("key", i), strings.Repeat("v", 100))
		}
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	f.Inject(vfstest.Fault{Match: vfstest.On(vfstest.SyncDir)})
	if err := db.Compact(t.Context(), Range{}); !errors.Is(err, vfstest.ErrInjected) {
		t.Fatalf("Compact: %v", err)
	}
	files, err := db.dir.List()
	if err != nil {
		t.Fatal(err)
	}
	if want := len(db.states.Version().AllTables()); len(files.Tables) != want {
		t.Errorf("%d tables are there, and %d of them count", len(files.Tables), want)
	}
	if err := db.Compact(t.Context(), Range{}); err != nil {
		t.Errorf("once more: %v", err)
	}
}

func TestFailedManifestAppendDeletesNothing(t *testing.T) {
	for _, effect := range []vfstest.Effect{vfstest.NotDone, vfstest.Done, vfstest.Forgotten, vfstest.Reverted} {
		t.Run(fmt.Sprint(effect), func(t *testing.T) {
			disk := vfstest.NewDisk(2)
			faults := vfstest.NewFaults(disk)
			db := mustOpen(t, faults, newHandClock())
			for i := range 6 {
				putAt(t, db, SyncDurability, "k", fmt.Sprint(i))
				putAt(t, db, SyncDurability, fmt.Sprint("other", i), fmt.Sprint(i))
				if err := db.Flush(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			before := filesLike(t, disk, ".sst")
			faults.Inject(vfstest.Fault{Match: vfstest.OnName("MANIFEST", vfstest.Sync), Effect: effect})
			did, err := db.work.CompactStep(context.Background(), nil)
			if did || !errors.Is(err, vfstest.ErrInjected) {
				t.Fatalf("the compaction whose edit fails: %v, %v", did, err)
			}
			db.keepStep()
			after := filesLike(t, disk, ".sst")
			for _, name := range before {
				if !slices.Contains(after, name) {
					t.Errorf("input %s was deleted", name)
				}
			}
			if len(after) <= len(before) {
				t.Errorf("the outputs were deleted: %v before, %v after", before, after)
			}
			if err := db.Close(); !errors.Is(err, ErrPoisoned) {
				t.Errorf("Close: %v", err)
			}
			rng := seeded(2)
			images := []*vfstest.Disk{disk}
			for _, p := range []vfstest.Profile{vfstest.P1, vfstest.P3} {
				images = slices.AppendSeq(images, disk.Images(p, 4, rng))
			}
			for _, image := range slices.Backward(images) {
				again := mustOpen(t, image, newHandClock())
				if v, err := again.Get([]byte("k")); err != nil || string(v) != "5" {
					t.Errorf("opened again: %q, %v", v, err)
				}
				if err := again.Check(context.Background()); err != nil {
					t.Error(err)
				}
				mustClose(t, again)
			}
		})
	}
}

// A sync that fails may leave its bytes in the page cache, where the next
// process reads them, while the disk will never have them.
func TestNothingIsAppendedBehindAnEditThatWasNeverDurable(t *testing.T) {
	for _, dirty := range []bool{false, true} {
		disk := vfstest.NewDisk(3)
		faults := vfstest.NewFaults(disk)
		db := mustOpen(t, faults, newHandClock())
		putAt(t, db, SyncDurability, "a", "1")
		if !dirty {
			if err := db.Flush(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		// The last sync of the manifest is that of the edit that calls it clean.
		syncs := int64(1)
		if dirty {
			syncs = 2 // behind that of the last flush
		}
		faults.Inject(vfstest.Fault{Match: vfstest.OnName("MANIFEST", vfstest.Sync), Nth: syncs, Effect: vfstest.Forgotten})
		if err := db.Close(); !errors.Is(err, vfstest.ErrInjected) {
			t.Fatalf("Close: %v", err)
		}
		again := mustOpen(t, disk, newHandClock())
		putAt(t, again, SyncDurability, "b", "1")
		if err := again.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		cut := mustOpen(t, disk.Image(vfstest.P1, nil), newHandClock())
		if keys := fmt.Sprint(keysOf(t, cut)); keys != "[a b]" {
			t.Errorf("after the power cut the store holds %s", keys)
		}
		mustClose(t, cut)
		mustClose(t, again)
	}
}

func TestFailedOpenLeavesNothingOpenAndTheStoreAsItWas(t *testing.T) {
	t.Parallel()
	disk := vfstest.NewDisk(5)
	db := mustOpen(t, disk, newHandClock())
	for i := range 60 {
		putAt(t, db, SyncDurability, fmt.Sprint("key", i), strings.Repeat("v", 100))
	}
	killed := disk.Image(vfstest.P0, nil)
	mustClose(t, db)
	counting := vfstest.NewFaults(killed.Image(vfstest.P0, nil))
	mustClose(t, mustOpen(t, counting, newHandClock()))
	for n := int64(1); n <= counting.Ops(); n++ {
		image := killed.Image(vfstest.P0, nil)
		faults := vfstest.NewFaults(image)
		faults.Inject(vfstest.Fault{Nth: n, Times: vfstest.Forever})
		o := denseOptions(faults, newHandClock())
		if db, err := Open("db", &o); err == nil {
			_ = db.Close()
		} else if !errors.Is(err, vfstest.ErrInjected) {
			t.Fatalf("call %d fails, and Open says: %v", n, err)
		}
		if open := image.OpenFiles(); len(open) > 0 {
			t.Fatalf("call %d fails: left open: %v", n, open)
		}
		again := mustOpen(t, image, newHandClock())
		if keys := keysOf(t, again); len(keys) != 60 {
			t.Fatalf("call %d failed: %d keys are left", n, len(keys))
		}
		mustClose(t, again)
	}
}

// Within reports whether ok comes true within a minute: background work takes its
// time.
func Within(ok func() bool) bool {
	end := time.Now().Add(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(end) {
			return false
		}
		<-tick.C
	}
	return true
}

func TestLogOfBufferedCommitsIsWrittenAndSyncedBehindThem(t *testing.T) {
	t.Parallel()
	db, err := Open(t.TempDir(), &Options{MemoryLimit: 256 << 20, Durability: BufferedDurability})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var group sync.WaitGroup
	for w := range 2 {
		group.Go(func() {
			for i := range 1000 {
				if err := db.Put(fmt.Appendf(nil, "%d/%d", w, i), make([]byte, 16<<10)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if !Within(func() bool { return db.section.Log().Unsynced() <= syncBehind }) {
		t.Fatalf("%d bytes of the log are unsynced", db.section.Log().Unsynced())
	}
	before := db.section.Log().Stats()
	if err := db.Put([]byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	if !Within(func() bool { return db.section.Log().Stats().Groups != before.Groups }) {
		t.Fatal("a commit that nobody waits for is never written")
	}
}

const holderDir = "SILTSTONE_HOLDER_DIR" // set in the child: the directory it opens

// TestSecondOpener is a child, and does nothing in any other process.
func TestSecondOpener(t *testing.T) {
	dir := os.Getenv(holderDir)
	if dir == "" {
		t.Skip("runs in the process that TestSecondOpenOfTheDirectoryNamesTheHolder starts")
	}
	_, err := Open(dir, nil)
	fmt.Printf("locked=%v %v\n", errors.Is(err, ErrLocked), err)
}

func TestSecondOpenOfTheDirectoryNamesTheHolder(t *testing.T) {
	dir := t.TempDir()
	still := denseOptions(vfs.OS, newHandClock()) // nothing happens by itself
	db, err := Open(dir, &still)
	if err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	for _, o := range []*Options{nil, {ReadOnly: true}} {
		_, err := Open(dir, o)
		if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "this process") {
			t.Errorf("a second Open in this process: %v", err)
		}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSecondOpener$")
	cmd.Env = append(os.Environ(), holderDir+"="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := "process"
	if runtime.GOOS == "linux" {
		want = fmt.Sprintf("process %d", os.Getpid())
	}
	if !strings.Contains(string(out), "locked=true") || !strings.Contains(string(out), want) {
		t.Errorf("Open in another process says: %s", out)
	}
	if after := tree(t, dir); after != before {
		t.Errorf("those who were refused changed something:\n%s\n%s", before, after)
	}
	mustClose(t, db)
	db, err = Open(dir, nil)
	if err != nil {
		t.Fatalf("once the holder is gone: %v", err)
	}
	mustClose(t, db)
}

// tree describes all files of a directory: names, sizes, contents, times.
func tree(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, e.Name(), info.Size(), info.ModTime().UnixNano(), hashParts(string(content)))
	}
	return b.String()
}

// longAgo gives every file of dir an old time, so that any change shows.
func longAgo(t testing.TB, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Chtimes(filepath.Join(dir, e.Name()), time.Time{}, time.Unix(1_000_000_000, 0)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadOnlyOpenChangesNoByte(t *testing.T) {
	t.Parallel()
	for _, clean := range []bool{true, false} {
		t.Run(fmt.Sprintf("clean %v", clean), func(t *testing.T) {
			dir := t.TempDir()
			db := storeIn(t, dir)
			if clean {
				mustClose(t, db)
			} else {
				killed := t.TempDir() // what a kill leaves: the files as they are
				copyFiles(t, dir, killed)
				mustClose(t, db)
				dir = killed
			}
			longAgo(t, dir)
			before := tree(t, dir)
			o := &Options{ReadOnly: true}
			a, err := Open(dir, o)
			if err != nil {
				t.Fatal(err)
			}
			b, err := Open(dir, o)
			if err != nil {
				t.Fatalf("a second reader: %v", err)
			}
			if _, err := Open(dir, nil); !errors.Is(err, ErrLocked) {
				t.Errorf("a writer beside readers: %v", err)
			}
			for _, r := range []*DB{a, b} {
				if keys := keysOf(t, r); len(keys) != 200 {
					t.Errorf("a reader sees %d keys", len(keys))
				}
				if err := r.Put([]byte("k"), nil); !errors.Is(err, ErrReadOnly) {
					t.Errorf("a write: %v", err)
				}
				if err := r.Flush(t.Context()); !errors.Is(err, ErrReadOnly) {
					t.Errorf("a flush: %v", err)
				}
				mustClose(t, r)
			}
			if after := tree(t, dir); after != before {
				t.Errorf("before\n%safter\n%s", before, after)
			}
			w, err := Open(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir, o); !errors.Is(err, ErrLocked) {
				t.Errorf("a reader beside a writer: %v", err)
			}
			mustClose(t, w)
		})
	}
}

// storeIn makes a store of 200 keys in a real directory, some of them in tables
// and some in the log.
func storeIn(t testing.TB, dir string) *DB {
	t.Helper()
	o := denseOptions(vfs.OS, newHandClock())
	db, err := Open(dir, &o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		putAt(t, db, OSDurability, fmt.Sprint("key", i), strings.Repeat("v", 100))
		if i == 150 {
			if err := db.step(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return db
}

func copyFiles(t testing.TB, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

func TestEveryCloseReturnsOnceTheStoreIsClosedWithTheSameResult(t *testing.T) {
	faults := vfstest.NewFaults(vfs.NewMem())
	db, err := Open("db", &Options{FS: faults, Durability: BufferedDurability})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Put([]byte("k"), nil); err != nil {
		t.Fatal(err)
	}
	var goesOn, early atomic.Bool
	syncing, goOn := make(chan struct{}), make(chan struct{})
	faults.OnOp(func(op vfstest.Op) {
		if op.Kind == vfstest.Sync && !goesOn.Load() {
			close(syncing)
			<-goOn
		}
	})
	failure := errors.New("on purpose")
	faults.Inject(vfstest.Fault{Match: vfstest.On(vfstest.Sync), Times: vfstest.Forever, Err: failure})
	results := make(chan error, 3)
	closing := func() {
		err := db.Close()
		if !goesOn.Load() {
			early.Store(true)
		}
		results <- err
	}
	go closing()
	<-syncing
	go closing()
	go closing()
	for range 10_000 {
		runtime.Gosched()
	}
	goesOn.Store(true)
	close(goOn)
	for range cap(results) {
		if err := awaited(t, results); !errors.Is(err, failure) {
			t.Errorf("Close: %v, want what the first has met", err)
		}
	}
	if early.Load() {
		t.Error("a Close has returned while the first was at work")
	}
}

func TestAClosedStoreDoesNothingForReaders(t *testing.T) {
	s := newReadStore(t, Options{})
	s.runs()
	s.scan(s)
	s.must(s.Close())
	s.must(s.work.FlushForReaders())
}
