package siltstone

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/event"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// mustOpen opens a dense store in "db".
func mustOpen(t testing.TB, f vfs.FS, clock *handClock, change ...func(*Options)) *DB {
	t.Helper()
	o := denseOptions(f, clock)
	for _, c := range change {
		c(&o)
	}
	db, err := Open("db", &o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return db
}

func mustClose(t testing.TB, db *DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// putAt puts one key at a level.
func putAt(t testing.TB, db *DB, d Durability, key, value string) {
	t.Helper()
	var b Batch
	b.Put([]byte(key), []byte(value))
	if err := db.Apply(&b, d); err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
}

// keysOf returns the keys the store shows.
func keysOf(t testing.TB, db *DB) []string {
	t.Helper()
	var keys []string
	for kv, err := range db.Scan(Range{}) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, string(kv.Key))
	}
	return keys
}

// filesLike lists the store's files with a suffix.
func filesLike(t testing.TB, f vfs.FS, suffix string) []string {
	t.Helper()
	names, err := f.List("db")
	if err != nil {
		t.Fatal(err)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, suffix) })
	slices.Sort(names)
	return names
}

func TestPowerCutWithPreparedLogOpens(t *testing.T) {
	disk := vfstest.NewDisk(1)
	db := mustOpen(t, disk, newHandClock())
	putAt(t, db, SyncDurability, "a", "1")
	db.keepStep()
	if logs := filesLike(t, disk, ".wal"); len(logs) != 2 {
		t.Fatalf("no log has been prepared: %v", logs)
	}
	putAt(t, db, OSDurability, "b", strings.Repeat("unsynced ", 100))
	torn, rng := 0, seeded(1)
	for _, p := range vfstest.Profiles() {
		for image := range disk.Images(p, 20, rng) {
			again := mustOpen(t, image, newHandClock(), func(o *Options) {
				o.OnEvent = func(e event.Event) {
					if _, ok := e.(event.TornTail); ok {
						torn++
					}
				}
			})
			if keys := fmt.Sprint(keysOf(t, again)); keys != "[a b]" && (keys != "[a]" || p == vfstest.P0) {
				t.Fatalf("after %v the store holds %s", p, keys)
			}
			mustClose(t, again)
		}
	}
	if torn == 0 {
		t.Error("no cut tore the log beside the prepared one: nothing was shown")
	}
	mustClose(t, db)
}

func TestSecondCutInRecoveryOpens(t *testing.T) {
	t.Parallel()
	disk := vfstest.NewDisk(2)
	db := mustOpen(t, disk, newHandClock())
	for i := range 30 {
		putAt(t, db, SyncDurability, fmt.Sprint("synced", i), strings.Repeat("v", 100))
	}
	putAt(t, db, OSDurability, "b", strings.Repeat("unsynced ", 100))
	rng, cuts := seeded(2), 0
	for image := range disk.Images(vfstest.P5, tier(1, 4, 4), rng) {
		image.OnOp(func(op vfstest.Op) {
			for _, p := range vfstest.Profiles() {
				for again := range image.Images(p, 1, rng) {
					cuts++
					second := mustOpen(t, again, newHandClock())
					if keys := keysOf(t, second); len(keys) < 30 {
						t.Fatalf("cut %v before op %v of the recovery: %d keys are left", p, op, len(keys))
					}
					mustClose(t, second)
				}
			}
		})
		mustClose(t, mustOpen(t, image, newHandClock()))
		image.OnOp(nil)
	}
	t.Logf("%d second cuts", cuts)
	mustClose(t, db)
}

func TestALogWithoutHeaderIsIgnored(t *testing.T) {
	for _, content := range []int{0, 100, 128, 70_000} {
		disk := vfstest.NewDisk(3)
		db := mustOpen(t, disk, newHandClock())
		putAt(t, db, SyncDurability, "a", "1")
		number := db.set.State().FileLimit - 1
		image := disk.Image(vfstest.P1, nil)
		name := path.Join("db", base.Filename(base.FileLog, number))
		f, err := image.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(make([]byte, content)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		again := mustOpen(t, image, newHandClock())
		if keys := fmt.Sprint(keysOf(t, again)); keys != "[a]" {
			t.Errorf("beside a log of %d zeros the store holds %s", content, keys)
		}
		if _, err := image.Stat(name); err == nil {
			t.Error("the file is still there")
		}
		mustClose(t, again)
		mustClose(t, db)
	}
}

func TestSequencesLeaveAGapAfterALostTail(t *testing.T) {
	for _, d := range []Durability{OSDurability, BufferedDurability} {
		disk := vfstest.NewDisk(4)
		db := mustOpen(t, disk, newHandClock())
		for i := range 5 {
			putAt(t, db, d, fmt.Sprint("lost", i), "v")
		}
		lost := db.section.Visible()
		again := mustOpen(t, disk.Image(vfstest.P1, nil), newHandClock())
		if keys := keysOf(t, again); len(keys) != 0 {
			t.Fatalf("the tail was not lost: %v", keys)
		}
		putAt(t, again, SyncDurability, "new", "v")
		if seq := again.section.Visible(); seq <= lost {
			t.Errorf("%v: sequence %d is met again: readers had seen it with a commit that was lost (up to %d)", d, seq, lost)
		}
		mustClose(t, again)
		mustClose(t, db)
	}
}

// The manifest knows the sequences up to the last flush. A log may go further than
// the gap that a recovery leaves behind those.
func TestSequencesGoOnBehindALogOfManyOperations(t *testing.T) {
	for _, readOnly := range []bool{false, true} {
		disk := vfstest.NewDisk(4)
		db := mustOpen(t, disk, newHandClock())
		putAt(t, db, SyncDurability, "k", "flushed")
		if err := db.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		db.section.SkipSeqs(3 * base.SeqGap) // as after so many operations
		putAt(t, db, SyncDurability, "k", "in the log")
		logged := db.section.Visible()
		again := mustOpen(t, disk.Image(vfstest.P1, nil), newHandClock(), func(o *Options) { o.ReadOnly = readOnly })
		look := func(want string) {
			t.Helper()
			if v, err := again.Get([]byte("k")); err != nil || string(v) != want {
				t.Errorf("read only %v: %q, %v; want %q", readOnly, v, err, want)
			}
		}
		look("in the log")
		if !readOnly {
			putAt(t, again, SyncDurability, "k", "new")
			if seq := again.section.Visible(); seq <= logged {
				t.Errorf("sequence %d behind a log that goes up to %d", seq, logged)
			}
			look("new")
			if err := again.Check(context.Background()); err != nil {
				t.Error(err)
			}
		}
		mustClose(t, again)
		mustClose(t, db)
	}
}

func TestCleanCloseLeavesNoGap(t *testing.T) {
	disk := vfstest.NewDisk(5)
	for range 3 {
		db := mustOpen(t, disk, newHandClock())
		putAt(t, db, SyncDurability, "a", "1")
		if seq := db.section.Visible(); seq > 3 {
			t.Fatalf("sequence %d after a clean close", seq)
		}
		if m := filesLike(t, disk, "MANIFEST-000001"); len(m) != 1 {
			t.Fatal("a clean start did not go on with the manifest it found")
		}
		mustClose(t, db)
	}
}

func TestFlushesInstallInOrder(t *testing.T) {
	disk := vfstest.NewDisk(6)
	db := mustOpen(t, disk, newHandClock())
	const unflushed = 2 // as many as may wait
	for i := range unflushed {
		putAt(t, db, BufferedDurability, "k", fmt.Sprint(i))
		if err := db.section.Rotate(db.section.Mem()); err != nil {
			t.Fatal(err)
		}
	}
	putAt(t, db, BufferedDurability, "k", "last")
	rs := db.states.Current.Load()
	for i := len(rs.Imms) - 1; i >= 0; i-- {
		if did, err := db.work.FlushStep(); !did || err != nil {
			t.Fatal(did, err)
		}
		if got, want := db.set.State().LastSeq, rs.Imms[i].MaxSeq(); got != want {
			t.Fatalf("a flush installed records up to %d, the oldest memtable ends at %d", got, want)
		}
		// The memtables behind it, and their logs, may be lost now: no hole is left.
		image := disk.Image(vfstest.P1, nil)
		again := mustOpen(t, image, newHandClock())
		v, err := again.Get([]byte("k"))
		if err != nil || string(v) < fmt.Sprint(unflushed-1-i) {
			t.Fatalf("after flush %d and a power cut: %q, %v", unflushed-1-i, v, err)
		}
		mustClose(t, again)
	}
	mustClose(t, db)
}

func TestCollectionIdsRiseAcrossCrashDropAllAndCompaction(t *testing.T) {
	disk := vfstest.NewDisk(7)
	clock := newHandClock()
	var highest uint64
	for life := range 4 {
		db := mustOpen(t, disk, clock)
		if id, err := db.set.NewID(); err != nil || id <= highest {
			t.Fatalf("life %d: collection id %d is met again, %d was in use: %v", life, id, highest, err)
		}
		for i := range 3 {
			if _, err := db.Hash(fmt.Sprint("hash", i)).SetMany(manyFields(200)...); err != nil {
				t.Fatal(err)
			}
		}
		id, err := db.set.NewID()
		if err != nil {
			t.Fatal(err)
		}
		if id <= highest {
			t.Fatalf("life %d: collection id %d is met again, %d was in use", life, id, highest)
		}
		highest = id
		if err := db.DeleteRange(Range{}); err != nil {
			t.Fatal(err)
		}
		if life%2 == 0 {
			if err := db.Compact(context.Background(), Range{}); err != nil {
				t.Fatal(err)
			}
			if err := db.step(); err != nil {
				t.Fatal(err)
			}
		}
		before := disk
		disk = disk.Image(vfstest.P1, nil)
		if life%2 == 1 {
			disk = before.Image(vfstest.P0, nil)
		}
		mustClose(t, db)
		again := mustOpen(t, disk.Image(vfstest.P0, nil), clock)
		if err := again.Check(context.Background()); err != nil {
			t.Fatal(err)
		}
		if keys := keysOf(t, again); len(keys) != 0 {
			t.Fatalf("life %d: deleted collections are back: %v", life, keys)
		}
		mustClose(t, again)
	}
}

func TestMissingMarkerIsNotTakenForANewStore(t *testing.T) {
	disk := vfstest.NewDisk(8)
	db := mustOpen(t, disk, newHandClock())
	putAt(t, db, SyncDurability, "a", "1") // in a log, in no table
	image := disk.Image(vfstest.P0, nil)
	mustClose(t, db)
	if err := image.Remove("db/CURRENT"); err != nil {
		t.Fatal(err)
	}
	before := filesLike(t, image, "")
	o := denseOptions(image, newHandClock())
	if _, err := Open("db", &o); !errors.Is(err, ErrCorruption) {
		t.Fatalf("Open of a store without CURRENT: %v", err)
	}
	if after := filesLike(t, image, ""); !slices.Equal(before, after) {
		t.Errorf("Open refused the store and changed it from %v to %v", before, after)
	}
}

// tableSyncs matches the syncs of table files.
var tableSyncs = vfstest.OnName(".sst", vfstest.Sync)

func TestRecoveryWhoseTablesCannotBeSyncedFailsAndLosesNothing(t *testing.T) {
	const keys = 60
	disk := vfstest.NewDisk(5)
	large := func(o *Options) { o.MemtableBytes = 1 << 20 } // replay makes one of it, and many tables
	db := mustOpen(t, disk, newHandClock(), large)
	for i := range keys {
		putAt(t, db, SyncDurability, fmt.Sprint("key", i), strings.Repeat("v", 1000))
	}
	killed := disk.Image(vfstest.P0, nil)
	mustClose(t, db)

	counting, tables := killed.Image(vfstest.P0, nil), int64(0)
	counting.OnOp(func(op vfstest.Op) {
		if tableSyncs(op) {
			tables++
		}
	})
	again := mustOpen(t, counting, newHandClock(), large)
	counting.OnOp(nil)
	mustClose(t, again)
	if tables < 4 {
		t.Fatalf("recovery made %d tables", tables)
	}
	for n := range tables {
		image := killed.Image(vfstest.P0, nil)
		faults := vfstest.NewFaults(image)
		faults.Inject(vfstest.Fault{Match: tableSyncs, Nth: n + 1})
		o := denseOptions(faults, newHandClock())
		large(&o)
		if _, err := Open("db", &o); !errors.Is(err, vfstest.ErrInjected) {
			t.Fatalf("table %d is not durable, and Open says: %v", n, err)
		}
		if open := image.OpenFiles(); len(open) > 0 {
			t.Fatalf("left open: %v", open)
		}
		again := mustOpen(t, image.Image(vfstest.P0, nil), newHandClock())
		if got := keysOf(t, again); len(got) != keys {
			t.Fatalf("table %d was not durable: %d keys are left", n, len(got))
		}
		mustClose(t, again)
	}
}

// readFS tells which files are read, and which are made.
type readFS struct {
	vfs.FS
	read, made func(name string)
}

func (f readFS) Open(name string) (vfs.File, error) {
	file, err := f.FS.Open(name)
	return readFile{file, func() { f.read(name) }}, err
}

func (f readFS) Create(name string) (vfs.File, error) {
	f.made(name)
	return f.FS.Create(name)
}

type readFile struct {
	vfs.File
	read func()
}

func (f readFile) ReadAt(b []byte, at int64) (int, error) {
	f.read()
	return f.File.ReadAt(b, at)
}

// manyBatches is how many batches of 40 keys are in the logs of killedWithManyLogs.
const manyBatches = 5

// killedWithManyLogs is a store that was killed before any of its memtables was
// flushed.
func killedWithManyLogs(t testing.TB) *vfstest.Disk {
	t.Helper()
	disk := vfstest.NewDisk(9)
	db := mustOpen(t, disk, newHandClock(), func(o *Options) { o.MemtableBytes = 72 << 10 })
	for i := range manyBatches {
		var b Batch
		for k := range 40 {
			b.Put(fmt.Appendf(nil, "%d/%02d", i, k), make([]byte, 500))
		}
		if err := db.Apply(&b, SyncDurability); err != nil {
			t.Fatal(err)
		}
	}
	killed := disk.Image(vfstest.P0, nil)
	mustClose(t, db)
	if logs := filesLike(t, killed, ".wal"); len(logs) < 8 {
		t.Fatalf("logs: %v", logs)
	}
	return killed
}

// Else a store that was killed for its memory would need as much again to open.
func TestRecoveryWritesTablesBeforeItHasLoadedAllLogs(t *testing.T) {
	killed := killedWithManyLogs(t)
	logs, tables, after := filesLike(t, killed, ".wal"), 0, map[string]bool{}
	db := mustOpen(t, readFS{
		FS: killed,
		read: func(name string) {
			if tables > 0 && strings.HasSuffix(name, ".wal") {
				after[path.Base(name)] = true
			}
		},
		made: func(name string) {
			if strings.HasSuffix(name, ".sst") {
				tables++
			}
		},
	}, newHandClock())
	if len(after) < len(logs)-4 || len(keysOf(t, db)) != 40*manyBatches {
		t.Errorf("of %d logs only %v were read after the first of %d tables was made", len(logs), after, tables)
	}
	mustClose(t, db)
}

func TestRecoveryJudgesAllLogsBeforeItWritesTables(t *testing.T) {
	killed := killedWithManyLogs(t)
	var large []string
	for _, name := range filesLike(t, killed, ".wal") {
		if len(contentOf(t, killed, "db/"+name)) > 10_000 {
			large = append(large, name)
		}
	}
	flip(t, killed, "db/"+large[len(large)-2], 8_000) // the end of the last one may be torn
	before := storeImage(t, killed, "db")
	o := denseOptions(killed, newHandClock())
	if _, err := Open("db", &o); !errors.Is(err, ErrCorruption) {
		t.Fatalf("Open of a store with a damaged log: %v", err)
	}
	if after := storeImage(t, killed, "db"); after != before {
		t.Error("Open refused the store and changed it")
	}
}
