package siltstone_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
)

func (s *testStore) begin() *siltstone.Tx {
	s.t.Helper()
	tx, err := s.Begin(bg, siltstone.ReadWriteMode)
	if err != nil {
		s.t.Fatal(err)
	}
	return tx
}

func TestLoopInATransactionSeesItsBeginning(t *testing.T) {
	s := newStore(t)
	s.put("a", "1", "b", "2", "c", "3")
	ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
		n := 0
		for kv, err := range tx.Scan(siltstone.Range{}) {
			ok(t, err)
			ok(t, tx.Delete(kv.Key))
			ok(t, tx.Put(append([]byte("z"), kv.Key...), kv.Value))
			n++
		}
		if n != 3 {
			t.Errorf("%d keys, want 3", n)
		}
		it, err := tx.NewIter(nil)
		ok(t, err)
		if it.First(); string(it.Key()) != "za" {
			t.Errorf("first is %s", it.Key())
		}
		ok(t, tx.Put([]byte("zaa"), nil))
		if it.Next(); string(it.Key()) != "zb" {
			t.Errorf("a write made during the walk is seen: %s", it.Key())
		}
		if it.SeekLT([]byte("zb")); string(it.Key()) != "zaa" {
			t.Errorf("a seek does not see an earlier write: %s", it.Key())
		}
		return nil // the iterator ends with the transaction
	}))
	wantText(t, list(s, siltstone.Range{}), "za=1 zaa= zb=2 zc=3")
}

func TestUpdateRunsAgainUntilItWins(t *testing.T) {
	s := newStore(t)
	s.put("k", "0")
	var attempts []int
	var committed []string
	ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
		attempts = append(attempts, tx.Attempt())
		v := get(tx, "k")
		tx.OnCommit(func() { committed = append(committed, "first "+get(s, "k")) })
		tx.OnCommit(func() { committed = append(committed, "second") })
		if len(attempts) < 3 {
			s.put("k", v+"x")
		}
		return tx.Put([]byte("k"), []byte(v+"!"))
	}))
	wantText(t, fmt.Sprint(attempts), "[1 2 3]")
	wantText(t, fmt.Sprint(committed), "[first 0xx! second]")
}

func TestErrorAndPanicInAClosureRollBack(t *testing.T) {
	s := newStore(t)
	failure := errors.New("failure")
	hooked := false
	wantErr(t, s.Update(bg, func(tx *siltstone.Tx) error {
		tx.OnCommit(func() { hooked = true })
		ok(t, tx.Put([]byte("k"), nil))
		return failure
	}), failure)
	for name, run := range map[string]func(context.Context, func(*siltstone.Tx) error) error{"Update": s.Update, "View": s.View} {
		func() {
			defer func() {
				if p := recover(); p != failure {
					t.Errorf("%s: recovered %v", name, p)
				}
			}()
			_ = run(bg, func(tx *siltstone.Tx) error {
				tx.OnCommit(func() { hooked = true })
				_ = tx.Put([]byte("k"), nil)
				_, _ = tx.NewIter(nil)
				panic(failure)
			})
		}()
	}
	wantText(t, list(s, siltstone.Range{}), "")
	if hooked {
		t.Error("OnCommit was called without a commit")
	}
	ok(t, s.DB.Close()) // nothing was left open
	s.open()
}

func TestErrConflictOfTheClosureIsNotRetried(t *testing.T) {
	s := newStore(t)
	n := 0
	wantErr(t, s.Update(bg, func(*siltstone.Tx) error { n++; return siltstone.ErrConflict }), siltstone.ErrConflict)
	if n != 1 {
		t.Errorf("the closure ran %d times", n)
	}
}

func TestNestedUpdateIsRefused(t *testing.T) {
	s := newStore(t)
	ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
		wantErr(t, s.Update(tx.Context(), func(*siltstone.Tx) error { return nil }), siltstone.ErrNested)
		ok(t, s.View(tx.Context(), func(*siltstone.Tx) error { return nil }))
		return s.Update(bg, func(tx *siltstone.Tx) error { return tx.Put([]byte("beside"), nil) })
	}))
	wantText(t, list(s, siltstone.Range{}), "beside=")
}

func TestCancelledContextMeansNotCommitted(t *testing.T) {
	s := newStore(t)
	ctx, cancel := context.WithCancel(bg)
	wantErr(t, s.Update(ctx, func(tx *siltstone.Tx) error {
		ok(t, tx.Put([]byte("k"), nil))
		cancel()
		return nil
	}), context.Canceled)
	wantText(t, list(s, siltstone.Range{}), "")
	ran := false
	run := func(*siltstone.Tx) error { ran = true; return nil }
	wantErr(t, s.Update(ctx, run), context.Canceled)
	wantErr(t, s.View(ctx, run), context.Canceled)
	_, err := s.Begin(ctx, siltstone.ReadOnlyMode)
	wantErr(t, err, context.Canceled)
	for name, err := range map[string]error{
		"Flush": s.Flush(ctx), "Compact": s.Compact(ctx, siltstone.Range{}), "Check": s.Check(ctx),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if ran {
		t.Error("a closure ran under a cancelled context")
	}
}

// TestBlindWritersDoNotStarveUpdate: writers that never conflict would beat an
// increment of the same key for ever, if nothing held them back.
func TestBlindWritersDoNotStarveUpdate(t *testing.T) {
	s := newStore(t, workers)
	s.put("k", "0")
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					ok(t, s.Put([]byte("k"), []byte("0")))
				}
			}
		})
	}
	ctx, cancel := context.WithTimeout(bg, time.Minute)
	defer cancel()
	for range 5 {
		ok(t, s.Update(ctx, func(tx *siltstone.Tx) error {
			v := get(tx, "k")
			for range 200 { // long enough to lose each time
				_ = get(tx, "k")
			}
			return tx.Put([]byte("k"), []byte(v+"1"))
		}))
	}
	close(stop)
	writers.Wait()
}

func TestDBPutInsideUpdateIsAnErrorNotAHang(t *testing.T) {
	s := newStore(t)
	s.put("k", "0")
	n := 0
	wantErr(t, s.Update(bg, func(tx *siltstone.Tx) error {
		n++
		v := get(tx, "k")
		s.put("k", v+"x")
		return tx.Put([]byte("k"), []byte(v+"!"))
	}), siltstone.ErrNested)
	if n > 20 {
		t.Errorf("the closure ran %d times", n)
	}
	ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
		s.put("other", "x") // nothing it depends on
		return tx.Put([]byte("k"), []byte(get(tx, "k")+"!"))
	}))
}

// TestWriteBesideAGatedClosureIsNotBlamedOnIt: a closure behind the gate that
// writes something unrelated through the store lets only itself through; that
// somebody else then changes what it read is no fault of its own.
func TestWriteBesideAGatedClosureIsNotBlamedOnIt(t *testing.T) {
	s := newStore(t)
	s.put("k", "0")
	beside := make(chan error, 1)
	ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
		v := get(tx, "k")
		if tx.Attempt() < 5 {
			s.put("k", v+"x") // lose, until behind the gate
		}
		if tx.Attempt() == 5 {
			s.put("unrelated", "x")
			started := make(chan struct{})
			go func() {
				close(started)
				beside <- s.Put([]byte("k"), []byte("other"))
			}()
			<-started
			deadline := time.Now().Add(20 * time.Millisecond)
			await(t, "the other writer had its chance", func() bool { return time.Now().After(deadline) })
		}
		return tx.Put([]byte("k"), []byte(v+"!"))
	}))
	ok(t, <-beside)
}

func TestUpdateOfAKeyThatExpiresUnderItRunsAgain(t *testing.T) {
	s := newStore(t)
	ok(t, s.PutTTL([]byte("n"), []byte("9"), time.Second))
	var seen []string
	ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
		seen = append(seen, get(tx, "n"))
		s.clock.advance(600 * time.Millisecond)
		return tx.Put([]byte("n"), []byte("1"))
	}))
	wantText(t, fmt.Sprint(seen), "[9]")
	ok(t, s.PutTTL([]byte("n"), []byte("9"), 500*time.Millisecond))
	seen = nil
	ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
		seen = append(seen, get(tx, "n"))
		s.clock.advance(600 * time.Millisecond)
		return tx.Put([]byte("n"), []byte("1"))
	}))
	wantText(t, fmt.Sprint(seen), "[9 [none]]")
}

// TestUpdateOverKeysThatExpireAllTheTimeGetsThrough: behind the gate the store's
// clock stands still.
func TestUpdateOverKeysThatExpireAllTheTimeGetsThrough(t *testing.T) {
	s := newStore(t)
	for i := range 100 {
		ok(t, s.PutTTL(fmt.Appendf(nil, "k%02d", i), nil, time.Duration(i+1)*time.Millisecond))
	}
	attempts := 0
	ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
		attempts = tx.Attempt()
		_ = list(tx, siltstone.Range{})
		s.clock.advance(time.Millisecond)
		return tx.Put([]byte("n"), nil)
	}))
	if attempts != 5 {
		t.Errorf("%d attempts, want 5: the first behind the gate", attempts)
	}
}

// TestCollectionsMadeAndDroppedInATransactionNeverLeaveIt makes many and drops most,
// in between others that stay, with a loop open over one that is dropped.
func TestCollectionsMadeAndDroppedInATransactionNeverLeaveIt(t *testing.T) {
	db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem()})
	ok(t, err)
	defer db.Close()
	large := make([]byte, 200) // three of them have rows of their own
	const n = 3000
	before := db.Metrics().Commits.Operations
	ok(t, db.Update(bg, func(tx *siltstone.Tx) error {
		name := func(i int) string { return fmt.Sprint("list", i) }
		for i := range n {
			for range 3 {
				if _, err := tx.List(name(i)).PushBack(large); err != nil {
					return err
				}
			}
		}
		walked := 0
		for _, err := range tx.List(name(0)).Range(0, -1) {
			if err != nil {
				return err
			}
			for i := walked * n / 3; i < (walked+1)*n/3; i++ {
				if i%100 == 99 {
					continue
				}
				if _, err := tx.Key(name(i)).Drop(); err != nil {
					return err
				}
			}
			walked++
		}
		if walked != 3 {
			t.Errorf("the loop over a list that its body dropped had %d items", walked)
		}
		for i := range n {
			items, err := tx.List(name(i)).Len()
			if want := int64(3 * (i % 100 / 99)); err != nil || items != want {
				t.Fatalf("list %d has %d items, %v; want %d", i, items, err, want)
			}
		}
		return nil
	}))
	if ops := db.Metrics().Commits.Operations - before; ops > 4*n+n/20 { // metadata rows, and no items
		t.Errorf("%d operations were committed", ops)
	}
	ok(t, db.Check(bg))
	if dead := db.Metrics().Dead; dead.Collections != 0 {
		t.Errorf("%d collections are dead", dead.Collections)
	}
}
