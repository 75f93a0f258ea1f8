package compaction

import "testing"

func TestTheCheapestWayToFewerRuns(t *testing.T) {
	const none = 0
	for _, c := range []struct {
		name    string
		young   []uint64
		below   uint64
		hasLast bool
		much    bool
		want    way
	}{
		{name: "no young runs", below: 100, hasLast: true},
		{name: "one run and nothing below", young: []uint64{10}},
		{name: "one run goes down", young: []uint64{10}, below: 100, hasLast: true, want: way{0, 2, 110, 1}},
		{name: "two become one", young: []uint64{10, 10}, below: 100, hasLast: true, want: way{0, 2, 20, 1}},
		{name: "all of eight become one", young: []uint64{10, 10, 10, 10, 10, 10, 10, 10}, below: 1000, hasLast: true, want: way{0, 8, 80, 7}},
		{name: "the small in the middle", young: []uint64{90, 1, 1, 80}, below: 1000, hasLast: true, want: way{1, 3, 2, 1}},
		{name: "all go down where little is below", young: []uint64{40, 40}, below: 60, hasLast: true, want: way{0, 3, 140, 2}},
		{name: "much goes down", young: []uint64{10, 10}, below: 90, hasLast: true, much: true, want: way{0, 3, 110, 2}},
		{name: "much, and no last level", young: []uint64{10, 10}, much: true, want: way{0, 2, 20, 1}},
		{name: "of equal prices the one that leaves fewer", young: []uint64{10, none, 10}, below: 1000, hasLast: true, want: way{0, 3, 20, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := cheapestWay(c.young, c.below, c.hasLast, c.much); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestWhatReadersPayForComesToAnEnd carries out picks that everything has been
// paid for, on stores grown at random.
func TestWhatReadersPayForComesToAnEnd(t *testing.T) {
	for seed := range uint64(40) {
		h := newHistory(t, seed)
		for range 200 {
			h.step()
		}
		for len(h.pending) > 0 {
			h.finish(0)
		}
		h.flush(false)
		in := h.input()
		in.ReadCredit = 1 << 40
		h.settle(in)
		h.check()
		if n := len(h.version.Runs); n > 1 {
			h.fail("seed %d: %d runs are left", seed, n)
		}
		if c := Pick(h.version, in); c != nil {
			h.fail("seed %d: after nothing comes %v", seed, c)
		}
	}
}
