package siltstone_test

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

// spaces prints the names of all keyspaces.
func (s *testStore) spaces() string {
	s.t.Helper()
	names, err := s.Keyspaces()
	ok(s.t, err)
	return strings.Join(names, " ")
}

func TestKeyspacesAreMadeOnceAndListedInOrder(t *testing.T) {
	s := newStore(t)
	wantText(t, s.spaces(), "")
	names := []string{"b", "a", "\x00", "\xff\xff", strings.Repeat("n", siltstone.MaxKeyspaceName)}
	for i, name := range names {
		ks := s.keyspace(name)
		if ks != s.keyspace(name) || ks.Name() != name {
			t.Errorf("keyspace %q is another the second time, named %q", name, ks.Name())
		}
		putAll(t, ks, "k", fmt.Sprint(i))
	}
	slices.Sort(names)
	wantText(t, s.spaces(), strings.Join(names, " "))
	for range 2 {
		s.compact()
		s.reopen()
		wantText(t, s.spaces(), strings.Join(names, " "))
		wantText(t, get(s.keyspace("b"), "k")+get(s.keyspace("a"), "k"), "01")
		s.check()
	}
	for name, want := range map[string]error{
		"": siltstone.ErrEmptyKey, strings.Repeat("n", siltstone.MaxKeyspaceName+1): siltstone.ErrKeyTooLarge,
	} {
		_, err := s.Keyspace(name)
		wantErr(t, err, want)
		wantErr(t, s.DropKeyspace(name), want)
	}
	wantErr(t, s.DropKeyspace("none"), siltstone.ErrNotFound)
}

func TestKeyspaceOfAReadOnlyStoreIsNotMade(t *testing.T) {
	s := newStore(t)
	putAll(t, s.keyspace("there"), "k", "v")
	s.opts.ReadOnly = true
	s.reopen()
	wantText(t, get(s.keyspace("there"), "k"), "v")
	_, err := s.Keyspace("missing")
	wantErr(t, err, siltstone.ErrNotFound)
	wantErr(t, s.keyspace("there").Put([]byte("k"), nil), siltstone.ErrReadOnly)
	_, err = s.keyspace("there").Set("s").Add("m")
	wantErr(t, err, siltstone.ErrReadOnly)
	wantErr(t, s.DropKeyspace("there"), siltstone.ErrReadOnly)
	wantErr(t, s.DropAll(), siltstone.ErrReadOnly)
	wantText(t, s.spaces(), "there")
}

// TestEverythingAskedOfADroppedKeyspaceIsErrDropped: nothing of it has changed
// anything either.
func TestEverythingAskedOfADroppedKeyspaceIsErrDropped(t *testing.T) {
	drops := map[string]func(s *testStore) error{
		"DropKeyspace": func(s *testStore) error { return s.DropKeyspace("ks") },
		"DropAll":      func(s *testStore) error { return s.DropAll() },
	}
	for name, drop := range drops {
		s := newStore(t)
		ks := s.keyspace("ks")
		putAll(t, ks, "k", "v")
		ok(t, drop(s))
		s.put("beside", "1")
		tx := s.begin()
		snap, err := s.NewSnapshot()
		ok(t, err)
		for place, r := range map[string]siltstone.Reader{"keyspace": ks, "transaction": tx.In(ks), "snapshot": snap.In(ks)} {
			_, getErr := r.Get([]byte("k"))
			_, hasErr := r.Has([]byte("k"))
			_, ttlErr := r.TTL([]byte("k"))
			_, iterErr := r.NewIter(nil)
			_, typedErr := r.(siltstone.Typed).String("k").Get()
			var loopErr error
			for _, loopErr = range r.Scan(siltstone.Range{}) {
			}
			for _, err := range []error{getErr, hasErr, ttlErr, iterErr, typedErr, loopErr} {
				wantErr(t, err, siltstone.ErrDropped)
			}
			if w, writes := r.(siltstone.Writer); writes {
				_, addErr := r.(siltstone.Typed).Hash("h").Set("f", nil)
				for _, err := range []error{
					w.Put([]byte("k"), nil), w.PutTTL([]byte("k"), nil, time.Second), w.Delete([]byte("k")), w.DeleteRange(rng("a", "z")),
					w.Expire([]byte("k"), time.Second), w.Persist([]byte("k")), addErr,
				} {
					wantErr(t, err, siltstone.ErrDropped)
				}
			}
			if t.Failed() {
				t.Fatal(name, place)
			}
		}
		_, sizeErr := ks.EstimateSize(siltstone.Range{})
		wantErr(t, sizeErr, siltstone.ErrDropped)
		wantErr(t, ks.Compact(bg, siltstone.Range{}), siltstone.ErrDropped)
		ok(t, tx.Put([]byte("beside"), []byte("2"))) // what was refused does not stand in the way
		ok(t, tx.Commit())
		snap.Close()
		wantText(t, list(s, siltstone.Range{}), "beside=2")
		s.check()
	}
}

func TestNameMadeAgainIsEmpty(t *testing.T) {
	s := newStore(t)
	for i := range 5 {
		ks := s.keyspace("name")
		wantText(t, list(ks, siltstone.Range{}), "")
		if n, err := ks.Hash("h").Len(); n != 0 || err != nil {
			t.Errorf("a hash of %d fields, %v", n, err)
		}
		putAll(t, ks, "k", fmt.Sprint(i))
		_, err := ks.Hash("h").Set("f", nil)
		ok(t, err)
		if i%2 == 1 {
			s.flush()
		}
		drop := func() error { return s.DropKeyspace("name") }
		if i == 3 {
			drop = s.DropAll
		}
		ok(t, drop())
		wantText(t, s.spaces(), "")
		again := s.keyspace("name")
		if again == ks {
			t.Fatal("the old handle")
		}
		wantText(t, list(again, siltstone.Range{}), "")
		wantErr(t, ks.Put([]byte("k"), nil), siltstone.ErrDropped)
		if i == 2 {
			s.reopen()
		}
		s.step()
		s.check()
	}
}

func TestOpenSnapshotReadsADroppedKeyspace(t *testing.T) {
	for name, drop := range map[string]func(s *testStore) error{
		"DropKeyspace": func(s *testStore) error { return s.DropKeyspace("ks") },
		"DropAll":      func(s *testStore) error { return s.DropAll() },
	} {
		s := newStore(t)
		ks := s.keyspace("ks")
		putAll(t, ks, "a", "1", "b", "2")
		s.put("a", "default")
		for i := range 100 {
			_, err := ks.Hash("h").Set(fmt.Sprintf("f%03d", i), []byte("v"))
			ok(t, err)
		}
		s.flush()
		snap, err := s.NewSnapshot()
		ok(t, err)
		tx := s.begin()
		it, err := ks.NewIter(nil)
		ok(t, err)
		ok(t, drop(s))
		putAll(t, s.keyspace("ks"), "a", "of the next one")
		for range 3 {
			for place, r := range map[string]api2{"snapshot": snap.In(ks), "transaction": tx.In(ks)} {
				wantText(t, list(r, siltstone.Range{}), "a=1 b=2 h(hash)")
				wantText(t, get(r, "b"), "2")
				n, err := r.Hash("h").Len()
				fields := 0
				for _, err := range r.Hash("h").All() {
					ok(t, err)
					fields++
				}
				if n != 100 || fields != 100 || err != nil {
					t.Fatalf("%s: %s shows %d of %d fields, %v", name, place, fields, n, err)
				}
			}
			wantText(t, get(snap, "a")+" "+get(snap.In(nil), "a"), "default default")
			var keys []string
			for ok := it.First(); ok; ok = it.Next() {
				keys = append(keys, string(it.Key()))
			}
			wantText(t, fmt.Sprint(keys, it.Err()), "[a b h] <nil>")
			wantText(t, list(snap.In(s.keyspace("ks")), siltstone.Range{}), "")
			s.compact()
			s.step()
		}
		ok(t, it.Close())
		tx.Rollback()
		snap.Close()
		s.compact()
		s.step()
		s.check()
	}
}

// api2 is what snapshots have of the API.
type api2 interface {
	siltstone.Reader
	siltstone.Typed
}

func TestBatchIntoADroppedKeyspaceIsRefused(t *testing.T) {
	for _, op := range []func(b *siltstone.Batch){
		func(b *siltstone.Batch) { b.Put([]byte("k"), []byte("v")) },
		func(b *siltstone.Batch) { b.PutTTL([]byte("k"), []byte("v"), time.Second) },
		func(b *siltstone.Batch) { b.Delete([]byte("k")) },
		func(b *siltstone.Batch) { b.DeleteRange(rng("a", "z")) },
	} {
		s := newStore(t)
		live, dropped := s.keyspace("live"), s.keyspace("dropped")
		var b siltstone.Batch
		b.Put([]byte("k"), []byte("default"))
		b.In(live).Put([]byte("k"), []byte("live"))
		op(b.In(dropped))
		ok(t, s.DropKeyspace("dropped"))
		wantErr(t, s.Apply(&b, siltstone.Sync), siltstone.ErrDropped)
		wantText(t, list(s, siltstone.Range{})+list(live, siltstone.Range{}), "")
		b.Reset()
		b.In(live).Put([]byte("k"), []byte("live"))
		ok(t, s.Apply(b.In(dropped), siltstone.Sync)) // it touches nothing of the dropped one
		wantText(t, list(live, siltstone.Range{}), "k=live")
		s.reopen()
		s.check()
	}
}

func TestBatchWritesIntoManyKeyspacesAtOnce(t *testing.T) {
	s := newStore(t)
	var b siltstone.Batch
	var views []*siltstone.Batch
	for i := range 50 {
		views = append(views, b.In(s.keyspace(fmt.Sprintf("ks%02d", 49-i))))
	}
	for range 2 {
		for i, v := range views {
			v.Put([]byte("k"), fmt.Append(nil, i))
			v.Put([]byte("gone"), nil)
			v.In(nil).Put(fmt.Append(nil, "k", i), nil)
			v.DeleteRange(rng("g", "h"))
			v.PutTTL([]byte("short"), nil, time.Second)
		}
		if n := views[7].Len(); n != 250 || b.Len() != n || views[3].Size() != b.Size() {
			t.Errorf("%d operations, or %d", n, b.Len())
		}
		var first []string
		for op, err := range views[9].Ops() {
			ok(t, err)
			if first = append(first, fmt.Sprintf("%v %s/%s%s..%s %v", op.Kind, op.Keyspace, op.Key, op.Range.Lower, op.Range.Upper, op.TTL)); len(first) == 5 {
				break
			}
		}
		wantText(t, strings.Join(first, ","), "1 ks49/k.. 0s,1 ks49/gone.. 0s,1 /k0.. 0s,3 ks49/g..h 0s,1 ks49/short.. 1s")
		ok(t, s.Apply(&b, siltstone.Default))
		for i := range views {
			wantText(t, list(s.keyspace(fmt.Sprintf("ks%02d", 49-i)), siltstone.Range{}), fmt.Sprintf("k=%d short=", i))
		}
		if got := list(s, siltstone.Range{}); strings.Count(got, "k") != 50 || strings.Contains(got, "short") {
			t.Errorf("the default keyspace holds %s", got)
		}
		s.compact()
		views[0].Reset()
	}
	views[0].Put(nil, nil)
	wantErr(t, b.Err(), siltstone.ErrEmptyKey)
	wantErr(t, s.Apply(views[1], siltstone.Default), siltstone.ErrEmptyKey)
	var whole siltstone.Batch
	whole.In(s.keyspace("ks00")).DeleteRange(siltstone.Range{})
	for op, err := range whole.Ops() {
		ok(t, err)
		if op.Keyspace != "ks00" || op.Range.Lower != nil || op.Range.Upper != nil {
			t.Errorf("all keys come back as %+v", op)
		}
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
		var a api = s.DB
		if place.keyspace != "" {
			ks = s.keyspace(place.keyspace)
			a = ks
		}
		putAll(t, a, "key", "1", "short", "x", "zz", "y")
		for what, c := range map[string]struct {
			read, change func(a api) error
			want         siltstone.ConflictError
			text         string
		}{
			"point": {func(a api) error { _, err := a.Get([]byte("key")); return err }, func(a api) error { return a.Put([]byte("key"), []byte("2")) },
				siltstone.ConflictError{Range: rng("key", "key\x00")}, `key "key"`},
			"element": {func(a api) error { _, err := a.Hash("hash").Get("f"); return err }, func(a api) error { _, err := a.Hash("hash").Set("f", []byte("2")); return err },
				siltstone.ConflictError{Range: rng("hash", "hash\x00")}, `key "hash"`},
			"dropped collection": {func(a api) error {
				for _, err := range a.Hash("hash").All() {
					ok(t, err)
				}
				return nil
			}, func(a api) error { s.step(); _, err := a.Key("hash").Drop(); return err },
				siltstone.ConflictError{Range: rng("hash", "hash\x00")}, `key "hash"`},
			"range": {func(a api) error { _ = list(a, rng("k", "l")); return nil }, func(a api) error { return a.DeleteRange(rng("kk", "kz")) },
				siltstone.ConflictError{Range: rng("k", "l")}, `a key between "k" and "l"`},
			"expiry": {func(a api) error { _, err := a.Get([]byte("short")); return err }, func(api) error { s.clock.advance(time.Minute); return nil },
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

func TestKeyspaceOfAnotherStoreIsAnErrorAndNeverAPanic(t *testing.T) {
	s, other := newStore(t), newStore(t)
	foreign, own := other.keyspace("ks"), s.keyspace("ks")
	putAll(t, own, "k", "own")
	tx := s.begin()
	snap, err := s.NewSnapshot()
	ok(t, err)
	defer snap.Close()
	for _, r := range []siltstone.Reader{tx.In(foreign), snap.In(foreign)} {
		if _, err := r.Get([]byte("k")); err == nil || !strings.Contains(err.Error(), "another store") {
			t.Errorf("%T: %v", r, err)
		}
	}
	if err := tx.In(foreign).Put([]byte("k"), nil); err == nil {
		t.Error("a foreign keyspace takes a write")
	}
	if _, err := tx.In(foreign).Hash("h").Set("f", nil); err == nil {
		t.Error("a foreign keyspace takes a field")
	}
	ok(t, tx.In(own).Put([]byte("k"), []byte("still usable")))
	ok(t, tx.Commit())
	for _, fill := range []func(b *siltstone.Batch){
		func(b *siltstone.Batch) { b.In(foreign).Put([]byte("k"), nil) },
		func(b *siltstone.Batch) { b.In(foreign).Put([]byte("k"), nil); b.In(own).Put([]byte("k"), nil) },
		func(b *siltstone.Batch) {
			b.In(own).Put([]byte("k"), nil)
			b.In(foreign).DeleteRange(siltstone.Range{})
		},
	} {
		var b siltstone.Batch
		fill(&b)
		if err := s.Apply(&b, siltstone.Default); err == nil {
			t.Error("a batch writes into a foreign keyspace")
		}
	}
	wantText(t, list(own, siltstone.Range{}), "k=still usable")
}

func TestHandlesOfAClosedStoreSayClosed(t *testing.T) {
	s := newStore(t)
	ks := s.keyspace("ks")
	ok(t, s.DB.Close())
	_, getErr := ks.Get([]byte("k"))
	_, typedErr := ks.Set("s").Add("m")
	_, namesErr := s.Keyspaces()
	_, openErr := s.Keyspace("ks")
	_, newErr := s.Keyspace("new")
	for _, err := range []error{getErr, typedErr, namesErr, openErr, newErr, ks.Put([]byte("k"), nil), s.DropKeyspace("ks"), s.DropAll()} {
		wantErr(t, err, siltstone.ErrClosed)
	}
	s.open()
	wantText(t, s.spaces(), "ks")
}

func TestDropAllEmptiesTheStoreAndItGoesOn(t *testing.T) {
	s := newStore(t)
	s.fillHash("h", 100)
	s.put("k", "v")
	ok(t, s.Expire([]byte("h"), time.Minute))
	ks := s.keyspace("ks")
	putAll(t, ks, "k", "v")
	s.flush()
	s.reopen() // "ks" has no handle
	ok(t, s.DropAll())
	for range 2 {
		wantText(t, list(s, siltstone.Range{})+s.spaces(), "")
		if n, err := s.Hash("h").Len(); n != 0 || err != nil {
			t.Errorf("%d fields, %v", n, err)
		}
		s.step()
		s.check()
		s.reopen()
	}
	wantText(t, list(s.keyspace("ks"), siltstone.Range{}), "")
	s.fillHash("h", 3)
	putAll(t, s.keyspace("ks"), "k", "again")
	s.clock.advance(time.Hour) // the timer of the old hash is not the new one's
	s.step()
	s.wantHash("h", 3)
	s.compact()
	s.step()
	wantText(t, get(s.keyspace("ks"), "k"), "again")
	if size := s.diskBytes(); size > 4<<10 {
		t.Errorf("%d bytes of tables", size)
	}
	s.check()
}

// TestTimersAndNominationsOfADroppedKeyspaceAreSettled: what was due there, or
// suspected, comes to nothing.
func TestTimersAndNominationsOfADroppedKeyspaceAreSettled(t *testing.T) {
	s := newStore(t, small)
	ks := s.keyspace("ks")
	for i := range 20 {
		_, err := ks.Set(fmt.Sprint("timed", i)).Add("m")
		ok(t, err)
		ok(t, ks.Expire(fmt.Append(nil, "timed", i), time.Minute))
		_, err = ks.Set(fmt.Sprint("ended", i)).Add("m")
		ok(t, err)
	}
	s.flush()
	for i := range 20 {
		_, err := ks.Key(fmt.Sprint("ended", i)).Drop()
		ok(t, err)
	}
	ok(t, s.DropKeyspace("ks"))
	s.clock.advance(time.Hour)
	s.step()
	if n := s.Metrics().DeadCollections; n != 0 {
		t.Errorf("%d collections are undecided", n)
	}
	s.reopen()
	s.compact()
	s.step()
	if n := s.Metrics().DeadCollections; n != 0 {
		t.Errorf("%d collections are undecided after reopening", n)
	}
	s.check()
	wantText(t, list(s.keyspace("ks"), siltstone.Range{}), "")
}

// TestDeletedHashOfAKeyspaceGivesItsDiskBack: the rule of dead collections holds
// under a prefix.
func TestDeletedHashOfAKeyspaceGivesItsDiskBack(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 20_000
	}
	for name, end := range map[string]func(ks *siltstone.Keyspace) error{
		"Drop":        func(ks *siltstone.Keyspace) error { _, err := ks.Key("big").Drop(); return err },
		"Put":         func(ks *siltstone.Keyspace) error { return ks.Put([]byte("big"), nil) },
		"DeleteRange": func(ks *siltstone.Keyspace) error { return ks.DeleteRange(rng("b", "c")) },
	} {
		s := newStore(t, func(o *siltstone.Options) { o.MemtableBytes = 1 << 20 })
		ks := s.keyspace("ks")
		putAll(t, s.keyspace("beside"), "small", "kept")
		fillFields(t, ks.Hash("big"), n)
		s.step()
		full := s.diskBytes()
		ok(t, end(ks))
		s.compact()
		for range 2 { // the verdict, then its effect
			s.step()
			s.flush()
		}
		s.step()
		if left := s.diskBytes(); left > full/20 {
			t.Errorf("%s: %d of %d bytes are still on disk", name, left, full)
		}
		wantText(t, get(s.keyspace("beside"), "small"), "kept")
		s.check()
	}
}

func fillFields(t testing.TB, h typed.Hash, n int) {
	t.Helper()
	fields := make([]typed.Field, 0, 10_000)
	for i := 0; i < n; i += cap(fields) {
		fields = fields[:0]
		for j := range cap(fields) {
			fields = append(fields, typed.Field{Name: fmt.Sprintf("field %08d", i+j), Value: []byte("value")})
		}
		_, err := h.SetMany(fields...)
		ok(t, err)
	}
}

// fillKeys puts n keys, whatever it takes.
func fillKeys(t testing.TB, s *testStore, ks *siltstone.Keyspace, n int) {
	t.Helper()
	var b siltstone.Batch
	in := b.In(ks)
	for i := range n {
		in.Put(fmt.Appendf(nil, "key %08d", i), []byte("a value of some bytes"))
		if b.Len() == 10_000 || i == n-1 {
			ok(t, s.Apply(&b, siltstone.Buffered))
			b.Reset()
		}
	}
}

// keysToDrop is how many keys a keyspace has before it is dropped.
func keysToDrop() int {
	switch {
	case *long:
		return 1_000_000
	case testing.Short():
		return 20_000
	}
	return 100_000
}

// appendedTo counts the bytes written to logs and manifests.
type appendedTo struct {
	vfs.FS
	bytes int64
}

func (f *appendedTo) Create(name string) (vfs.File, error) { return f.count(name)(f.FS.Create(name)) }
func (f *appendedTo) OpenWrite(name string) (vfs.File, error) {
	return f.count(name)(f.FS.OpenWrite(name))
}

func (f *appendedTo) count(name string) func(vfs.File, error) (vfs.File, error) {
	return func(file vfs.File, err error) (vfs.File, error) {
		if err != nil || path.Ext(name) == ".sst" {
			return file, err
		}
		return &countedFile{file, f}, nil
	}
}

type countedFile struct {
	vfs.File
	in *appendedTo
}

func (f *countedFile) Write(b []byte) (int, error) {
	f.in.bytes += int64(len(b))
	return f.File.Write(b)
}

func TestDroppingAKeyspaceOfAMillionKeysWritesAtMost512Bytes(t *testing.T) {
	name := strings.Repeat("n", siltstone.MaxKeyspaceName)
	for what, drop := range map[string]func(s *testStore) error{
		"DropKeyspace": func(s *testStore) error { return s.DropKeyspace(name) },
		"DropAll":      func(s *testStore) error { return s.DropAll() },
	} {
		count := &appendedTo{}
		s := newStore(t, func(o *siltstone.Options) {
			o.MemtableBytes = 4 << 20
			count.FS = o.FS
			o.FS = count
		})
		ks := s.keyspace(name)
		fillKeys(t, s, ks, keysToDrop())
		fillFields(t, ks.Hash("hash"), min(keysToDrop(), 100_000))
		s.step()
		ok(t, s.Sync())
		before := count.bytes
		ok(t, drop(s))
		ok(t, s.Sync())
		written := count.bytes - before
		t.Logf("%s: %d bytes", what, written)
		if written == 0 || written > 512 {
			t.Errorf("%s wrote %d bytes to log and manifest", what, written)
		}
	}
}
