package rows

import "testing"

func TestWhatAWalkLosesToItsSources(t *testing.T) {
	c := readCost{seeks: 2, steps: 10, memSteps: 100}
	for _, x := range []struct {
		runs          int
		mem           bool
		byRuns, byMem int64
	}{
		{runs: 0, mem: true, byMem: 10*stepPrice + 100*memStepPrice},
		{runs: 1},
		{runs: 1, mem: true, byMem: 2*seekPrice + 10*stepPrice + 100*memStepPrice},
		{runs: 2, byRuns: 2*seekPrice + 10*stepPrice},
		{runs: 3, mem: true, byRuns: 4*seekPrice + 10*stepPrice, byMem: 2*seekPrice + 100*memStepPrice},
	} {
		if byRuns, byMem := c.lost(x.runs, x.mem); byRuns != x.byRuns || byMem != x.byMem {
			t.Errorf("%d runs, memtable %v: lost %d and %d, want %d and %d", x.runs, x.mem, byRuns, byMem, x.byRuns, x.byMem)
		}
	}
}

func TestALossIsLookedAtEightTimesADoubling(t *testing.T) {
	looks := 0
	for n := int64(1 << 30); n < 1<<31; n += 1 << 20 {
		if worthALook(n, n+(1<<20)) {
			looks++
		}
	}
	if looks != 8 {
		t.Errorf("%d looks", looks)
	}
	if worthALook(0, minLook-1) || !worthALook(0, minLook) || !worthALook(-5, 1<<40) {
		t.Error("small losses, from nothing, from a debt")
	}
}
