package main

import "fmt"

const (
	usualMemory = 128 << 20 // bytes of a control group
	wideValue   = 1 << 10

	// What of a group's memory engines get for blocks and for a memtable. The rest is
	// for their indexes and filters, and for the page cache.
	memoryCache    = 5
	memoryMemtable = 20
)

// beyondScenario reads data that is so many times larger than the memory of the
// process and its page cache.
func beyondScenario(times int) scenario {
	name := fmt.Sprintf("beyond-%d", times)
	title := fmt.Sprintf("%d × memory: ", times)
	return scenario{
		name: name, keys: keyShape{random: true}, value: wideValue, times: times, count: allKeys,
		steps: []step{
			prepare(mark),
			loading(name+"-fill", title+"fill, random keys", fill),
			timed(name+"-read-filled", title+"read, present, right after the fill", readPresent),
			prepare(settle),
			figure(name+"-written", title+"bytes written per user byte", perByte, writtenPerByte),
			timed(name+"-read", title+"read, present", readPresent),
			timed(name+"-missing", title+"read, missing", readMissing),
			timed(name+"-seek-10-kept", title+"seek + 10, kept iterator", seekKept(10)),
			timed(name+"-seek-10", title+"seek + 10, fresh iterator", seekFresh(10)),
			timed(name+"-seek-100-kept", title+"seek + 100, kept iterator", seekKept(100)),
			timed(name+"-seek-100", title+"seek + 100, fresh iterator", seekFresh(100)),
			timed(name+"-seek-10000", title+"seek + 10,000, fresh iterator", seekFresh(10_000)),
			timed(name+"-scan", title+"scan forward, keys", scanForward),
			timed(name+"-scan-back", title+"scan backward, keys", scanBackward),
			figure(name+"-memory", title+"peak memory", megabytes, memory),
		},
	}
}

// edgeScenario reads data that is about as large as the cache. The page cache may have
// all of it.
func edgeScenario() scenario {
	s := scenario{name: "edge", keys: keyShape{random: true}, value: wideValue, count: func(n uint64) uint64 { return max(16, n/10) }}
	s.steps = []step{prepare((*bed).load), prepare(settle)}
	for _, percent := range []int64{70, 100, 130} {
		row, title := fmt.Sprintf("edge-%d", percent), fmt.Sprintf("cache of %d %% of the data: ", percent)
		s.steps = append(s.steps,
			prepare(cacheOf(percent)), prepare(warm),
			timed(row+"-read", title+"read, Zipf", readZipf),
			timed(row+"-seek-10", title+"seek + 10, fresh iterator", seekFresh(10)),
			timed(row+"-seek-100", title+"seek + 100, fresh iterator", seekFresh(100)),
			timed(row+"-short", title+"seek + 1 to 100, 8 goroutines", seekShort),
		)
	}
	return s
}

// cacheOf reopens the store with a cache of so many hundredths of its data.
func cacheOf(percent int64) func(*bed) error {
	return func(b *bed) error {
		if err := b.close(); err != nil {
			return err
		}
		b.config.Cache = max(int64(b.stored)*b.pairLen()*percent/100, leastCache)
		b.config.Memtable = 4 << 20
		return b.open()
	}
}

// seekShort seeks to keys at random from 8 goroutines and takes 1 to 100 pairs.
func seekShort(b *bed) (*measure, error) {
	keys := uniform{b.stored}
	d := drive{workers: 8, ops: b.seeks(), limit: b.limit, every: readSampled}
	return d.run(func(w *worker, _ int64) (int, error) {
		w.key = b.keys.append(w.key[:0], keys.pick(&w.rng))
		return 1, seekOnce(b.engine, w.key, 1+int(w.rng.below(100)))
	})
}
