package commit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/golden"
)

// The price list: runs across, filled memtable down.
func TestDelayPerByteIsTheGoldenTable(t *testing.T) {
	var b strings.Builder
	b.WriteString("nanoseconds per byte\n\nruns      full 0\n")
	for runs := 14; runs <= 44; runs += 2 {
		fmt.Fprintf(&b, "%4d  %10d\n", runs, delayPerByte(debt{runs: runs}))
	}
	b.WriteString("\nfilled    full 1    full 2    full 2, 30 runs\n")
	for filled := 0; filled <= fillSteps+4; filled += 2 {
		fmt.Fprintf(&b, "%3d/%d  %8d  %8d  %17d\n", filled, fillSteps,
			delayPerByte(debt{full: 1, filled: filled}), delayPerByte(debt{full: 2, filled: filled}), delayPerByte(debt{runs: 30, full: 2, filled: filled}))
	}
	golden.Compare(t, "testdata/delay.txt", b.String())
}

// Whatever grows by one step, the price does not fall, nor more than double.
func TestDelayPerByteRisesWithoutJumps(t *testing.T) {
	check := func(from, to debt) {
		t.Helper()
		p, q := delayPerByte(from), delayPerByte(to)
		if q < p || q > max(2*p, lowPrice) {
			t.Errorf("%v costs %v, %v costs %v", from, p, to, q)
		}
	}
	for runs := range 100 {
		for full := range maxUnflushed + 1 {
			for filled := range fillSteps + 8 {
				d := debt{runs: runs, full: full, filled: filled}
				check(d, debt{runs: runs + 1, full: full, filled: filled})
				check(d, debt{runs: runs, full: full, filled: filled + 1})
				if filled <= 1 { // a memtable that was rotated away is followed by an empty one
					check(d, debt{runs: runs, full: full + 1, filled: filled})
				}
			}
		}
	}
	if p := delayPerByte(debt{runs: 1000, full: 9, filled: 1000}); p != topPrice {
		t.Errorf("the highest price is %v, want %v", p, topPrice)
	}
	if p := delayPerByte(debt{runs: slowRuns, full: maxUnflushed - 1, filled: fillSteps}); p != 0 {
		t.Errorf("without debt a byte costs %v", time.Duration(p))
	}
}

func TestWhatDelaysWritersIsWhatCostsMore(t *testing.T) {
	for _, c := range []struct {
		d       debt
		flushes bool
	}{
		{debt{}, false}, {debt{runs: 20}, false}, {debt{full: maxUnflushed, filled: 3}, true},
		{debt{runs: 17, full: maxUnflushed, filled: 20}, true}, {debt{runs: 40, full: maxUnflushed, filled: 1}, false},
	} {
		if got := c.d.flushesWeigh(); got != c.flushes {
			t.Errorf("%v: flushes weigh: %v", c.d, got)
		}
	}
}
