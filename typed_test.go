package siltstone

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// want fails the test if a typed call failed or answered otherwise.
func want[T comparable](t testing.TB, wanted T) func(T, error) {
	return func(got T, err error) {
		t.Helper()
		if err != nil || got != wanted {
			t.Fatalf("got %v, %v, want %v", got, err, wanted)
		}
	}
}

// refused fails the test if a call did not fail with the error.
func refused[T any](t testing.TB, wanted error) func(T, error) {
	return func(got T, err error) {
		t.Helper()
		if !errors.Is(err, wanted) {
			t.Fatalf("got %v, %v, want the error %v", got, err, wanted)
		}
	}
}

// text is the value of a string, or the error.
func text(s typed.String) string {
	v, err := s.Get()
	if err != nil {
		return err.Error()
	}
	return string(v)
}

func TestRenewedTTLSurvivesExpiryOfItsOldRow(t *testing.T) {
	s := newTypedStore(t, 1)
	session := s.Hash("session")
	want(t, true)(session.Set("user", []byte("ada")))
	s.done(session.Expire(30 * time.Minute))
	s.done(s.db.Compact(context.Background(), Range{})) // the old row is in the last level
	s.Advance(10 * 60_000)
	s.done(session.Expire(30 * time.Minute))
	s.Advance(21 * 60_000) // past the first deadline
	s.done(s.db.step())
	want(t, int64(1))(session.Len())
	s.crash(vfstest.P1)
	s.settle()
	want(t, true)(session.Has("user"))
	s.Advance(10 * 60_000)
	want(t, false)(session.Exists())
	s.settle()
}

func TestRenameThenPutOverOldNameKeepsElements(t *testing.T) {
	s := newTypedStore(t, 1)
	want(t, 3)(s.Set("a").Add("x", "y", "z"))
	s.done(s.db.Compact(context.Background(), Range{}))
	s.done(s.Key("a").Rename("b"))
	s.done(s.db.Put([]byte("a"), []byte("string")))
	s.done(s.db.Flush(context.Background()))
	s.settle()
	want(t, true)(s.Set("b").Has("y"))
	s.done(s.db.DeleteRange(Range{Lower: []byte("a"), Upper: []byte("b")}))
	s.crash(vfstest.P1)
	s.settle()
	want(t, true)(s.Set("b").Has("z"))
	s.done(s.db.Delete([]byte("b")))
	s.settle()
	if rest := s.picture(); rest != "" {
		t.Fatalf("after the last key was deleted there is still\n%s", rest)
	}
}

func TestKeyLivesUntilItsDeadlineAndNotAtIt(t *testing.T) {
	s := newTypedStore(t, 1)
	deadline := time.UnixMilli(s.Now() + 1000)
	for _, restart := range []func(){func() {}, s.reopen, func() { s.crash(vfstest.P1) }, func() { s.done(s.db.Compact(context.Background(), Range{})) }} {
		_, err := s.String("k").SetWith([]byte("v"), typed.SetOptions{At: deadline})
		s.done(err)
		restart()
		s.Advance(deadline.UnixMilli() - s.Now() - 1)
		want(t, time.Millisecond)(s.Key("k").TTL())
		restart()
		s.Advance(1)
		refused[[]byte](t, ErrNotFound)(s.String("k").Get())
		restart()
		refused[[]byte](t, ErrNotFound)(s.String("k").Get())
		deadline = deadline.Add(time.Second)
	}
}

func TestSetOverAnExpiredKeyHasNoTTLAfterReplay(t *testing.T) {
	s := newTypedStore(t, 1)
	_, err := s.String("k").SetWith([]byte("old"), typed.SetOptions{TTL: time.Second})
	s.done(err)
	s.Advance(1000)
	s.done(s.String("k").Set([]byte("new")))
	s.crash(vfstest.P1)
	s.Advance(10_000)
	if got := text(s.String("k")); got != "new" {
		t.Fatal(got)
	}
	want(t, typed.NoTTL)(s.Key("k").TTL())
}

func TestPersistAfterRenewedExpireStaysAfterReplay(t *testing.T) {
	s := newTypedStore(t, 1)
	want(t, 1)(s.Set("k").Add("m"))
	s.done(s.Key("k").Expire(time.Second))
	s.reopen()
	s.done(s.Key("k").Expire(time.Minute))
	want(t, true)(s.Key("k").Persist())
	s.crash(vfstest.P1)
	s.Advance(time.Hour.Milliseconds())
	s.settle()
	want(t, int64(1))(s.Set("k").Len())
}

func TestReadTransactionKeepsWhatExpiresMeanwhile(t *testing.T) {
	s := newTypedStore(t, 1)
	want(t, true)(s.Hash("h").Set("f", []byte("v")))
	s.done(s.Key("h").Expire(time.Second))
	s.done(s.db.View(context.Background(), func(tx *Tx) error {
		want(t, time.Second)(tx.Key("h").TTL())
		s.Advance(5000)
		s.done(s.db.Compact(context.Background(), Range{}))
		s.done(s.db.step())
		want(t, false)(s.Key("h").Exists())
		want(t, time.Second)(tx.Key("h").TTL())
		want(t, true)(tx.Hash("h").Has("f"))
		return nil
	}))
	s.settle()
}

func TestExpiredSessionIsNotRevivedByASlowWriter(t *testing.T) {
	s := newTypedStore(t, 1)
	ctx := context.Background()
	_, err := s.String("session").SetWith([]byte("ada"), typed.SetOptions{TTL: time.Second})
	s.done(err)
	slow, err := s.db.Begin(ctx, ReadWrite)
	s.done(err)
	if got := text(slow.String("session")); got != "ada" {
		t.Fatal(got)
	}
	s.Advance(1000)
	s.done(s.db.Update(ctx, func(tx *Tx) error {
		if ok, err := tx.Has([]byte("session")); ok || err != nil {
			t.Errorf("session %v, %v", ok, err)
		}
		return tx.Put([]byte("login"), []byte("needed"))
	}))
	s.done(slow.Key("session").Expire(time.Hour))
	err = slow.Commit()
	if conflict := new(ConflictError); !errors.As(err, &conflict) || !conflict.Expired || string(conflict.Range.Lower) != "session" {
		t.Fatalf("the slow writer committed over an expiry: %v", err)
	}
	want(t, false)(s.Key("session").Exists())
}

func TestPersistRacingExpiryConflicts(t *testing.T) {
	for _, reaped := range []bool{false, true} {
		s := newTypedStore(t, 1)
		want(t, true)(s.Hash("h").Set("f", nil))
		s.done(s.Key("h").Expire(time.Second))
		tx, err := s.db.Begin(context.Background(), ReadWrite)
		s.done(err)
		want(t, true)(tx.Key("h").Persist())
		s.Advance(1000)
		if reaped {
			s.reapAll()
		}
		if err := tx.Commit(); !errors.Is(err, ErrConflict) {
			t.Fatalf("reaped %v: %v", reaped, err)
		}
		want(t, false)(s.Key("h").Exists())
		s.settle()
	}
}

func TestCollectionIdsRiseAcrossCrashDeleteRangeAndCompaction(t *testing.T) {
	s := newTypedStore(t, 1)
	last := uint64(0)
	for i := range 40 {
		name := fmt.Sprint("s", i%3)
		_, err := s.Key(name).Drop()
		s.done(err)
		want(t, 1)(s.Set(name).Add("m"))
		rows, err := liveRows(s.db)
		s.done(err)
		newest := uint64(0)
		for j := range rows {
			if id, ok := idOfRow(&rows[j]); ok {
				newest = max(newest, id)
			}
		}
		if newest <= last {
			t.Fatalf("collection %d was made after %d", newest, last)
		}
		last = newest
		switch i % 5 {
		case 1:
			s.crash(vfstest.P1)
		case 2:
			s.done(s.db.DeleteRange(Range{}))
			s.done(s.db.Compact(context.Background(), Range{}))
		case 3:
			s.reopen()
		case 4:
			s.settle()
		}
	}
}

func TestCreateAndDeleteInOneTransactionLeavesNoRow(t *testing.T) {
	ends := map[string]func(tx *Tx) error{
		"Drop":        func(tx *Tx) error { _, err := tx.Key("k").Drop(); return err },
		"Remove":      func(tx *Tx) error { _, err := tx.Set("k").Remove("a", "b"); return err },
		"Delete":      func(tx *Tx) error { return tx.Delete([]byte("k")) },
		"DeleteRange": func(tx *Tx) error { return tx.DeleteRange(Prefix([]byte("k"))) },
		"Put and Delete": func(tx *Tx) error {
			return errors.Join(tx.Put([]byte("k"), nil), tx.Delete([]byte("k")))
		},
	}
	for name, end := range ends {
		s := newTypedStore(t, 1)
		s.done(s.db.Update(context.Background(), func(tx *Tx) error {
			want(t, 2)(tx.Set("k").Add("a", "b"))
			s.done(tx.Key("k").Expire(time.Hour))
			s.done(end(tx))
			want(t, false)(tx.Key("k").Exists())
			return nil
		}))
		rows, err := liveRows(s.db)
		s.done(err)
		for _, r := range rows {
			if r.Key[0] != 0 { // a timer finds nothing when it is due
				t.Errorf("%s left row %q", name, r.Key)
			}
		}
		s.Advance(2 * time.Hour.Milliseconds())
		s.settle()
		if rest := s.picture(); rest != "" {
			t.Errorf("%s left\n%s", name, rest)
		}
	}
}

func TestTypedHandlesEndWithTheirTransactionSnapshotAndStore(t *testing.T) {
	s := newTypedStore(t, 1)
	ctx := context.Background()
	want(t, 1)(s.Set("s").Add("m"))
	tx, err := s.db.Begin(ctx, ReadWrite)
	s.done(err)
	set := tx.Set("s")
	want(t, 1)(set.Add("n"))
	s.done(tx.Commit())
	refused[int](t, ErrTxDone)(set.Add("o"))
	refused[int](t, ErrTxDone)(0, tx.Commit())

	snap, err := s.db.NewSnapshot()
	s.done(err)
	refused[int](t, ErrReadOnly)(snap.Set("s").Add("o"))
	want(t, int64(2))(snap.Set("s").Len())
	snap.Close()
	refused[int64](t, ErrClosed)(snap.Set("s").Len())

	s.done(s.db.View(ctx, func(tx *Tx) error {
		refused[int](t, ErrReadOnly)(tx.Set("s").Add("o"))
		return nil
	}))
	s.done(s.db.Update(ctx, func(tx *Tx) error {
		refused[int](t, ErrNested)(0, s.db.Update(tx.Context(), func(*Tx) error { return nil }))
		return nil
	}))
	old := s.db.Set("s")
	s.done(s.db.Close())
	s.done(s.db.Close())
	refused[int](t, ErrClosed)(old.Add("o"))
	refused[int64](t, ErrClosed)(old.Len())
	for _, err := range old.All() {
		refused[int](t, ErrClosed)(0, err)
	}
	var none typed.Set
	refused[int64](t, ErrClosed)(none.Len())
	s.open()
	want(t, int64(2))(s.Set("s").Len())
}

func TestCloseDuringTypedTrafficEndsEveryCallCleanly(t *testing.T) {
	fs := vfs.NewMem()
	db, err := Open("db", &Options{FS: fs, Durability: Buffered})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	begun := make(chan struct{}, 8)
	for g := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				var err error
				switch i % 4 {
				case 0:
					_, err = db.Hash("h").Set(fmt.Sprint(g, i), nil)
				case 1:
					err = db.Update(context.Background(), func(tx *Tx) error { _, err := tx.String("n").Incr(1); return err })
				case 2:
					for _, e := range db.Hash("h").Fields() {
						err = e
					}
				case 3:
					_, err = db.Key("h").Drop()
				}
				if err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					return
				}
				if i == 100 {
					begun <- struct{}{}
				}
			}
		})
	}
	for range 8 {
		<-begun
	}
	// What is open right then is named; that is all that may be said.
	_ = db.Close()
	wg.Wait()
	if open := fs.OpenFiles(); len(open) > 0 {
		t.Errorf("left open: %v", open)
	}
	again, err := Open("db", &Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(again.Check(context.Background()), again.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestInterOfThreeLargeSetsAllocatesLessThanAMiB(t *testing.T) {
	members := 60_000
	if longRun() {
		members = 1_000_000
	}
	db, err := Open("db", &Options{FS: vfs.NewMem(), Durability: Buffered, manualWork: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()
	for _, step := range []int{2, 3, 5} {
		name := fmt.Sprint("multiples of ", step)
		for i := 0; i < members; i += 10_000 {
			err := db.Update(ctx, func(tx *Tx) error {
				for j := i; j < min(i+10_000, members); j++ {
					if _, err := tx.Set(name).Add(fmt.Sprintf("%07d", j*step)); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := db.Compact(ctx, Range{}); err != nil {
		t.Fatal(err)
	}
	inter := func() (n int) {
		for _, err := range db.Set("multiples of 2").Inter("multiples of 3", "multiples of 5") {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n
	}
	inter() // blocks come into the cache, which is bounded by MemoryLimit
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n := inter()
	runtime.ReadMemStats(&after)
	if wanted := (members*2 + 29) / 30; n != wanted {
		t.Errorf("%d members in common, want %d", n, wanted)
	}
	got := after.TotalAlloc - before.TotalAlloc
	t.Logf("sets of %d members: %d in common, %d bytes allocated", members, n, got)
	if got > 1<<20 {
		t.Errorf("allocated %d bytes", got)
	}
}

// increments has 16 goroutines increment one key through Update and returns how
// long each took.
func increments(t *testing.T, db *DB, each int) (took []time.Duration) {
	t.Helper()
	took = make([]time.Duration, 16)
	var wg sync.WaitGroup
	begin := time.Now()
	for g := range took {
		wg.Go(func() {
			for range each {
				err := db.Update(context.Background(), func(tx *Tx) error {
					_, err := tx.String("counter").Incr(1)
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
			took[g] = time.Since(begin)
		})
	}
	wg.Wait()
	slices.Sort(took)
	t.Logf("%d increments each: fastest %v, median %v, slowest %v", each, took[0], took[8], took[15])
	if took[15] > 3*took[8] {
		t.Errorf("the slowest took %v, the median %v", took[15], took[8])
	}
	return took
}

func contendedStore(t *testing.T) *DB {
	t.Helper()
	db, err := Open("db", &Options{FS: vfs.NewMem(), Durability: Buffered})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestIncrementsByManyAreExactAndNobodyStarves(t *testing.T) {
	each := 400
	if longRun() {
		each = 5000
	}
	db := contendedStore(t)
	increments(t, db, each)
	if got := text(db.String("counter")); got != fmt.Sprint(16*each) {
		t.Errorf("the counter is at %s, want %d", got, 16*each)
	}
}

func TestBlindWritersDoNotStarveIncrements(t *testing.T) {
	each := 60
	if longRun() {
		each = 5000
	}
	db := contendedStore(t)
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for range 2 {
		writers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if err := db.Put([]byte("counter"), []byte("0")); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	increments(t, db, each)
	close(stop)
	writers.Wait()
}
