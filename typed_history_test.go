package siltstone

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/handle"
	"github.com/siltstonedb/siltstone/internal/seed"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// typedStore is a store under typedtest: its handles are one-shot calls on
// whatever DB is open right now, so that it can be closed, or cut off, and
// opened again between any two calls. It has no workers, is dense, and commits
// with Sync: after a power cut all that was answered must be there.
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

// liveRows returns every row that is visible now: keys, elements and timers.
func liveRows(db *DB) (all []typedtest.Row, err error) {
	rs := db.states.Hold()
	if rs == nil {
		return nil, ErrClosed
	}
	defer db.states.Drop(rs)
	v := rows.View{State: rs, Seq: db.section.Visible(), Now: db.clock.Now()}
	it, err := rows.New(db.rows, v, nil, nil, false)
	if err != nil {
		return nil, err
	}
	defer it.Release()
	for ok := it.First(); ok; ok = it.Next() {
		all = append(all, typedtest.Row{Key: bytes.Clone(it.Key()), Value: bytes.Clone(it.Value()), Trailer: it.Trailer()})
	}
	return all, it.Err()
}

// picture prints all rows, without what a merge may change.
func (s *typedStore) picture() string {
	s.t.Helper()
	rows, err := liveRows(s.db)
	s.done(err)
	var b bytes.Buffer
	for _, r := range rows {
		fmt.Fprintf(&b, "%q %v %d %q\n", r.Key, r.Attr, r.Expiry, r.Value)
	}
	return b.String()
}

// reopen closes the store and opens it again; the state must be the same byte
// for byte.
func (s *typedStore) reopen() {
	s.t.Helper()
	before := s.picture()
	s.done(s.db.Close())
	s.open()
	s.replayed("Close", before)
}

// crash cuts the power. What was answered had been durable: the state must be
// the same byte for byte.
func (s *typedStore) crash(p vfstest.Profile) {
	s.t.Helper()
	before := s.picture()
	image := s.disk.Image(p, s.rng)
	s.done(s.db.Close())
	s.disk = image
	s.open()
	s.replayed(p.String(), before)
}

func (s *typedStore) replayed(after, before string) {
	s.t.Helper()
	if got := s.picture(); got != before {
		s.t.Fatalf("replayed after %s:\n%sand live it was\n%s", after, got, before)
	}
}

// disturb does one of the things that must change nothing.
func (s *typedStore) disturb() {
	s.t.Helper()
	ctx := context.Background()
	switch s.rng.IntN(9) {
	case 0:
		s.reopen()
	case 1:
		s.crash(vfstest.P1)
	case 2:
		s.crash(vfstest.Profiles()[s.rng.IntN(6)])
	case 3:
		s.done(s.db.Compact(ctx, Range{}))
	case 4:
		s.done(s.db.Flush(ctx))
	case 5:
		_, err := s.db.work.CompactStep(context.Background(), nil)
		s.done(err)
	case 6:
		_, err := s.db.reapStep()
		s.done(err)
	case 7:
		s.done(s.db.Check(ctx))
	default:
		s.done(s.db.step())
	}
}

// recount compares every count with the rows it counts. Rows of dead
// collections may be left, unless clean is set.
func (s *typedStore) recount(clean bool) error {
	rows, err := liveRows(s.db)
	if err != nil {
		return err
	}
	live := map[uint64]bool{}
	for i := range rows {
		if id, ok := idOfRow(&rows[i]); ok {
			live[id] = true
		}
	}
	return typedtest.CheckRows(rows, s.Now(), func(id uint64) bool { return !clean && !live[id] })
}

// settle does everything there is to do, and then nothing of a dead collection
// may be left.
func (s *typedStore) settle() {
	s.t.Helper()
	ctx := context.Background()
	for range 3 { // a merge nominates, the reaper decides, a merge frees
		s.done(s.db.Compact(ctx, Range{}))
		s.done(s.db.step())
	}
	s.done(s.recount(true))
	s.done(s.db.Check(ctx))
}

func TestTypedHistoriesAnswerLikeTheModelThroughReopenCrashAndCompaction(t *testing.T) {
	// The same histories each time; new ones are the long tier's.
	seeds, steps, first := tier[uint64](2, 12, 300), tier(900, 900, 5000), uint64(1)
	if longRun() {
		first = uint64(time.Now().UnixNano())
	}
	if n, ok := seed.Given(); ok {
		seeds, steps, first = 1, 5000, n
	}
	for n := first; n < first+seeds; n++ {
		limit := typedtest.InlineLimits[n%3]
		typedtest.InlineUpTo(t, limit.Elements, limit.Bytes)
		s := newTypedStore(t, n)
		err := typedtest.History(s, typedtest.HistoryOptions{Seed: n, Steps: steps, Each: func(step int) error {
			if s.rng.IntN(12) > 0 {
				return nil
			}
			s.disturb()
			return s.recount(false)
		}})
		if err != nil {
			t.Fatalf("%v\n%s", err, seed.Replay(t, n))
		}
		s.settle()
	}
}

func TestTypedBehaviour(t *testing.T) { typedtest.InEveryForm(t, typedBehaviour) }

func typedBehaviour(t *testing.T) {
	typedtest.Behaviour(t, func(t *testing.T) typedtest.Store { return newTypedStore(t, 1) })
}

func TestTypedBehaviourWithACrashAfterEveryCall(t *testing.T) {
	typedtest.InEveryForm(t, typedBehaviourWithACrashAfterEveryCall)
}

func typedBehaviourWithACrashAfterEveryCall(t *testing.T) {
	typedtest.Behaviour(t, func(t *testing.T) typedtest.Store {
		s := newTypedStore(t, 2)
		calls := 0
		s.unrest = func() {
			calls++
			switch {
			case calls > tier(5, 100, 100) && calls%100 > 0: // some make thousands
			case s.rng.IntN(4) == 0:
				s.disturb()
			default:
				s.crash(vfstest.P1)
			}
		}
		return s
	})
}

// TestEveryTypedChangeIsTheSameReplayed makes each change in a transaction and
// compares what was live with what is replayed, from the log and from tables.
func TestEveryTypedChangeIsTheSameReplayed(t *testing.T) {
	typedtest.InEveryForm(t, everyTypedChangeIsTheSameReplayed)
}

func everyTypedChangeIsTheSameReplayed(t *testing.T) {
	for _, change := range typedtest.Changes() {
		s := newTypedStore(t, 3)
		s.done(typedtest.Populate(s))
		s.reopen()
		before := s.picture()
		s.done(s.Update(change.Run))
		after := s.picture()
		if after == before {
			t.Errorf("%s changes nothing", change.Name)
		}
		s.crash(vfstest.P1)
		s.reopen()
		s.settle()
	}
}

// errOnPurpose ends a transaction that is to change nothing.
var errOnPurpose = errors.New("rolled back on purpose")

func TestRollbackAndPanicAfterAnyTypedChangeLeaveStateAndLogAlone(t *testing.T) {
	typedtest.InEveryForm(t, rollbackAndPanicAfterAnyTypedChangeLeaveStateAndLogAlone)
}

func rollbackAndPanicAfterAnyTypedChangeLeaveStateAndLogAlone(t *testing.T) {
	for _, change := range typedtest.Changes() {
		s := newTypedStore(t, 4)
		s.done(typedtest.Populate(s))
		_, err := s.Set("has an id").AddTTL(time.Hour, "m") // what is reserved in the manifest stays
		s.done(err)
		before, files := s.picture(), s.disk.Hash()
		err = s.Update(func(tx typedtest.API) error {
			if err := change.Run(tx); err != nil {
				return err
			}
			return errOnPurpose
		})
		if !errors.Is(err, errOnPurpose) {
			t.Fatalf("%s: %v", change.Name, err)
		}
		func() {
			defer func() { _ = recover() }()
			_ = s.Update(func(tx typedtest.API) error {
				if err := change.Run(tx); err != nil {
					t.Errorf("%s: %v", change.Name, err)
				}
				panic("on purpose")
			})
		}()
		if got := s.picture(); got != before {
			t.Errorf("%s, rolled back, left\n%s instead of\n%s", change.Name, got, before)
		}
		if s.disk.Hash() != files {
			t.Errorf("%s, rolled back, changed a file", change.Name)
		}
		s.crash(vfstest.P0)
	}
}
