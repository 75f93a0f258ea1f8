package siltstone_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/siltstonedb/siltstone"
)

// anomaly is a schedule of two transactions that no serial order explains if
// both commit. The first has begun, and read, before the second commits.
type anomaly struct {
	name          string
	first, second func(tx *siltstone.Tx) error
}

func read(keys ...string) func(tx *siltstone.Tx) error {
	return func(tx *siltstone.Tx) error {
		for _, k := range keys {
			if _, err := tx.Get([]byte(k)); err != nil && !errors.Is(err, siltstone.ErrNotFound) {
				return err
			}
		}
		return nil
	}
}

func scanned(r siltstone.Range, back bool) func(tx *siltstone.Tx) error {
	return func(tx *siltstone.Tx) error {
		scan := tx.Scan
		if back {
			scan = tx.ScanBack
		}
		for _, err := range scan(r) {
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// field reads a field of a hash.
func field(tx *siltstone.Tx) error {
	if _, err := tx.Hash("h").Get("f"); !errors.Is(err, siltstone.ErrNotFound) {
		return err
	}
	return nil
}

func wrote(key, value string) func(tx *siltstone.Tx) error {
	return func(tx *siltstone.Tx) error { return tx.Put([]byte(key), []byte(value)) }
}

func all(steps ...func(tx *siltstone.Tx) error) func(tx *siltstone.Tx) error {
	return func(tx *siltstone.Tx) error {
		for _, step := range steps {
			if err := step(tx); err != nil {
				return err
			}
		}
		return nil
	}
}

var anomalies = []anomaly{
	{"lost update", all(read("x"), wrote("x", "1")), all(read("x"), wrote("x", "2"))},
	{"lost update of what a blind write changed", all(read("x"), wrote("x", "1")), wrote("x", "2")},
	{"write skew", all(read("x", "y"), wrote("x", "0")), all(read("x", "y"), wrote("y", "0"))},
	{"phantom insert", all(scanned(rng("a", "z"), false), wrote("sum", "1")), wrote("new", "1")},
	{"phantom insert, backward", all(scanned(rng("a", "z"), true), wrote("sum", "1")), wrote("new", "1")},
	{"phantom in an empty range", all(scanned(rng("doctor/", "doctor0"), false), wrote("doctor/1", "")), all(scanned(rng("doctor/", "doctor0"), false), wrote("doctor/2", ""))},
	{"phantom delete", all(scanned(rng("a", "z"), false), wrote("sum", "1")), func(tx *siltstone.Tx) error { return tx.Delete([]byte("x")) }},
	{"insert where nothing was found", all(read("none"), wrote("none", "1")), all(read("none"), wrote("none", "2"))},
	{"range delete over a read key", all(read("x"), wrote("z", "1")), func(tx *siltstone.Tx) error { return tx.DeleteRange(rng("w", "xx")) }},
	{"range delete over a scanned gap", all(scanned(rng("m", "n"), false), wrote("z", "1")), all(wrote("mm", "1"), func(tx *siltstone.Tx) error { return tx.DeleteRange(rng("l", "o")) })},
	{"delete and put back", all(read("x"), wrote("z", "1")), func(tx *siltstone.Tx) error {
		return errors.Join(tx.Delete([]byte("x")), tx.Put([]byte("x"), []byte("10")))
	}},
	{"count of a hash", func(tx *siltstone.Tx) error {
		_, err := tx.Hash("h").Len()
		return errors.Join(err, tx.Put([]byte("z"), nil))
	},
		func(tx *siltstone.Tx) error { _, err := tx.Hash("h").Set("new", nil); return err }},
	{"field of a hash", all(field, wrote("z", "")), func(tx *siltstone.Tx) error { _, err := tx.Hash("h").Set("f", []byte("2")); return err }},
	{"drop of a hash", all(field, wrote("z", "")), func(tx *siltstone.Tx) error { return tx.Delete([]byte("h")) }},
}

func newHistory(t *testing.T) *testStore {
	s := newStore(t, small)
	s.put("x", "10", "y", "10")
	_, err := s.Hash("h").Set("f", []byte("1"))
	ok(t, err)
	return s
}

func TestUpdateRunsAnomaliesOneAfterTheOther(t *testing.T) {
	for _, a := range anomalies {
		s := newHistory(t)
		runs := 0
		ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
			if runs++; runs == 1 {
				defer func() { ok(t, s.Update(bg, a.second)) }()
			}
			return a.first(tx)
		}))
		if runs != 2 {
			t.Errorf("%s: the closure ran %d times, want 2", a.name, runs)
		}
	}
}

// appended is what one committed transaction of a random history saw and did:
// each value is the list of the transactions that appended to it.
type appended struct {
	id     string
	saw    map[string]string // key to value, absent keys too
	writes []string
}

const historyKeys = 6

// history runs random transactions on many goroutines and returns those that
// committed.
func history(t *testing.T, s *testStore, seed uint64, goroutines, each int) (done []appended) {
	var mu sync.Mutex
	var g group
	for w := range goroutines {
		rng := rand.New(rand.NewPCG(seed, uint64(w)))
		g.Go(func() {
			for n := range each {
				a := appended{id: fmt.Sprintf("%d.%d", w, n), saw: map[string]string{}}
				tx := s.begin()
				for range 1 + rng.IntN(4) {
					a.step(t, tx, rng)
				}
				err := tx.Commit()
				switch {
				case err == nil && len(a.writes) > 0:
					mu.Lock()
					done = append(done, a)
					mu.Unlock()
				case err != nil && !errors.Is(err, siltstone.ErrConflict):
					t.Error(err)
				}
			}
		})
	}
	g.Wait()
	return done
}

func (a *appended) key(i int) string { return fmt.Sprint("key", i) }

// step scans all keys, reads one or appends to one.
func (a *appended) step(t *testing.T, tx *siltstone.Tx, rng *rand.Rand) {
	note := func(key, value string) {
		if !slices.Contains(a.writes, key) {
			a.saw[key] = value
		}
	}
	k := a.key(rng.IntN(historyKeys))
	value := func() string {
		v, err := tx.Get([]byte(k))
		if err != nil && !errors.Is(err, siltstone.ErrNotFound) {
			t.Error(err)
		}
		return string(v)
	}
	switch rng.IntN(4) {
	case 0:
		found := map[string]string{}
		for kv, err := range tx.Scan(siltstone.Prefix([]byte("key"))) {
			ok(t, err)
			found[string(kv.Key)] = string(kv.Value)
		}
		for i := range historyKeys {
			note(a.key(i), found[a.key(i)])
		}
	case 1:
		note(k, value())
	default:
		v := value()
		note(k, v)
		ok(t, tx.Put([]byte(k), []byte(v+" "+a.id)))
		if !slices.Contains(a.writes, k) {
			a.writes = append(a.writes, k)
		}
	}
}

// TestRandomHistoriesAreSerializable draws the graph of who came before whom,
// by what each saw, and looks for a circle.
func TestRandomHistoriesAreSerializable(t *testing.T) {
	for seed := range uint64(4) {
		s := newStore(t, workers)
		done := history(t, s, seed, 8, 60)
		order := map[string][]string{} // of the appends to each key
		for i := range historyKeys {
			k := (&appended{}).key(i)
			order[k] = strings.Fields(get(s, k))
			if get(s, k) == "[none]" {
				order[k] = nil
			}
		}
		before := map[string][]string{} // edges: from who came first
		for _, a := range done {
			for k, saw := range a.saw {
				list := strings.Fields(saw)
				if n := len(list); n > 0 {
					before[list[n-1]] = append(before[list[n-1]], a.id) // it read this write
				}
				next := len(list)
				if next < len(order[k]) && order[k][next] == a.id {
					next++
				}
				if !slices.Equal(order[k][:min(len(list), len(order[k]))], list) {
					t.Fatalf("seed %d: %s saw %s = %v, which never was: %v", seed, a.id, k, list, order[k])
				}
				for next < len(order[k]) && order[k][next] == a.id {
					next++
				}
				if next < len(order[k]) {
					before[a.id] = append(before[a.id], order[k][next]) // it did not read this one
				}
			}
		}
		if circle := findCircle(before); circle != nil {
			t.Errorf("seed %d: no serial order: %v", seed, circle)
		}
		t.Logf("seed %d: %d transactions committed", seed, len(done))
	}
}

// findCircle returns a circle of the graph, or nil.
func findCircle(edges map[string][]string) []string {
	const open, closed = 1, 2
	state := map[string]int{}
	var path []string
	var visit func(id string) []string
	visit = func(id string) []string {
		state[id] = open
		path = append(path, id)
		for _, next := range edges[id] {
			if next == id || state[next] == closed {
				continue
			}
			if state[next] == open {
				return path[slices.Index(path, next):]
			}
			if circle := visit(next); circle != nil {
				return circle
			}
		}
		state[id] = closed
		path = path[:len(path)-1]
		return nil
	}
	for id := range edges {
		if state[id] == 0 {
			if circle := visit(id); circle != nil {
				return circle
			}
		}
	}
	return nil
}
