package siltstone

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/seed"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// crashEnum runs one workload on a Disk and cuts the power at its operations:
// it takes images of what the disk may hold then, and opens a store on each.
//
//	workload ── op k ──► images ──► read-only open: same state, nothing changed
//	                       │
//	                       ├──────► open, read, Check, write, close
//	                       │
//	                       └──────► open, cut at op k' of that, open again
//
// The verdict is the oracle's: every image must open, to the state after one
// commit, at or past the last one that had been durable.
type crashEnum struct {
	t     testing.TB
	w     *workload
	s     *session
	rng   *rand.Rand
	plan  crashPlan
	known map[uint64]stored // by the hash of an image, what it recovers to
	tally crashTally
}

// crashPlan says how much is tried.
type crashPlan struct {
	points  int64 // about how many operations are cut at: all, or every n-th with an odd n
	images  int   // per operation and profile
	nest    int   // every nest-th distinct image is cut again in its recovery
	inner   int64 // stride within that recovery
	inners  int   // images per operation of it
	looks   int   // every looks-th distinct image is opened read-only first
	killing int   // operations at which the process is killed and the power cut later
}

type crashTally struct{ points, images, distinct, nested, readOnly, killed int }

func (c *crashTally) add(o crashTally) {
	c.points += o.points
	c.images += o.images
	c.distinct += o.distinct
	c.nested += o.nested
	c.readOnly += o.readOnly
	c.killed += o.killed
}

func (c crashTally) String() string {
	return fmt.Sprintf("points=%d images=%d distinct=%d nested=%d read-only=%d killed-then-cut=%d",
		c.points, c.images, c.distinct, c.nested, c.readOnly, c.killed)
}

// longRun asks for the exhaustive form of the tests that sample.
func longRun() bool {
	f := flag.Lookup("long")
	return f != nil && f.Value.String() == "true"
}

// tier is how much a test does: a taste of it with -short, all of it with -long.
func tier[T any](short, usual, long T) T {
	switch {
	case longRun():
		return long
	case testing.Short():
		return short
	}
	return usual
}

// The default run takes about a second per workload; the long one does every
// operation, and many images of each.
func planFor() crashPlan {
	return tier(
		crashPlan{points: 4, images: 1, nest: 20, inner: 15, inners: 1, looks: 7, killing: 1},
		crashPlan{points: 120, images: 2, nest: 50, inner: 5, inners: 1, looks: 7, killing: 10},
		crashPlan{points: 1 << 30, images: 16, nest: 20, inner: 1, inners: 2, looks: 3, killing: 1 << 30},
	)
}

func TestStoreOpensAfterAPowerCutAtAnyOperation(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var total crashTally
	t.Cleanup(func() {
		t.Logf("crash-enum: workloads=%d %v: each opened, to the state after one commit", len(crashWorkloads), total)
	})
	for i := range crashWorkloads {
		w := &crashWorkloads[i]
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			e := newCrashEnum(t, w, seed.Or(t, 7))
			e.run()
			e.killAndCut()
			t.Log(e.tally)
			mu.Lock()
			defer mu.Unlock()
			total.add(e.tally)
		})
	}
}

func newCrashEnum(t testing.TB, w *workload, from uint64) *crashEnum {
	return &crashEnum{t: t, w: w, rng: seeded(from), plan: planFor(), known: map[uint64]stored{}}
}

// run cuts the power at the operations of one run.
func (e *crashEnum) run() {
	seed := e.rng.Uint64()
	counting := vfstest.NewDisk(seed)
	e.w.start(newSession(e.t, counting, e.w.path(), seed))
	stride := counting.Ops()/e.plan.points | 1
	offset := e.rng.Int64N(stride)

	disk := vfstest.NewDisk(seed)
	e.s = newSession(e.t, disk, e.w.path(), seed)
	disk.OnOp(func(op vfstest.Op) {
		if op.N%stride == offset {
			e.cut(disk, op)
		}
	})
	e.w.start(e.s)
	disk.OnOp(nil)
	e.cut(disk, vfstest.Op{N: disk.Ops() + 1})
}

// cut judges what a power cut just before op can leave.
func (e *crashEnum) cut(disk *vfstest.Disk, op vfstest.Op) {
	e.tally.points++
	for _, p := range vfstest.Profiles() {
		for image := range disk.Images(p, e.plan.images, e.rng) {
			e.tally.images++
			e.judge(image, p, op)
		}
	}
}

// judge recovers the image, unless one like it has been, and asks the oracle.
func (e *crashEnum) judge(image *vfstest.Disk, p vfstest.Profile, op vfstest.Op) {
	e.t.Helper()
	hash := image.Hash()
	got, ok := e.known[hash]
	if !ok {
		where := fmt.Sprintf("%v before op %v", p, op)
		got = e.recover(image, where)
		e.known[hash] = got
	}
	lo, hi := e.s.model.acked[survives(p)], e.s.model.issued()
	if _, ok := e.s.model.find(got.sum, got.now, lo, hi); !ok {
		j, known := e.s.model.find(got.sum, got.now, 0, hi)
		e.t.Fatalf("%s: cut %v before op %v: recovered the state after commit %d (known: %v), want one of %d to %d; store holds\n%v",
			e.w.name, p, op, j, known, lo, hi, &got)
	}
}

// survives is the weakest level whose commits outlive a cut of the profile: P0
// is the end of the process alone.
func survives(p vfstest.Profile) Durability {
	if p == vfstest.P0 {
		return OSDurability
	}
	return SyncDurability
}

// restarted returns the options of a start after the cut. The wall clock may
// have gone back to where the workload began: what had expired stays expired.
func (e *crashEnum) restarted(disk *vfstest.Disk) Options {
	clock := e.s.clock.copy()
	if e.tally.distinct%2 == 0 {
		clock = newHandClock()
	}
	o := denseOptions(disk, clock)
	if e.w.opts != nil {
		e.w.opts(&o)
	}
	return o
}

// recover opens the image in every way and returns what it holds.
func (e *crashEnum) recover(image *vfstest.Disk, where string) stored {
	e.t.Helper()
	o := e.restarted(image)
	e.tally.distinct++
	nest := e.tally.distinct%e.plan.nest == 0
	var looked *stored
	if e.tally.distinct%e.plan.looks == 0 {
		looked = e.look(image, o, where)
	}
	var before *vfstest.Disk
	if nest {
		before = image.Image(vfstest.P0, nil)
	}
	got := e.reopen(image, o, where, true)
	if looked != nil && looked.sum != got.sum {
		e.t.Fatalf("%s: %s: read-only the store holds\n%v\nand afterwards\n%v", e.w.name, where, looked, &got)
	}
	if nest {
		e.nest(before, o, got, where)
	}
	return got
}

// look opens the image read-only; nil if there is no store in it yet.
func (e *crashEnum) look(image *vfstest.Disk, o Options, where string) *stored {
	e.t.Helper()
	o.ReadOnly = true
	hash := image.Hash()
	db, err := Open(e.w.path(), &o)
	if errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrCorruption) {
		return nil
	}
	if err != nil {
		e.t.Fatalf("%s: %s: read-only open: %v", e.w.name, where, err)
	}
	e.tally.readOnly++
	got := e.readAndCheck(db, where+", read-only")
	if err := db.Close(); err != nil {
		e.t.Fatalf("%s: %s: close of a read-only store: %v", e.w.name, where, err)
	}
	if image.Ops() != 0 || image.Hash() != hash {
		e.t.Fatalf("%s: %s: a read-only store changed something: %d operations", e.w.name, where, image.Ops())
	}
	return &got
}

func (e *crashEnum) readAndCheck(db *DB, where string) stored {
	e.t.Helper()
	got, err := readAll(db)
	if err != nil {
		e.t.Fatalf("%s: %s: read: %v", e.w.name, where, err)
	}
	if err := db.Check(context.Background()); err != nil {
		e.t.Fatalf("%s: %s: check: %v", e.w.name, where, err)
	}
	return got
}

// reopen opens the image, reads and checks it; on asking it also writes, closes,
// and looks that exactly the store's files are left.
func (e *crashEnum) reopen(image *vfstest.Disk, o Options, where string, write bool) stored {
	e.t.Helper()
	db, err := Open(e.w.path(), &o)
	if err != nil {
		e.t.Fatalf("%s: %s: open: %v", e.w.name, where, err)
	}
	got := e.readAndCheck(db, where)
	if write {
		for i := range 2 {
			if err := db.Put(lifeAfter(i)); err != nil {
				e.t.Fatalf("%s: %s: write after recovery: %v", e.w.name, where, err)
			}
		}
		e.workAfter(db, got, where)
	}
	if err := db.Close(); err != nil {
		e.t.Fatalf("%s: %s: close: %v", e.w.name, where, err)
	}
	if open := image.OpenFiles(); len(open) > 0 {
		e.t.Fatalf("%s: %s: left open: %v", e.w.name, where, open)
	}
	if write {
		e.noOrphans(image, db, where)
	}
	return got
}

// workAfter does all the work that waits in the background of a recovered store:
// what it shows must not change.
func (e *crashEnum) workAfter(db *DB, got stored, where string) {
	e.t.Helper()
	db.set.Nominations.Add(db.set.State().Nominated)
	if err := db.step(); err != nil {
		e.t.Fatalf("%s: %s: background work after recovery: %v", e.w.name, where, err)
	}
	e.among(e.readAndCheck(db, where+", after background work"), got, 2, 2, where+", after background work")
}

// lifeAfter is the i-th key and value written after a recovery.
func lifeAfter(i int) (key, value []byte) {
	return fmt.Appendf(nil, "~after%d", i), []byte("written after recovery")
}

// sumAfter is the hash of a state with n of those.
func sumAfter(sum setHash, n int) setHash {
	for i := range n {
		key, value := lifeAfter(i)
		sum = sum.add(hashKey(string(key), typed.TypeString, 0, map[string]string{"": string(value)}))
	}
	return sum
}

// noOrphans looks that a closed store's directory holds what its manifest names
// and nothing else.
func (e *crashEnum) noOrphans(image *vfstest.Disk, db *DB, where string) {
	e.t.Helper()
	names, err := image.List(e.w.path())
	if err != nil {
		e.t.Fatal(err)
	}
	want := 3 + len(db.set.State().Version.AllTables()) // CURRENT, LOCK and the manifest
	if len(names) != want {
		e.t.Fatalf("%s: %s: after Close the directory holds %v, %d files, want %d", e.w.name, where, names, len(names), want)
	}
}

// nest recovers the image once more, cutting the power again at operations of
// that recovery and of the writes after it.
func (e *crashEnum) nest(image *vfstest.Disk, o Options, first stored, where string) {
	o.FS = image
	acked, issued := 0, 0
	offset := e.rng.Int64N(e.plan.inner)
	image.OnOp(func(op vfstest.Op) {
		if op.N%e.plan.inner != offset {
			return
		}
		for _, p := range []vfstest.Profile{vfstest.P1, vfstest.P3} {
			for again := range image.Images(p, e.plan.inners, e.rng) {
				e.tally.nested++
				where := fmt.Sprintf("%s, then %v before op %v of the recovery", where, p, op)
				o := o
				o.FS = again
				got := e.reopen(again, o, where, false)
				e.among(got, first, acked, issued, where)
			}
		}
	})
	defer image.OnOp(nil)
	db, err := Open(e.w.path(), &o)
	if err != nil {
		e.t.Fatalf("%s: %s: open again: %v", e.w.name, where, err)
	}
	for i := range 2 {
		issued++
		if err := db.Put(lifeAfter(i)); err != nil {
			e.t.Fatal(err)
		}
		acked++
	}
	if err := db.Close(); err != nil {
		e.t.Fatal(err)
	}
}

// among fails unless got is the state first with lo to hi of the writes after
// recovery.
func (e *crashEnum) among(got, first stored, lo, hi int, where string) {
	e.t.Helper()
	for n := lo; n <= hi; n++ {
		if got.sum == sumAfter(first.sum, n) {
			return
		}
	}
	e.t.Fatalf("%s: %s: recovered\n%v\nwant the following, and %d to %d writes after it\n%v", e.w.name, where, &got, lo, hi, &first)
}

// killAndCut runs the workload again and kills the process at some operation:
// what it had written stays in the page cache, un-synced. The next process
// starts on that, writes, and then the power is cut. What was only in the cache
// must not be taken for durable.
func (e *crashEnum) killAndCut() {
	ops := e.s.fs.(*vfstest.Disk).Ops()
	stride := max(1, int(ops)/e.plan.killing)
	if ops < 100 && !testing.Short() {
		stride = 1
	}
	for k := 1 + e.rng.IntN(stride); k <= int(ops); k += stride {
		e.tally.killed++
		e.killedAt(int64(k))
	}
}

// changing are the calls that a process which was killed does not make.
var changing = []vfstest.Kind{
	vfstest.Create, vfstest.Write, vfstest.Sync, vfstest.SyncDir, vfstest.Rename, vfstest.Remove, vfstest.Link,
	vfstest.Truncate, vfstest.Allocate, vfstest.Zero, vfstest.Mkdir,
}

func (e *crashEnum) killedAt(k int64) {
	e.t.Helper()
	disk := vfstest.NewDisk(e.rng.Uint64())
	faults := vfstest.NewFaults(disk)
	faults.Inject(vfstest.Fault{Match: vfstest.On(changing...), Nth: k, Times: vfstest.Forever})
	s := newSession(e.t, faults, e.w.path(), e.rng.Uint64())
	s.faulty = true
	e.w.start(s)
	faults.Clear()
	where := fmt.Sprintf("killed at op %d", k)

	o := e.restarted(disk)
	db, err := Open(e.w.path(), &o)
	if err != nil {
		e.t.Fatalf("%s: %s: open: %v", e.w.name, where, err)
	}
	got := e.readAndCheck(db, where)
	lo, hi := s.model.acked[OSDurability], s.model.issued()
	if _, ok := s.model.find(got.sum, got.now, lo, hi); !ok {
		j, known := s.model.find(got.sum, got.now, 0, hi)
		e.t.Fatalf("%s: %s: recovered the state after commit %d (known: %v), want one of %d to %d; clock %d, at the commit %d; store holds\n%v",
			e.w.name, where, j, known, lo, hi, got.now, s.model.history[hi].clock, &got)
	}
	for i := range 2 {
		if err := db.Put(lifeAfter(i)); err != nil {
			e.t.Fatal(err)
		}
	}
	for _, p := range []vfstest.Profile{vfstest.P1, vfstest.P3} {
		for image := range disk.Images(p, 2, e.rng) {
			where := fmt.Sprintf("%s, power cut %v after the next start", where, p)
			o := o
			o.FS = image
			e.among(e.reopen(image, o, where, false), got, 2, 2, where)
		}
	}
	if err := db.Close(); err != nil {
		e.t.Fatal(err)
	}
}

func TestATableWhoseNumberWasNeverReservedMeansAnOlderManifest(t *testing.T) {
	disk := vfstest.NewDisk(5)
	db := mustOpen(t, disk, newHandClock())
	putAt(t, db, SyncDurability, "flushed", "1")
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	killed := disk.Image(vfstest.P0, nil)
	files, err := db.dir.List()
	mustClose(t, db)
	if err != nil || len(files.Tables) == 0 {
		t.Fatalf("tables %v, %v", files.Tables, err)
	}
	name := base.Filename(base.FileTable, 1<<20)
	if err := killed.Link(path.Join("db", base.Filename(base.FileTable, files.Tables[0])), path.Join("db", name)); err != nil {
		t.Fatal(err)
	}
	o := denseOptions(killed, newHandClock())
	var damage *CorruptionError
	if _, err := Open("db", &o); !errors.As(err, &damage) || damage.File != name {
		t.Errorf("with %s: %v", name, err)
	}
	if _, err := killed.Stat(path.Join("db", name)); err != nil {
		t.Errorf("%s was removed: %v", name, err)
	}
}

func TestAStartThatFindsNoSpaceLeavesNoTable(t *testing.T) {
	disk := vfstest.NewDisk(5)
	db := mustOpen(t, disk, newHandClock(), func(o *Options) { o.MemtableBytes = 1 << 20 })
	for i := range 60 {
		putAt(t, db, SyncDurability, fmt.Sprint("key", i), strings.Repeat("v", 1000))
	}
	killed := disk.Image(vfstest.P0, nil)
	mustClose(t, db)

	faults := vfstest.NewFaults(killed)
	faults.Inject(vfstest.Fault{Match: tableSyncs, Nth: 4, Times: vfstest.Forever, Err: vfs.ErrNoSpace})
	o := denseOptions(faults, newHandClock()) // a small memtable: several are replayed, each to tables of its own
	if _, err := Open("db", &o); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("the fourth table finds no space, and Open says: %v", err)
	}
	dir, err := storedir.At(killed, "db")
	if err != nil {
		t.Fatal(err)
	}
	if files, err := dir.List(); err != nil || len(files.Tables) > 0 {
		t.Errorf("tables %v are left, %v", files.Tables, err)
	}
}
