package waiters_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

func open(t *testing.T, set ...func(*siltstone.Options)) *siltstone.DB {
	t.Helper()
	o := &siltstone.Options{FS: vfs.NewMem(), MemoryLimit: 8 << 20, Durability: siltstone.BufferedDurability}
	for _, f := range set {
		f(o)
	}
	db, err := siltstone.Open("db", o)
	ok(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func push(t *testing.T, q typed.List, items ...string) {
	t.Helper()
	var values [][]byte
	for _, item := range items {
		values = append(values, []byte(item))
	}
	_, err := q.PushBack(values...)
	ok(t, err)
}

func itemsOf(t *testing.T, q typed.List) (items []string) {
	t.Helper()
	for v, err := range q.Range(0, -1) {
		ok(t, err)
		items = append(items, string(v))
	}
	return items
}

// served is what callers got, in the order in which they got it.
type served struct {
	mu  sync.Mutex
	got []string
	all sync.WaitGroup
}

// caller begins a call in a goroutine of its own, and returns when it waits.
func (s *served) caller(name string, call func() ([]byte, error)) {
	s.all.Go(func() {
		v, err := call()
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			v = []byte(err.Error())
		}
		s.got = append(s.got, name+" "+string(v))
	})
	synctest.Wait()
}

// sofar returns what the callers got up to now, when all others wait.
func (s *served) sofar(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.got)
	if !slices.Equal(s.got, want) {
		t.Errorf("the callers got %q, want %q", s.got, want)
	}
	s.got = nil
}

func TestCallersAreServedInTheOrderInWhichTheyCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t).List("q")
		var s served
		front := func() ([]byte, error) { return q.WaitFront(t.Context()) }
		back := func() ([]byte, error) { return q.WaitBack(t.Context()) }
		push(t, q, "ready")
		s.caller("0", front)
		s.sofar(t, "0 ready")
		for i, call := range []func() ([]byte, error){front, front, back, front, front} {
			s.caller(strconv.Itoa(i), call)
		}
		push(t, q, "a", "b", "z") // one commit
		s.sofar(t, "0 a", "1 b", "2 z")
		push(t, q, "c")
		s.sofar(t, "3 c")
		push(t, q, "d", "e")
		s.sofar(t, "4 d")
		s.caller("5", front)
		s.sofar(t, "5 e")
	})
}

func TestMetricsCountWhoWaitsAndWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t)
		before := db.Metrics().Waits
		ctx, leave := context.WithCancel(t.Context())
		var s served
		for i := range 3 {
			s.caller(strconv.Itoa(i), func() ([]byte, error) { return db.List("q").WaitFront(ctx) })
		}
		_, err := db.List("q").PushBack([]byte("item"))
		ok(t, err)
		synctest.Wait()
		if now := db.Metrics().Waits; now.Callers != before.Callers+2 || now.Woken <= before.Woken || now.Woken > before.Woken+5 {
			t.Errorf("%+v, before %+v", now, before)
		}
		leave()
		synctest.Wait()
		if now := db.Metrics().Waits; now.Callers != before.Callers {
			t.Errorf("%+v when all have left", now)
		}
	})
}

func TestWhateverWritesTheKeyWakes(t *testing.T) {
	ctx := context.Background()
	for name, write := range map[string]func(db *siltstone.DB) error{
		"a transaction": func(db *siltstone.DB) error {
			return db.Update(ctx, func(tx *siltstone.Tx) error {
				_, err := tx.List("q").PushFront([]byte("v"))
				return err
			})
		},
		"a rename": func(db *siltstone.DB) error { return db.Key("other").Rename("q") },
		"a copy":   func(db *siltstone.DB) error { _, err := db.Key("other").CopyTo("q", false); return err },
		"a move": func(db *siltstone.DB) error {
			_, err := db.List("other").MoveTo("q", typed.EndBack, typed.EndFront)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := open(t)
				push(t, db.List("other"), "v")
				var s served
				s.caller("0", func() ([]byte, error) { return db.List("q").WaitFront(ctx) })
				ok(t, db.Delete([]byte("q"))) // wakes nobody
				s.sofar(t)
				ok(t, write(db))
				s.sofar(t, "0 v")
			})
		})
	}
}

func TestAWakeOfACallerWhoLeavesGoesToTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t).List("q")
		var s served
		wait := func(ctx context.Context) func() ([]byte, error) {
			return func() ([]byte, error) { return q.WaitFront(ctx) }
		}
		first, leave := context.WithCancel(t.Context())
		third, leave3 := context.WithCancel(t.Context())
		s.caller("1", wait(first))
		s.caller("2", wait(t.Context()))
		s.caller("3", wait(third))
		s.caller("4", wait(t.Context()))
		leave3()
		s.sofar(t, "3 context canceled")
		leave()
		push(t, q, "a") // the first may be woken by it, or have left
		synctest.Wait()
		push(t, q, "b", "c")
		synctest.Wait()
		n := len(s.got)
		left, err := q.Len()
		ok(t, err)
		if n != 3 || left != 1 && left != 0 {
			t.Errorf("%d callers came back, %d items are left: %q", n, left, s.got)
		}
	})
}

func TestCloseAndPoisonEndEveryWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t)
		var s served
		s.caller("1", func() ([]byte, error) { return db.List("q").WaitFront(t.Context()) })
		s.caller("2", func() ([]byte, error) { return db.List("q").WaitBack(t.Context()) })
		s.caller("3", func() ([]byte, error) { _, err := db.ZSet("z").WaitMin(t.Context(), nil); return nil, err })
		s.caller("4", func() (k []byte, err error) {
			for k, err = range db.Wait(t.Context(), []byte("k")) {
			}
			return k, err
		})
		ok(t, db.Close())
		s.sofar(t, "1 siltstone: closed", "2 siltstone: closed", "3 siltstone: closed", "4 siltstone: closed")
		_, err := db.List("q").WaitFront(t.Context())
		is(t, err, siltstone.ErrClosed)
	})
	synctest.Test(t, func(t *testing.T) {
		disk := vfstest.NewFaults(vfs.NewMem())
		db := open(t, func(o *siltstone.Options) { o.FS = disk })
		errs := make(chan error, 4)
		for range 3 {
			go func() { _, err := db.List("q").WaitFront(t.Context()); errs <- err }()
		}
		go func() {
			var last error
			for _, last = range db.Wait(t.Context(), []byte("k")) {
			}
			errs <- last
		}()
		synctest.Wait()
		disk.Inject(vfstest.Fault{Match: vfstest.On(vfstest.Sync), Times: vfstest.Forever})
		var b siltstone.Batch
		b.Put([]byte("a"), nil)
		is(t, db.Apply(&b, siltstone.SyncDurability), siltstone.ErrIndeterminate)
		for range 4 {
			is(t, <-errs, siltstone.ErrPoisoned)
		}
		_ = db.Close() // it says why it is poisoned
	})
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("the error is %v, want %v", err, want)
	}
}

func TestADroppedKeyspaceEndsTheWaitsInItAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t)
		ks, err := db.CreateKeyspace("ks")
		ok(t, err)
		var s served
		s.caller("1", func() ([]byte, error) { return ks.List("q").WaitFront(t.Context()) })
		s.caller("2", func() ([]byte, error) { return ks.List("q").WaitFront(t.Context()) })
		s.caller("3", func() ([]byte, error) { return db.List("q").WaitFront(t.Context()) })
		s.caller("4", func() (k []byte, err error) {
			for k, err = range ks.Wait(t.Context(), []byte("k")) {
			}
			return k, err
		})
		push(t, ks.List("q"), "a")
		s.sofar(t, "1 a")
		ok(t, db.DropKeyspace("ks"))
		dropped := `siltstone: keyspace "ks" has been dropped`
		s.sofar(t, "2 "+dropped, "4 "+dropped)
		_, err = ks.List("q").WaitFront(t.Context())
		is(t, err, siltstone.ErrDropped)
		ok(t, db.DropAll())
		s.sofar(t)
		ok(t, db.DeleteRange(siltstone.Range{}))
		push(t, db.List("q"), "b")
		s.sofar(t, "3 b")
	})
}

func TestAWaitThatCannotBeIsRefused(t *testing.T) {
	mem := vfs.NewMem()
	db := open(t, func(o *siltstone.Options) { o.FS = mem })
	ctx := context.Background()
	ended, end := context.WithCancel(ctx)
	end()
	waits := func(src siltstone.Typed, ctx context.Context) (errs []error) {
		_, front := src.List("q").WaitFront(ctx)
		_, minimum := src.ZSet("q").WaitMin(ctx, typed.UnixMilli)
		return append(errs, front, minimum)
	}
	change := func(db *siltstone.DB, ctx context.Context, key string) (last error) {
		for _, last = range db.Wait(ctx, []byte(key)) {
			if last == nil {
				return nil
			}
		}
		return last
	}
	ok(t, db.Put([]byte("q"), nil))
	for _, err := range waits(db, ctx) {
		is(t, err, siltstone.ErrWrongType)
	}
	for _, err := range append(waits(db, ended), change(db, ended, "q")) {
		is(t, err, context.Canceled)
	}
	_, err := db.List("").WaitFront(ctx)
	is(t, err, siltstone.ErrEmptyKey)
	is(t, change(db, ctx, ""), siltstone.ErrEmptyKey)
	for _, err := range db.Wait(ctx) {
		is(t, err, siltstone.ErrBadOption)
	}
	for _, err := range append(waits(db, nil), change(db, nil, "q"), func() error { _, err := typed.List{}.WaitFront(ctx); return err }(), change(nil, ctx, "q")) { //nolint:staticcheck // the nil context is what is tested
		if err == nil {
			t.Error("a nil context, zero handle or nil store is no error")
		}
	}
	ok(t, db.Update(ctx, func(tx *siltstone.Tx) error {
		for _, err := range waits(tx, ctx) {
			if err == nil {
				t.Error("a transaction waits")
			}
		}
		for _, err := range append(waits(db, tx.Context()), change(db, tx.Context(), "q")) {
			is(t, err, siltstone.ErrNested)
		}
		return nil
	}))
	snap, err := db.NewSnapshot()
	ok(t, err)
	defer snap.Close()
	for _, err := range waits(snap, ctx) {
		if err == nil {
			t.Error("a snapshot waits")
		}
	}
	snap.Close()
	ok(t, db.Close())
	reader := open(t, func(o *siltstone.Options) { o.FS, o.ReadOnly = mem, true })
	for _, err := range append(waits(reader, ctx), change(reader, ctx, "q")) {
		is(t, err, siltstone.ErrReadOnly)
	}
}

// What a wait has returned stays taken after a power cut, and what it has not is there.
func TestWhatAWaitHasReturnedIsDurable(t *testing.T) {
	disk := vfstest.NewDisk(1)
	on := func(d *vfstest.Disk) func(*siltstone.Options) {
		return func(o *siltstone.Options) { o.FS, o.Durability = d, siltstone.SyncDurability }
	}
	db := open(t, on(disk))
	var all sync.WaitGroup
	var mu sync.Mutex
	got := map[string]bool{}
	for range 4 {
		all.Go(func() {
			for range 5 {
				v, err := db.List("q").WaitFront(context.Background())
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				got[string(v)] = true
				mu.Unlock()
			}
		})
	}
	for i := range 25 {
		push(t, db.List("q"), strconv.Itoa(i))
	}
	all.Wait()
	after := open(t, on(disk.Image(vfstest.P0, nil)))
	left := itemsOf(t, after.List("q"))
	for _, v := range left {
		if got[v] {
			t.Errorf("%s was returned and is back", v)
		}
		got[v] = true
	}
	if len(left) != 5 || len(got) != 25 {
		t.Errorf("%d items are left, %d known", len(left), len(got))
	}
}

// Callers come and go all the time: each item is returned once or is still there.
func TestNoItemIsLostWhenCallersAreCancelled(t *testing.T) {
	db := open(t)
	q := db.List("q")
	const items, callers = 1500, 16
	var all sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	stop, end := context.WithCancel(context.Background())
	done := make(chan struct{})
	for g := range callers {
		all.Go(func() {
			for n := 0; stop.Err() == nil; n++ {
				ctx, cancel := context.WithCancel(stop)
				if (g+n)%3 != 0 {
					go cancel() // beside the call
				}
				v, err := q.WaitFront(ctx)
				cancel()
				if err == nil {
					mu.Lock()
					got[string(v)]++
					mu.Unlock()
					if string(v) == "last" {
						close(done)
					}
				} else if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}
		})
	}
	for i := range items {
		push(t, q, strconv.Itoa(i))
	}
	push(t, q, "last") // comes out when all others have
	<-done
	end()
	all.Wait()
	for _, v := range itemsOf(t, q) {
		got[v]++
	}
	for item, n := range got {
		if n != 1 {
			t.Errorf("%s was there %d times", item, n)
		}
	}
	if len(got) != items+1 {
		t.Errorf("%d items came out, want %d", len(got), items+1)
	}
}

// The loop of db.Wait and MoveTo keep an item in the store until it is done with.
func TestALoopOverChangesAndMoveToLoseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t)
		done := make(chan string, 10)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for _, err := range db.Wait(ctx, []byte("todo")) {
				for err == nil {
					var v []byte
					if v, err = db.List("todo").MoveTo("doing", typed.EndFront, typed.EndBack); err == nil {
						done <- string(v)
						_, err = db.List("doing").Remove(1, v)
					}
				}
			}
			close(done)
		}()
		for i := range 10 {
			push(t, db.List("todo"), fmt.Sprint(i))
			if i%3 == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		cancel()
		var got bytes.Buffer
		for v := range done {
			got.WriteString(v)
		}
		if got.String() != "0123456789" {
			t.Errorf("done: %s", got.String())
		}
	})
}

// The next caller takes its item while the one before waits for the disk: they share syncs.
func TestCallersDoNotWaitForOneAnothersSyncs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfstest.NewFaults(vfs.NewMem())
		db := open(t, func(o *siltstone.Options) { o.FS, o.Durability = disk, siltstone.SyncDurability })
		const callers, syncTime = 16, 10 * time.Millisecond
		var s served
		for i := range callers {
			s.caller(strconv.Itoa(i), func() ([]byte, error) { return db.List("q").WaitFront(t.Context()) })
		}
		disk.OnOp(func(op vfstest.Op) {
			if op.Kind == vfstest.Sync {
				time.Sleep(syncTime)
			}
		})
		begin := time.Now()
		push(t, db.List("q"), make([]string, callers)...)
		s.all.Wait()
		if d := time.Since(begin); d > 5*syncTime {
			t.Errorf("%d callers took their items in %v, a sync takes %v", callers, d, syncTime)
		}
		disk.OnOp(nil)
	})
}
