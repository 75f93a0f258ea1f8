package siltstone_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

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
