package siltstone_test

import (
	"fmt"
	"slices"
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
