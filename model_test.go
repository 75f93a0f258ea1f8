package siltstone_test

import (
	"flag"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/fuzz/model"
)

var (
	long     = flag.Bool("long", false, "run the model for ten minutes instead of seconds")
	seedFlag = flag.Uint64("seed", 0, "run only the tape of this seed")
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

// checkTape runs a tape under every configuration. A failing one is shortened
// and told operation by operation.
func checkTape(t *testing.T, seed uint64, length int) {
	t.Helper()
	tape := model.Random(seed, length)
	for _, c := range modelConfigs() {
		err := model.Check(tape, c.config())
		if err == nil {
			continue
		}
		t.Errorf("seed %d, %d operations, configuration %q: %v", seed, length, c.name, err)
		tape = tape.Shorten(func(shorter model.Tape) bool { return model.Check(shorter, c.config()) != nil })
		told := c.config()
		told.Trace = func(op int, what string) { t.Logf("%4d %s", op, what) }
		t.Fatalf("%d operations are enough: %v\n%#v", len(tape), model.Check(tape, told), tape)
	}
}

func TestStoreAnswersAsTheModelDoes(t *testing.T) {
	if *seedFlag != 0 {
		checkTape(t, *seedFlag, 1500)
		return
	}
	// The same tapes each time, so that a red run is the fault of the change; new
	// ones are the long tier's.
	budget, first := 8*time.Second, uint64(1)
	if *long {
		budget, first = 10*time.Minute, uint64(time.Now().UnixNano())
	}
	begin := time.Now()
	tapes := 0
	for seed := first; tapes == 0 || time.Since(begin) < budget; seed++ {
		checkTape(t, seed, 400)
		tapes++
	}
	t.Logf("%d tapes from seed %d", tapes, first)
}
