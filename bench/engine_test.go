package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// testConfig is small, so that a test is quick.
func testConfig(t *testing.T) Config {
	return Config{Dir: t.TempDir(), Cache: 8 << 20, Memtable: 1 << 20, Value: usualValue}
}

func TestEveryEngineReadsBackWhatItStored(t *testing.T) {
	for _, kind := range engineKinds() {
		for _, sync := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/sync=%v", kind.name, sync), func(t *testing.T) {
				if sync && testing.Short() {
					t.Skip("a thousand syncs")
				}
				c := testConfig(t)
				c.Sync = sync
				if err := prove(kind, c); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// forgetful is an engine that does one thing wrong.
type forgetful struct {
	Engine
	forget string
}

func (f forgetful) Put(key, value []byte) error {
	if f.forget == "put" {
		return nil
	}
	if f.forget == "value" {
		value = append([]byte("x"), value[1:]...)
	}
	return f.Engine.Put(key, value)
}

func (f forgetful) Apply(pairs []Pair) error {
	if f.forget == "batch" {
		pairs = pairs[1:]
	}
	return f.Engine.Apply(pairs)
}

func (f forgetful) Get(dst, key []byte) ([]byte, bool, error) {
	v, found, err := f.Engine.Get(dst, key)
	if f.forget == "absence" && !found {
		return append(v, make([]byte, usualValue)...), true, err
	}
	return v, found, err
}

func TestAnEngineThatDoesNotStoreIsNotTimed(t *testing.T) {
	for _, fault := range []string{"put", "value", "batch", "absence", ""} {
		t.Run(fault, func(t *testing.T) {
			kind := engineKind{name: "forgetful", open: func(c Config) (Engine, error) {
				e, err := openSiltstone(c)
				return forgetful{e, fault}, err
			}}
			if err := prove(kind, testConfig(t)); (err == nil) != (fault == "") {
				t.Errorf("fault %q: the proof said %v", fault, err)
			}
		})
	}
}

func TestEveryScenarioRunsOnEveryEngine(t *testing.T) {
	if testing.Short() {
		t.Skip("runs everything")
	}
	for _, kind := range engineKinds() {
		t.Run(kind.name, func(t *testing.T) {
			for _, s := range scenarios() {
				if s.only != "" && s.only != kind.name {
					continue // the others do not have it
				}
				if s.name == "kill" || s.name == "value-1MiB" {
					continue // needs a child process; needs much disk
				}
				t.Run(s.name, func(t *testing.T) { runScenario(t, kind, s) })
			}
		})
	}
}

func TestRowsTellWhatTheyAreAbout(t *testing.T) {
	kind := engineKinds()[0]
	for _, r := range runScenario(t, kind, liveScenario()) {
		if (r.Beside == nil) != (r.Row == "live-capacity") || r.Resident == 0 {
			t.Errorf("%s: beside it %v, %d bytes resident", r.Row, r.Beside, r.Resident)
		}
		if r.Beside != nil && (r.Beside.Rate <= 0 || r.Beside.Ops+r.Beside.Missed == 0) {
			t.Errorf("%s: %+v", r.Row, r.Beside)
		}
		if (r.Unit == micros) != (r.Rate > 0) {
			t.Errorf("%s: in %s at %v a second", r.Row, r.Unit, r.Rate)
		}
	}
	pair := int64(keyDigits + wideValue)
	sizes := map[string]int64{"growth-fill-1": 200 * pair, "growth-read-2": 400 * pair, "growth-put-16": 3200 * pair}
	for _, r := range runScenario(t, kind, growthScenario(16)) {
		if want, ok := sizes[r.Row]; r.Stored == 0 || ok && r.Stored != want {
			t.Errorf("%s: %d bytes stored, want %d", r.Row, r.Stored, want)
		}
	}
	whole := map[string]float64{}
	for _, r := range runScenario(t, kind, sustainedScenario()) {
		whole[r.Row] = r.Value
	}
	if whole["sustained-stall"] <= 0 || whole["sustained-get"] <= 0 || whole["sustained-whole"] <= 0 {
		t.Errorf("the sustained fill: %v", whole)
	}
}

func TestAStoreGrowsAsFarAsItIsAsked(t *testing.T) {
	for most, want := range map[uint64]int{0: 0, 1: 1, 3: 2, 16: 5} {
		sizes := 0
		for _, st := range growthScenario(most).steps {
			if strings.HasPrefix(st.row, "growth-fill-") {
				sizes++
			}
		}
		if sizes != want {
			t.Errorf("up to %d times: %d sizes, want %d", most, sizes, want)
		}
	}
}

func TestGrowthIsLeftOutUnlessItIsAskedHowFar(t *testing.T) {
	for grow, want := range map[uint64]int{0: 0, 2: 1} {
		c := comparison{rows: regexp.MustCompile("^growth"), grow: grow}
		if got := c.wanted(); len(got) != want {
			t.Errorf("-grow %d: %d scenarios, want %d", grow, len(got), want)
		}
	}
}

func TestAnEngineIsGivenNoMoreThanItsMemory(t *testing.T) {
	for _, bytes := range []int64{1 << 20, kvbenchCache, 4 << 30} {
		b := (&task{scenario: kvbenchScenario(), n: 1000, cache: bytes}).bed()
		if got := b.config.Cache + 2*b.config.Memtable; got != bytes || b.config.Memtable > memtableBytes {
			t.Errorf("of %d: %d, memtables of %d", bytes, got, b.config.Memtable)
		}
	}
}

func TestTypedRowsAreOfTheEngineThatHasThem(t *testing.T) {
	for _, k := range engineKinds() {
		if k.takesPart(typedScenario()) != (k.name == ours) || !k.takesPart(liveScenario()) {
			t.Errorf("%s: typed %v, live %v", k.name, k.takesPart(typedScenario()), k.takesPart(liveScenario()))
		}
	}
}

// runScenario runs a tiny scenario, wants a good line for each of its rows, and returns them.
func runScenario(t *testing.T, kind engineKind, s scenario) []result {
	t.Helper()
	s.times = 0 // no control group, and as few keys as the others
	task := task{kind: kind, scenario: s, run: 1, n: 200, limit: time.Nanosecond, hasty: true, cache: kvbenchCache, dir: t.TempDir()}
	var out strings.Builder
	if err := task.execute(&out); err != nil {
		t.Fatal(err)
	}
	rs, err := readResults(strings.NewReader(out.String()))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, r := range rs {
		if r.Err != "" || r.Value <= 0 && r.Unit == perSecond {
			t.Errorf("%s: %s %s: %v %s", kind.name, s.name, r.Row, r.Value, r.Err)
		}
		rows[r.Row] = true
	}
	for _, st := range s.steps {
		if st.row != "" && !rows[st.row] {
			t.Errorf("%s: %s: no line for %s", kind.name, s.name, st.row)
		}
	}
	return rs
}
