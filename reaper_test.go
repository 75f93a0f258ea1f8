package siltstone

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/engine/reaper"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// idOfRow returns the collection that a row of metadata carries.
func idOfRow(r *typedtest.Row) (uint64, bool) {
	_, rest, ok := keyenc.KeyspaceOf(r.Key)
	if !ok || rest[0] != keyenc.SpaceKeys {
		return 0, false
	}
	return record.CollectionID(record.Type(r.Attr.Type()), r.Value)
}

func TestVerdictOfLifeDoesNotSettleALaterNomination(t *testing.T) {
	typedtest.InEveryForm(t, verdictOfLifeDoesNotSettleALaterNomination)
}

func verdictOfLifeDoesNotSettleALaterNomination(t *testing.T) {
	s := newTypedStore(t, 1)
	ctx := context.Background()
	added, err := s.Hash("old").Set("f", []byte("1"))
	s.done(err)
	if !added {
		t.Fatal("not added")
	}
	s.done(s.db.Flush(ctx))
	s.done(s.Key("old").Rename("new"))
	s.done(s.db.Compact(ctx, Range{})) // drops the row under the old name, and nominates
	s.reapAll()                        // "alive", to be durable with this memtable
	_, err = s.Hash("new").Set("g", nil)
	s.done(err)
	s.done(s.db.Delete([]byte("new"))) // blind, and nobody is told
	s.done(s.db.Flush(ctx))            // drops the metadata row: nominates again
	s.crash(vfstest.P1)
	s.reapAll()
	s.done(s.recount(true))
}

func TestTimerThatIsDueIsNotForgottenInACrash(t *testing.T) {
	typedtest.InRows(t)
	s := newTypedStore(t, 1)
	s.done(typedtest.Populate(s)) // the hash expires
	s.done(s.db.Compact(context.Background(), Range{}))
	s.Advance(2 * time.Hour.Milliseconds())
	s.db.set.Nominations.Add([]manifest.IDRange{{First: 1 << 40, Last: 1<<40 + 2*reaper.Batch}}) // others go first
	var images []*vfstest.Disk
	s.disk.OnOp(func(vfstest.Op) { images = append(images, s.disk.Image(vfstest.P0, nil)) })
	s.reapAll()
	s.done(s.db.Sync())
	s.disk.OnOp(nil)
	if len(images) == 0 {
		t.Fatal("the reaper wrote nothing")
	}
	for i, image := range images {
		o := denseOptions(image, s.clock)
		db, err := Open("db", &o)
		s.done(err)
		again := &typedStore{t: t, clock: s.clock, db: db}
		again.reapAll()
		if err := again.recount(true); err != nil {
			t.Errorf("cut before write %d of the reaper: %v", i+1, err)
		}
		s.done(db.Close())
	}
}

// A timer of a time that a living collection does not have is out of date: nobody
// else would ever delete it, and the reaper would come back to it for ever.
func TestTimerThatIsOutOfDateIsDeletedAndItsCollectionLeftAlone(t *testing.T) {
	typedtest.InRows(t)
	s := newTypedStore(t, 1)
	want(t, 1)(s.db.Set("expires").AddTTL(time.Hour, "m")) // collection 1, the first
	want(t, 1)(s.db.Set("stays").Add("m"))                 // collection 2
	tx, err := s.Begin(true, "", 1)
	s.done(err)
	for id := range uint64(2) {
		s.done(tx.Put(keyenc.AppendTimerRow(nil, s.Now()+1, id+1), record.TypeNone, 0, nil))
	}
	_, err = s.End(tx, nil)
	s.done(err)
	if tags, timers := rowsOf(t, s.db); timers != 3 || tags[keyenc.TagElement] != 2 {
		t.Fatalf("%d timers and %d members, want that of a member and two out of date", timers, tags[keyenc.TagElement])
	}
	s.Advance(1000)
	for range 2 {
		_, err := s.db.reapStep()
		s.done(err)
	}
	if did, err := s.db.reapStep(); did || err != nil {
		t.Errorf("the reaper still has something to do: %v, %v", did, err)
	}
	if tags, timers := rowsOf(t, s.db); timers != 1 || tags[keyenc.TagElement] != 2 {
		t.Errorf("%d timers and %d members, want the members and the timer of one", timers, tags[keyenc.TagElement])
	}
}

func TestUpdateThatTheReaperOvertakesIsNotBlamed(t *testing.T) {
	typedtest.InRows(t)
	s := newTypedStore(t, 1)
	s.done(typedtest.Populate(s))
	s.Advance(2 * time.Hour.Milliseconds())
	attempts := 0
	s.done(s.db.Update(context.Background(), func(tx *Tx) error {
		attempts = tx.Attempt()
		want(t, false)(tx.Key("hash").Exists())
		if attempts <= turnAfter {
			_, err := tx.Has([]byte("contended"))
			return errors.Join(err, s.db.Put([]byte("contended"), nil), tx.Put([]byte("result"), nil))
		}
		s.reapAll() // behind the gate it is not held back, and writes over the hash
		return tx.Put([]byte("result"), nil)
	}))
	if attempts != turnAfter+2 {
		t.Errorf("%d attempts", attempts)
	}
}

// ends are all ways in which a collection ends, but for the clock.
var ends = []struct {
	name string
	end  func(a typedtest.API) error
}{
	{"Drop", func(a typedtest.API) error { _, err := a.Key("big").Drop(); return err }},
	{"Keys.Drop", func(a typedtest.API) error { _, err := a.Keys().Drop("big"); return err }},
	{"String.Set", func(a typedtest.API) error { return a.String("big").Set(nil) }},
	{"Rename over it", func(a typedtest.API) error { return a.Key("small").Rename("big") }},
	{"CopyTo over it", func(a typedtest.API) error { _, err := a.Key("small").CopyTo("big", true); return err }},
	{"StoreUnion", func(a typedtest.API) error { _, err := a.Set("big").StoreUnion("small"); return err }},
	{"Expire(0)", func(a typedtest.API) error { return a.Key("big").Expire(0) }},
	{"Expire", func(a typedtest.API) error { return a.Key("big").Expire(time.Minute) }},
}

// big is how many elements the collections of the tests below have.
func big() int {
	if longRun() {
		return 1_000_000
	}
	return 20_000
}

// fill makes the set called big, of n members, and a small one.
func fill(t testing.TB, db *DB, n int) {
	t.Helper()
	want(t, 1)(db.Set("small").Add("m"))
	members := make([]string, 0, 10_000)
	for i := 0; i < n; i += len(members) {
		members = members[:0]
		for j := range min(cap(members), n-i) {
			members = append(members, fmt.Sprintf("member %07d", i+j))
		}
		want(t, len(members))(db.Set("big").Add(members...))
	}
}

func TestEndOfACollectionCostsTheSameAtAnySize(t *testing.T) {
	typedtest.InRows(t)
	clock := newHandClock()
	stores := map[int]*DB{}
	for _, n := range []int{10, big()} {
		db, err := Open("db", &Options{FS: vfs.NewMem(), Clock: clock.Now, Durability: BufferedDurability, manualWork: true})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		stores[n] = db
		fill(t, db, n)
	}
	for _, e := range ends {
		writes := map[int]uint64{}
		for n, db := range stores {
			// Each ends the same collection, in a transaction that is rolled back.
			tx, err := db.Begin(context.Background(), ReadWriteMode)
			if err != nil {
				t.Fatal(err)
			}
			if err := e.end(tx); err != nil {
				t.Fatalf("%s: %v", e.name, err)
			}
			writes[n] = uint64(writesOf(tx))
			tx.Rollback()
		}
		if writes[10] != writes[big()] {
			t.Errorf("%s writes %d records at 10 elements and %d at %d", e.name, writes[10], writes[big()], big())
		}
	}
}

// tableBytes is the size of all tables.
func tableBytes(db *DB) (n uint64) {
	for _, t := range db.states.Version().AllTables() {
		n += t.Size
	}
	return n
}

// TestDiskOfADeadCollectionComesBackByItself leaves everything to the workers,
// while somebody reads the collection through a snapshot to the end.
func TestDiskOfADeadCollectionComesBackByItself(t *testing.T) {
	t.Parallel() // it waits most of the time
	if testing.Short() {
		t.Skip("waits for the store to be idle")
	}
	clock := newHandClock()
	var wg sync.WaitGroup
	for _, e := range ends {
		wg.Go(func() {
			db, err := Open("db", &Options{FS: vfs.NewMem(), Clock: clock.Now, Durability: BufferedDurability, MemoryLimit: 16 << 20})
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			fill(t, db, big())
			if err := db.Flush(context.Background()); err != nil {
				t.Error(err)
			}
			full := tableBytes(db)
			snap, err := db.NewSnapshot()
			if err != nil {
				t.Error(err)
			}
			if err := e.end(db); err != nil {
				t.Errorf("%s: %v", e.name, err)
			}
			clock.advance(2 * time.Minute) // past Expire's
			n := 0
			for _, err := range snap.Set("big").All() {
				if err != nil {
					t.Errorf("%s: %v", e.name, err)
				}
				n++
			}
			if n != big() {
				t.Errorf("%s: the snapshot shows %d of %d members", e.name, n, big())
			}
			snap.Close()
			begin := time.Now()
			Within(func() bool { return tableBytes(db) <= full/10 })
			t.Logf("%s: %d bytes of %d after %v", e.name, tableBytes(db), full, time.Since(begin).Round(time.Millisecond))
			if left := tableBytes(db); left > full/10 {
				t.Errorf("%s: %d of %d bytes are on disk after a minute", e.name, left, full)
			}
			if err := db.Check(context.Background()); err != nil {
				t.Errorf("%s: %v", e.name, err)
			}
		})
	}
	wg.Wait()
}

func TestSuspectsThatLiveAreNeverTouched(t *testing.T) {
	typedtest.InEveryForm(t, suspectsThatLiveAreNeverTouched)
}

func suspectsThatLiveAreNeverTouched(t *testing.T) {
	s := newTypedStore(t, 1)
	s.done(typedtest.Populate(s))
	s.done(s.Key("zset").Rename("renamed"))
	want(t, true)(s.Key("renamed").CopyTo("copied", false))
	want(t, true)(s.Key("list").Drop())
	want(t, int64(1))(s.List("list").PushBack([]byte("again")))
	s.reapAll()
	before := s.picture()
	s.db.set.Nominations.Add([]manifest.IDRange{{First: 1, Last: 3000}})
	s.reapAll()
	s.done(s.db.Flush(context.Background()))
	if got := s.picture(); got != before {
		t.Fatalf("the reaper left\n%s of\n%s", got, before)
	}
	s.settle()
	if got := s.picture(); got != before {
		t.Fatalf("merges left\n%s of\n%s", got, before)
	}
}

func TestCheckFindsElementsThatNothingNamesAndCountsThatAreWrong(t *testing.T) {
	typedtest.InRows(t)
	const id, named = 77, "collection 1"
	element := func(id uint64, member string) []byte {
		return keyenc.AppendElementRow(nil, nil, id, keyenc.TagElement, member)
	}
	for _, c := range []struct {
		name, fault string
		damage      func(t collection.Txn) error
	}{
		{"an element of nobody's", "without an owner", func(t collection.Txn) error {
			return t.Put(element(id, "m"), record.TypeNone, 0, nil)
		}},
		{"an owner that does not know it", "no record names", func(t collection.Txn) error {
			owner := keyenc.AppendElementRow(nil, nil, id, keyenc.TagOwner, "")
			return errors.Join(t.Put(owner, record.TypeNone, 0, keyenc.AppendNameRow(nil, nil, "set")), t.Put(element(id, "m"), record.TypeNone, 0, nil))
		}},
		{"an element too many", named, func(t collection.Txn) error { return t.Put(element(1, "x"), record.TypeNone, 0, nil) }},
		{"an element too few", named, func(t collection.Txn) error { return t.Delete(element(1, "f")) }},
	} {
		s := newTypedStore(t, 1)
		s.done(typedtest.Populate(s))
		s.done(s.db.Check(context.Background()))
		tt, err := s.Begin(true, "", 1)
		s.done(err)
		_, err = s.End(tt, c.damage(tt))
		s.done(err)
		for range 2 { // in memory, and on disk
			err = s.db.Check(context.Background())
			if !errors.Is(err, ErrCorruption) || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: Check finds %v", c.name, err)
			}
			s.done(s.db.Compact(context.Background(), Range{}))
		}
	}
}

// reapAll lets the reaper decide everything, without a merge.
func (s *typedStore) reapAll() {
	s.t.Helper()
	for did := true; did; {
		var err error
		did, err = s.db.reapStep()
		s.done(err)
	}
}

// writesOf returns how many operations the transaction would commit.
func writesOf(tx *Tx) int {
	c, err := tx.t.Buffer()
	if err != nil {
		return 0
	}
	return c.Len()
}

func TestATimeToLiveIsNotSpentByWaitingForATurn(t *testing.T) {
	t.Parallel()
	const ttl = time.Minute
	pairs := map[string]func(db *DB) error{
		"PutTTL":       func(db *DB) error { return db.PutTTL([]byte("k"), nil, ttl) },
		"large PutTTL": func(db *DB) error { return db.PutTTL([]byte("k"), make([]byte, 100_000), ttl) },
		"Batch": func(db *DB) error {
			var b Batch
			b.Put([]byte("before"), nil)
			b.PutTTL([]byte("k"), []byte("v"), ttl)
			b.DeleteRange(Prefix([]byte("x")))
			return db.Apply(&b, BufferedDurability)
		},
		"large Batch": func(db *DB) error {
			var b Batch
			b.Put([]byte("before"), make([]byte, 40<<20))
			b.PutTTL([]byte("k"), []byte("v"), ttl)
			return db.Apply(&b, BufferedDurability)
		},
		"SetWith": func(db *DB) error {
			_, err := db.String("k").SetWith([]byte("v"), typed.SetOptions{Cond: typed.CondNX, TTL: ttl})
			return err
		},
		"Expire": func(db *DB) error { return db.Expire([]byte("given"), ttl) },
	}
	for name, give := range pairs {
		t.Run(name, func(t *testing.T) {
			clock := newHandClock()
			db, err := Open("db", &Options{FS: vfs.NewMem(), Durability: BufferedDurability, Clock: clock.Now})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := db.Put([]byte("given"), nil); err != nil {
				t.Fatal(err)
			}
			turn, err := db.section.BeginTurn(context.Background(), time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- give(db) }()
			if !stands(".(*Turn).wait(") {
				t.Fatal("nobody waits")
			}
			clock.advance(time.Hour)
			turn.End()
			if err := awaited(t, ended); err != nil {
				t.Fatal(err)
			}
			key := "k"
			if name == "Expire" {
				key = "given"
			}
			if left, err := db.TTL([]byte(key)); left != ttl || err != nil {
				t.Errorf("it lives for another %v, %v", left, err)
			}
		})
	}
}

func TestMetricsTellWhatTheDeadHold(t *testing.T) {
	db, err := Open("db", &Options{FS: vfs.NewMem(), manualWork: true, Durability: BufferedDurability})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var fields []typed.Field
	for i := range 10_000 {
		fields = append(fields, typed.Field{Name: fmt.Sprintf("field %05d", i), Value: make([]byte, 50)})
	}
	_, err = db.Hash("h").SetMany(fields...)
	must(err)
	must(db.Flush(context.Background()))
	if m := db.Metrics(); m.Dead.Bytes != 0 || m.Dead.Collections != 0 || m.Tables.Count == 0 || m.Tables.Bytes == 0 || m.Flushes.Bytes == 0 {
		t.Errorf("while it lives: %+v", m)
	}
	held := db.Metrics().Tables.Bytes
	_, err = db.Key("h").Drop()
	must(err)
	if m := db.Metrics(); m.Dead.Collections != 1 || m.Dead.Bytes < held/2 {
		t.Errorf("dropped, of %d bytes: %+v", held, m)
	}
	if _, err := db.reapStep(); err != nil {
		t.Fatal(err)
	}
	if m := db.Metrics(); m.Dead.Collections != 0 || m.Dead.Bytes < held/2 {
		t.Errorf("decided, of %d bytes: %+v", held, m)
	}
	must(db.Flush(context.Background()))
	must(db.step())
	if m := db.Metrics(); m.Dead.Bytes != 0 || m.Tables.Bytes > held/10 {
		t.Errorf("merged away: %+v", m)
	}
}

func TestMetricsCountDroppedKeyspacesAmongTheDead(t *testing.T) {
	for what, drop := range map[string]func(db *DB) error{
		"DropKeyspace": func(db *DB) error { return db.DropKeyspace("ks") },
		"DropAll":      (*DB).DropAll,
		"DropKeyspace with a range delete inside": func(db *DB) error {
			ks, err := db.CreateKeyspace("ks")
			if err != nil {
				return err
			}
			return errors.Join(ks.DeleteRange(Prefix([]byte("key 0001"))), db.DropKeyspace("ks"))
		},
	} {
		db := mustOpen(t, vfs.NewMem(), newHandClock())
		ks, err := db.CreateKeyspace("ks")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2000 {
			if err := ks.Put(fmt.Appendf(nil, "key %05d", i), make([]byte, 50)); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Flush(bg); err != nil {
			t.Fatal(err)
		}
		m := db.Metrics()
		held := m.Tables.Bytes
		if m.Dead.Bytes != 0 || held == 0 {
			t.Errorf("%s: while it is there: %+v", what, m.Dead)
		}
		if err := drop(db); err != nil {
			t.Fatal(err)
		}
		if m := db.Metrics(); m.Dead.Bytes < held/2 || m.Dead.Bytes > held {
			t.Errorf("%s: dropped, of %d bytes: %+v", what, held, m.Dead)
		}
		if err := errors.Join(db.Flush(bg), db.step()); err != nil {
			t.Fatal(err)
		}
		if m := db.Metrics(); m.Dead.Bytes != 0 {
			t.Errorf("%s: merged away: %+v", what, m.Dead)
		}
		mustClose(t, db)
	}
}
