package siltstone_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

func TestTransactionSpansKeyspaces(t *testing.T) {
	s := newStore(t)
	a, b := s.keyspace("a"), s.keyspace("b")
	_, err := a.Set("s").Add("x", "y", "z")
	ok(t, err)
	ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
		for m, err := range tx.In(a).Set("s").All() { // a loop in one, calls in another
			if err != nil {
				return err
			}
			if _, err := tx.In(b).Hash("h").Set(m, nil); err != nil {
				return err
			}
			if err := errors.Join(tx.Put([]byte(m), nil), tx.In(a).Put([]byte(m), []byte("a"))); err != nil {
				return err
			}
		}
		if tx.In(a) != tx.In(b).In(a) || tx.In(a).In(nil) != tx {
			t.Error("another transaction")
		}
		_, err := tx.In(a).Key("s").Drop()
		return err
	}))
	wantText(t, list(s, siltstone.Range{})+"; "+list(a, siltstone.Range{})+"; "+list(b, siltstone.Range{}), "x= y= z=; x=a y=a z=a; h(hash)")
	s.step()
	s.check()
	tx := s.begin()
	ok(t, tx.In(a).Put([]byte("x"), []byte("rolled back")))
	tx.In(b).Rollback()
	wantErr(t, tx.Put([]byte("x"), nil), siltstone.ErrTxDone)
	_, err = tx.In(a).Get([]byte("x"))
	wantErr(t, err, siltstone.ErrTxDone)
	wantErr(t, tx.In(s.keyspace("new")).Commit(), siltstone.ErrTxDone)
	wantText(t, get(a, "x"), "a")
}

func TestTransactionThatUsedADroppedKeyspaceIsRefused(t *testing.T) {
	uses := map[string]func(tx, in *siltstone.Tx) error{
		"put":   func(_, in *siltstone.Tx) error { return in.Put([]byte("k"), nil) },
		"read":  func(tx, in *siltstone.Tx) error { _ = get(in, "k"); return tx.Put([]byte("k"), nil) },
		"scan":  func(tx, in *siltstone.Tx) error { _ = list(in, siltstone.Range{}); return tx.Put([]byte("k"), nil) },
		"typed": func(_, in *siltstone.Tx) error { _, err := in.Hash("h").Set("f", nil); return err },
		"asked": func(tx, _ *siltstone.Tx) error { return tx.Put([]byte("k"), nil) },
	}
	for name, use := range uses {
		for place, settle := range map[string]func(s *testStore){"memory": func(*testStore) {}, "table": (*testStore).flush} {
			s := newStore(t)
			ks := s.keyspace("ks")
			putAll(t, ks, "k", "v")
			s.flush()
			tx := s.begin()
			ok(t, use(tx, tx.In(ks)))
			ok(t, s.DropKeyspace("ks"))
			settle(s)
			err := tx.Commit()
			if !errors.Is(err, siltstone.ErrDropped) && !errors.Is(err, siltstone.ErrConflict) {
				t.Errorf("%s, drop in %s: %v", name, place, err)
			}
			wantText(t, list(s, siltstone.Range{}), "")
			attempts := 0
			err = s.Update(bg, func(tx *siltstone.Tx) error {
				attempts++
				return use(tx, tx.In(ks))
			})
			if name == "put" || name == "typed" {
				wantErr(t, err, siltstone.ErrDropped)
			} else {
				ok(t, err)
			}
			if attempts != 1 {
				t.Errorf("%s: %d attempts", name, attempts)
			}
			s.check()
		}
	}
}

// TestUpdateOvertakenByADropEnds: the conflict is answered by another attempt,
// which is refused.
func TestUpdateOvertakenByADropEnds(t *testing.T) {
	s := newStore(t)
	ks := s.keyspace("ks")
	putAll(t, ks, "k", "v")
	attempts := 0
	err := s.Update(bg, func(tx *siltstone.Tx) error {
		attempts++
		_, err := tx.In(ks).Get([]byte("k"))
		if attempts == 1 {
			ok(t, s.DropKeyspace("ks"))
		}
		return errors.Join(err, tx.Put([]byte("k"), nil))
	})
	wantErr(t, err, siltstone.ErrDropped)
	if attempts != 2 {
		t.Errorf("%d attempts", attempts)
	}
}

func TestConflictErrorNamesTheKeyspaceAndTheUsersKey(t *testing.T) {
	for name, place := range map[string]struct {
		keyspace string
		settle   func(s *testStore)
	}{
		"default": {"", func(*testStore) {}}, "named": {"tenant", func(*testStore) {}}, "named, flushed": {"tenant", (*testStore).flush},
	} {
		s := newStore(t)
		_ = s.keyspace("other")
		var ks *siltstone.Keyspace
		var a siltstone.ReadWriter = s.DB
		if place.keyspace != "" {
			ks = s.keyspace(place.keyspace)
			a = ks
		}
		putAll(t, a, "key", "1", "short", "x", "zz", "y")
		for what, c := range map[string]struct {
			read, change func(a siltstone.ReadWriter) error
			want         siltstone.ConflictError
			text         string
		}{
			"point": {func(a siltstone.ReadWriter) error { _, err := a.Get([]byte("key")); return err }, func(a siltstone.ReadWriter) error { return a.Put([]byte("key"), []byte("2")) },
				siltstone.ConflictError{Range: rng("key", "key\x00")}, `key "key"`},
			"element": {func(a siltstone.ReadWriter) error { _, err := a.Hash("hash").Get("f"); return err }, func(a siltstone.ReadWriter) error { _, err := a.Hash("hash").Set("f", []byte("2")); return err },
				siltstone.ConflictError{Range: rng("hash", "hash\x00")}, `key "hash"`},
			"dropped collection": {func(a siltstone.ReadWriter) error {
				for _, err := range a.Hash("hash").All() {
					ok(t, err)
				}
				return nil
			}, func(a siltstone.ReadWriter) error { s.step(); _, err := a.Key("hash").Drop(); return err },
				siltstone.ConflictError{Range: rng("hash", "hash\x00")}, `key "hash"`},
			"range": {func(a siltstone.ReadWriter) error { _ = list(a, rng("k", "l")); return nil }, func(a siltstone.ReadWriter) error { return a.DeleteRange(rng("kk", "kz")) },
				siltstone.ConflictError{Range: rng("k", "l")}, `a key between "k" and "l"`},
			"expiry": {func(a siltstone.ReadWriter) error { _, err := a.Get([]byte("short")); return err }, func(siltstone.ReadWriter) error { s.clock.advance(time.Minute); return nil },
				siltstone.ConflictError{Range: siltstone.Range{Lower: []byte("short")}, Expired: true}, `key "short"`},
		} {
			ok(t, a.PutTTL([]byte("short"), nil, time.Minute))
			_, err := a.Hash("hash").Set("f", []byte("1"))
			ok(t, err)
			tx := s.begin()
			ok(t, tx.In(s.keyspace("other")).Put([]byte("w"), nil))
			ok(t, c.read(tx.In(ks)))
			ok(t, c.change(a))
			place.settle(s)
			err = tx.Commit()
			var got *siltstone.ConflictError
			if !errors.As(err, &got) {
				t.Errorf("%s, %s: %v", name, what, err)
				continue
			}
			if got.Keyspace != place.keyspace || got.Expired != c.want.Expired ||
				string(got.Range.Lower) != string(c.want.Range.Lower) || string(got.Range.Upper) != string(c.want.Range.Upper) {
				t.Errorf("%s, %s: %+v", name, what, got)
			}
			text := c.text
			if place.keyspace != "" {
				text += ` in keyspace "tenant"`
			}
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
}
