package memtable

import (
	"fmt"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
)

// drawn returns how often each key of the range stands at one of the places, as a
// reader at seq sees it; false if they are outgrown.
func drawn(t *testing.T, p *Places, seq base.SeqNum) (times map[string]int, ok bool) {
	t.Helper()
	times = map[string]int{}
	for place := range p.Len() {
		key, tr, outgrown := p.At(place, seq)
		if outgrown && key != nil {
			t.Fatalf("place %d: outgrown %v with key %q", place, outgrown, key)
		}
		if outgrown {
			return nil, false
		}
		if key == nil {
			continue
		}
		if tr.Seq > seq || tr.Attr.Kind() != base.KindPut {
			t.Fatalf("key %q has %v at %d", key, tr, seq)
		}
		times[fmt.Sprintf("%s#%d", key, tr.Seq)]++
	}
	return times, true
}

// seen returns what drawn is to return: the newest version of each key, once.
func seen(tab *Table, lo, hi string, seq base.SeqNum) map[string]int {
	times := map[string]int{}
	var it Iter
	it.InitAt(tab, true, seq)
	for e := it.SeekGE([]byte(lo), base.SeqMax); e != nil; e = it.Next() {
		if hi != "" && string(e.Key) >= hi {
			break
		}
		times[fmt.Sprintf("%s#%d", e.Key, e.Seq)]++
	}
	return times
}

// TestEveryKeyStandsAtOnePlace also writes on between the count of the places and the
// draws: what is drawn stays as it is until the places are outgrown.
func TestEveryKeyStandsAtOnePlace(t *testing.T) {
	rng, rounds, most := newSeed(t), 8, 4000
	if testing.Short() {
		rounds, most = 3, 1500
	}
	for name, make := range keyMakers {
		tab := New(64 << 20)
		seq := base.SeqNum(0)
		write := func(n int) {
			for range n {
				seq++
				set(tab, make(rng, int(seq)), seq, "")
			}
		}
		for round := range rounds {
			write(1 + rng.IntN(most))
			lo, hi := make(rng, rng.IntN(int(seq)+1)), make(rng, rng.IntN(int(seq)+1))
			if lo > hi {
				lo, hi = hi, lo
			}
			switch round {
			case 0:
				lo, hi = "", "" // all
			case 1:
				hi = ""
			}
			if lo != "" && lo == hi {
				continue
			}
			var upper []byte
			if hi != "" {
				upper = []byte(hi)
			}
			at := seq - base.SeqNum(rng.IntN(int(seq)))
			p := tab.Places([]byte(lo), upper)
			for outgrown := false; !outgrown; {
				got, ok := drawn(t, &p, at)
				if outgrown = !ok; outgrown {
					break
				}
				want := seen(tab, lo, hi, at)
				for key, n := range want {
					if got[key] != n {
						t.Fatalf("%s: %q stands at %d places of [%q, %q)", name, key, got[key], lo, hi)
					}
				}
				if len(got) != len(want) {
					t.Fatalf("%s: %d keys are drawn of %d", name, len(got), len(want))
				}
				write(200 + rng.IntN(400))
				if name == "overwrites" || int(seq) > 15*most {
					break // it does not grow any more
				}
			}
		}
	}
}

func TestPlacesOfAPartAreFewMoreThanItsKeys(t *testing.T) {
	tab := New(64 << 20)
	for i := range 100_000 {
		set(tab, fmt.Sprintf("user%08d", i), base.SeqNum(i+1), "")
	}
	for _, n := range []int{1, 1000, 20_000} {
		p := tab.Places(fmt.Appendf(nil, "user%08d", 50_000), fmt.Appendf(nil, "user%08d", 50_000+n))
		if most := uint64(n*5/4 + 7*pageCap); p.Len() > most {
			t.Errorf("%d places for %d keys, want at most %d", p.Len(), n, most)
		}
	}
}

func TestDrawsBesideAWriterFindEveryKeyThatIsVisible(t *testing.T) {
	tab := New(64 << 20)
	const before, after = 3000, 30_000
	for i := range before {
		set(tab, fmt.Sprintf("user%08d", i*7919%before), base.SeqNum(i+1), "")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range after {
			set(tab, fmt.Sprintf("user%08d+", i*7919%after), base.SeqNum(before+i+1), "")
		}
	}()
	for whole := 0; whole < 3; {
		p := tab.Places(nil, nil)
		got, ok := drawn(t, &p, before)
		if !ok {
			continue
		}
		if whole++; len(got) != before {
			t.Errorf("%d keys of %d are drawn", len(got), before)
		}
	}
	<-done
}
