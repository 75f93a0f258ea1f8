package commit

import (
	"fmt"
	"math"
	"time"
)

// Writers are slowed smoothly while flushes or merges are behind, so that no writer
// has to be stopped dead: a write is delayed by its bytes times a price, and the
// price rises with the debt.

// debt is how far the background work is behind.
type debt struct {
	runs   int // of the version
	full   int // memtables that wait to be flushed
	filled int // of the memtable that takes writes, in fillSteps
}

func (d debt) String() string {
	return fmt.Sprintf("%d runs, %d full memtables, %d/%d filled", d.runs, d.full, d.filled, fillSteps)
}

const (
	slowRuns  = 16 // runs from which writes cost
	fillSteps = 32

	lowPrice = 2 * time.Nanosecond   // per byte: 500 MB/s
	topPrice = 400 * time.Nanosecond // per byte: 2.5 MB/s

	runFactor  = 1.25 // from lowPrice to topPrice in 24 runs
	fillFactor = 1.19 // from lowPrice to topPrice in 31 steps
)

// delayPerByte is the price of a byte at a debt: the higher of the prices for runs
// and for memtables. Runs cost nothing up to slowRuns; memtables nothing until as
// many as may be are waiting, for then the one that takes writes must last until one
// of them has been flushed. From there on each step costs the same factor more, up to
// topPrice. It is a pure function.
func delayPerByte(d debt) time.Duration {
	byRuns, byMemtables := d.prices()
	return max(byRuns, byMemtables)
}

// prices returns what runs and what memtables make a byte cost.
func (d debt) prices() (byRuns, byMemtables time.Duration) {
	if d.full >= maxUnflushed {
		byMemtables = rising(d.filled, fillFactor)
	}
	return rising(d.runs-slowRuns, runFactor), byMemtables
}

// flushesWeigh reports whether flushes, and not merges, are what delays writers.
func (d debt) flushesWeigh() bool {
	byRuns, byMemtables := d.prices()
	return byMemtables > byRuns
}

// rising is lowPrice at step 1, and factor times as much with each further one.
func rising(step int, factor float64) time.Duration {
	if step <= 0 {
		return 0
	}
	price := float64(lowPrice) * math.Pow(factor, float64(min(step, 64)-1))
	return min(time.Duration(price), topPrice)
}

// debt returns the present debt.
func (s *Section) debt() debt {
	rs := s.states.Current.Load()
	if rs == nil {
		return debt{}
	}
	d := debt{runs: len(rs.Version.Runs), full: len(rs.Imms)}
	if d.full >= maxUnflushed {
		d.filled = int(rs.Mem.Filled() * fillSteps / max(1, s.cfg.MemtableBytes))
	}
	return d
}

// DelayPerMiB returns by how much a writer of 1 MiB is slowed now, and whether flushes
// are the cause, or else merges.
func (s *Section) DelayPerMiB() (delay time.Duration, flushes bool) {
	d := s.debt()
	return delayPerByte(d) << 20, d.flushesWeigh()
}

const (
	minSleep = 1 * time.Millisecond // smaller delays are gathered: a shorter sleep is not one
	maxSleep = 10 * time.Millisecond
)

// throttle delays a writer of n bytes by their present price, and reports whether it
// did.
func (s *Section) throttle(n int64) bool {
	d := s.debt()
	price := delayPerByte(d)
	if price == 0 {
		return false
	}
	owed := s.owed.Add(int64(price) * n)
	if owed < int64(minSleep) {
		return false
	}
	sleep := min(owed, int64(maxSleep))
	s.owed.Add(-sleep)
	begin := time.Now()
	time.Sleep(time.Duration(sleep))
	if d.flushesWeigh() {
		s.Waits.Flushes.add(begin)
	} else {
		s.Waits.Merges.add(begin)
	}
	return true
}
