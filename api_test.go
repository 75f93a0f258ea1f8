package siltstone_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
)

var (
	_ siltstone.ReadWriter = (*siltstone.DB)(nil)
	_ siltstone.ReadWriter = (*siltstone.Keyspace)(nil)
	_ siltstone.ReadWriter = (*siltstone.Tx)(nil)
	_ siltstone.Reader     = (*siltstone.Snapshot)(nil)
	_ siltstone.Typed      = (*siltstone.Snapshot)(nil)
)

// apis are the places where the suite runs: each returns an empty one. Beside it
// in the store, other keyspaces hold keys around every key of the suite's.
var apis = []struct {
	name  string
	named bool
	of    func(s *testStore) siltstone.ReadWriter
}{
	{"DB", false, func(s *testStore) siltstone.ReadWriter { return s.DB }},
	{"Keyspace", true, func(s *testStore) siltstone.ReadWriter { return s.keyspace("suite") }},
	{"Tx", false, func(s *testStore) siltstone.ReadWriter { return s.openTx() }},
	{"Keyspace in Tx", true, func(s *testStore) siltstone.ReadWriter { return s.openTx().In(s.keyspace("suite")) }},
}

// apiSuite says of each place the same.
var apiSuite = []struct {
	name string
	run  func(t *testing.T, s *testStore, a siltstone.ReadWriter)
}{
	{"GetReturnsWhatWasPut", apiGet},
	{"ScansRunBothWaysWithinTheirBounds", apiScan},
	{"IteratorsSeekAndTurn", apiIterator},
	{"TimesToLive", apiTTL},
	{"RangeDeletesTakeCollections", apiDeleteRange},
	{"RefusalsChangeNothing", apiRefusals},
	{"KeysOfEveryLengthThatIsAllowed", apiKeyLengths},
	{"OneKeyHoldsOneType", apiTypes},
	{"EveryTypedCallAnswersAsInTheDefaultKeyspace", apiTyped},
}

func TestAPI(t *testing.T) {
	t.Parallel()
	for _, place := range apis {
		t.Run(place.name, func(t *testing.T) {
			for _, c := range apiSuite {
				t.Run(c.name, func(t *testing.T) {
					s := newStore(t)
					beside := []siltstone.Writer{s.keyspace("before"), s.keyspace("behind")}
					if place.named {
						beside = append(beside, s.DB)
					}
					for _, w := range beside {
						for _, key := range []string{"\x00", "a", "b", "k", "zz", strings.Repeat("\xff", 20)} {
							ok(t, w.Put([]byte(key), []byte("beside")))
						}
					}
					c.run(t, s, place.of(s))
					s.rollback()
					for _, w := range beside {
						if got := list(w.(siltstone.Reader), siltstone.Range{}); strings.Count(got, "=beside") != 6 || strings.Count(got, "=") != 6 {
							t.Errorf("beside stands %q", got)
						}
					}
					s.check()
				})
			}
		})
	}
}

// keyspace opens a keyspace.
func (s *testStore) keyspace(name string) *siltstone.Keyspace {
	s.t.Helper()
	ks, err := s.CreateKeyspace(name)
	if err != nil {
		s.t.Fatal(err)
	}
	return ks
}

// openTx begins a transaction that rollback, or the end of the test, ends.
func (s *testStore) openTx() *siltstone.Tx {
	s.t.Helper()
	s.rollback()
	s.tx = s.begin()
	return s.tx
}

func (s *testStore) rollback() {
	if s.tx != nil {
		s.tx.Rollback()
	}
}

// everywhere calls look on a, and on a snapshot of what a shows if it is not a
// transaction, in memory and on disk.
func (s *testStore) everywhere(a siltstone.ReadWriter, look func(r siltstone.Reader)) {
	look(a)
	if s.tx != nil {
		return
	}
	for range 2 {
		snap, err := s.NewSnapshot()
		ok(s.t, err)
		if ks, named := a.(*siltstone.Keyspace); named {
			look(snap.In(ks))
		} else {
			look(snap)
		}
		snap.Close()
		s.compact()
		look(a)
	}
}

func putAll(t *testing.T, w siltstone.Writer, keysAndValues ...string) {
	t.Helper()
	for i := 0; i < len(keysAndValues); i += 2 {
		ok(t, w.Put([]byte(keysAndValues[i]), []byte(keysAndValues[i+1])))
	}
}

func apiGet(t *testing.T, s *testStore, a siltstone.ReadWriter) {
	putAll(t, a, "k", "1", "empty", "", "k", "2", "gone", "x")
	ok(t, a.Delete([]byte("gone")))
	ok(t, a.Delete([]byte("never")))
	s.everywhere(a, func(r siltstone.Reader) {
		wantText(t, get(r, "k"), "2")
		wantText(t, get(r, "gone"), "[none]")
		wantText(t, get(r, "a"), "[none]")
		wantText(t, list(r, siltstone.Range{}), "empty= k=2")
		if v, err := r.AppendGet([]byte("dst "), []byte("k")); string(v) != "dst 2" || err != nil {
			t.Errorf("AppendGet is %q, %v", v, err)
		}
		if v, err := r.AppendGet([]byte("dst"), []byte("a")); string(v) != "dst" || err != siltstone.ErrNotFound {
			t.Errorf("AppendGet of nothing is %q, %v", v, err)
		}
		for key, want := range map[string]bool{"k": true, "empty": true, "gone": false, "zz": false} {
			if has, err := r.Has([]byte(key)); has != want || err != nil {
				t.Errorf("Has(%q) is %v, %v", key, has, err)
			}
		}
	})
}

func apiScan(t *testing.T, s *testStore, a siltstone.ReadWriter) {
	putAll(t, a, "\x00", "0", "b", "1", "b\x00", "2", "c", "3", "\xff\xff", "4")
	s.everywhere(a, func(r siltstone.Reader) {
		wantText(t, list(r, siltstone.Range{}), "\x00=0 b=1 b\x00=2 c=3 \xff\xff=4")
		wantText(t, listBack(r, siltstone.Range{}), "\xff\xff=4 c=3 b\x00=2 b=1 \x00=0")
		wantText(t, list(r, rng("b", "c")), "b=1 b\x00=2")
		wantText(t, listBack(r, siltstone.Range{Upper: []byte("b\x00")}), "b=1 \x00=0")
		wantText(t, list(r, siltstone.Range{Lower: []byte("c")}), "c=3 \xff\xff=4")
		wantText(t, list(r, siltstone.Prefix([]byte("b"))), "b=1 b\x00=2")
		wantText(t, list(r, siltstone.Prefix([]byte("\xff"))), "\xff\xff=4")
		wantText(t, list(r, rng("c", "b")), `[siltstone: range from "c" to "b": lower bound is above upper bound]`)
		wantText(t, list(r, siltstone.Prefix([]byte("b")).After([]byte("b"))), "b\x00=2")
		wantText(t, listBack(r, siltstone.Prefix([]byte("b")).Before([]byte("b\x00"))), "b=1")
		wantText(t, list(r, rng("c", "b").After([]byte("x"))), `[siltstone: range from "c" to "b": lower bound is above upper bound]`)
		wantText(t, join(siltstone.Limit(r.Scan(siltstone.Range{}), 2)), "\x00=0 b=1")
		wantText(t, join(siltstone.Limit(r.ScanBack(siltstone.Range{}), 2)), "\xff\xff=4 c=3")
		wantText(t, join(r.ScanKeys(rng("b", "c"))), "b(string) b\x00(string)")
		wantText(t, join(r.ScanKeysBack(rng("b", "c"))), "b\x00(string) b(string)")
	})
	for kv, err := range a.Scan(siltstone.Range{}) {
		ok(t, err)
		ok(t, a.Delete(kv.Key)) // the loop does not see it
	}
	wantText(t, list(a, siltstone.Range{}), "")
}

func apiIterator(t *testing.T, s *testStore, a siltstone.ReadWriter) {
	putAll(t, a, "b", "1", "d", "2", "f", "3")
	s.everywhere(a, func(r siltstone.Reader) {
		it, err := r.NewIter(nil)
		ok(t, err)
		var path []string
		step := func(valid bool) {
			if valid != it.Valid() {
				t.Errorf("after %q: %v", path, valid)
			}
			path = append(path, string(it.Key())+string(it.Value()))
		}
		step(it.SeekGE([]byte("c")))
		step(it.Next())
		step(it.Next())
		step(it.SeekLT([]byte("d")))
		step(it.Prev())
		step(it.Last())
		step(it.Prev())
		step(it.First())
		step(it.SeekGE([]byte("g")))
		step(it.SeekLT([]byte("b")))
		wantText(t, strings.Join(path, ","), "d2,f3,,b1,,f3,d2,b1,,")
		ok(t, it.Close())
	})
}

func apiTTL(t *testing.T, s *testStore, a siltstone.ReadWriter) {
	ok(t, a.PutTTL([]byte("short"), []byte("1"), time.Second))
	putAll(t, a, "b", "2", "stays", "3")
	ok(t, a.Expire([]byte("b"), time.Minute))
	ok(t, a.Expire([]byte("stays"), time.Minute))
	persist(t, a, "stays", true)
	ttl := func(key string) string {
		d, err := a.TTL([]byte(key))
		if d == siltstone.NoTTL {
			return "none"
		}
		return fmt.Sprintf("%v, %v", d, err)
	}
	wantText(t, ttl("short")+" "+ttl("b")+" "+ttl("stays"), "1s, <nil> 1m0s, <nil> none")
	wantErr(t, a.Expire([]byte("zz"), time.Second), siltstone.ErrNotFound)
	persist(t, a, "stays", false)
	persist(t, a, "zz", false)
	if s.tx == nil {
		s.clock.advance(time.Minute)
		wantText(t, list(a, siltstone.Range{}), "stays=3")
	}
	for _, none := range []time.Duration{0, -1, math.MinInt64} {
		wantErr(t, a.Expire([]byte("stays"), none), siltstone.ErrBadTTL)
		wantErr(t, a.Expire([]byte("zz"), none), siltstone.ErrBadTTL)
	}
	wantText(t, get(a, "stays"), "3")
	ok(t, a.Key("stays").Expire(0)) // as in Redis
	wantText(t, get(a, "stays"), "[none]")
}

// persist makes the raw call and the typed one, which answer alike.
func persist(t *testing.T, a siltstone.ReadWriter, key string, want bool) {
	t.Helper()
	if had, err := a.Persist([]byte(key)); had != want || err != nil {
		t.Errorf("Persist(%q) is %v, %v", key, had, err)
	}
	if had, err := a.Key(key).Persist(); had || err != nil {
		t.Errorf("Key(%q).Persist() is %v, %v", key, had, err)
	}
}

func apiDeleteRange(t *testing.T, s *testStore, a siltstone.ReadWriter) {
	putAll(t, a, "a", "1", "c", "2", "k", "3")
	for _, name := range []string{"b", "l"} {
		_, err := a.Hash(name).Set("f", []byte("v"))
		ok(t, err)
	}
	ok(t, a.DeleteRange(rng("b", "k")))
	s.everywhere(a, func(r siltstone.Reader) { wantText(t, list(r, siltstone.Range{}), "a=1 k=3 l(hash)") })
	wantErr(t, a.DeleteRange(rng("k", "b")), siltstone.ErrBadRange)
	ok(t, a.DeleteRange(siltstone.Range{}))
	s.everywhere(a, func(r siltstone.Reader) { wantText(t, list(r, siltstone.Range{}), "") })
	if n, err := a.Hash("l").Len(); n != 0 || err != nil {
		t.Errorf("a hash has %d fields after its deletion, %v", n, err)
	}
}

func apiRefusals(t *testing.T, s *testStore, a siltstone.ReadWriter) {
	putAll(t, a, "b", "1")
	_, err := a.Set("h").Add("m")
	ok(t, err)
	_, wrong := a.Get([]byte("h"))
	_, empty := a.Get(nil)
	_, has := a.Has(nil)
	_, of := a.Set("b").Add("m")
	for _, c := range []struct {
		err, want error
	}{
		{a.Put(nil, nil), siltstone.ErrEmptyKey}, {a.Delete(nil), siltstone.ErrEmptyKey}, {empty, siltstone.ErrEmptyKey},
		{has, siltstone.ErrEmptyKey}, {a.PutTTL([]byte("b"), nil, 0), siltstone.ErrBadTTL},
		{wrong, siltstone.ErrWrongType}, {of, siltstone.ErrWrongType},
	} {
		wantErr(t, c.err, c.want)
	}
	wantText(t, list(a, siltstone.Range{}), "b=1 h(set)")
}

// apiKeyLengths tries keys and members around the limit: the prefix of a
// keyspace does not count.
func apiKeyLengths(t *testing.T, s *testStore, a siltstone.ReadWriter) {
	for _, n := range []int{siltstone.MaxKeyLen - 1, siltstone.MaxKeyLen} {
		name := strings.Repeat("\xff", n)
		ok(t, a.Put([]byte(name), fmt.Append(nil, n)))
		_, err := a.ZSet("z").Add(name, float64(n))
		ok(t, err)
	}
	s.everywhere(a, func(r siltstone.Reader) {
		for _, n := range []int{siltstone.MaxKeyLen - 1, siltstone.MaxKeyLen} {
			name := strings.Repeat("\xff", n)
			wantText(t, get(r, name), fmt.Sprint(n))
			if score, err := r.(siltstone.Typed).ZSet("z").Score(name); score != float64(n) || err != nil {
				t.Errorf("score of a member of %d bytes: %v, %v", n, score, err)
			}
		}
	})
	long := bytes.Repeat([]byte("\xff"), siltstone.MaxKeyLen+1)
	_, getErr := a.Get(long)
	_, addErr := a.ZSet("z").Add(string(long), 1)
	_, nameErr := a.Set(string(long)).Add("m")
	for what, err := range map[string]error{
		"Put": a.Put(long, nil), "Get": getErr, "Add": addErr, "Set": nameErr, "Delete": a.Delete(long),
		"DeleteRange": a.DeleteRange(siltstone.Range{Lower: long}), "Expire": a.Expire(long, time.Second),
	} {
		if !errors.Is(err, siltstone.ErrKeyTooLarge) {
			t.Errorf("%s of %d bytes: %v", what, len(long), err)
		}
	}
}

func apiTypes(t *testing.T, s *testStore, a siltstone.ReadWriter) {
	ok(t, typedtest.Populate(a))
	want := "hash(hash) list(list) set(set) string=10 zset(zset)"
	s.everywhere(a, func(r siltstone.Reader) {
		wantText(t, list(r, siltstone.Range{}), want)
		n, err := r.(siltstone.Typed).Keys().Count()
		if n != 5 || err != nil {
			t.Errorf("%d keys, %v", n, err)
		}
	})
	putAll(t, a, "hash", "now a string")
	if n, err := a.Hash("hash").Len(); err == nil {
		t.Errorf("a string has %d fields", n)
	}
	ok(t, a.Key("set").Rename("moved"))
	wantText(t, strings.Join(names(t, a), " "), "hash list moved string zset")
}

func names(t *testing.T, a siltstone.ReadWriter) (all []string) {
	for k, err := range a.Keys().All(typed.KeyOptions{}) {
		ok(t, err)
		all = append(all, k.Name())
	}
	return all
}

// apiTyped makes every change there is, one by one, and reads everything: the
// answers and what is left must be the default keyspace's.
func apiTyped(t *testing.T, s *testStore, a siltstone.ReadWriter) {
	reference := newStore(t)
	for i, change := range typedtest.Changes() {
		for _, on := range []siltstone.ReadWriter{reference.DB, a} {
			ok(t, on.DeleteRange(siltstone.Range{}))
			ok(t, typedtest.Populate(on))
			for _, read := range typedtest.Reads() {
				if err := read.Run(on); err != nil {
					t.Fatalf("%s before %s: %v", read.Name, change.Name, err)
				}
			}
			if err := change.Run(on); err != nil && !strings.HasPrefix(change.Name, "Set.Pop") {
				t.Errorf("%s: %v", change.Name, err)
			}
		}
		if change.Name == "Set.Pop" { // random
			continue
		}
		if got, want := typedtest.Image(t, a), typedtest.Image(t, reference); got != want {
			t.Errorf("%s leaves\n%swant\n%s", change.Name, got, want)
		}
		if i%8 == 0 && s.tx == nil {
			s.step()
			s.check()
		}
	}
}

// callsOfEveryKind is one call of each kind, made over and over while the store is
// being closed. Each returns the error it met, and fails the test itself if an
// answer is wrong: the keys "fixed" never change.
func callsOfEveryKind(t *testing.T, db *siltstone.DB) []func() error {
	fixed := []byte("fixed")
	right := func(what string, v []byte, err error) error {
		if err == nil && string(v) != "value" {
			t.Errorf("%s: %q", what, v)
		}
		return err
	}
	last := func(seq func(func(siltstone.KV, error) bool)) (err error) {
		n := 0
		for kv, e := range seq {
			if err = e; err == nil && slices.Equal(kv.Key, fixed) {
				n++
			}
		}
		if err == nil && n != 1 {
			t.Errorf("a loop met the fixed key %d times", n)
		}
		return err
	}
	var copies atomic.Int64
	return []func() error{
		func() error { v, err := db.Get(fixed); return right("Get", v, err) },
		func() error { v, err := db.AppendGet(nil, fixed); return right("AppendGet", v, err) },
		func() error { _, err := db.Has(fixed); return err },
		func() error { _, err := db.TTL(fixed); return err },
		func() error { return db.Put([]byte("k"), make([]byte, 500)) },
		func() error { return db.PutTTL([]byte("k"), nil, time.Hour) },
		func() error { return db.Delete([]byte("k")) },
		func() error { return db.DeleteRange(siltstone.Range{Lower: []byte("x"), Upper: []byte("y")}) },
		func() error { return db.Expire(fixed, 1000*time.Hour) },
		func() error { _, err := db.Persist(fixed); return err },
		func() error { return db.Sync() },
		func() error { return db.Flush(bg) },
		func() error { return db.Compact(bg, siltstone.Range{}) },
		func() error { return db.Check(bg) },
		func() error { return db.Checkpoint(bg, fmt.Sprint("copy", copies.Add(1))) },
		func() error { _, err := db.Backup(bg, io.Discard, nil); return err },
		func() error { _, err := db.EstimateSize(siltstone.Range{}); return err },
		func() error { _, _ = db.Metrics(), db.Options(); return nil },
		func() error { return last(db.Scan(siltstone.Range{})) },
		func() error { return last(db.ScanBack(siltstone.Range{})) },
		func() error { return viaIterator(db) },
		func() error { return viaSnapshot(db, right) },
		func() error {
			return db.View(bg, func(tx *siltstone.Tx) error { v, err := tx.Get(fixed); return right("View", v, err) })
		},
		func() error {
			return db.Update(bg, func(tx *siltstone.Tx) error {
				if _, err := tx.Hash("h").Incr("n", 1); err != nil {
					return err
				}
				_, err := tx.List("l").PushBack(make([]byte, 100))
				return err
			})
		},
		func() error { return viaBegin(db) },
		func() error { _, err := db.Hash("h").Set(fmt.Sprint(rand.IntN(50)), make([]byte, 50)); return err },
		func() error { _, err := db.Set("s").Add(fmt.Sprint(rand.IntN(50))); return err },
		func() error { _, err := db.ZSet("z").Incr(fmt.Sprint(rand.IntN(50)), 1); return err },
		func() error { _, err := db.List("l").PopFrontN(3); return err },
		func() error { _, err := db.String("counter").Incr(1); return err },
		func() error { _, err := db.Key("h").Drop(); return err },
		func() error {
			for _, err := range db.Keys().All(typed.KeyOptions{}) {
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func viaIterator(db *siltstone.DB) error {
	it, err := db.NewIter(nil)
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		_, _ = it.Key(), it.Value()
	}
	return errors.Join(it.Err(), it.Close())
}

func viaSnapshot(db *siltstone.DB, right func(string, []byte, error) error) error {
	s, err := db.NewSnapshot()
	if err != nil {
		return err
	}
	defer s.Close()
	v, err := s.Get([]byte("fixed"))
	return right("Snapshot", v, err)
}

func viaBegin(db *siltstone.DB) error {
	tx, err := db.Begin(bg, siltstone.ReadWriteMode)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := tx.Put([]byte("by hand"), nil); err != nil {
		return err
	}
	return tx.Commit()
}
