package siltstone

import "time"

// Writers are slowed smoothly while merges are behind, so that they need not be
// stopped dead: the delay of a write is its bytes times a price that rises with
// the number of runs beyond what the policy keeps.

const (
	slowRuns = 16                    // runs from which writes cost
	stopRuns = 40                    // runs at which the price is highest
	topPrice = 400 * time.Nanosecond // per byte: 2.5 MB/s
	lowPrice = 2 * time.Nanosecond   // per byte: 500 MB/s
)

// delayPerByte is the price of a byte at a number of runs: nothing up to
// slowRuns, then rising by the same factor with each run. It is a pure function.
func delayPerByte(runs int) time.Duration {
	if runs <= slowRuns {
		return 0
	}
	steps := min(runs, stopRuns) - slowRuns
	price := float64(lowPrice)
	for range steps {
		price *= 1.25
	}
	return min(time.Duration(price), topPrice)
}

// delay returns how long a writer of n bytes should sleep now. Small delays are
// gathered: a sleep shorter than a millisecond is not one.
func (db *DB) delay(n int64) time.Duration {
	price := delayPerByte(len(db.states.version().Runs))
	if price == 0 {
		return 0
	}
	w := &db.workers
	owed := w.owed.Add(int64(price) * n)
	if owed < int64(leastSleep) || !w.owed.CompareAndSwap(owed, 0) {
		return 0
	}
	return min(time.Duration(owed), 50*time.Millisecond)
}
