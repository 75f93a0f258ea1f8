package conformance

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// traffic is concurrent use of a store on a disk whose power may be cut. A clock
// that counts events orders calls and ends.
type traffic struct {
	t    testing.TB
	disk *vfstest.Disk
	db   *siltstone.DB
	seed uint64

	events atomic.Int64
	values atomic.Int64 // handed out for appends

	// The power is cut in the picture, and goes on for the others.
	cut   atomic.Int64 // when; 0: not yet
	image *vfstest.Disk
}

func newTraffic(t testing.TB, seed uint64) *traffic {
	w := &traffic{t: t, disk: vfstest.NewDisk(seed), seed: seed}
	w.db = openStore(t, w.disk)
	return w
}

func openStore(t testing.TB, disk *vfstest.Disk) *siltstone.DB {
	t.Helper()
	db, err := siltstone.Open("db", &siltstone.Options{FS: disk, MemtableBytes: 64 << 10, MemoryLimit: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// crashAt has the image of a power cut taken at about the n-th operation of the
// disk from now.
func (w *traffic) crashAt(n int64, p vfstest.Profile) {
	at, rng := w.disk.Ops()+n, rand.New(rand.NewPCG(w.seed, 3))
	w.disk.OnOp(func(op vfstest.Op) {
		if op.N >= at && w.image == nil {
			w.cut.Store(w.events.Add(1))
			w.image = w.disk.Image(p, rng)
		}
	})
}

// over reports whether the power was cut.
func (w *traffic) over() bool { return w.cut.Load() != 0 }

// restart ends the traffic and opens what the cut has left, if there was one.
func (w *traffic) restart() {
	w.t.Helper()
	if err := w.db.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.disk.OnOp(nil)
	if w.image != nil {
		w.disk = w.image
	}
	w.db = openStore(w.t, w.disk)
}

// outcome is the end of a call for whom the power was cut: forever if it may
// have come too late, and counts false if it was called after it.
func (w *traffic) outcome(call, end int64) (settled int64, counts bool) {
	cut := w.cut.Load()
	switch {
	case cut == 0 || end < cut:
		return end, true
	case call > cut:
		return 0, false
	}
	return forever, true
}

// crowd runs body in n goroutines, each with a generator of its own.
func (w *traffic) crowd(n int, body func(rng *rand.Rand)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { body(rand.New(rand.NewPCG(w.seed, uint64(i)+10))) })
	}
	wg.Wait()
}

// lists are few, so that transactions meet. Those in capitals are typed; the
// others are keys one behind the other, and who appends finds the end by a scan,
// so that it is ranges that conflict.
var lists = []string{"W", "X", "y", "z"}

func readList(tx *siltstone.Tx, list string) (all []int, err error) {
	add := func(v []byte, err error) error {
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(v))
		all = append(all, n)
		return err
	}
	if list < "a" {
		for v, err := range tx.List(list).Range(0, -1) {
			if err := add(v, err); err != nil {
				return nil, err
			}
		}
		return all, nil
	}
	for kv, err := range tx.Scan(siltstone.Prefix([]byte(list))) {
		if err := add(kv.Value, err); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func appendTo(tx *siltstone.Tx, list string, value int) error {
	text := strconv.AppendInt(nil, int64(value), 10)
	if list < "a" {
		_, err := tx.List(list).PushBack(text)
		return err
	}
	last := 0
	for kv, err := range tx.ScanBack(siltstone.Prefix([]byte(list))) {
		if err != nil {
			return err
		}
		if last, err = strconv.Atoi(string(kv.Key[1:])); err != nil {
			return err
		}
		break
	}
	return tx.Put(fmt.Appendf(nil, "%s%06d", list, last+1), text)
}

// transaction makes a random one and records it.
func (w *traffic) transaction(rng *rand.Rand, views bool) (*txnRecord, error) {
	type plan struct {
		key  string
		read bool
	}
	var plans []plan
	view := views && rng.IntN(4) == 0
	for range 1 + rng.IntN(4) {
		plans = append(plans, plan{lists[rng.IntN(len(lists))], view || rng.IntN(2) == 0})
	}
	r := &txnRecord{call: w.events.Add(1)}
	body := func(tx *siltstone.Tx) error {
		r.ops = nil
		for _, p := range plans {
			op := listOp{key: p.key}
			var err error
			if p.read {
				op.read, err = readList(tx, p.key)
			} else {
				op.value = int(w.values.Add(1))
				err = appendTo(tx, p.key, op.value)
			}
			if err != nil {
				return err
			}
			r.ops = append(r.ops, op)
		}
		return nil
	}
	err := error(nil)
	if view {
		err = w.db.View(bg, body)
	} else {
		err = w.db.Update(bg, body)
	}
	r.end = w.events.Add(1)
	return r, err
}

// final reads all lists.
func (w *traffic) final() map[string][]int {
	w.t.Helper()
	all := map[string][]int{}
	err := w.db.View(bg, func(tx *siltstone.Tx) (err error) {
		for _, key := range lists {
			if all[key], err = readList(tx, key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// serial runs transactions by many and checks them.
func serial(t *testing.T, seed uint64, crash bool) (checked int) {
	w := newTraffic(t, seed)
	defer func() {
		if err := w.db.Close(); err != nil {
			t.Error(err)
		}
	}()
	if crash {
		rng := rand.New(rand.NewPCG(seed, 4))
		w.crashAt(1+rng.Int64N(250), vfstest.Profiles()[rng.IntN(6)])
	}
	var mu sync.Mutex
	var all []*txnRecord
	w.crowd(8, func(rng *rand.Rand) {
		for i := 0; i < 40 && !w.over(); i++ {
			// A View may show what is not durable yet, and says so.
			r, err := w.transaction(rng, !crash)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			all = append(all, r)
			mu.Unlock()
		}
	})
	w.restart()
	var settled []*txnRecord
	for _, r := range all {
		end, counts := w.outcome(r.call, r.end)
		if r.end = end; counts {
			settled = append(settled, r)
		}
	}
	if err := checkSerial(settled, w.final()); err != nil {
		t.Fatalf("seed %d, crash %v: %v", seed, crash, err)
	}
	return len(settled)
}

// budgeted repeats a test with new seeds for a second, or until so many operations have
// been checked as the long form asks for.
func budgeted(t *testing.T, one func(seed uint64) int) {
	t.Helper()
	const most = 1_000_000
	seed, begin := *seedFlag, time.Now()
	if seed == 0 {
		seed = uint64(begin.UnixNano())
	}
	runs, checked := 0, 0
	for runs == 0 || *seedFlag == 0 && (*long && checked < most || !*long && time.Since(begin) < time.Second) {
		checked += one(seed)
		seed++
		runs++
	}
	t.Logf("%d histories, %d operations checked", runs, checked)
}

func TestTransactionsAreStrictlySerializable(t *testing.T) {
	budgeted(t, func(seed uint64) int { return serial(t, seed, false) })
}

func TestTransactionsAreStrictlySerializableAcrossACrash(t *testing.T) {
	budgeted(t, func(seed uint64) int { return serial(t, seed, true) })
}
