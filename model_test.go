package siltstone_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/fuzz/model"
	"github.com/siltstonedb/siltstone/internal/golden"
	"github.com/siltstonedb/siltstone/internal/scripttest"
	"github.com/siltstonedb/siltstone/internal/seed"
	"github.com/siltstonedb/siltstone/internal/typedtest"
)

var (
	long     = flag.Bool("long", false, "run the long tiers, for minutes instead of seconds")
	tapeFlag = flag.String("tape", "", "run the model on this tape only, as a failure prints it")
)

// modelConfigs are the extremes that every tape runs under.
func modelConfigs() []namedConfig {
	configs := []namedConfig{
		{name: "defaults", options: siltstone.Options{}, extremes: siltstone.Extremes{ManualWork: true}},
		{name: "tiny", options: siltstone.Options{MemtableBytes: 1 << 10, MemoryLimit: 8 << 20, MaxOpenFiles: 16, Compression: siltstone.NoCompression},
			extremes: siltstone.Extremes{BlockSize: 64, TableBytes: 512, RunLimit: 1, FilterBits: 1, ManualWork: true}},
		{name: "small blocks", options: siltstone.Options{MemtableBytes: 16 << 10, MemoryLimit: 8 << 20, Durability: siltstone.BufferedDurability},
			extremes: siltstone.Extremes{BlockSize: 256, TableBytes: 4 << 10, RunLimit: 2, FilterBits: 10, ManualWork: true}},
		{name: "large blocks", options: siltstone.Options{MemtableBytes: 64 << 10, Compression: siltstone.ZstdCompression},
			extremes: siltstone.Extremes{BlockSize: 64 << 10, TableBytes: 128 << 10, RunLimit: 8, FilterBits: 20, ManualWork: true}},
		{name: "many runs", options: siltstone.Options{MemtableBytes: 4 << 10, MemoryLimit: 8 << 20, Durability: siltstone.OSDurability},
			extremes: siltstone.Extremes{BlockSize: 1 << 10, TableBytes: 2 << 10, RunLimit: 8, FilterBits: 1, ManualWork: true}},
		{name: "memtable only", options: siltstone.Options{MemtableBytes: 4 << 20, Durability: siltstone.BufferedDurability},
			extremes: siltstone.Extremes{BlockSize: 4 << 10, ManualWork: true}},
		{name: "workers", options: siltstone.Options{MemtableBytes: 2 << 10, MemoryLimit: 8 << 20, Compression: siltstone.ZstdCompression},
			extremes: siltstone.Extremes{BlockSize: 128, TableBytes: 1 << 10, RunLimit: 1, FilterBits: 10}},
		{name: "workers and buffers", options: siltstone.Options{MemtableBytes: 32 << 10, MaxOpenFiles: 16, Durability: siltstone.BufferedDurability},
			extremes: siltstone.Extremes{BlockSize: 4 << 10, TableBytes: 8 << 10, RunLimit: 4, FilterBits: 20}},
		{name: "compressed", options: siltstone.Options{MemtableBytes: 8 << 10, MemoryLimit: 8 << 20, Compression: siltstone.S2Compression},
			extremes: siltstone.Extremes{BlockSize: 512, TableBytes: 16 << 10, RunLimit: 1, FilterBits: 10, ManualWork: true}},
	}
	// Some of them again with keyspaces that come and go.
	for _, c := range configs {
		switch c.name {
		case "tiny", "small blocks", "many runs", "memtable only", "workers":
			c.name, c.named = c.name+", keyspaces", 2
			configs = append(configs, c)
		}
	}
	return configs
}

type namedConfig struct {
	name     string
	options  siltstone.Options
	extremes siltstone.Extremes
	named    int // keyspaces
}

func (c namedConfig) config() model.Config {
	m := model.Config{Options: c.options, Keyspaces: c.named}
	m.Options.Extreme(c.extremes)
	if c.extremes.ManualWork {
		m.Step = (*siltstone.DB).Step
	}
	return m
}

// checkTape runs the tape of a seed under every configuration.
func checkTape(t *testing.T, from uint64, length int) {
	t.Helper()
	playTape(t, model.Random(from, length), fmt.Sprintf("seed %d, ", from))
}

// playTape runs a tape under every configuration. A failing one is shortened,
// told operation by operation, and printed to be replayed.
func playTape(t *testing.T, tape model.Tape, name string) {
	t.Helper()
	for _, c := range modelConfigs() {
		err := model.Check(tape, c.config())
		if err == nil {
			continue
		}
		t.Errorf("%s%d operations, configuration %q: %v", name, len(tape), c.name, err)
		tape = tape.Shorten(func(shorter model.Tape) bool { return model.Check(shorter, c.config()) != nil })
		told := c.config()
		told.Trace = func(op int, what string) { t.Logf("%4d %s", op, what) }
		t.Fatalf("%d operations are enough: %v\nreplay: go test . -run StoreAnswers -tape %v", len(tape), model.Check(tape, told), tape)
	}
}

func TestStoreAnswersAsTheModelDoes(t *testing.T) {
	t.Parallel()
	if *tapeFlag != "" {
		tape, err := model.Parse(*tapeFlag)
		if err != nil {
			t.Fatal(err)
		}
		playTape(t, tape, "")
		return
	}
	if n, ok := seed.Given(); ok {
		checkTape(t, n, 1500)
		return
	}
	// The same tapes each time, so that a red run is the fault of the change; new
	// ones are the long tier's.
	budget, length, first := 8*time.Second, 400, uint64(1)
	switch {
	case *long:
		budget, first = 10*time.Minute, uint64(time.Now().UnixNano())
	case testing.Short():
		budget, length = 250*time.Millisecond, 100
	}
	begin := time.Now()
	tapes := 0
	for n := first; tapes == 0 || time.Since(begin) < budget; n++ {
		checkTape(t, n, length)
		tapes++
	}
	t.Logf("%d tapes from seed %d", tapes, first)
}

// TestCollectionEndedUnderAnOlderRangeDeleteIsNominated: the elements lie under a
// tombstone that is older than they are, and the metadata row was zeroed.
func TestCollectionEndedUnderAnOlderRangeDeleteIsNominated(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a whole tape under every configuration")
	}
	checkTape(t, 1795214173350394916, 400)
}

// TestScripts runs the scenarios of testdata/scripts and compares the answers with
// those in the files, which -update rewrites.
func TestScripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/scripts/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) { runScript(t, path) })
	}
}

// runScript runs a script in all its ways, and with collections in all their forms
// if it asks for that. The answers are the same each time, so an update takes the
// first.
func runScript(t *testing.T, path string) {
	s, err := scripttest.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	knobs := scripttest.Knobs{
		Configure: func(o *siltstone.Options, z scripttest.Sizes) {
			o.Extreme(siltstone.Extremes{BlockSize: z.Block, RunLimit: z.Runs, TableBytes: z.Table, ManualWork: true})
		},
		Step:          (*siltstone.DB).Step,
		CompactTables: (*siltstone.DB).CompactTables,
	}
	update := golden.Updating()
	forms := typedtest.InlineLimits[len(typedtest.InlineLimits)-1:] // the one in force
	if s.Forms() {
		forms = typedtest.InlineLimits[:]
	} else {
		t.Parallel()
	}
	first := true
	ways := s.Ways()
	for i, form := range forms {
		for j, way := range ways {
			if testing.Short() && s.Forms() && i%len(ways) != j%len(forms) {
				continue // each form and each way, and not each pair
			}
			run := func(t *testing.T) {
				if s.Forms() {
					typedtest.InlineUpTo(t, form.Elements, form.Bytes)
				}
				s.Run(t, way, update && first, knobs)
				first = false
			}
			if len(forms)*len(ways) == 1 {
				run(t)
				continue
			}
			t.Run(strings.Trim(fmt.Sprintf("%s inline up to %d", way, form.Elements), " "), run)
		}
	}
	if update && !t.Failed() {
		if err := s.Write(); err != nil {
			t.Fatal(err)
		}
	}
}

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
