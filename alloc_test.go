//go:build !race && !invariants

package siltstone_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/leaktest"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
)

// The race detector makes pools forget at random, so these do not run under it.

// wantAllocs fails if fn allocates more than most times on average.
func wantAllocs(t *testing.T, what string, most float64, fn func()) {
	t.Helper()
	if n := testing.AllocsPerRun(500, fn); n > most {
		t.Errorf("%s allocates %v times, want at most %v", what, n, most)
	}
}

func TestHotPathsAllocateNothing(t *testing.T) {
	s := newStore(t, func(o *siltstone.Options) { o.MemtableBytes = 16 << 20 })
	const n = 5000
	keys := make([][]byte, n)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key %06d", i)
		ok(t, s.Put(keys[i], make([]byte, 100)))
	}
	dst := make([]byte, 0, 256)
	i := 0
	reads := func(place string) {
		wantAllocs(t, "AppendGet from a "+place, 0, func() {
			i = (i + 7) % n
			if v, err := s.AppendGet(dst[:0], keys[i]); err != nil || len(v) != 100 {
				t.Fatal(err)
			}
		})
		wantAllocs(t, "AppendGet of nothing from a "+place, 0, func() { _, _ = s.AppendGet(dst[:0], []byte("absent")) })
		wantAllocs(t, "Has in a "+place, 0, func() { _, _ = s.Has(keys[i]) })
		it := s.iter(nil)
		it.First()
		for range n / 2 {
			it.Next()
		}
		wantAllocs(t, "Next in a "+place, 0, func() { it.Next() })
		wantAllocs(t, "Prev in a "+place, 0, func() { it.Prev() })
		wantAllocs(t, "NewIter, First, Close over a "+place, 5, func() {
			it, _ := s.NewIter(nil)
			it.First()
			_ = it.Close()
		})
	}
	reads("memtable")
	value := make([]byte, 100)
	wantAllocs(t, "Put", 0, func() {
		i = (i + 7) % n
		_ = s.Put(keys[i], value)
	})
	wantAllocs(t, "Delete", 0, func() { _ = s.Delete([]byte("absent")) })
	s.compact()
	_ = list(s, siltstone.Range{}) // warm
	reads("table")
}

// TestKeyspaceAllocatesNoMoreThanTheStore compares each call with the default
// keyspace's.
func TestKeyspaceAllocatesNoMoreThanTheStore(t *testing.T) {
	s := newStore(t, func(o *siltstone.Options) { o.MemtableBytes = 16 << 20 })
	ks := s.keyspace("ks")
	key, value, dst := []byte("key"), make([]byte, 100), make([]byte, 0, 256)
	calls := func(a siltstone.ReadWriter) map[string]func() {
		return map[string]func(){
			"AppendGet":  func() { _, _ = a.AppendGet(dst, key) },
			"Get":        func() { _, _ = a.Get(key) },
			"Has":        func() { _, _ = a.Has(key) },
			"Put":        func() { _ = a.Put(key, value) },
			"PutTTL":     func() { _ = a.PutTTL(key, value, 1<<40) },
			"Delete":     func() { _ = a.Delete([]byte("absent")) },
			"NewIter":    func() { it, _ := a.NewIter(nil); it.First(); _ = it.Close() },
			"Hash.Get":   func() { _, _ = a.Hash("hash").Get("f") },
			"Hash.Set":   func() { _, _ = a.Hash("hash").Set("f", value) },
			"Incr":       func() { _, _ = a.String("n").Incr(1) },
			"Expire":     func() { _ = a.Expire([]byte("n"), 1<<40) },
			"Set.Add":    func() { _, _ = a.Set("set").Add("m") },
			"Key.Exists": func() { _, _ = a.Key("hash").Exists() },
		}
	}
	inKeyspace := calls(ks)
	for name, inStore := range calls(s.DB) {
		inStore()
		inKeyspace[name]()
		most := testing.AllocsPerRun(500, inStore)
		wantAllocs(t, name+" in a keyspace", most, inKeyspace[name])
	}
	wantAllocs(t, "Keyspace of one that is there", 0, func() { _, _ = s.CreateKeyspace("ks") })
}

// A call that creates a collection is left out: the memtable grows by its rows.
func TestOneShotsOnTypedValuesAllocateNothing(t *testing.T) {
	s := newStore(t, func(o *siltstone.Options) { o.MemtableBytes, o.Durability = 16<<20, siltstone.BufferedDurability })
	value, dst := make([]byte, 100), make([]byte, 0, 256)
	calls := []struct {
		name string
		call func() error
	}{
		{"String.Set", func() error { return s.String("s").Set(value) }},
		{"String.AppendGet", func() error { _, err := s.String("s").AppendGet(dst[:0]); return err }},
		{"String.Incr", func() error { _, err := s.String("n").Incr(1); return err }},
		{"Hash.Set", func() error { _, err := s.Hash("h").Set("field", value); return err }},
		{"Hash.AppendGet", func() error { _, err := s.Hash("h").AppendGet(dst[:0], "field"); return err }},
		{"Set.Add", func() error { _, err := s.Set("m").Add("member"); return err }},
		{"ZSet.Incr", func() error { _, err := s.ZSet("z").Incr("member", 1); return err }},
		{"ZSet.Incr in a counted order", func() error { _, err := s.ZSet("counted").Incr("member", 7); return err }},
	}
	members := make([]typed.Member, 5000) // pages of two levels
	for i := range members {
		members[i] = typed.Member{Name: fmt.Sprint(i), Score: float64(i)}
	}
	_, err := s.ZSet("counted").AddMany(0, members...)
	ok(t, err)
	for _, c := range calls {
		ok(t, c.call())
		wantAllocs(t, c.name, 0, func() {
			if err := c.call(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A read that the cache has no room for borrows the memory of a block, and is to
// give it back. The race detector makes pools forget at random.
func TestReadsBesideAFullCacheAllocateNothing(t *testing.T) {
	typedtest.InRows(t)
	db := newStore(t, func(o *siltstone.Options) { o.Extreme(siltstone.Extremes{ManualWork: true}) })
	for i := range 2000 {
		wantValue(t, 1)(db.Set("s").Add(fmt.Sprint(i)))
	}
	if err := db.PutTTL([]byte("gone"), nil, time.Minute); err != nil {
		t.Fatal(err)
	}
	snap, err := db.NewSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	if err := db.Compact(context.Background(), siltstone.Range{}); err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin(context.Background(), siltstone.ReadOnlyMode)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	db.clock.advance(2 * time.Minute)
	defer siltstone.FillMemory(db.DB)()
	for name, call := range map[string]func(){
		"Set.Has":      func() { wantValue(t, true)(db.Set("s").Has("1234")) },
		"Key.Exists":   func() { wantValue(t, true)(db.Key("s").Exists()) },
		"Has":          func() { wantValue(t, true)(db.Has([]byte("s"))) },
		"Tx.Has":       func() { wantValue(t, true)(tx.Has([]byte("s"))) },
		"Snapshot.Has": func() { wantValue(t, true)(snap.Has([]byte("s"))) },
		"String.Get of what is gone": func() {
			if _, err := db.String("gone").AppendGet(nil); !errors.Is(err, siltstone.ErrNotFound) {
				t.Fatal(err)
			}
		},
		"AppendGet of what is gone": func() {
			if _, err := db.AppendGet(nil, []byte("gone")); !errors.Is(err, siltstone.ErrNotFound) {
				t.Fatal(err)
			}
		},
	} {
		call()
		if n := testing.AllocsPerRun(200, call); n > 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// wantValue fails unless a call returns what was wanted.
func wantValue[T comparable](t *testing.T, wanted T) func(T, error) {
	return func(got T, err error) {
		t.Helper()
		if err != nil || got != wanted {
			t.Fatalf("got %v, %v, want %v", got, err, wanted)
		}
	}
}

func TestABigValueIsCopiedNoMoreThanItMust(t *testing.T) {
	if testing.Short() {
		t.Skip("the full tier")
	}
	b := &bigValue{t: t, value: incompressible(64 << 20), cached: true}
	b.live()
}

// TestATransactionHoldsWhatItWrites fills transactions, and holds what the heap has
// of them to what they wrote, and what the metrics say to what the heap has.
func TestATransactionHoldsWhatItWrites(t *testing.T) {
	if testing.Short() {
		t.Skip("the full tier")
	}
	for _, c := range []struct {
		name   string
		writes int
		value  int
		read   int // own writes are read back after each so many
		most   float64
	}{
		{"many small", 100_000, 200, 0, 1.15},
		{"few large", 24, 1 << 20, 0, 1.15},
		{"one huge", 1, 24 << 20, 0, 1.15},
		// The index copies small values.
		{"small ones that are read back", 100_000, 200, 1000, 3},
		{"large ones that are read back", 24, 1 << 20, 1, 1.15},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStore(t, func(o *siltstone.Options) { o.MemoryLimit, o.MaxTxBytes = 16<<20, 1<<30 })
			value := make([]byte, c.value)
			before, said := leaktest.LiveHeap(), s.DB.Metrics().Memory.Transactions
			err := s.DB.Update(bg, func(tx *siltstone.Tx) error {
				var key [16]byte
				for i := range c.writes {
					binary.BigEndian.PutUint64(key[8:], uint64(i)*0x9E3779B97F4A7C15)
					ok(t, tx.Put(key[:], value))
					if c.read > 0 && i%c.read == 0 {
						for _, k := range [][]byte{make([]byte, len(key)), key[:]} { // the first one, too
							v, err := tx.Get(k)
							ok(t, err)
							if len(v) != c.value {
								t.Fatalf("%x has %d bytes", k, len(v))
							}
						}
					}
				}
				held, wrote := leaktest.LiveHeap()-before, int64(c.writes*(len(key)+c.value))
				said = s.DB.Metrics().Memory.Transactions - said
				t.Logf("wrote %d bytes, holds %d: %.2f; the metrics say %d", wrote, held, float64(held)/float64(wrote), said)
				if float64(held) > c.most*float64(wrote) {
					t.Errorf("a transaction that wrote %d bytes holds %d", wrote, held)
				}
				if off := float64(said)/float64(held) - 1; off < -0.15 || off > 0.15 {
					t.Errorf("a transaction holds %d bytes, the metrics say %d", held, said)
				}
				return errors.New("enough")
			})
			if err == nil || err.Error() != "enough" {
				t.Fatal(err)
			}
		})
	}
}

func TestAFlushedMemtableIsGivenBack(t *testing.T) {
	if testing.Short() {
		t.Skip("the full tier")
	}
	b := &bigValue{t: t, value: incompressible(64 << 20)}
	before := b.held()
	db := bigStore(t, t.TempDir())
	ok(t, db.Put([]byte("k"), b.value))
	if b.held()-before < int64(len(b.value)) {
		t.Error("the memtable is not in memory: nothing is shown")
	}
	ok(t, db.Flush(bg))
	await(t, "the memtable is given back", func() bool { return b.held()-before < int64(len(b.value))/4 })
	ok(t, db.Close())
}

// What is open elsewhere, and how many keyspaces there are, costs a drop nothing: the drop is
// a commit of two operations.
func TestADropCostsTheSameWhateverElseIsOpen(t *testing.T) {
	const drops = 32
	cost := func(spaces, open int) (allocations, bytes uint64) {
		s := newStore(t)
		for i := range spaces {
			_, err := s.CreateKeyspace(fmt.Sprint("other", i))
			ok(t, err)
		}
		for i := range open {
			ks, err := s.Keyspace(fmt.Sprint("other", i%spaces))
			ok(t, err)
			ok(t, ks.Put([]byte("key"), nil))
			it, err := ks.NewIter(nil)
			ok(t, err)
			it.First()
			defer it.Close()
			snapshot, err := s.NewSnapshot()
			ok(t, err)
			defer snapshot.Close()
		}
		for i := range drops {
			ks, err := s.CreateKeyspace(fmt.Sprint("to drop", i))
			ok(t, err)
			ok(t, ks.Put([]byte("key"), nil))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for i := range drops {
			ok(t, s.DropKeyspace(fmt.Sprint("to drop", i)))
		}
		runtime.ReadMemStats(&after)
		return (after.Mallocs - before.Mallocs) / drops, (after.TotalAlloc - before.TotalAlloc) / drops
	}
	fewest, least := cost(4, 0)
	for _, c := range []struct{ spaces, open int }{{4, 1000}, {1000, 0}, {1000, 1000}} {
		n, bytes := cost(c.spaces, c.open)
		t.Logf("%d keyspaces, %d open iterators and snapshots: %d allocations, %d bytes; with 4 and none %d, %d", c.spaces, c.open, n, bytes, fewest, least)
		if n > 2*fewest+20 || bytes > 2*least+4<<10 {
			t.Errorf("%d keyspaces, %d open iterators and snapshots: a drop makes %d allocations of %d bytes, with 4 and none %d of %d", c.spaces, c.open, n, bytes, fewest, least)
		}
	}
}
