package readstate

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/seed"
)

// versions is a store of one-letter keys as Gaps sees it: every commit puts or deletes
// one key, and a walk at any sequence is answered exactly.
type versions struct {
	gaps    Gaps
	last    base.SeqNum
	visible base.SeqNum
	keys    map[byte][]version // oldest first
}

type version struct {
	seq base.SeqNum
	put bool
}

func newVersions() *versions {
	v := &versions{keys: map[byte][]version{}}
	v.gaps.Settled = func() base.SeqNum { return v.last }
	return v
}

// commit puts or deletes a key: noted first, visible afterwards.
func (v *versions) commit(key byte, put bool) {
	v.last++
	if v.gaps.Noting() {
		v.gaps.Begin(v.last)
		if put {
			v.gaps.PutLocked([]byte{key})
		}
		v.gaps.Done()
	}
	v.keys[key] = append(v.keys[key], version{v.last, put})
	v.visible = v.last
}

// has reports whether a reader at seq sees key.
func (v *versions) has(key byte, seq base.SeqNum) bool {
	all := v.keys[key]
	i := sort.Search(len(all), func(i int) bool { return all[i].seq > seq })
	return i > 0 && all[i-1].put
}

// walk walks from key on without gaps, and tells Gaps what it has found.
func (v *versions) walk(key byte, seq base.SeqNum, backward bool) {
	if backward {
		lo := key
		for lo > 0 && !v.has(lo-1, seq) {
			lo--
		}
		v.gaps.Found([]byte{lo}, []byte{key}, seq, true)
		return
	}
	hi := key
	for hi < 255 && !v.has(hi, seq) {
		hi++
	}
	v.gaps.Found([]byte{key}, []byte{hi}, seq, false)
}

// check asks Gaps at key, and looks.
func (v *versions) check(key byte, seq base.SeqNum, backward bool) error {
	end := v.gaps.End([]byte{key}, seq, backward)
	if end == nil {
		return nil
	}
	for k := range 256 {
		b := byte(k)
		inside := b >= key && string([]byte{b}) < string(end)
		if backward {
			inside = b < key && string([]byte{b}) >= string(end)
		}
		if inside && v.has(b, seq) {
			return fmt.Errorf("at %d from %d (backward %v) the gap ends at %x, and %d is there", seq, key, backward, end, b)
		}
	}
	return nil
}

// TestAGapNeverHoldsARow lets random commits, walks and questions, at old read points
// too, take turns.
func TestAGapNeverHoldsARow(t *testing.T) {
	s := seed.New(t)
	rng := rand.New(rand.NewPCG(s, 0))
	used := 0
	for round := range 300 {
		v := newVersions()
		for range 400 {
			key, seq := byte(rng.IntN(256)), v.visible
			if rng.IntN(4) == 0 {
				seq = base.SeqNum(rng.Uint64N(uint64(v.visible) + 1))
			}
			backward := rng.IntN(2) == 0
			switch rng.IntN(4) {
			case 0:
				v.commit(key, rng.IntN(6) == 0)
			case 1:
				v.walk(key&^31, seq, backward)
			default:
				if v.gaps.End([]byte{key}, seq, backward) != nil {
					used++
				}
				if err := v.check(key, seq, backward); err != nil {
					t.Fatalf("seed %d, round %d: %v", s, round, err)
				}
			}
		}
	}
	if used < 1000 {
		t.Errorf("only %d questions met a gap", used)
	}
}

func (v *versions) end(key byte, seq base.SeqNum, backward bool) string {
	return fmt.Sprintf("%x", v.gaps.End([]byte{key}, seq, backward))
}

func TestAGapGrowsWithAQueueAndEndsAtAPut(t *testing.T) {
	v := newVersions()
	for k := byte(10); k < 20; k++ {
		v.commit(k, true)
	}
	for k := byte(10); k < 15; k++ {
		v.commit(k, false)
	}
	old := v.visible - 1
	v.walk(5, v.visible, false) // the gap is there, and empty
	v.walk(5, v.visible, false)
	if got := v.end(5, v.visible, false); got != "0f" {
		t.Errorf("after two walks the gap ends at %s", got)
	}
	if got := v.end(5, old, false); got != "" {
		t.Errorf("a reader from before the last delete is told %s", got)
	}
	v.commit(30, true) // the tail
	v.commit(15, false)
	v.walk(5, v.visible, false)
	if got := v.end(7, v.visible, false); got != "10" {
		t.Errorf("after a pop and a push the gap ends at %s", got)
	}
	v.commit(12, true)
	if got := v.end(7, v.visible, false); got != "0c" {
		t.Errorf("after a put in the middle the gap ends at %s", got)
	}
	if got := v.end(12, v.visible, false); got != "" {
		t.Errorf("at what was put the gap ends at %s", got)
	}
}

func TestAGapThatNobodyUsesIsForgotten(t *testing.T) {
	v := newVersions()
	v.walk(5, v.visible, false)
	if !v.gaps.Noting() {
		t.Fatal("there is no gap")
	}
	for range mostIdle + 1 {
		v.commit(1, true)
	}
	if v.gaps.Noting() {
		t.Error("it is still there")
	}
	for i := range byte(4 * mostGaps) {
		v.walk(2*i, v.visible, i%2 == 0)
	}
	if n := len(v.gaps.gaps); n > mostGaps {
		t.Errorf("%d gaps", n)
	}
}
