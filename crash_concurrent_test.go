package siltstone_test

import (
	"cmp"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// racer is one of several writers at work at once. Its commit number n is in all of
// its keys, and each value says which commit of the next racer was seen before it.
type racer struct {
	id      int
	issued  atomic.Uint64
	synced  atomic.Uint64 // acknowledged at Sync
	written atomic.Uint64 // acknowledged at OS
	beside  []besides     // what commit 1, 2, … writes beside its keys
}

// besides is what a commit changes of rows that others of its racer change too: it
// deletes a stretch, if any, and sets one value.
type besides struct {
	deleted    siltstone.Range
	key, value string // the key "" is field n of the racer's hash
}

const (
	racers       = 4
	racerKeys    = 5
	racerCommits = 60
)

func newRacers() (rs []*racer) {
	for id := range racers {
		rs = append(rs, &racer{id: id})
	}
	return rs
}

func racerKey(id, k int) []byte { return fmt.Appendf(nil, "w%d-%d", id, k) }

// racerValue is a commit's number, what was seen of another racer, and bytes that
// follow from the number.
func racerValue(n, seen uint64, size int) []byte {
	v := binary.BigEndian.AppendUint64(nil, n)
	v = binary.BigEndian.AppendUint64(v, seen)
	for i := range size {
		v = append(v, byte(n)+byte(i))
	}
	return v
}

func racerOptions(f vfs.FS) *siltstone.Options {
	o := &siltstone.Options{FS: f, MemtableBytes: 8 << 10, MemoryLimit: 8 << 20}
	o.Extreme(siltstone.Extremes{BlockSize: 256, TableBytes: 8 << 10, RunLimit: 2})
	return o
}

// race lets all racers commit until they are done or the store refuses, and
// returns the first errors. It calls half once, while they are at it.
func race(t *testing.T, db *siltstone.DB, rs []*racer, rng *rand.Rand, half func()) []error {
	t.Helper()
	errs := make([]error, len(rs))
	var all sync.WaitGroup
	started := make(chan struct{}, len(rs))
	for i, r := range rs {
		own := rand.New(rand.NewPCG(rng.Uint64(), 1))
		all.Go(func() {
			for n := uint64(1); n <= racerCommits && errs[i] == nil; n++ {
				errs[i] = r.commit(t, db, rs, own, n)
				if n == racerCommits/2 || errs[i] != nil && n < racerCommits/2 {
					started <- struct{}{}
				}
			}
		})
	}
	<-started
	half()
	all.Wait()
	return errs
}

// commit makes commit n, as a batch or a transaction, at some level.
func (r *racer) commit(t *testing.T, db *siltstone.DB, rs []*racer, rng *rand.Rand, n uint64) error {
	level := []siltstone.Durability{siltstone.SyncDurability, siltstone.SyncDurability, siltstone.OSDurability, siltstone.BufferedDurability}[rng.IntN(4)]
	size := 10 + rng.IntN(200)
	if rng.IntN(12) == 0 {
		size = 600 + rng.IntN(3000) // the batch is a memtable of its own
	}
	seen, err := racerNumber(db, racerKey(rs[(r.id+1)%len(rs)].id, 0))
	if err != nil {
		return err
	}
	value := racerValue(n, seen, size)
	r.issued.Store(n)
	if rng.IntN(3) > 0 {
		err = db.Apply(r.batch(value, rng), level)
	} else {
		r.beside = append(r.beside, besides{value: string(value[:8])})
		err = db.Update(bg, func(tx *siltstone.Tx) error { return r.update(t, tx, value, n, level) })
	}
	switch {
	case err != nil:
	case level == siltstone.SyncDurability:
		r.synced.Store(n)
	case level == siltstone.OSDurability:
		r.written.Store(n)
	}
	return err
}

func (r *racer) batch(value []byte, rng *rand.Rand) *siltstone.Batch {
	var b siltstone.Batch
	for k := range racerKeys {
		b.Put(racerKey(r.id, k), value)
	}
	r.beside = append(r.beside, besides{value: string(value)})
	w := &r.beside[len(r.beside)-1]
	others := fmt.Sprintf("x%d-%d", r.id, rng.IntN(5))
	if rng.IntN(6) == 0 {
		w.deleted = siltstone.Prefix([]byte(others))
		b.DeleteRange(w.deleted)
	}
	w.key = fmt.Sprintf("%s-%d", others, rng.IntN(50))
	b.Put([]byte(w.key), value)
	return &b
}

func (r *racer) update(t *testing.T, tx *siltstone.Tx, value []byte, n uint64, level siltstone.Durability) error {
	tx.SetDurability(level)
	last, err := racerNumber(tx, racerKey(r.id, 0))
	if err != nil {
		return err
	}
	if last != n-1 {
		t.Errorf("racer %d reads its commit %d before %d", r.id, last, n)
	}
	for k := range racerKeys {
		if err := tx.Put(racerKey(r.id, k), value); err != nil {
			return err
		}
	}
	_, err = tx.Hash(fmt.Sprint("h", r.id)).Set("n", value[:8])
	return err
}

// racerNumber returns the number of the commit that wrote key, 0 if none has.
func racerNumber(from siltstone.Reader, key []byte) (uint64, error) {
	v, err := from.Get(key)
	if errors.Is(err, siltstone.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(v), nil
}

// wreck is what a power cut left, and what must be found in it.
type wreck struct {
	disk    *vfstest.Disk
	profile vfstest.Profile
	op      vfstest.Op
	synced  []uint64
	written []uint64
}

// cut returns what a power cut before op leaves.
func cut(disk *vfstest.Disk, op vfstest.Op, p vfstest.Profile, rs []*racer, rng *rand.Rand) wreck {
	w := wreck{profile: p, op: op}
	for _, r := range rs {
		w.synced = append(w.synced, r.synced.Load())
		w.written = append(w.written, max(r.synced.Load(), r.written.Load()))
	}
	w.disk = disk.Image(p, rng)
	return w
}

// judge opens the wreck: it must hold every commit that was acknowledged at its
// level, each whole, none that was never made, and with each what it had seen of
// others. Some recoveries are cut again.
func (w *wreck) judge(t *testing.T, rs []*racer, rng *rand.Rand, nested bool) {
	t.Helper()
	where := fmt.Sprintf("%v before %v", w.profile, w.op)
	var inner []wreck
	if !nested && rng.IntN(4) == 0 {
		where += ", cut again"
		at := w.disk.Ops() + 1 + rng.Int64N(40)
		w.disk.OnOp(func(op vfstest.Op) {
			if op.N == at {
				c := *w
				c.op, c.profile = op, vfstest.Profile(rng.IntN(6))
				c.written = w.synced // that the process was killed only is not known any more
				c.disk = w.disk.Image(c.profile, rng)
				inner = append(inner, c)
			}
		})
	}
	db, err := siltstone.Open("db", racerOptions(w.disk))
	w.disk.OnOp(nil)
	if err != nil {
		t.Errorf("%s: does not open: %v", where, err)
		return
	}
	found, saw := make([]uint64, len(rs)), make([]uint64, len(rs))
	for i, r := range rs {
		found[i], saw[i] = r.find(t, db, where)
		must := w.synced[i]
		if w.profile == vfstest.P0 {
			must = w.written[i]
		}
		if found[i] < must || found[i] > r.issued.Load() {
			t.Errorf("%s: racer %d: commit %d, acknowledged %d, issued %d", where, i, found[i], must, r.issued.Load())
		} else {
			r.compareBesides(t, db, found[i], where)
		}
	}
	for i := range rs {
		if next := (i + 1) % len(rs); saw[i] > found[next] {
			t.Errorf("%s: racer %d had seen commit %d of racer %d, which is at %d: a hole", where, i, saw[i], next, found[next])
		}
	}
	if err := db.Check(bg); err != nil {
		t.Errorf("%s: check: %v", where, err)
	}
	if err := db.Close(); err != nil {
		t.Errorf("%s: close: %v", where, err)
	}
	for i := range inner {
		inner[i].judge(t, rs, rng, true)
	}
}

// find returns the racer's last commit and what that had seen, and checks that it
// is whole.
func (r *racer) find(t *testing.T, db *siltstone.DB, where string) (n, seen uint64) {
	t.Helper()
	for k := range racerKeys {
		v, err := db.Get(racerKey(r.id, k))
		if errors.Is(err, siltstone.ErrNotFound) {
			v, err = racerValue(0, 0, 0), nil
		}
		if err != nil {
			t.Errorf("%s: racer %d: %v", where, r.id, err)
			return n, seen
		}
		got, saw := binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:])
		if string(v) != string(racerValue(got, saw, len(v)-16)) {
			t.Errorf("%s: racer %d: key %d of commit %d is damaged", where, r.id, k, got)
		}
		if k > 0 && got != n {
			t.Errorf("%s: racer %d: key %d is of commit %d, key 0 of commit %d", where, r.id, k, got, n)
		}
		n, seen = got, saw
	}
	return n, seen
}

// compareBesides compares what commits 1 to n wrote beside the racer's keys: not one of
// their operations may be missing.
func (r *racer) compareBesides(t *testing.T, db *siltstone.DB, n uint64, where string) {
	t.Helper()
	want, got := map[string]string{}, map[string]string{}
	for _, w := range r.beside[:n] {
		maps.DeleteFunc(want, func(key, _ string) bool {
			return len(w.deleted.Lower) > 0 && strings.HasPrefix(key, string(w.deleted.Lower))
		})
		want[w.key] = w.value
	}
	for kv, err := range db.Scan(siltstone.Prefix(fmt.Appendf(nil, "x%d-", r.id))) {
		if err != nil {
			t.Errorf("%s: racer %d: %v", where, r.id, err)
		}
		got[string(kv.Key)] = string(kv.Value)
	}
	switch v, err := db.Hash(fmt.Sprint("h", r.id)).Get("n"); {
	case err == nil:
		got[""] = string(v)
	case !errors.Is(err, siltstone.ErrNotFound):
		t.Errorf("%s: racer %d: %v", where, r.id, err)
	}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s: racer %d at commit %d: %q is not what it was set to", where, r.id, n, key)
		}
		delete(got, key)
	}
	for key := range got {
		t.Errorf("%s: racer %d at commit %d: %q is there, and was deleted", where, r.id, n, key)
	}
}

// rounds is how often a random test is run, each time with another seed, which is
// named if it fails.
func rounds(t *testing.T, usual int, round func(t *testing.T, seed uint64)) {
	switch f := flag.Lookup("long"); {
	case f != nil && f.Value.String() == "true":
		usual *= 40
	case testing.Short():
		usual = (usual + 2) / 3
	}
	first := uint64(time.Now().UnixNano()) % 1_000_000
	for seed := first; seed < first+uint64(usual) && !t.Failed(); seed++ {
		if round(t, seed); t.Failed() {
			t.Logf("seed %d", seed)
		}
	}
}

func TestWhatConcurrentWritersWereToldSurvivesAPowerCut(t *testing.T) {
	t.Parallel()
	images := 0
	rounds(t, 8, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 77))
		disk := vfstest.NewDisk(seed)
		db, err := siltstone.Open("db", racerOptions(disk))
		ok(t, err)
		rs := newRacers()
		var wrecks []wreck
		own := rand.New(rand.NewPCG(seed, 78))
		next := 20 + own.Int64N(60)
		disk.OnOp(func(op vfstest.Op) {
			if op.N >= next && len(wrecks) < 60 {
				next = op.N + 1 + own.Int64N(60)
				wrecks = append(wrecks, cut(disk, op, vfstest.Profile(own.IntN(6)), rs, own))
			}
		})
		underFire := rng.IntN(2) == 0
		errs := race(t, db, rs, rng, func() {
			if !underFire {
				return
			}
			if err := db.Close(); err != nil && !strings.Contains(err.Error(), "still open") {
				t.Error(err)
			}
		})
		for i, err := range errs {
			if err != nil && !(underFire && errors.Is(err, siltstone.ErrClosed)) {
				t.Errorf("racer %d: %v", i, err)
			}
		}
		if !underFire {
			ok(t, db.Close())
		}
		disk.OnOp(nil)
		wrecks = append(wrecks, cut(disk, vfstest.Op{N: disk.Ops()}, vfstest.P1, rs, own))
		for i := range wrecks {
			wrecks[i].judge(t, rs, own, false)
		}
		images += len(wrecks)
	})
	t.Logf("%d images", images)
}

// randomFault fails some call in some way, fsyncs that lose pages included.
func randomFault(rng *rand.Rand) (f vfstest.Fault, name string) {
	kinds := []vfstest.Kind{
		vfstest.Write, vfstest.Create, vfstest.SyncDir, vfstest.Rename, vfstest.Remove, vfstest.Allocate,
		vfstest.Zero, vfstest.Read, vfstest.Open, vfstest.Sync,
	}
	kind := kinds[rng.IntN(len(kinds))]
	if rng.IntN(2) == 0 {
		kind = vfstest.Sync
	}
	suffix := []string{"", ".wal", ".sst", "MANIFEST"}[rng.IntN(4)]
	f.Match = func(op vfstest.Op) bool { return op.Kind == kind && strings.Contains(op.Name, suffix) }
	f.Nth, f.Times = 1+rng.Int64N(40), 1
	if rng.IntN(4) == 0 {
		f.Times = vfstest.Forever
	}
	f.Effect = []vfstest.Effect{vfstest.NotDone, vfstest.Half, vfstest.Done, vfstest.Forgotten, vfstest.Reverted}[rng.IntN(5)]
	return f, fmt.Sprintf("%v of %q, effect %d, from call %d on, %d times", kind, suffix, f.Effect, f.Nth, f.Times)
}

// honest reports whether err is what a writer may be told beside a fault.
func honest(err error) bool {
	return err == nil || errors.Is(err, vfstest.ErrInjected) || errors.Is(err, siltstone.ErrPoisoned) || errors.Is(err, siltstone.ErrIndeterminate)
}

func TestWhatConcurrentWritersWereToldSurvivesAFailingCall(t *testing.T) {
	t.Parallel()
	met := 0
	rounds(t, 30, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 99))
		disk := vfstest.NewDisk(seed)
		faults := vfstest.NewFaults(disk)
		db, err := siltstone.Open("db", racerOptions(faults))
		ok(t, err)
		fault, name := randomFault(rng)
		defer func() {
			if t.Failed() {
				t.Log(name)
			}
		}()
		faults.Inject(fault)
		rs := newRacers()
		for i, err := range race(t, db, rs, rng, func() {}) {
			if !honest(err) {
				t.Errorf("racer %d: %v", i, err)
			}
		}
		_ = db.Close() // its error is the fault's
		met += int(min(1, faults.Injected()))
		faults.Clear()
		if open := disk.OpenFiles(); len(open) > 0 {
			t.Errorf("left open: %v", open)
		}
		// Either the power goes now, or the store is opened again on what the page
		// cache holds, shows some of it, is written to, and then the power goes.
		for _, r := range rs {
			r.written.Store(0) // a failed sync may have taken it back
		}
		w := cut(disk, vfstest.Op{N: disk.Ops()}, vfstest.Profile(rng.IntN(6)), rs, rng)
		w.judge(t, rs, rng, false)
		again, err := siltstone.Open("db", racerOptions(disk))
		if err != nil {
			t.Errorf("does not open again: %v", err)
			return
		}
		for _, r := range rs {
			n, _ := r.find(t, again, "opened again")
			r.synced.Store(max(n, r.synced.Load())) // what was shown stays
		}
		ok(t, again.Put([]byte("one more"), []byte("x")))
		w = cut(disk, vfstest.Op{N: disk.Ops()}, vfstest.P1, rs, rng)
		ok(t, again.Close())
		w.judge(t, rs, rng, false)
	})
	t.Logf("the fault was met in %d rounds", met)
}

func TestAPutSurvivesWhatItsDurabilitySays(t *testing.T) {
	for _, store := range []siltstone.Durability{siltstone.SyncDurability, siltstone.BufferedDurability} {
		for _, level := range []siltstone.Durability{siltstone.DefaultDurability, siltstone.SyncDurability, siltstone.OSDurability} {
			disk := vfstest.NewDisk(1)
			db, err := siltstone.Open("db", &siltstone.Options{FS: disk, Durability: store})
			if err != nil {
				t.Fatal(err)
			}
			ks, err := db.CreateKeyspace("ks")
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(db.PutDurability([]byte("k"), nil, level), ks.PutDurability([]byte("k"), nil, level)); err != nil {
				t.Fatal(err)
			}
			after, err := siltstone.Open("db", &siltstone.Options{FS: disk.Image(vfstest.P1, nil)}) // of what no sync covered nothing is left
			if err != nil {
				t.Fatal(err)
			}
			in, err := after.Keyspace("ks")
			if err != nil {
				t.Fatal(err)
			}
			want := cmp.Or(level, store) == siltstone.SyncDurability
			for _, r := range []siltstone.Reader{after, in} {
				if has, err := r.Has([]byte("k")); has != want || err != nil {
					t.Errorf("%T of a store of %v, put at %v: there after a power cut: %v, %v", r, store, level, has, err)
				}
			}
			if err := errors.Join(after.Close(), db.Close()); err != nil {
				t.Error(err)
			}
		}
	}
}
