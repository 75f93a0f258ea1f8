package siltstone_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
)

func (s *testStore) begin() *siltstone.Tx {
	s.t.Helper()
	tx, err := s.Begin(bg, siltstone.ReadWrite)
	if err != nil {
		s.t.Fatal(err)
	}
	return tx
}

func TestTransactionSeesItsOwnWritesAndOneMoment(t *testing.T) {
	s := newStore(t)
	s.put("a", "1", "b", "2", "c", "3")
	tx := s.begin()
	s.put("b", "later")
	ok(t, tx.Put([]byte("d"), []byte("4")))
	ok(t, tx.Delete([]byte("a")))
	wantText(t, list(tx, siltstone.Range{}), "b=2 c=3 d=4")
	wantText(t, listBack(tx, siltstone.Range{}), "d=4 c=3 b=2")
	ok(t, tx.DeleteRange(rng("c", "e")))
	ok(t, tx.Put([]byte("d"), []byte("5")))
	wantText(t, list(tx, siltstone.Range{}), "b=2 d=5")
	wantText(t, get(tx, "c"), "[none]")
	wantText(t, get(tx, "d"), "5")
	wantText(t, list(s, siltstone.Range{}), "a=1 b=later c=3")
	tx.Rollback()
	tx.Rollback()
	wantText(t, list(s, siltstone.Range{}), "a=1 b=later c=3")
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

// TestOwnRangeDeleteHidesOwnWritesOfALargeTransaction: beyond a few, own writes
// are looked up in a table, which ordered range deletes before everything.
func TestOwnRangeDeleteHidesOwnWritesOfALargeTransaction(t *testing.T) {
	for _, n := range []int{3, 40, 4000} {
		s := newStore(t, small)
		s.put("k00001", "old", "x", "old")
		ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
			for i := range n {
				ok(t, tx.Put(fmt.Appendf(nil, "k%05d", i), []byte("own")))
			}
			ok(t, tx.DeleteRange(siltstone.Prefix([]byte("k"))))
			ok(t, tx.Put([]byte("k00002"), []byte("kept")))
			wantText(t, list(tx, siltstone.Range{}), "k00002=kept x=old")
			wantText(t, get(tx, "k00001"), "[none]")
			return nil
		}))
		wantText(t, list(s, siltstone.Range{}), "k00002=kept x=old")
		s.put("after", "1")
		s.reopen()
		wantText(t, list(s, siltstone.Range{}), "after=1 k00002=kept x=old")
		s.compact()
		s.check()
	}
}

func TestCreateAndDeleteInOneTransactionLeavesNoRow(t *testing.T) {
	ends := map[string]func(tx *siltstone.Tx) error{
		"Delete":      func(tx *siltstone.Tx) error { return tx.Delete([]byte("k")) },
		"Put":         func(tx *siltstone.Tx) error { return errors.Join(tx.Put([]byte("k"), nil), tx.Delete([]byte("k"))) },
		"DeleteRange": func(tx *siltstone.Tx) error { return tx.DeleteRange(rng("a", "z")) },
		"Drop":        func(tx *siltstone.Tx) error { _, err := tx.Key("k").Drop(); return err },
		"Expire":      func(tx *siltstone.Tx) error { return tx.Expire([]byte("k"), -1) },
	}
	for name, end := range ends {
		for _, n := range []int{2, 500} {
			s := newStore(t)
			ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
				for i := range n {
					if _, err := tx.Hash("k").Set(fmt.Sprint(i), []byte("v")); err != nil {
						return err
					}
				}
				return end(tx)
			}))
			wantText(t, list(s, siltstone.Range{}), "")
			s.check()
			s.compact()
			s.step()
			if size, err := s.EstimateSize(siltstone.Range{}); size != 0 || err != nil {
				t.Errorf("%s of a hash of %d fields left %d bytes, %v", name, n, size, err)
			}
		}
	}
}

// TestLostUpdateThroughZeroedSequence: a compaction to the last level must not
// hide from a transaction that a key it read has changed.
func TestLostUpdateThroughZeroedSequence(t *testing.T) {
	for name, change := range map[string]func(s *testStore){
		"put":          func(s *testStore) { s.put("k", "6") },
		"delete":       func(s *testStore) { ok(s.t, s.Delete([]byte("k"))) },
		"range delete": func(s *testStore) { ok(s.t, s.DeleteRange(rng("a", "z"))) },
		"delete and put": func(s *testStore) {
			ok(s.t, s.Delete([]byte("k")))
			s.compact()
			s.put("k", "5")
		},
	} {
		for _, how := range []string{"point", "scan"} {
			s := newStore(t, small)
			s.put("k", "5")
			s.compact()
			tx := s.begin()
			if how == "point" {
				wantText(t, get(tx, "k"), "5")
			} else {
				wantText(t, list(tx, siltstone.Range{}), "k=5")
			}
			change(s)
			s.compact()
			s.step()
			ok(t, tx.Put([]byte("k"), []byte("6")))
			if err := tx.Commit(); !errors.Is(err, siltstone.ErrConflict) {
				t.Errorf("%s, read by %s: commit over it: %v", name, how, err)
			}
		}
	}
}

func TestConflictNamesWhatChanged(t *testing.T) {
	s := newStore(t)
	s.put("a", "1", "c", "1")
	tx := s.begin()
	_ = get(tx, "a")
	ok(t, tx.Put([]byte("x"), nil))
	s.put("a", "2")
	var conflict *siltstone.ConflictError
	if err := tx.Commit(); !errors.As(err, &conflict) || string(conflict.Range.Lower) != "a" || string(conflict.Range.Upper) != "a\x00" {
		t.Errorf("conflict is %v", err)
	}
	wantErr(t, tx.Commit(), siltstone.ErrTxDone)
	_, err := tx.Get([]byte("a"))
	wantErr(t, err, siltstone.ErrTxDone)
	wantErr(t, tx.Put([]byte("a"), nil), siltstone.ErrTxDone)
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

func TestWriteInAViewIsErrReadOnly(t *testing.T) {
	s := newStore(t)
	s.put("k", "v")
	ok(t, s.View(bg, func(tx *siltstone.Tx) error {
		_, hashErr := tx.Hash("h").Set("f", nil)
		for name, err := range map[string]error{
			"Put": tx.Put([]byte("k"), nil), "Delete": tx.Delete([]byte("k")), "DeleteRange": tx.DeleteRange(rng("a", "b")),
			"PutTTL": tx.PutTTL([]byte("k"), nil, time.Second), "Expire": tx.Expire([]byte("k"), time.Second),
			"Persist": tx.Persist([]byte("k")), "Hash.Set": hashErr,
		} {
			if !errors.Is(err, siltstone.ErrReadOnly) {
				t.Errorf("%s in a View: %v", name, err)
			}
		}
		wantText(t, get(tx, "k"), "v")
		return nil
	}))
	wantText(t, get(s, "k"), "v")
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
	_, err := s.Begin(ctx, siltstone.ReadOnly)
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

func TestRefusedCallInAClosureMayBeFollowedByAnother(t *testing.T) {
	s := newStore(t)
	s.put("s", "string")
	ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
		_, err := tx.Hash("s").Set("f", nil)
		wantErr(t, err, siltstone.ErrWrongType)
		wantErr(t, tx.Put(nil, nil), siltstone.ErrEmptyKey)
		wantErr(t, tx.DeleteRange(rng("b", "a")), siltstone.ErrBadRange)
		wantErr(t, tx.PutTTL([]byte("k"), nil, 0), siltstone.ErrBadTTL)
		return tx.Put([]byte("k"), []byte("v"))
	}))
	wantText(t, list(s, siltstone.Range{}), "k=v s=string")
}

func TestSetDurabilityOfATransaction(t *testing.T) {
	s := newStore(t)
	for _, level := range []siltstone.Durability{siltstone.Default, siltstone.Sync, siltstone.OS, siltstone.Buffered} {
		ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
			tx.SetDurability(level)
			return tx.Put([]byte("k"), []byte(level.String()))
		}))
		wantText(t, get(s, "k"), level.String())
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
