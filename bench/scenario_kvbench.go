package main

const (
	kvbenchWorkers = 8
	kvbenchCache   = 124 << 20 // bytes for blocks and memtables together, by default
)

// kvbenchScenario has the shapes of the public harness kvbench: values of 1 KiB under
// rising keys, eight goroutines, and one size for all the memory that an engine is given.
func kvbenchScenario() scenario {
	mixes := ycsbMixes()
	return scenario{
		name: "kvbench", value: wideValue, given: true,
		count: func(n uint64) uint64 { return max(16, n/10) },
		steps: []step{
			prepare((*bed).load), prepare(settle), prepare(warm),
			timed("kvbench-read", "kvbench: read, 8 goroutines", func(b *bed) (*measure, error) { return readBy(b, uniform{b.stored}, kvbenchWorkers) }),
			timed("kvbench-seek-short", "kvbench: seek + 1 to 100, 8 goroutines", seekShort),
			timed("kvbench-ycsb-c", "kvbench: YCSB C, 8 goroutines", ycsbBy(kvbenchWorkers, mixes["c"])),
			timed("kvbench-ycsb-b", "kvbench: YCSB B, 8 goroutines", ycsbBy(kvbenchWorkers, mixes["b"])),
			timed("kvbench-ycsb-a", "kvbench: YCSB A, 8 goroutines", ycsbBy(kvbenchWorkers, mixes["a"])),
			timed("kvbench-ycsb-e", "kvbench: YCSB E, 8 goroutines", ycsbBy(kvbenchWorkers, mixes["e"])),
			timed("kvbench-overwrite", "kvbench: overwrite, 8 goroutines", overwrite(kvbenchWorkers)),
		},
	}
}

// givenCache shares out what an engine is given for blocks and memtables: an eighth is a
// memtable, of which there are two.
func givenCache(bytes int64) (cache, memtable int64) {
	memtable = min(bytes/8, memtableBytes)
	return bytes - 2*memtable, memtable
}
