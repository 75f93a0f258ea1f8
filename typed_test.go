package siltstone

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/handle"
	"github.com/siltstonedb/siltstone/internal/typedtest"
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

func TestTypedHandlesEndWithTheirTransactionSnapshotAndStore(t *testing.T) {
	s := newTypedStore(t, 1)
	ctx := context.Background()
	want(t, 1)(s.Set("s").Add("m"))
	tx, err := s.db.Begin(ctx, ReadWriteMode)
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

// A loop that goes on although its body has ended the transaction would seem
// complete, or damaged.
func TestLoopWhoseBodyEndsTheTransactionSaysSo(t *testing.T) {
	s := newTypedStore(t, 1)
	for _, inline := range []int{0, 64} {
		typedtest.InlineUpTo(t, inline, 256)
		want(t, int64(0))(s.Keys().Count())
		s.done(typedtest.PopulateLoops(s))
		for name, end := range map[string]func(tx *Tx){
			"Commit":   func(tx *Tx) { s.done(tx.Commit()) },
			"Rollback": func(tx *Tx) { s.done(tx.Rollback()) },
		} {
			for _, mode := range []Mode{ReadOnlyMode, ReadWriteMode} {
				for _, loop := range typedtest.Loops() {
					tx, err := s.db.Begin(context.Background(), mode)
					s.done(err)
					met, last := 0, error(nil)
					for _, err := range loop.Over(tx) {
						if last = err; err != nil {
							continue
						}
						if met++; met == 1 {
							end(tx)
						}
					}
					if met != 1 || last != ErrTxDone {
						t.Errorf("inline up to %d: %s after %s: %d items and %v", inline, loop.Name, name, met, last)
					}
				}
			}
		}
		for k, err := range s.Keys().All(typed.KeyOptions{}) {
			s.done(err)
			want(t, true)(s.Key(k.Name()).Drop())
		}
	}
}

func TestCloseDuringTypedTrafficEndsEveryCallCleanly(t *testing.T) {
	fs := vfs.NewMem()
	db, err := Open("db", &Options{FS: fs, Durability: BufferedDurability})
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
	if testing.Short() {
		t.Skip("the full tier")
	}
	members := tier(20_000, 60_000, 1_000_000)
	db, err := Open("db", &Options{FS: vfs.NewMem(), Durability: BufferedDurability, manualWork: true})
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

// increments has 16 goroutines increment one key through Update. None of them may
// need many attempts: after turnAfter of them each runs behind the gate, where it
// is overtaken only if it takes longer than an allowance that doubles.
func increments(t *testing.T, db *DB, each int) {
	t.Helper()
	most := make([]int, 16)
	var wg, ready sync.WaitGroup
	ready.Add(len(most))
	for g := range most {
		wg.Go(func() {
			ready.Done()
			ready.Wait()
			for range each {
				attempt := 0
				err := db.Update(context.Background(), func(tx *Tx) error {
					attempt = tx.Attempt()
					_, err := tx.String("counter").Incr(1)
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				most[g] = max(most[g], attempt)
			}
		})
	}
	wg.Wait()
	t.Logf("%d increments each; the most attempts of each goroutine: %v", each, most)
	if slices.Max(most) > turnAfter+8 {
		t.Errorf("an increment took %d attempts", slices.Max(most))
	}
}

func contendedStore(t *testing.T) *DB {
	t.Helper()
	db, err := Open("db", &Options{FS: vfs.NewMem(), Durability: BufferedDurability})
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
	each := tier(200, 400, 5000)
	db := contendedStore(t)
	increments(t, db, each)
	if got := text(db.String("counter")); got != fmt.Sprint(16*each) {
		t.Errorf("the counter is at %s, want %d", got, 16*each)
	}
}

func TestBlindWritersDoNotStarveIncrements(t *testing.T) {
	each := tier(200, 400, 5000)
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

// An insert where there is no room moves the items around to other indexes.
func TestPowerCutAtEveryByteOfARenumberingKeepsAllOfItOrNothing(t *testing.T) {
	typedtest.InRows(t)
	s := newTypedStore(t, 1)
	s.change = func(o *Options) { o.MemtableBytes = 1 << 20 } // all in one log
	s.reopen()
	l := s.List("l")
	values := [][]byte{[]byte("first"), []byte("last")}
	_, err := l.PushBack(values...)
	s.done(err)
	insert := func(i int) {
		inserted, err := l.InsertAfter([]byte("first"), fmt.Append(nil, "value ", i))
		if err != nil || !inserted {
			t.Fatal(inserted, err)
		}
	}
	for i := range 16 { // as often as the distance of two neighbours can be halved
		insert(i)
	}
	before := s.picture()
	name, old := logBytes(t, s.disk)
	insert(16)
	after := s.picture()
	moved := 0
	for line := range strings.Lines(before) {
		if !strings.Contains(after, line) {
			moved++
		}
	}
	if moved < 4 {
		t.Fatalf("%d rows changed", moved)
	}
	same, changed := logBytes(t, s.disk)
	if same != name {
		t.Fatalf("the insert went to %s and not %s", same, name)
	}
	first, end := 0, len(changed)
	for first < len(old) && old[first] == changed[first] {
		first++
	}
	for end > first && changed[end-1] == 0 {
		end--
	}
	for cut := end; cut >= first; cut -= tier(5, 1, 1) {
		o := denseOptions(cutLog(t, s.disk, name, int64(cut), 0), s.clock)
		db, err := Open("db", &o)
		s.done(err)
		got := (&typedStore{t: t, db: db}).picture()
		s.done(db.Close())
		if got != before && (got != after || cut < end-8) || cut == end && got != after {
			t.Fatalf("cut at byte %d of %d to %d left\n%s", cut, first, end, got)
		}
	}
	s.crash(vfstest.P1)
	if got := s.picture(); got != after {
		t.Errorf("after a crash there is\n%s", got)
	}
	t.Logf("%d rows changed; cut at %d bytes", moved, end-first)
}

// typedStore is a store under typedtest: its handles are one-shot calls on
// whatever DB is open right now, so that it can be closed, or cut off, and
// opened again between any two calls. It has no workers, is dense, and commits
// with SyncDurability: after a power cut all that was answered must be there.
type typedStore struct {
	t     testing.TB
	disk  *vfstest.Disk
	clock *handClock
	rng   *rand.Rand
	db    *DB

	change func(*Options) // of the options; nil: none

	// unrest, if set, is called after every one-shot call that could write.
	unrest func()
}

var _ typedtest.Store = (*typedStore)(nil)

func newTypedStore(t testing.TB, seed uint64) *typedStore {
	s := &typedStore{t: t, disk: vfstest.NewDisk(seed), clock: newHandClock(), rng: rand.New(rand.NewPCG(seed, 0x7e57))}
	s.open()
	t.Cleanup(func() { s.done(s.db.Close()) })
	return s
}

func (s *typedStore) open() {
	s.t.Helper()
	o := denseOptions(s.disk, s.clock)
	if s.change != nil {
		s.change(&o)
	}
	db, err := Open("db", &o)
	s.done(err)
	s.db = db
}

func (s *typedStore) done(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// Begin makes the typedStore a source of its own handles.
func (s *typedStore) Begin(write bool, key string, attempt int) (collection.Txn, error) {
	return (*dbSource)(s.db).Begin(write, key, attempt)
}

// End ends the call, and gives unrest its chance.
func (s *typedStore) End(t collection.Txn, err error) (again bool, e error) {
	wrote := t.Writes()
	again, e = (*dbSource)(s.db).End(t, err)
	if wrote && !again && s.unrest != nil {
		s.unrest()
	}
	return again, e
}

func (s *typedStore) Keys() typed.Keys                { return handle.Keys(s) }
func (s *typedStore) Key(name string) typed.Key       { return handle.Key(s, name) }
func (s *typedStore) String(name string) typed.String { return handle.String(s, name) }
func (s *typedStore) Hash(name string) typed.Hash     { return handle.Hash(s, name) }
func (s *typedStore) Set(name string) typed.Set       { return handle.Set(s, name) }
func (s *typedStore) ZSet(name string) typed.ZSet     { return handle.ZSet(s, name) }
func (s *typedStore) List(name string) typed.List     { return handle.List(s, name) }

func (s *typedStore) Update(fn func(tx typedtest.API) error) error {
	err := s.db.Update(context.Background(), func(tx *Tx) error { return fn(tx) })
	if s.unrest != nil {
		s.unrest()
	}
	return err
}

func (s *typedStore) Now() int64       { return s.db.clock.Now() }
func (s *typedStore) Advance(ms int64) { s.clock.advance(time.Duration(ms) * time.Millisecond) }
