package siltstone

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/siltstonedb/siltstone/event"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/metrics"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// faultRun makes one call of the file system fail while a workload runs, and
// judges what the store says and what it recovers to. Every result must have
// been right or an error that names the fault. Afterwards, with the fault gone,
// the store opens on what the page cache holds and on what a power cut leaves,
// to the state after one commit: none that returned is missing, none that
// definitely failed is there, one whose outcome is unknown may be.
type faultRun struct {
	t    testing.TB
	w    *workload
	seed uint64
	rng  *rand.Rand
	v    faultVariant
	kind vfstest.Kind
	nth  int64
}

// faultVariant is a way for a call to fail.
type faultVariant struct {
	name  string
	kinds []vfstest.Kind // it applies to; nil: all
	fault vfstest.Fault  // without Match and Nth
}

var faultVariants = []faultVariant{
	{name: "once", fault: vfstest.Fault{}},
	{name: "forever", fault: vfstest.Fault{Times: vfstest.Forever}},
	{name: "half", kinds: []vfstest.Kind{vfstest.Write, vfstest.Read}, fault: vfstest.Fault{Effect: vfstest.Half}},
	{name: "done", kinds: changing, fault: vfstest.Fault{Effect: vfstest.Done}},
	{name: "no space", kinds: spending, fault: vfstest.Fault{Err: vfs.ErrNoSpace}},
	{name: "no space, half", kinds: []vfstest.Kind{vfstest.Write}, fault: vfstest.Fault{Err: vfs.ErrNoSpace, Effect: vfstest.Half}},
	{name: "no space ever after", kinds: spending, fault: vfstest.Fault{Err: vfs.ErrNoSpace, Times: vfstest.Forever}},
	{name: "sync forgets", kinds: []vfstest.Kind{vfstest.Sync}, fault: vfstest.Fault{Effect: vfstest.Forgotten}},
	{name: "sync reverts", kinds: []vfstest.Kind{vfstest.Sync}, fault: vfstest.Fault{Effect: vfstest.Reverted}},
	{name: "damaged", kinds: []vfstest.Kind{vfstest.Read}, fault: vfstest.Fault{Effect: vfstest.Damaged}},
	{name: "damaged ever after", kinds: []vfstest.Kind{vfstest.Read}, fault: vfstest.Fault{Effect: vfstest.Damaged, Times: vfstest.Forever}},
}

// spending are the calls that need disk space.
var spending = []vfstest.Kind{vfstest.Create, vfstest.Write, vfstest.Allocate, vfstest.Zero, vfstest.Mkdir}

func (v *faultVariant) applies(k vfstest.Kind) bool {
	for _, want := range v.kinds {
		if want == k {
			return true
		}
	}
	return v.kinds == nil
}

func TestEveryFailingCallIsHonest(t *testing.T) {
	t.Parallel()
	const seed = 11
	var sites, runs, zeroed atomic.Int64
	t.Run("of", func(t *testing.T) {
		for i := range crashWorkloads {
			w := &crashWorkloads[i]
			t.Run(w.name, func(t *testing.T) {
				t.Parallel()
				counted := vfstest.NewFaults(vfstest.NewDisk(seed))
				s := newSession(t, counted, w.path(), seed)
				w.start(s)
				zeroed.Add(counted.Count(vfstest.Zero))
				rng := seeded(seed + uint64(i))
				for _, kind := range vfstest.Kinds() {
					n := counted.Count(kind)
					sites.Add(n)
					for _, v := range faultVariants {
						if !v.applies(kind) {
							continue
						}
						for _, nth := range sampleCalls(n, rng) {
							runs.Add(1)
							r := faultRun{t: t, w: w, seed: seed, rng: rng, v: v, kind: kind, nth: nth}
							r.run()
						}
					}
				}
			})
		}
	})
	if zeroed.Load() == 0 {
		t.Error("no workload meets log space that was filled with zeros")
	}
	t.Logf("nth-fault: workloads=%d sites=%d variants=%d runs=%d: none silent, none stuck", len(crashWorkloads), sites.Load(), len(faultVariants), runs.Load())
}

// sampleCalls picks which of n calls fail, one run each: all, or about three, or one of
// every twentieth kind.
func sampleCalls(n int64, rng *rand.Rand) (picked []int64) {
	step := tier(max(1, n), max(1, n/3), 1)
	if testing.Short() && rng.IntN(20) > 0 {
		return nil
	}
	for nth := 1 + rng.Int64N(step); nth <= n; nth += step {
		picked = append(picked, nth)
	}
	return picked
}

func (r *faultRun) String() string {
	return fmt.Sprintf("%s: %v number %d, %s", r.w.name, r.kind, r.nth, r.v.name)
}

func (r *faultRun) run() {
	r.t.Helper()
	disk := vfstest.NewDisk(r.seed)
	faults := vfstest.NewFaults(disk)
	fault := r.v.fault
	fault.Match, fault.Nth = vfstest.On(r.kind), r.nth
	faults.Inject(fault)

	s := newSession(naming{r.t, r}, faults, r.w.path(), r.seed)
	s.faulty, s.damaging = true, fault.Effect == vfstest.Damaged
	if fault.Effect == vfstest.Reverted {
		s.kept = SyncDurability // the page cache loses what was not synced
	}
	r.w.start(s)
	if open := disk.OpenFiles(); len(open) > 0 {
		r.t.Fatalf("%v: left open: %v", r, open)
	}
	faults.Clear()
	r.cut(disk, s)
	r.reopen(disk, s, s.kept, "reopened")
}

// cut opens what a power cut after the run leaves.
func (r *faultRun) cut(disk *vfstest.Disk, s *session) {
	r.t.Helper()
	for _, p := range []vfstest.Profile{vfstest.P1, vfstest.P3} {
		r.reopen(disk.Image(p, r.rng), s, SyncDurability, fmt.Sprintf("power cut %v", p))
	}
}

// reopen opens the store without faults and asks the oracle. d is the weakest
// level that survives.
func (r *faultRun) reopen(disk *vfstest.Disk, s *session, d Durability, where string) {
	r.t.Helper()
	o := denseOptions(disk, s.clock)
	db, err := Open(r.w.path(), &o)
	if err != nil {
		r.t.Fatalf("%v: %s: open: %v", r, where, err)
	}
	got, err := readAll(db)
	if err != nil {
		r.t.Fatalf("%v: %s: read: %v", r, where, err)
	}
	lo, hi := s.model.acked[d], s.model.issued()
	if _, ok := s.model.find(got.sum, got.now, lo, hi); !ok {
		j, known := s.model.find(got.sum, got.now, 0, hi)
		r.t.Fatalf("%v: %s: recovered the state after commit %d (known: %v), want one of %d to %d; store holds\n%v", r, where, j, known, lo, hi, &got)
	}
	if err := db.Check(context.Background()); err != nil {
		r.t.Fatalf("%v: %s: check: %v", r, where, err)
	}
	if err := db.Put([]byte("~after"), nil); err != nil {
		r.t.Fatalf("%v: %s: write: %v", r, where, err)
	}
	if err := db.Close(); err != nil {
		r.t.Fatalf("%v: %s: close: %v", r, where, err)
	}
}

// naming puts the name of a run in front of what a test says.
type naming struct {
	testing.TB
	who fmt.Stringer
}

func (n naming) Fatalf(format string, args ...any) {
	n.TB.Helper()
	n.TB.Fatalf("%v: "+format, append([]any{n.who}, args...)...)
}

// A store that cannot be opened for want of space, for what it had kept is gone, says so
// and what it needs. It loses nothing, and can be read meanwhile.
func TestOpenOnAFullDiskIsErrNoSpaceAndLosesNothing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"new", "closed", "killed"} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			mem.SetCapacity(16 << 20)
			o := &Options{FS: mem, MemtableBytes: 256 << 10, manualWork: true}
			var killed *DB
			if name != "new" {
				db, err := Open("db", o)
				if err != nil {
					t.Fatal(err)
				}
				for i := range 500 {
					if err := db.Put(fmt.Appendf(nil, "k%06d", i), make([]byte, 1000)); err != nil {
						t.Fatal(err)
					}
				}
				if name == "closed" {
					mustClose(t, db)
				} else if err := db.lock.Close(); err != nil {
					t.Fatal(err)
				} else {
					db.lock, killed = nil, db
				}
			}
			if name != "new" {
				if err := mem.Remove("db/BALLAST"); err != nil {
					t.Fatal(err)
				}
			}
			giveBack := takeAll(t, mem)
			for range 3 {
				if _, err := Open("db", o); !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), "free disk space") {
					t.Fatalf("with no byte free: %v", err)
				}
			}
			if name != "new" {
				db, err := Open("db", &Options{FS: mem, ReadOnly: true})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := db.Get([]byte("k000499")); err != nil {
					t.Error(err)
				}
				mustClose(t, db)
			}
			giveBack()
			db, err := Open("db", o)
			if err != nil {
				t.Fatal(err)
			}
			if has, err := db.Has([]byte("k000499")); has != (name != "new") || err != nil {
				t.Error(has, err)
			}
			if err := db.Check(t.Context()); err != nil {
				t.Error(err)
			}
			mustClose(t, db)
			if killed != nil {
				killed.abandon()
			}
		})
	}
}

// Merges that Close or a context interrupts are done another time: nobody is to be
// woken for them.
func TestAnInterruptedMergeIsNoAlarm(t *testing.T) {
	var tally tally
	for _, err := range []error{context.Canceled, context.DeadlineExceeded, ErrClosed} {
		e := event.CompactionEnd{Kind: "merge", Err: err}
		if tally.count(e); level(e) != slog.LevelDebug || level(event.FlushEnd{Err: err}) != slog.LevelDebug {
			t.Errorf("%v is logged at %v", err, level(e))
		}
	}
	if e := (event.CompactionEnd{Err: errors.New("input/output error")}); level(e) != slog.LevelError || tally.compactions.Failed != 0 {
		t.Errorf("%v is logged at %v, %d failed", e, level(e), tally.compactions.Failed)
	}
}

// Many collections that have ended lie in one block: it counts once. Ranges are
// counted for what tables hold of them, so the sum is never more than there is.
func TestDeadBytesAreAtMostWhatTablesTake(t *testing.T) {
	typedtest.InRows(t)
	db, err := Open("db", &Options{FS: vfs.NewMem(), manualWork: true, MemtableBytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i := range 2000 {
		if _, err := db.Set(fmt.Sprint("s", i)).Add("a", "b"); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 2000; i += 2 {
		if _, err := db.Key(fmt.Sprint("s", i)).Drop(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // suspected, then decided
		m := db.Metrics()
		if m.Dead.Bytes == 0 || m.Dead.Bytes > m.Tables.Bytes {
			t.Errorf("%d bytes are dead, with %d collections undecided, of %d in tables", m.Dead.Bytes, m.Dead.Collections, m.Tables.Bytes)
		}
		if _, err := db.reapStep(); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(db.Compact(t.Context(), Range{}), db.step()); err != nil {
		t.Fatal(err)
	}
	if d := db.Metrics().Dead; d.Bytes != 0 || d.Collections != 0 {
		t.Errorf("after a merge of everything: %+v", d)
	}
}

func TestWalksCountTheirHits(t *testing.T) {
	db, err := Open("db", &Options{FS: vfs.NewMem(), manualWork: true, MemtableBytes: 8 << 20, blockSize: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i := range 1000 {
		if err := db.Put(fmt.Appendf(nil, "k%06d", i), make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	const walks = 20
	for range walks {
		for _, err := range db.Scan(Range{}) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	c := db.Metrics().Cache
	if most := walks * db.Metrics().Cache.Blocks; c.Blocks < 500 || c.Hits < most/2 || c.Hits > 2*most {
		t.Errorf("%d walks over %d cached blocks: %d hits, %d misses", walks, c.Blocks, c.Hits, c.Misses)
	}
}

// OpenHandles and Metrics().Open are what the user has left open: the reaper's own
// transactions are not among them.
func TestTheReaperIsNoOpenHandle(t *testing.T) {
	typedtest.InRows(t)
	f := vfstest.NewFaults(vfs.NewMem())
	db, err := Open("db", &Options{FS: f, manualWork: true, TrackOpen: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Set("s").Add("a", "b"); err != nil {
		t.Fatal(err)
	}
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Key("s").Drop(); err != nil {
		t.Fatal(err)
	}
	looks := 0
	f.OnOp(func(vfstest.Op) {
		looks++
		if n := len(db.OpenHandles()); n != 0 || db.handles.err() != nil {
			t.Errorf("%d handles are open while the reaper works: %v", n, db.handles.err())
		}
	})
	did, err := db.reapStep()
	f.OnOp(nil)
	if !did || err != nil || looks == 0 || db.Metrics().Open != (metrics.Handles{}) {
		t.Errorf("did %v, %v; looked %d times; %+v", did, err, looks, db.Metrics().Open)
	}
}

// fillDisk leaves not a byte of the disk free.
func fillDisk(disk *vfstest.Disk) {
	disk.SetCapacity(1 << 40)
	disk.SetCapacity(1<<40 - disk.Free("."))
}

// The disk is full to the last byte when the store is opened: deletes work. That of all
// brings the space back by itself; to merge what is left of a part takes room.
func TestStoreOpensForWritingOnADiskWithoutAByteFree(t *testing.T) {
	t.Parallel()
	end := map[string]func(db *DB, disk *vfstest.Disk) *vfstest.Disk{
		"closed": func(db *DB, disk *vfstest.Disk) *vfstest.Disk {
			fillDisk(disk)
			mustClose(t, db)
			fillDisk(disk)
			return disk
		},
		"killed": func(db *DB, disk *vfstest.Disk) *vfstest.Disk { return disk.Image(vfstest.P0, nil) },
		"cut":    func(db *DB, disk *vfstest.Disk) *vfstest.Disk { return disk.Image(vfstest.P1, nil) },
	}
	const n = 6000
	value := make([]byte, 1000)
	for name, end := range end {
		for _, whole := range []bool{false, true} {
			if whole && testing.Short() {
				continue // they wait for what an idle store does
			}
			t.Run(fmt.Sprintf("%s/whole=%v", name, whole), func(t *testing.T) {
				t.Parallel()
				disk := vfstest.NewDisk(1)
				disk.SetCapacity(64 << 20)
				o := &Options{FS: disk, MemtableBytes: 256 << 10, Compression: NoCompression, Durability: OSDurability}
				db, err := Open("db", o)
				if err != nil {
					t.Fatal(err)
				}
				for i := range n {
					if err := db.Put(fmt.Appendf(nil, "key%06d", i), value); err != nil {
						t.Fatal(err)
					}
				}
				if err := db.Sync(); err != nil {
					t.Fatal(err)
				}
				db.keepStep() // its loop runs late on a loaded machine
				full := end(db, disk)
				fillDisk(full)
				o = &Options{FS: full, MemtableBytes: 256 << 10, Compression: NoCompression, Durability: OSDurability}
				again, err := Open("db", o)
				if err != nil {
					t.Fatalf("with %d bytes free: %v", full.Free("db"), err)
				}
				if !whole {
					for i := range n / 2 {
						if err := again.Delete(fmt.Appendf(nil, "key%06d", i+1)); err != nil {
							t.Fatalf("delete %d: %v", i, err)
						}
					}
					full.SetCapacity(64 << 20)
				}
				checkFull(t, again, n, value, true)
				if err := again.Check(t.Context()); err != nil {
					t.Error(err)
				}
				mustClose(t, again)
				if full != disk {
					mustClose(t, db)
				}
			})
		}
	}
}

// A start on a full disk uses the space that the store kept for it. When the power is
// cut meanwhile the next start finds that space in what this one has left.
func TestPowerCutInAStartOnAFullDiskOpensOnTheFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("the full tier")
	}
	t.Parallel()
	disk, rng, cuts, ops := vfstest.NewDisk(1), seeded(1), 0, 0
	disk.SetCapacity(64 << 20)
	large := func(o *Options) { o.MemtableBytes = 2 << 20 } // the tables of the log outweigh the rest
	db := mustOpen(t, disk, newHandClock(), large)
	for i := range 40 {
		putAt(t, db, SyncDurability, fmt.Sprint("key", i), string(make([]byte, 20_000)))
		db.keepStep()
	}
	full := disk.Image(vfstest.P0, nil)
	mustClose(t, db)
	fillDisk(full)
	full.SetCapacity(1 << 40)
	size := 1<<40 - full.Free(".")
	full.SetCapacity(size)
	full.OnOp(func(op vfstest.Op) {
		if ops++; ops%tier(7, 1, 1) != 0 {
			return
		}
		for _, p := range vfstest.Profiles() {
			for image := range full.Images(p, tier(1, 4, 10), rng) {
				image.SetCapacity(size)
				cuts++
				o := denseOptions(image, newHandClock())
				large(&o)
				o.Compression = NoCompression
				again, err := Open("db", &o)
				if err != nil {
					t.Fatalf("%v before %v: %v", p, op, err)
				}
				if keys := keysOf(t, again); len(keys) != 40 {
					t.Fatalf("%v before %v: %d keys are left", p, op, len(keys))
				}
				mustClose(t, again)
			}
		}
	})
	again := mustOpen(t, full, newHandClock(), large, func(o *Options) { o.Compression = NoCompression })
	full.OnOp(nil)
	if cuts < 50 {
		t.Errorf("only %d cuts", cuts)
	}
	mustClose(t, again)
}
