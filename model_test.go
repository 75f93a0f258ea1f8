package siltstone_test

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/fuzz/model"
	"github.com/siltstonedb/siltstone/internal/seed"
)

var (
	long     = flag.Bool("long", false, "run the long tiers, for minutes instead of seconds")
	tapeFlag = flag.String("tape", "", "run the model on this tape only, as a failure prints it")
)

// modelConfigs are the extremes that every tape runs under.
func modelConfigs() []namedConfig {
	configs := []namedConfig{
		{name: "defaults", options: siltstone.Options{}, extremes: siltstone.Extremes{ManualWork: true}},
		{name: "tiny", options: siltstone.Options{MemtableBytes: 1 << 10, MemoryLimit: 8 << 20, MaxOpenFiles: 16, Compression: siltstone.None},
			extremes: siltstone.Extremes{BlockSize: 64, TableBytes: 512, RunLimit: 1, FilterBits: 1, ManualWork: true}},
		{name: "small blocks", options: siltstone.Options{MemtableBytes: 16 << 10, MemoryLimit: 8 << 20, Durability: siltstone.Buffered},
			extremes: siltstone.Extremes{BlockSize: 256, TableBytes: 4 << 10, RunLimit: 2, FilterBits: 10, ManualWork: true}},
		{name: "large blocks", options: siltstone.Options{MemtableBytes: 64 << 10, Compression: siltstone.Zstd},
			extremes: siltstone.Extremes{BlockSize: 64 << 10, TableBytes: 128 << 10, RunLimit: 8, FilterBits: 20, ManualWork: true}},
		{name: "many runs", options: siltstone.Options{MemtableBytes: 4 << 10, MemoryLimit: 8 << 20, Durability: siltstone.OS},
			extremes: siltstone.Extremes{BlockSize: 1 << 10, TableBytes: 2 << 10, RunLimit: 8, FilterBits: 1, ManualWork: true}},
		{name: "memtable only", options: siltstone.Options{MemtableBytes: 4 << 20, Durability: siltstone.Buffered},
			extremes: siltstone.Extremes{BlockSize: 4 << 10, ManualWork: true}},
		{name: "workers", options: siltstone.Options{MemtableBytes: 2 << 10, MemoryLimit: 8 << 20, Compression: siltstone.Zstd},
			extremes: siltstone.Extremes{BlockSize: 128, TableBytes: 1 << 10, RunLimit: 1, FilterBits: 10}},
		{name: "workers and buffers", options: siltstone.Options{MemtableBytes: 32 << 10, MaxOpenFiles: 16, Durability: siltstone.Buffered},
			extremes: siltstone.Extremes{BlockSize: 4 << 10, TableBytes: 8 << 10, RunLimit: 4, FilterBits: 20}},
		{name: "compressed", options: siltstone.Options{MemtableBytes: 8 << 10, MemoryLimit: 8 << 20, Compression: siltstone.S2},
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
		budget, length = 500*time.Millisecond, 100
	}
	begin := time.Now()
	tapes := 0
	for n := first; tapes == 0 || time.Since(begin) < budget; n++ {
		checkTape(t, n, length)
		tapes++
	}
	t.Logf("%d tapes from seed %d", tapes, first)
}
