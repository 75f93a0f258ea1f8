package main

const (
	readers     = 2 // goroutines of a row of point reads
	readSampled = 8 // one read of so many is timed
)

// warm reads in order and at random, untimed, twice: engines rearrange what is
// read, so that they are left alone in between, and then what fits into the
// caches is there.
func warm(b *bed) error {
	for range 2 {
		b.settle()
		if _, err := scanForward(b); err != nil {
			return err
		}
		if _, err := readPresent(b); err != nil {
			return err
		}
	}
	return nil
}

// readPresent reads keys that exist, picked uniformly.
func readPresent(b *bed) (*measure, error) { return readBy(b, uniform{b.stored}, readers) }

// readZipf reads keys that exist, a few of them very often.
func readZipf(b *bed) (*measure, error) { return readBy(b, newZipf(b.stored, true), readers) }

// reads returns how many point reads a row makes.
func (b *bed) reads() int64 { return max(2*int64(b.stored), 100_000) }

func readBy(b *bed, keys choice, workers int) (*measure, error) {
	d := drive{workers: workers, ops: b.reads(), limit: b.limit, every: readSampled}
	return d.run(func(w *worker, _ int64) (int, error) {
		return 1, b.get(w, keys.pick(&w.rng), true)
	})
}

// absentKeys is where the numbers begin whose keys are never stored.
const absentKeys = 1 << 40

// readMissing reads keys that were never stored but lie among those that were.
func readMissing(b *bed) (*measure, error) {
	keys := uniform{b.stored}
	d := drive{workers: readers, ops: b.reads(), limit: b.limit, every: readSampled}
	return d.run(func(w *worker, _ int64) (int, error) {
		return 1, b.get(w, absentKeys+keys.pick(&w.rng), false)
	})
}

// mixed reads and overwrites keys picked uniformly; percent of the operations
// are reads.
func mixed(percent uint64) stepFunc { return mixedBy(readers, percent) }

// mixedBy is mixed, shared out among so many goroutines.
func mixedBy(workers int, percent uint64) stepFunc {
	return func(b *bed) (*measure, error) {
		b.writers(workers)
		keys := uniform{b.stored}
		d := drive{workers: workers, ops: int64(b.stored), limit: b.limit, every: readSampled}
		return d.run(func(w *worker, i int64) (int, error) {
			key := keys.pick(&w.rng)
			if w.rng.below(100) < percent {
				return 1, b.get(w, key, true)
			}
			return 1, b.put(w, key, uint64(i)|1)
		})
	}
}
