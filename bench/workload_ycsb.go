package main

import "sync/atomic"

// ycsbMix is one of the core workloads of the Yahoo! Cloud Serving Benchmark:
// percentages of its operations. What is left of a hundred is reads.
type ycsbMix struct {
	update, insert, scan, modify uint64
	latest                       bool // reads prefer keys inserted lately
}

func ycsbMixes() map[string]ycsbMix {
	return map[string]ycsbMix{
		"a": {update: 50},
		"b": {update: 5},
		"c": {},
		"d": {insert: 5, latest: true},
		"e": {insert: 5, scan: 95},
		"f": {modify: 50},
	}
}

const ycsbScan = 100 // longest scan, in keys; lengths are uniform

// ycsb runs a mix from two goroutines over keys picked by a Zipf distribution.
// Inserted keys are new, so that the store grows.
func ycsb(mix ycsbMix) stepFunc { return ycsbBy(readers, mix) }

// ycsbBy is ycsb, shared out among so many goroutines.
func ycsbBy(workers int, mix ycsbMix) stepFunc {
	return func(b *bed) (*measure, error) {
		b.writers(workers)
		var stored atomic.Uint64 // keys below it are readable
		stored.Store(b.stored)
		in := inserter{b: b, next: b.stored, stored: &stored}
		var keys choice = newZipf(b.stored, true)
		if mix.latest {
			keys = latest{newZipf(b.stored, false), stored.Load}
		}
		d := drive{workers: workers, ops: int64(b.n), limit: b.limit, every: readSampled}
		m, err := d.run(func(w *worker, i int64) (int, error) {
			key := keys.pick(&w.rng)
			switch dice := w.rng.below(100); {
			case dice < mix.update:
				return 1, b.put(w, key, uint64(i)|1)
			case dice < mix.update+mix.insert:
				return 1, in.insert(w)
			case dice < mix.update+mix.insert+mix.scan:
				w.key = b.keys.append(w.key[:0], key)
				return 1, seekOnce(b.engine, w.key, 1+int(w.rng.below(ycsbScan)))
			case dice < mix.update+mix.insert+mix.scan+mix.modify:
				if err := b.get(w, key, true); err != nil {
					return 0, err
				}
				return 1, b.put(w, key, uint64(i)|1)
			}
			return 1, b.get(w, key, true)
		})
		b.stored = stored.Load()
		return m, err
	}
}
