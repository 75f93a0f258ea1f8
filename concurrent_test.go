package siltstone_test

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
)

// group runs goroutines until stop, or as long as they want.
type group struct {
	sync.WaitGroup
	stopping atomic.Bool
}

// until runs do again and again until the group stops.
func (g *group) until(do func()) {
	g.Go(func() {
		for !g.stopping.Load() {
			do()
			runtime.Gosched()
		}
	})
}

func (g *group) stop() {
	g.stopping.Store(true)
	g.Wait()
}

const (
	accounts = 64
	balance  = 100
)

func account(i int) []byte { return fmt.Appendf(nil, "account/%03d", i) }

// total is the sum of all balances that from shows.
func total(t *testing.T, from siltstone.Reader, back bool) int {
	scan := from.Scan
	if back {
		scan = from.ScanBack
	}
	sum, n := 0, 0
	for kv, err := range scan(siltstone.Prefix([]byte("account/"))) {
		if err != nil {
			t.Error(err)
			return 0
		}
		b, err := strconv.Atoi(string(kv.Value))
		ok(t, err)
		sum += b
		n++
	}
	if n != accounts {
		t.Errorf("%d accounts, want %d", n, accounts)
	}
	return sum
}

// few returns how much a test does, which is less with -short.
func few[T any](short, usual T) T {
	if testing.Short() {
		return short
	}
	return usual
}

// transfer moves money between two accounts, by way of deleting and putting them
// anew now and then.
func transfer(tx *siltstone.Tx, rng *rand.Rand) error {
	from, to := rng.IntN(accounts), rng.IntN(accounts)
	if from == to {
		return nil
	}
	amount := rng.IntN(5)
	for k, change := range map[int]int{from: -amount, to: amount} {
		v, err := tx.Get(account(k))
		if err != nil {
			return err
		}
		b, err := strconv.Atoi(string(v))
		if err != nil {
			return err
		}
		if rng.IntN(4) == 0 {
			r := siltstone.Range{Lower: account(k), Upper: append(account(k), 0)}
			if err := tx.DeleteRange(r); err != nil {
				return err
			}
		}
		if err := tx.Put(account(k), strconv.AppendInt(nil, int64(b+change), 10)); err != nil {
			return err
		}
	}
	return nil
}

// TestSumIsConstantInEverySnapshotScanAndTransaction moves money about while
// memtables are flushed and tables merged all the time.
func TestSumIsConstantInEverySnapshotScanAndTransaction(t *testing.T) {
	t.Parallel()
	s := newStore(t, workers)
	for i := range accounts {
		ok(t, s.Put(account(i), strconv.AppendInt(nil, balance, 10)))
	}
	check := func(from siltstone.Reader, back bool) {
		if sum := total(t, from, back); sum != accounts*balance {
			t.Errorf("%T shows %d, want %d", from, sum, accounts*balance)
		}
	}
	var g group
	var transfers atomic.Int64
	for i := range 16 {
		rng := rand.New(rand.NewPCG(uint64(i), 1))
		g.until(func() {
			ok(t, s.Update(bg, func(tx *siltstone.Tx) error { return transfer(tx, rng) }))
			transfers.Add(1)
		})
	}
	for i := range 2 {
		g.until(func() { check(s.DB, i == 1) })
		g.until(func() { ok(t, s.View(bg, func(tx *siltstone.Tx) error { check(tx, i == 1); return nil })) })
		g.until(func() {
			snap, err := s.NewSnapshot()
			ok(t, err)
			check(snap, i == 1)
			check(snap, i == 0)
			snap.Close()
		})
	}
	g.until(func() { // garbage, so that there is something to flush and merge
		ok(t, s.Put([]byte("garbage"), make([]byte, 500)))
		ok(t, s.PutTTL(fmt.Appendf(nil, "short-lived %d", rand.IntN(100)), nil, time.Millisecond))
		s.clock.advance(time.Millisecond)
	})
	g.until(func() { ok(t, s.Compact(bg, siltstone.Range{})) })
	await(t, "enough transfers", func() bool { return transfers.Load() > few[int64](800, 3000) || t.Failed() })
	g.stop()
	check(s.DB, false)
	s.check()
	s.reopen()
	check(s.DB, true)
}

func TestSixteenWritersCountExactly(t *testing.T) {
	for name, increment := range map[string]func(s *testStore) error{
		"Update": func(s *testStore) error {
			return s.Update(bg, func(tx *siltstone.Tx) error {
				v, err := tx.Get([]byte("n"))
				if err != nil && !errors.Is(err, siltstone.ErrNotFound) {
					return err
				}
				n, _ := strconv.Atoi(string(v))
				return tx.Put([]byte("n"), strconv.AppendInt(nil, int64(n+1), 10))
			})
		},
		"Incr": func(s *testStore) error { _, err := s.String("n").Incr(1); return err },
		"Begin": func(s *testStore) error {
			for {
				tx := s.begin()
				_, err := tx.String("n").Incr(1)
				if err == nil {
					err = tx.Commit()
				}
				tx.Rollback()
				if !errors.Is(err, siltstone.ErrConflict) {
					return err
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t, workers)
			const each = 60
			var g group
			for range 16 {
				g.Go(func() {
					for range each {
						ok(t, increment(s))
					}
				})
			}
			g.Wait()
			wantText(t, get(s, "n"), fmt.Sprint(16*each))
		})
	}
}

// TestReadsNeverGoBack: what one reader has seen of rising numbers it never
// sees smaller again, by whatever way it reads.
func TestReadsNeverGoBack(t *testing.T) {
	t.Parallel()
	s := newStore(t, workers)
	const keys = 8
	for i := range keys {
		s.put(fmt.Sprint("k", i), "000000")
	}
	var g group
	var round atomic.Int64
	g.until(func() {
		n := round.Add(1)
		for i := range keys { // k0 first: it is never behind another one
			ok(t, s.Put(fmt.Append(nil, "k", i), fmt.Appendf(nil, "%06d", n)))
		}
		ok(t, s.Put([]byte("filler"), make([]byte, 300)))
	})
	for range 4 {
		last := map[string]string{}
		g.until(func() {
			seen := "" // in this pass
			look := func(key, v string) {
				if v < seen || v < last[key] {
					t.Errorf("%s is %s after %s was seen", key, v, max(seen, last[key]))
				}
				seen, last[key] = v, v
			}
			for i := keys - 1; i >= 0; i-- { // against the order of the writer
				look(fmt.Sprint("k", i), get(s, fmt.Sprint("k", i)))
			}
			seen = ""
			for kv, err := range s.ScanBack(siltstone.Prefix([]byte("k"))) {
				ok(t, err)
				look(string(kv.Key), string(kv.Value))
			}
		})
	}
	await(t, "enough rounds", func() bool { return round.Load() > 1500 || t.Failed() })
	g.stop()
}

// TestCollectionsStayWholeWhileTheyComeAndGo: hashes are created, dropped,
// renamed and expire under readers, the reaper and merges.
func TestCollectionsStayWholeWhileTheyComeAndGo(t *testing.T) {
	t.Parallel()
	s := newStore(t, workers)
	const names, fields = 6, 20
	var g group
	var made atomic.Int64
	for range 3 {
		g.until(func() {
			name := fmt.Sprint("h", rand.IntN(names))
			ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
				if _, err := tx.Key(name).Drop(); err != nil {
					return err
				}
				for i := range fields {
					if _, err := tx.Hash(name).Set(fmt.Sprint(i), []byte("v")); err != nil {
						return err
					}
				}
				if rand.IntN(2) == 0 {
					return tx.Expire([]byte(name), 5*time.Millisecond)
				}
				return nil
			}))
			made.Add(1)
		})
	}
	g.until(func() {
		err := s.Key(fmt.Sprint("h", rand.IntN(names))).Rename(fmt.Sprint("h", rand.IntN(names)))
		if !errors.Is(err, siltstone.ErrNotFound) {
			ok(t, err)
		}
		ok(t, s.Delete(fmt.Append(nil, "h", rand.IntN(names))))
		s.clock.advance(time.Millisecond)
	})
	for range 3 {
		g.until(func() {
			n := 0
			for _, err := range s.Hash(fmt.Sprint("h", rand.IntN(names))).All() {
				ok(t, err)
				n++
			}
			if n != 0 && n != fields {
				t.Errorf("a hash shows %d fields, want none or %d", n, fields)
			}
		})
	}
	await(t, "enough hashes", func() bool { return made.Load() > few[int64](100, 300) || t.Failed() })
	g.stop()
	s.check()
	ok(t, s.DeleteRange(siltstone.Range{}))
	s.compact()
	s.check()
}

// TestCloseUnderFire closes a store while everybody uses it: calls end with an
// answer or ErrClosed, nothing is left behind, and what was acknowledged is
// there.
func TestCloseUnderFire(t *testing.T) {
	t.Parallel()
	before := runtime.NumGoroutine()
	for range few(2, 8) {
		mem := vfs.NewMem()
		o := siltstone.Options{FS: mem, Durability: siltstone.BufferedDurability}
		workers(&o)
		db, err := siltstone.Open("db", &o)
		ok(t, err)
		fine := func(err error) bool {
			if err != nil && !errors.Is(err, siltstone.ErrClosed) && !errors.Is(err, siltstone.ErrNotFound) {
				t.Errorf("a call during Close: %v", err)
			}
			return !errors.Is(err, siltstone.ErrClosed)
		}
		var g group
		var acked [4]int
		for w := range acked {
			g.Go(func() {
				for n := 1; fine(db.Put(fmt.Append(nil, "w", w), strconv.AppendInt(make([]byte, 0, 200), int64(n), 10))); n++ {
					acked[w] = n
				}
			})
		}
		for _, call := range []func() error{
			func() error { _, err := db.Get([]byte("w1")); return err },
			func() error { _, err := db.Hash("h").Set(fmt.Sprint(rand.IntN(100)), make([]byte, 100)); return err },
			func() error { _, err := db.Hash("h").Len(); return err },
			func() error {
				for _, err := range db.Scan(siltstone.Range{}) {
					if err != nil {
						return err
					}
				}
				_, err := db.Has([]byte("x"))
				return err
			},
			func() error {
				return db.Update(bg, func(tx *siltstone.Tx) error { return tx.Put([]byte("u"), []byte(get(tx, "u")[:1])) })
			},
			func() error { return db.Flush(bg) },
			func() error { return db.Sync() },
			func() error { return db.Compact(bg, siltstone.Range{}) },
		} {
			g.Go(func() {
				for fine(call()) {
				}
			})
		}
		deadline := time.Now().Add(30 * time.Millisecond)
		await(t, "a moment", func() bool { return time.Now().After(deadline) })
		err = db.Close()
		g.Wait()
		if err != nil {
			// What was open in the moment of Close is named; nothing else may be wrong.
			t.Logf("Close: %v", err)
		}
		if open := mem.OpenFiles(); len(open) > 0 {
			t.Errorf("files left open: %v", open)
		}
		db, err = siltstone.Open("db", &o)
		if err != nil {
			t.Fatal(err)
		}
		for w, n := range acked {
			if v, _ := strconv.Atoi(get(db, fmt.Sprint("w", w))); v < n {
				t.Errorf("writer %d: %d was acknowledged, %d is there", w, n, v)
			}
		}
		ok(t, db.Check(bg))
		ok(t, db.Close())
	}
	await(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= before })
}

// TestEndsOfARangeAreFoundBesideWriters has a writer that deletes long stretches key
// by key and puts a key back now and then, and readers that ask for both ends of the
// range in snapshots: they are what the writer's own list says.
func TestEndsOfARangeAreFoundBesideWriters(t *testing.T) {
	const keys = 4000
	rounds := 12
	if testing.Short() {
		rounds = 1
	}
	db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem(), Durability: siltstone.BufferedDurability})
	ok(t, err)
	defer db.Close()
	var mu sync.Mutex // state and store are one while it is held
	var state [keys]bool
	key := func(i int) []byte { return fmt.Appendf(nil, "q%05d", i) }
	var end atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		defer end.Store(true)
		rng := rand.New(rand.NewPCG(1, 2))
		for range rounds {
			for i := range keys {
				mu.Lock()
				ok(t, db.Put(key(i), nil))
				state[i] = true
				mu.Unlock()
			}
			order := rng.IntN(3)
			for n := range keys {
				i := []int{n, keys - 1 - n, rng.IntN(keys)}[order]
				mu.Lock()
				ok(t, db.Delete(key(i)))
				state[i] = false
				if rng.IntN(50) == 0 {
					i = rng.IntN(keys)
					ok(t, db.Put(key(i), nil))
					state[i] = true
				}
				mu.Unlock()
			}
		}
	})
	for range 3 {
		wg.Go(func() {
			for !end.Load() {
				mu.Lock()
				snap, err := db.NewSnapshot()
				now := state
				mu.Unlock()
				ok(t, err)
				checkEnds(t, snap, now[:], key)
				snap.Close()
			}
		})
	}
	wg.Wait()
}

// checkEnds compares the first and the last key of a snapshot with what is there.
func checkEnds(t *testing.T, snap *siltstone.Snapshot, state []bool, key func(int) []byte) {
	first, last := "", ""
	for i, there := range state {
		if there {
			if last = string(key(i)); first == "" {
				first = last
			}
		}
	}
	whole := siltstone.Prefix([]byte("q"))
	for name, loop := range map[string]iter.Seq2[siltstone.KV, error]{first: snap.Scan(whole), last: snap.ScanBack(whole)} {
		got := ""
		for kv, err := range loop {
			ok(t, err)
			got = string(kv.Key)
			break
		}
		if got != name {
			t.Errorf("an end is %q, want %q", got, name)
		}
	}
}
