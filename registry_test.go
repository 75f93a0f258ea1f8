package siltstone

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// keyspaceStore is a typedStore whose handles are those of a keyspace.
type keyspaceStore struct {
	typedtest.API
	s *typedStore
}

func newKeyspaceStore(t testing.TB, seed uint64) *keyspaceStore {
	k := &keyspaceStore{s: newTypedStore(t, seed)}
	k.API = typedtest.Handles(k)
	return k
}

func (k *keyspaceStore) keyspace() *Keyspace {
	ks, err := k.s.db.CreateKeyspace("typed")
	k.s.done(err)
	return ks
}

func (k *keyspaceStore) Begin(write bool, key string, attempt int) (collection.Txn, error) {
	return (*keyspaceSource)(k.keyspace()).Begin(write, key, attempt)
}

func (k *keyspaceStore) End(t collection.Txn, err error) (again bool, e error) {
	return (*keyspaceSource)(k.keyspace()).End(t, err)
}

func (k *keyspaceStore) Update(fn func(tx typedtest.API) error) error {
	ks := k.keyspace()
	return k.s.db.Update(context.Background(), func(tx *Tx) error { return fn(tx.In(ks)) })
}

func (k *keyspaceStore) Now() int64       { return k.s.Now() }
func (k *keyspaceStore) Advance(ms int64) { k.s.Advance(ms) }

func TestTypedBehaviourInAKeyspace(t *testing.T) { typedtest.InEveryForm(t, typedBehaviourInAKeyspace) }

func typedBehaviourInAKeyspace(t *testing.T) {
	typedtest.Behaviour(t, func(t *testing.T) typedtest.Store { return newKeyspaceStore(t, 1) })
}

func TestTypedHistoriesInAKeyspaceAnswerLikeTheModel(t *testing.T) {
	seeds := uint64(3)
	if longRun() {
		seeds = 50
	}
	for seed := uint64(1); seed <= seeds; seed++ {
		limit := typedtest.InlineLimits[seed%3]
		typedtest.InlineUpTo(t, limit.Elements, limit.Bytes)
		k := newKeyspaceStore(t, seed)
		err := typedtest.History(k, typedtest.HistoryOptions{Seed: seed, Steps: 700, Each: func(step int) error {
			if k.s.rng.IntN(12) > 0 {
				return nil
			}
			k.s.disturb()
			return k.s.recount(false)
		}})
		if err != nil {
			t.Fatal(err)
		}
		k.s.settle()
		k.s.done(k.s.db.DropKeyspace("typed"))
		k.s.settle()
		noRowOf(t, k.s.db, keyspace.Prefix(1))
		k.s.Advance(1000 * 24 * time.Hour.Milliseconds()) // timers leave when they are due
		k.s.settle()
		rows, err := liveRows(k.s.db)
		k.s.done(err)
		if len(rows) > 0 {
			t.Errorf("seed %d: %d rows are left of a dropped keyspace, %q first", seed, len(rows), rows[0].Key)
		}
	}
}

// TestNumbersAreNeverUsedTwice: not after a drop, a reopening or a crash.
func TestNumbersAreNeverUsedTwice(t *testing.T) {
	s := newTypedStore(t, 1)
	seen := map[uint32]bool{}
	for round := range 6 {
		for i := range 16 + 3 {
			ks, err := s.db.CreateKeyspace(fmt.Sprint("ks", i))
			s.done(err)
			if round > 0 && i == 0 || seen[ks.space.Number] || ks.space.Number == 0 {
				if i > 0 || round == 0 {
					t.Fatalf("round %d: number %d again", round, ks.space.Number)
				}
			}
			seen[ks.space.Number] = true
			if i > 0 {
				s.done(s.db.DropKeyspace(ks.Name()))
			}
		}
		switch round % 3 {
		case 0:
			s.reopen()
		case 1:
			s.crash(vfstest.P1)
		case 2:
			s.done(s.db.DropAll())
		}
	}
}

func TestConcurrentMakersOfANameGetTheSameKeyspace(t *testing.T) {
	db := contendedStore(t)
	for round := range 20 {
		var got [16]*Keyspace
		var wg sync.WaitGroup
		for g := range got {
			wg.Go(func() {
				var err error
				if got[g], err = db.CreateKeyspace(fmt.Sprint("round", round)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, ks := range got {
			if ks != got[0] {
				t.Fatalf("two keyspaces: %d and %d", ks.space.Number, got[0].space.Number)
			}
		}
	}
	names, err := db.Keyspaces()
	if len(names) != 20 || err != nil {
		t.Errorf("%d keyspaces, %v", len(names), err)
	}
}

// waysToWrite returns calls that each write to ks.
func waysToWrite(db *DB, ks *Keyspace) []func(i int) error {
	return []func(i int) error{
		func(i int) error { return ks.Put(fmt.Append(nil, "put", i), []byte("v")) },
		func(i int) error { _, err := ks.Hash("h").Set(fmt.Sprint(i), nil); return err },
		func(i int) error { _, err := ks.String("n").Incr(1); return err },
		func(i int) error {
			return db.Update(context.Background(), func(tx *Tx) error {
				_, err := tx.In(ks).Has([]byte("put1"))
				return errors.Join(err, tx.In(ks).Put(fmt.Append(nil, "tx", i), nil), tx.Put([]byte("beside"), nil))
			})
		},
		func(i int) error {
			var b Batch
			b.Put([]byte("beside"), nil)
			b.In(ks).Put(fmt.Append(nil, "batch", i), nil)
			return db.Apply(&b, BufferedDurability)
		},
	}
}

// TestWritersRacingWithADropLeaveNoRow: a write that was acknowledged was there
// until the drop, and none comes behind it. The log says the same.
func TestWritersRacingWithADropLeaveNoRow(t *testing.T) {
	typedtest.InEveryForm(t, writersRacingWithADropLeaveNoRow)
}

func writersRacingWithADropLeaveNoRow(t *testing.T) {
	rounds := 30
	if longRun() {
		rounds = 1000
	}
	fs := vfs.NewMem()
	open := func() *DB {
		db, err := Open("db", &Options{FS: fs, Durability: BufferedDurability, MemtableBytes: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	db := open()
	for round := range rounds {
		var refused atomic.Int64
		var wg sync.WaitGroup
		ks, err := db.CreateKeyspace("contested")
		if err != nil {
			t.Fatal(err)
		}
		writers := waysToWrite(db, ks)
		var dropped atomic.Bool
		for _, w := range writers {
			wg.Go(func() {
				for i, late := 0, 0; late < 1000; i++ {
					if dropped.Load() {
						late++
					}
					switch err := w(i); {
					case errors.Is(err, ErrDropped):
						refused.Add(1)
						return
					case err != nil:
						t.Error(err)
						return
					}
				}
			})
		}
		if round%2 == 0 {
			err = db.DropKeyspace("contested")
		} else {
			err = db.DropAll()
		}
		if err != nil {
			t.Error(err)
		}
		dropped.Store(true)
		wg.Wait()
		if refused.Load() != int64(len(writers)) {
			t.Fatalf("%d of %d writers were refused", refused.Load(), len(writers))
		}
		if round%10 == 9 {
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			db = open()
		}
		noRowOf(t, db, ks.space.Prefix())
	}
	if err := errors.Join(db.Check(context.Background()), db.Close()); err != nil {
		t.Error(err)
	}
}

// noRowOf fails the test if a row under prefix is live.
func noRowOf(t *testing.T, db *DB, prefix []byte) {
	t.Helper()
	if n := rowsUnder(t, db, prefix); n > 0 {
		t.Fatalf("%d rows have outlived their keyspace", n)
	}
}

// rowsUnder counts the live rows under prefix.
func rowsUnder(t *testing.T, db *DB, prefix []byte) (n int) {
	t.Helper()
	rows, err := liveRows(db)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if bytes.HasPrefix(r.Key, prefix) {
			n++
		}
	}
	return n
}

// TestCollectionBornAndEndedInOneTransactionLeavesNoElement in the keyspace it
// was in, whichever way it ends, nor takes one elsewhere.
func TestCollectionBornAndEndedInOneTransactionLeavesNoElement(t *testing.T) {
	typedtest.InRows(t)
	for name, end := range map[string]func(tx *Tx) error{
		"Drop":        func(tx *Tx) error { _, err := tx.Key("h").Drop(); return err },
		"Put":         func(tx *Tx) error { return tx.Put([]byte("h"), nil) },
		"Delete":      func(tx *Tx) error { return tx.Delete([]byte("h")) },
		"DeleteRange": func(tx *Tx) error { return tx.DeleteRange(Range{Lower: []byte("h"), Upper: []byte("i")}) },
	} {
		s := newTypedStore(t, 1)
		ks, err := s.db.CreateKeyspace("ks")
		s.done(err)
		s.done(s.db.Update(context.Background(), func(tx *Tx) error {
			for _, in := range []*Tx{tx, tx.In(ks)} {
				want(t, true)(in.Hash("h").Set("f", nil))
				want(t, true)(in.Hash("i").Set("f", nil))
			}
			return end(tx.In(ks))
		}))
		elements := keyenc.AppendKeyspacePrefix(nil, ks.space.Number)
		if n := rowsUnder(t, s.db, append(elements, keyenc.SpaceElements)); n != 2 { // owner and field
			t.Errorf("%s: %d rows of elements in the keyspace", name, n)
		}
		if n := rowsUnder(t, s.db, []byte{keyenc.SpaceElements}); n != 4 {
			t.Errorf("%s: %d rows of elements in the default keyspace", name, n)
		}
		s.settle()
	}
}

func TestDropAllLeavesNoRow(t *testing.T) { typedtest.InEveryForm(t, dropAllLeavesNoRow) }

func dropAllLeavesNoRow(t *testing.T) {
	s := newTypedStore(t, 1)
	ks, err := s.db.CreateKeyspace("ks")
	s.done(err)
	for _, in := range []Typed{s.db, ks} {
		s.done(typedtest.Populate(in)) // one expires
	}
	s.done(s.db.Flush(context.Background()))
	want(t, int64(1))(s.db.String("late").Incr(1))
	s.done(s.db.DropAll())
	if n := rowsUnder(t, s.db, nil); n != 0 {
		t.Errorf("%d rows are live", n)
	}
	s.settle()
}

// TestReaperOvertakenByADropDecidesAgain: what it found dead is then gone.
func TestReaperOvertakenByADropDecidesAgain(t *testing.T) {
	typedtest.InRows(t)
	s := newTypedStore(t, 1)
	ks, err := s.db.CreateKeyspace("ks")
	s.done(err)
	want(t, 1)(ks.Set("s").Add("m"))
	s.done(s.db.Delete([]byte("unrelated")))
	s.done(ks.Delete([]byte("s"))) // blind
	s.done(s.db.Compact(context.Background(), Range{}))
	ids := s.db.set.Nominations.Undecided()
	if len(ids) != 1 || ids[0].Keyspace != ks.space.Number {
		t.Fatalf("nominated %v", ids)
	}
	s.done(s.db.DropKeyspace("ks"))
	s.settle()
	if ids := s.db.set.Nominations.Undecided(); len(ids) > 0 {
		t.Errorf("undecided: %v", ids)
	}
	noRowOf(t, s.db, ks.space.Prefix())
}

// TestTypedEndInAKeyspaceNominatesThere: not in the default one.
func TestTypedEndInAKeyspaceNominatesThere(t *testing.T) {
	typedtest.InRows(t)
	s := newTypedStore(t, 1)
	ks, err := s.db.CreateKeyspace("ks")
	s.done(err)
	want(t, 1)(ks.Set("one-shot").Add("m"))
	want(t, 1)(ks.Set("in a transaction").Add("m"))
	want(t, true)(ks.Key("one-shot").Drop())
	s.done(s.db.Update(context.Background(), func(tx *Tx) error { _, err := tx.In(ks).Key("in a transaction").Drop(); return err }))
	ids := s.db.set.Nominations.Undecided()
	if len(ids) != 2 || ids[0].Keyspace != ks.space.Number || ids[1].Keyspace != ks.space.Number {
		t.Errorf("nominated %v, the keyspace has number %d", ids, ks.space.Number)
	}
	s.settle()
}

func TestCheckFindsRegistryRowsThatAreWrongAndRowsOfNoKeyspace(t *testing.T) {
	registry := func(name string, value []byte) func(collection.Txn) error {
		return func(t collection.Txn) error {
			return t.Put(keyenc.AppendRegistryRow(nil, name), record.TypeNone, 0, value)
		}
	}
	for fault, damage := range map[string]func(t collection.Txn) error{
		`has the prefix`:           registry("bad", []byte{1, 2, 3}),
		`has the prefix 010000000`: registry("bad", []byte{1, 0, 0, 0, 1}),
		`has number 5000`:          registry("bad", keyspace.Prefix(5000)),
		`both have number 1`:       registry("bad", keyspace.Prefix(1)),
		`keyspace "" has`:          registry("", keyspace.Prefix(2)),
		`keyspace number 9, which`: func(t collection.Txn) error {
			return t.Put(keyenc.AppendNameRow(nil, keyspace.Prefix(9), "k"), record.TypeString, 0, nil)
		},
		`is in no keyspace`: func(t collection.Txn) error { return t.Put([]byte{0x10, 0, 0, 0, 1, 7}, record.TypeString, 0, nil) },
	} {
		s := newTypedStore(t, 1)
		ks, err := s.db.CreateKeyspace("ks")
		s.done(err)
		s.done(ks.Put([]byte("k"), nil))
		s.done(s.db.Check(context.Background()))
		tt, err := s.Begin(true, "", 1)
		s.done(err)
		_, err = s.End(tt, damage(tt))
		s.done(err)
		for range 2 { // in memory, and on disk
			err = s.db.Check(context.Background())
			if !errors.Is(err, ErrCorruption) || !strings.Contains(err.Error(), fault) {
				t.Errorf("%s: Check finds %v", fault, err)
			}
			s.done(s.db.Compact(context.Background(), Range{}))
		}
	}
}

func TestDamagedRegistryRowIsCorruption(t *testing.T) {
	s := newTypedStore(t, 1)
	tt, err := s.Begin(true, "", 1)
	s.done(err)
	_, err = s.End(tt, tt.Put(keyenc.AppendRegistryRow(nil, "ks"), record.TypeNone, 0, []byte("x")))
	s.done(err)
	_, err = s.db.CreateKeyspace("ks")
	if !errors.Is(err, ErrCorruption) || !strings.Contains(err.Error(), `"ks"`) {
		t.Errorf("a damaged row is %v", err)
	}
}

// TestReaderOfAKeyspaceThatIsBeingDroppedIsToldSo: whoever does not find a key of a
// keyspace that is being dropped is told why.
func TestReaderOfAKeyspaceThatIsBeingDroppedIsToldSo(t *testing.T) {
	db := contendedStore(t)
	for range 50 {
		ks, err := db.CreateKeyspace("ks")
		if err != nil {
			t.Fatal(err)
		}
		if err := ks.Put([]byte("k"), nil); err != nil {
			t.Fatal(err)
		}
		want(t, true)(ks.Hash("h").Set("f", nil))
		var wg sync.WaitGroup
		for _, read := range []func() error{
			func() error { _, err := ks.Get([]byte("k")); return err },
			func() error { _, err := ks.Hash("h").Get("f"); return err },
			func() error {
				n := 0
				for _, err := range ks.Scan(Range{}) {
					if err != nil {
						return err
					}
					n++
				}
				if n != 2 {
					return fmt.Errorf("%d keys", n)
				}
				return nil
			},
		} {
			wg.Go(func() {
				for {
					if err := read(); err != nil {
						if !errors.Is(err, ErrDropped) {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		if err := db.DropKeyspace("ks"); err != nil {
			t.Error(err)
		}
		wg.Wait()
	}
}

// TestRefusedDropChangesNothing: a drop that cannot be written leaves the
// keyspace as it is.
func TestRefusedDropChangesNothing(t *testing.T) {
	db, err := Open("db", &Options{FS: vfs.NewMem(), manualWork: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ks, err := db.CreateKeyspace("ks")
	if err != nil {
		t.Fatal(err)
	}
	if err := ks.Put([]byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	db.life.Poison(errOnPurpose)
	for _, drop := range []func() error{func() error { return db.DropKeyspace("ks") }, db.DropAll} {
		if err := drop(); !errors.Is(err, ErrPoisoned) {
			t.Errorf("a poisoned store drops: %v", err)
		}
	}
	if v, err := ks.Get([]byte("k")); string(v) != "v" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	if again, err := db.CreateKeyspace("ks"); again != ks || err != nil {
		t.Errorf("%v, %v", again, err)
	}
	if _, err := db.CreateKeyspace("new"); !errors.Is(err, ErrPoisoned) {
		t.Errorf("a poisoned store makes a keyspace: %v", err)
	}

}
