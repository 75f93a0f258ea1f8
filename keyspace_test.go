package siltstone_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
)

// spaces prints the names of all keyspaces.
func (s *testStore) spaces() string {
	s.t.Helper()
	names, err := s.Keyspaces()
	ok(s.t, err)
	return strings.Join(names, " ")
}

func TestAKeyspaceHasOneHandle(t *testing.T) {
	s := newStore(t)
	for _, name := range []string{"b", "a", "\x00", strings.Repeat("n", siltstone.MaxKeyspaceName)} {
		if ks := s.keyspace(name); ks != s.keyspace(name) || ks.Name() != name {
			t.Errorf("keyspace %q is another the second time, named %q", name, ks.Name())
		}
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
