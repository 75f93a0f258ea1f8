package siltstone

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/seed"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

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
		if n%2 == 0 { // some calls of a transaction are refused when they have written a part
			s.change = func(o *Options) { o.MaxTxBytes = []int64{400, 1500, 4000}[n/2%3] }
			s.reopen()
		}
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
	if testing.Short() {
		t.Skip("the full tier")
	}
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

// fillDue makes two sets of n members that live for a minute: "all", which lives
// for an hour, and "some", which has a member more that stays.
func fillDue(t testing.TB, a typedtest.API, n int) {
	t.Helper()
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf("member %05d", i)
	}
	want(t, n)(a.Set("all").AddTTL(time.Minute, members...))
	want(t, n)(a.Set("some").AddTTL(time.Minute, members...))
	want(t, 1)(a.Set("some").Add("stays"))
	if err := a.Key("all").Expire(time.Hour); err != nil {
		t.Fatal(err)
	}
}

// rowsOf counts the rows of collections by their tags, and the timers.
func rowsOf(t testing.TB, db *DB) (tags map[byte]int, timers int) {
	t.Helper()
	rows, err := liveRows(db)
	if err != nil {
		t.Fatal(err)
	}
	tags = map[byte]int{}
	for _, r := range rows {
		if _, _, ok := keyenc.ParseTimerRow(r.Key); ok {
			timers++
		}
		if _, tag, _, ok := keyenc.ParseCollectionRow(r.Key); ok {
			tags[tag]++
		}
	}
	return tags, timers
}

// purged fails the test unless of fillDue's rows those of "stays" are left.
func purged(t testing.TB, db *DB) {
	t.Helper()
	tags, timers := rowsOf(t, db)
	if tags[keyenc.TagElement] != 1 || tags[keyenc.TagDue] != 0 || timers != 0 {
		t.Errorf("%d elements, %d deadlines and %d timers are left", tags[keyenc.TagElement], tags[keyenc.TagDue], timers)
	}
	want(t, false)(db.Has([]byte("all")))
	want(t, int64(1))(db.Set("some").Len())
}

func TestIdleCollectionsArePurged(t *testing.T) {
	s := newTypedStore(t, 1)
	fillDue(t, s, 2500)
	s.reapAll()
	tags, timers := rowsOf(t, s.db)
	if tags[keyenc.TagElement] != 5001 || tags[keyenc.TagDue] != 5000 || timers != 3 {
		t.Fatalf("before their time: %v, %d timers", tags, timers)
	}
	s.Advance(time.Minute.Milliseconds())
	s.reapAll()
	purged(t, s.db)
	s.settle()
}

// TestIdleCollectionsArePurgedWithinTheReapersCadence leaves it to the workers.
func TestIdleCollectionsArePurgedWithinTheReapersCadence(t *testing.T) {
	if testing.Short() {
		t.Skip("the full tier")
	}
	t.Parallel() // it waits most of the time
	clock := newHandClock()
	db, err := Open("db", &Options{FS: vfs.NewMem(), Clock: clock.Now, Durability: BufferedDurability})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	fillDue(t, db, 1500)
	clock.advance(time.Minute)
	Within(func() bool {
		tags, timers := rowsOf(t, db)
		return tags[keyenc.TagElement] == 1 && timers == 0
	})
	purged(t, db)
}

func TestRenewedDeadlineIsPurgedAtTheNewTime(t *testing.T) {
	s := newTypedStore(t, 1)
	want(t, 2)(s.Set("s").AddTTL(time.Minute, "renewed", "goes"))
	want(t, 1)(s.Set("s").AddTTL(time.Hour, "later"))
	want(t, 0)(s.Set("s").AddTTL(2*time.Minute, "renewed"))
	for _, left := range []int{2, 1, 1} {
		s.Advance(time.Minute.Milliseconds())
		s.reapAll()
		s.done(s.recount(true))
		if tags, timers := rowsOf(t, s.db); tags[keyenc.TagElement] != left || timers != 1 {
			t.Errorf("%v and %d timers, want %d elements", tags, timers, left)
		}
	}
	want(t, int64(1))(s.Set("s").Len())
}

func TestMergesLeaveDueElementsToThePurge(t *testing.T) {
	s := newTypedStore(t, 1)
	fillDue(t, s, 300)
	s.done(s.db.Flush(context.Background()))
	s.Advance(time.Minute.Milliseconds())
	s.done(s.db.Compact(context.Background(), Range{}))
	if tags, _ := rowsOf(t, s.db); tags[keyenc.TagElement] != 601 || tags[keyenc.TagDue] != 600 {
		t.Fatalf("a merge left %v", tags)
	}
	s.done(s.recount(true))
	s.done(s.db.Check(context.Background()))
	want(t, int64(1))(s.Set("some").Len())
	want(t, false)(s.Key("all").Exists())
	want(t, 1)(s.Set("some").Add("new"))
	s.reapAll()
	s.done(s.db.Check(context.Background()))
	want(t, int64(2))(s.Set("some").Len())
}

func TestTimeThatPassedWhileTheStoreWasClosedIsOver(t *testing.T) {
	for name, end := range map[string]func(*typedStore){
		"closed": func(s *typedStore) { s.reopen() },
		"cut":    func(s *typedStore) { s.crash(vfstest.P1) },
	} {
		s := newTypedStore(t, 1)
		fillDue(t, s, 50)
		end(s)
		want(t, int64(51))(s.Set("some").Len())
		before := s.db
		s.done(before.Close())
		s.Advance(time.Minute.Milliseconds())
		s.open()
		if n, err := s.Set("some").Len(); n != 1 || err != nil {
			t.Errorf("%s: %d members, %v", name, n, err)
		}
		want(t, false)(s.Key("all").Exists())
		s.reapAll()
		purged(t, s.db)
		s.settle()
	}
}

func TestPurgeCutAnywhereLosesNoCount(t *testing.T) {
	if testing.Short() {
		t.Skip("the full tier")
	}
	t.Parallel()
	s := newTypedStore(t, 1)
	fillDue(t, s, 1200)
	s.done(s.db.Compact(context.Background(), Range{}))
	s.Advance(time.Minute.Milliseconds())
	var images []*vfstest.Disk
	s.disk.OnOp(func(vfstest.Op) { images = append(images, s.disk.Image(vfstest.P0, nil)) })
	s.reapAll()
	s.done(s.db.Sync())
	s.disk.OnOp(nil)
	if len(images) < 3 {
		t.Fatalf("the purge wrote %d times", len(images))
	}
	for i := 0; i < len(images); i += tier(5, 1, 1) {
		o := denseOptions(images[i], s.clock)
		db, err := Open("db", &o)
		s.done(err)
		again := &typedStore{t: t, clock: s.clock, db: db}
		if n, err := db.Set("some").Len(); n != 1 || err != nil {
			t.Errorf("cut before write %d: %d members, %v", i+1, n, err)
		}
		want(t, false)(db.Key("all").Exists())
		err = again.recount(false)
		again.reapAll()
		if err = errors.Join(err, again.recount(true)); err != nil {
			t.Errorf("cut before write %d: %v", i+1, err)
		}
		s.done(db.Close())
	}
}

func TestClockThatGoesBackRevivesNoElement(t *testing.T) {
	typedtest.InRows(t)
	s := newTypedStore(t, 1)
	fillDue(t, s, 3)
	s.Advance(time.Minute.Milliseconds())
	want(t, int64(1))(s.Set("some").Len())
	want(t, 1)(s.Set("other").Add("m")) // the log has the reading
	s.Advance(-10 * time.Minute.Milliseconds())
	want(t, false)(s.Set("some").Has("member 00001"))
	s.reopen()
	want(t, false)(s.Set("some").Has("member 00001"))
	want(t, int64(1))(s.Set("some").Len())
	s.reapAll()
	purgedBut(t, s.db, 2)
	s.Advance(1000 * time.Hour.Milliseconds())
	want(t, int64(1))(s.Set("some").Len())
}

// purgedBut fails the test unless that many elements are left.
func purgedBut(t testing.TB, db *DB, elements int) {
	t.Helper()
	if tags, _ := rowsOf(t, db); tags[keyenc.TagElement] != elements || tags[keyenc.TagDue] != 0 {
		t.Errorf("left are %v, want %d elements", tags, elements)
	}
}
