package siltstone

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

func TestSnapshotShowsElementsPurgedSince(t *testing.T) {
	s := newTypedStore(t, 1)
	fillDue(t, s, 20)
	snap, err := s.db.NewSnapshot()
	s.done(err)
	defer snap.Close()
	tx, err := s.db.Begin(context.Background(), ReadOnlyMode)
	s.done(err)
	defer tx.Rollback()
	s.Advance(time.Minute.Milliseconds())
	s.reapAll()
	purged(t, s.db)
	s.settle()
	for name, a := range map[string]Typed{"snapshot": snap, "transaction": tx} {
		want(t, int64(21))(a.Set("some").Len())
		want(t, true)(a.Set("all").Has("member 00003"))
		want(t, time.Minute)(a.Set("all").MemberTTL("member 00003"))
		if all, err := a.Set("some").Random(100); len(all) != 21 || err != nil {
			t.Errorf("%s: %d members, %v", name, len(all), err)
		}
	}
	late, err := s.db.NewSnapshot()
	s.done(err)
	defer late.Close()
	want(t, int64(1))(late.Set("some").Len())
}

// TestTransactionThatReadALiveElementLosesOnceItIsDue asks every way of reading,
// before anything was due and beside an element that is due and not purged.
func TestTransactionThatReadALiveElementLosesOnceItIsDue(t *testing.T) {
	reads := map[string]func(a Typed) error{
		"Get":       func(a Typed) error { _, err := a.Hash("h").Get("f"); return err },
		"GetMany":   func(a Typed) error { _, err := a.Hash("h").GetMany("f", "none"); return err },
		"Has":       func(a Typed) error { _, err := a.Hash("h").Has("f"); return err },
		"Len":       func(a Typed) error { _, err := a.Hash("h").Len(); return err },
		"FieldTTL":  func(a Typed) error { _, err := a.Hash("h").FieldTTL("f"); return err },
		"Random":    func(a Typed) error { _, err := a.Hash("h").Random(2); return err },
		"Fields":    func(a Typed) error { return drain(a.Hash("h").Fields()) },
		"All":       func(a Typed) error { return drain(a.Hash("h").All()) },
		"Exists":    func(a Typed) error { _, err := a.Key("h").Exists(); return err },
		"Set.Inter": func(a Typed) error { return drain(a.Set("s").Inter("s")) },
		"Remove":    func(a Typed) error { _, err := a.Hash("h").Remove("none"); return err },
		"Incr":      func(a Typed) error { _, err := a.Hash("h").Incr("f", 1); return err },
		"CopyTo":    func(a Typed) error { _, err := a.Key("h").CopyTo("copy", true); return err },

		"Keys.All":          func(a Typed) error { return drain(a.Keys().All(typed.KeyOptions{})) },
		"Keys.All by match": func(a Typed) error { return drain(a.Keys().All(typed.KeyOptions{Match: "h*"})) },
		"Keys.All by type":  func(a Typed) error { return drain(a.Keys().All(typed.KeyOptions{Type: typed.TypeSet})) },
		"Keys.All, broken off": func(a Typed) error {
			for _, err := range a.Keys().All(typed.KeyOptions{}) {
				return err
			}
			return errors.New("no key")
		},
		"Keys.Count":  func(a Typed) error { _, err := a.Keys().Count(); return err },
		"Keys.Exists": func(a Typed) error { _, err := a.Keys().Exists("h", "none"); return err },
		"Keys.Random": func(a Typed) error {
			for { // a draw rests on what it returns, and the string never ends
				if name, err := a.Keys().Random(); name != "result" || err != nil {
					return err
				}
			}
		},
	}
	for name, read := range reads {
		for _, unpurged := range []bool{false, true} {
			s := newTypedStore(t, 1)
			if unpurged {
				want(t, true)(s.Hash("h").SetTTL("gone", nil, time.Second))
				want(t, 1)(s.Set("s").AddTTL(time.Second, "gone"))
			}
			want(t, true)(s.Hash("h").SetTTL("f", []byte("1"), time.Minute))
			want(t, 1)(s.Set("s").AddTTL(time.Minute, "m"))
			s.Advance(2000)
			for _, late := range []bool{false, true} {
				tx, err := s.db.Begin(context.Background(), ReadWriteMode)
				s.done(err)
				s.done(read(tx))
				s.done(tx.Put([]byte("result"), nil))
				if late {
					s.Advance(time.Minute.Milliseconds())
				}
				err = tx.Commit()
				var conflict *ConflictError
				if late != (errors.As(err, &conflict) && conflict.Expired) {
					t.Errorf("%s, unpurged %v, late %v: %v", name, unpurged, late, err)
				}
			}
		}
	}
}

func drain[T any](seq func(func(T, error) bool)) (err error) {
	for _, err = range seq {
		if err != nil {
			break
		}
	}
	return err
}

// A walk of keys rests on the deadlines of what it met, and of nothing else.
func TestWalkOfKeysDoesNotRestOnDeadlinesThatItDidNotMeet(t *testing.T) {
	for name, meanwhile := range map[string]func(s *typedStore) error{
		"due":   func(s *typedStore) error { s.Advance(time.Minute.Milliseconds()); return nil },
		"moved": func(s *typedStore) error { _, err := s.Hash("h").SetTTL("f", nil, time.Second); return err },
		"new":   func(s *typedStore) error { _, err := s.Hash("i").SetTTL("f", nil, time.Second); return err },
		"purged": func(s *typedStore) error {
			s.Advance(time.Minute.Milliseconds())
			s.reapAll()
			return nil
		},
	} {
		s := newTypedStore(t, 1)
		want(t, true)(s.Hash("h").SetTTL("f", nil, time.Minute))
		want(t, true)(s.Hash("k1").Set("f", nil))
		want(t, true)(s.Hash("k2").Set("f", nil))
		tx, err := s.db.Begin(context.Background(), ReadWriteMode)
		s.done(err)
		s.done(drain(tx.Keys().All(typed.KeyOptions{Match: "k*"})))
		s.done(tx.Put([]byte("result"), nil))
		s.done(meanwhile(s))
		if err := tx.Commit(); err != nil {
			t.Errorf("a deadline is %s: %v", name, err)
		}
	}
}

func TestTransactionDoesNotRestOnItsOwnDeadlines(t *testing.T) {
	s := newTypedStore(t, 1)
	attempts := 0
	s.done(s.db.Update(context.Background(), func(tx *Tx) error {
		attempts = tx.Attempt()
		if _, err := tx.Hash("h").SetTTL("f", nil, time.Millisecond); err != nil {
			return err
		}
		want(t, int64(1))(tx.Hash("h").Len())
		want(t, true)(tx.Hash("h").Has("f"))
		want(t, time.Millisecond)(tx.Hash("h").FieldTTL("f"))
		s.Advance(5)
		return nil
	}))
	if attempts != 1 {
		t.Errorf("%d attempts", attempts)
	}
	want(t, false)(s.Key("h").Exists())
	s.reapAll()
	s.settle()
}

func TestRawWriteOverAVolatileCollectionLeavesNothingBehind(t *testing.T) {
	s := newTypedStore(t, 1)
	fillDue(t, s, 20)
	s.done(s.db.Put([]byte("all"), nil))
	s.done(s.db.Delete([]byte("some")))
	s.Advance(time.Minute.Milliseconds())
	s.reapAll()
	purgedBut(t, s.db, 0)
	s.settle()
	want(t, typed.TypeString)(s.Key("all").Type())
}

func TestDamagedCollectionKeepsNoOtherFromThePurge(t *testing.T) {
	s := newTypedStore(t, 1)
	want(t, 1)(s.Set("damaged").AddTTL(time.Second, "m"))
	fillDue(t, s, 3)
	tx, err := s.db.Begin(context.Background(), ReadWriteMode)
	s.done(err)
	row := keyenc.AppendDueRow(nil, nil, 1, 1, "m")
	s.done(tx.t.Put(row, record.TypeNone, 0, nil))
	s.done(tx.t.Put(keyenc.AppendDueRow(nil, nil, 1, 2, "m"), record.TypeNone, 0, nil))
	s.done(tx.Commit())
	s.Advance(time.Minute.Milliseconds())
	if _, err := s.db.reapStep(); !errors.Is(err, ErrCorruption) {
		t.Errorf("more deadlines than elements: %v", err)
	}
	want(t, false)(s.db.Has([]byte("all")))
	want(t, true)(s.db.Has([]byte("damaged")))
	want(t, false)(s.Key("damaged").Drop()) // its member is due, too
	s.reapAll()
	purged(t, s.db)
}

// TestElementsExpireBesideWritersAndTheReaper has all of them work on the same few
// sets while the clock runs on, and recounts at the end.
func TestElementsExpireBesideWritersAndTheReaper(t *testing.T) {
	clock := newHandClock()
	db, err := Open("db", &Options{FS: vfs.NewMem(), Clock: clock.Now, Durability: BufferedDurability, MemoryLimit: leastMemory, MemtableBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			for range 500 {
				k, m := fmt.Sprint("s", rng.IntN(3)), fmt.Sprint(rng.IntN(40))
				var err error
				switch rng.IntN(8) {
				case 0:
					_, err = db.Set(k).Remove(m)
				case 1:
					_, err = db.Set(k).Pop(1)
				case 2:
					_, err = db.Set(k).PersistMembers(m)
				case 3:
					err = db.Update(context.Background(), func(tx *Tx) error { return consistentSet(tx, k) })
				case 4:
					err = errors.Join(db.Key(k).Rename("s"+m[:1]), nil)
					if errors.Is(err, ErrNotFound) {
						err = nil
					}
				default:
					_, err = db.Set(k).AddTTL(time.Duration(1+rng.IntN(50))*time.Millisecond, m, m+"x")
				}
				if err != nil {
					t.Error(err)
				}
				clock.advance(time.Millisecond)
				if rng.IntN(10) == 0 {
					wake(db.workers.reap)
				}
			}
		})
	}
	wg.Wait()
	clock.advance(time.Hour)
	s := &typedStore{t: t, clock: clock, db: db}
	s.reapAll()
	s.done(s.recount(false))
	// The worker may still be about what it took before.
	var left error
	var tags map[byte]int
	if !Within(func() bool {
		s.reapAll()
		left = db.Check(context.Background())
		tags, _ = rowsOf(t, db)
		return left == nil && tags[keyenc.TagDue] == 0
	}) {
		t.Errorf("%d deadlines are left: %v", tags[keyenc.TagDue], left)
	}
}

// consistentSet compares what several calls of one transaction say of a set.
func consistentSet(tx *Tx, k string) error {
	n, err := tx.Set(k).Len()
	if err != nil {
		return err
	}
	walked := int64(0)
	for m, err := range tx.Set(k).All() {
		if err != nil {
			return err
		}
		if ttl, err := tx.Set(k).MemberTTL(m); err != nil || ttl <= 0 {
			return fmt.Errorf("member %q of %q has %v to live, %w", m, k, ttl, err)
		}
		walked++
	}
	exists, err := tx.Key(k).Exists()
	if err == nil && (n != walked || exists != (n > 0)) {
		err = fmt.Errorf("%q has %d members and shows %d, exists %v", k, n, walked, exists)
	}
	return errors.Join(err, tx.Put([]byte("seen"), nil))
}

// A collection that a writer ended because all of it was due leaves its timer, so
// that its rows go also if a crash has lost the hint that it ended.
func TestCollectionThatEndedAsDueIsReapedAfterACrash(t *testing.T) {
	s := newTypedStore(t, 1)
	members := make([]string, 1500) // more than one purge removes
	for i := range members {
		members[i] = fmt.Sprint("member ", i)
	}
	want(t, len(members))(s.Set("all").AddTTL(time.Minute, members...))
	s.Advance(time.Minute.Milliseconds())
	want(t, 0)(s.Set("all").Remove("none such"))
	if tags, _ := rowsOf(t, s.db); tags[keyenc.TagElement] == 0 {
		t.Fatal("no element is left: nothing is shown")
	}
	s.crash(vfstest.P0)
	if ids := s.db.set.Nominations.Undecided(); len(ids) > 0 {
		t.Fatalf("the crash lost nothing: %v", ids)
	}
	for more := true; more; {
		var err error
		more, err = s.db.reapStep()
		s.done(err)
	}
	if tags, timers := rowsOf(t, s.db); len(tags) > 0 || timers > 0 {
		t.Errorf("left: %v, %d timers", tags, timers)
	}
	s.done(s.db.Check(context.Background()))
	s.done(s.db.Close())
}

func TestReaderLosesToADeadlineOfTheNextMillisecond(t *testing.T) {
	s := newTypedStore(t, 1)
	want(t, 1)(s.Set("s").Add("stays"))
	want(t, 1)(s.Set("s").AddTTL(time.Millisecond, "m"))
	tx, err := s.db.Begin(context.Background(), ReadWriteMode)
	s.done(err)
	want(t, int64(2))(tx.Set("s").Len())
	s.done(tx.Put([]byte("result"), nil))
	s.Advance(1)
	if err := tx.Commit(); !errors.Is(err, ErrConflict) {
		t.Errorf("committed: %v", err)
	}
	s.done(s.db.Close())
}

// logBytes returns the name and content of the newest log that counts.
func logBytes(t testing.TB, disk vfs.FS) (name string, content []byte) {
	t.Helper()
	names, err := disk.List("db")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	for _, n := range names {
		if !strings.HasSuffix(n, ".wal") {
			continue
		}
		f, err := disk.Open("db/" + n)
		if err != nil {
			t.Fatal(err)
		}
		st, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, st.Size())
		if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		f.Close()
		if bytes.Trim(b, "\x00") != nil { // or else it was only prepared
			name, content = n, b
		}
	}
	return name, content
}

// cutLog returns the disk with a log that ends at size, or has zeros from there
// on.
func cutLog(t testing.TB, disk *vfstest.Disk, name string, size int64, zeros int64) *vfstest.Disk {
	t.Helper()
	cut := disk.Image(vfstest.P0, nil)
	f, err := cut.OpenWrite("db/" + name)
	if err == nil {
		err = f.Truncate(size)
	}
	if err == nil && zeros > 0 {
		err = f.Allocate(zeros)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return cut
}

func TestPowerCutAtEveryByteOfATypedTransactionKeepsAllOfItOrNothing(t *testing.T) {
	typedtest.InEveryForm(t, powerCutAtEveryByteOfATypedTransactionKeepsAllOfItOrNothing)
}

func powerCutAtEveryByteOfATypedTransactionKeepsAllOfItOrNothing(t *testing.T) {
	s := newTypedStore(t, 1)
	s.change = func(o *Options) { o.MemtableBytes = 1 << 20 } // all in one log
	s.reopen()
	s.done(typedtest.Populate(s))
	before := s.picture()
	name, old := logBytes(t, s.disk)
	s.done(s.Update(func(tx typedtest.API) error {
		for _, call := range typedtest.Changes() {
			switch call.Name { // the others end what these change, or fail behind them
			case "Expire", "Append", "Hash.Set", "ExpireFields", "Set.Add", "Set.AddTTL", "Set.MoveTo", "ZSet.Add", "PopMin", "PushFront", "Trim":
				if err := call.Run(tx); err != nil {
					return fmt.Errorf("%s: %w", call.Name, err)
				}
			}
		}
		return nil
	}))
	after := s.picture()
	same, changed := logBytes(t, s.disk)
	if same != name || after == before {
		t.Fatalf("the transaction went to %s and not %s", same, name)
	}
	first, end := 0, len(changed)
	for first < len(old) && old[first] == changed[first] {
		first++
	}
	for end > first && changed[end-1] == 0 {
		end--
	}
	stride := tier(19, 3, 1)
	kept := 0
	for cut := first; cut <= end; cut += stride {
		if cut+stride > end {
			cut = end
		}
		for _, zeros := range []int64{0, int64(len(changed))} {
			o := denseOptions(cutLog(t, s.disk, name, int64(cut), zeros), s.clock)
			db, err := Open("db", &o)
			if err != nil {
				t.Fatalf("cut at byte %d of %d to %d, zeros %v: %v", cut, first, end, zeros > 0, err)
			}
			got := (&typedStore{t: t, db: db}).picture()
			s.done(db.Close())
			switch {
			case got == after && cut >= end-8: // the frame may end in zeros
				kept++
			case got != before || cut == end && zeros > 0:
				t.Fatalf("cut at byte %d of %d to %d, zeros %v, left\n%s", cut, first, end, zeros > 0, got)
			}
		}
	}
	if kept == 0 {
		t.Error("the whole transaction is never there")
	}
	t.Logf("cut at %d bytes", end-first)
}

func TestADeadlineFromTheFarFutureIsOneThatARecordHolds(t *testing.T) {
	for _, at := range []int64{1 << 61, 1<<62 - 1, 1<<63 - 1} {
		for _, logical := range []bool{false, true} {
			o := &Options{FS: vfs.NewMem(), Clock: func() time.Time { return time.UnixMilli(at) }, LogicalClock: logical}
			db, err := Open("db", o)
			if err != nil {
				t.Fatal(err)
			}
			_, err = db.Hash("hash").SetTTL("field", nil, NoTTL-1)
			if err := errors.Join(err, db.PutTTL([]byte("key"), nil, time.Hour)); err != nil {
				t.Fatal(err)
			}
			want(t, time.Hour)(db.TTL([]byte("key")))
			want(t, NoTTL-1)(db.Hash("hash").FieldTTL("field"))
			if err := db.Check(context.Background()); err != nil {
				t.Errorf("the clock at %d: %v", at, err)
			}
			mustClose(t, db)
		}
	}
}

// TestElementsThatAreDueGoWhateverATransactionMayHold: MaxTxBytes bounds what a program
// writes. What the store frees by itself it frees in any case.
func TestElementsThatAreDueGoWhateverATransactionMayHold(t *testing.T) {
	s := newTypedStore(t, 1)
	s.change = func(o *Options) { o.MaxTxBytes = 400 }
	s.reopen()
	fillDue(t, s, 50)
	s.Advance(int64(time.Hour / time.Millisecond))
	for more := true; more; {
		var err error
		more, err = s.db.reapStep()
		s.done(err)
	}
	s.settle()
}
