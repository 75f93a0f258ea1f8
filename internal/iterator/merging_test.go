package iterator

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/seed"
)

// newRand returns a generator whose seed a failing test prints.
func newRand(t *testing.T) *rand.Rand {
	return rand.New(rand.NewPCG(seed.New(t), 1))
}

func put(key string, seq base.SeqNum) Entry {
	return Entry{Key: []byte(key), Value: fmt.Appendf(nil, "%s@%d", key, seq),
		Trailer: base.Trailer{Seq: seq, Attr: base.MakeAttr(base.KindPut, 1, false)}}
}

func compare(a, b Entry) int { return base.CompareInternal(a.Key, a.Seq, b.Key, b.Seq) }

// keyMakers make keys of different shapes: short ones that differ by trailing
// zeros, ones with a long shared prefix, and both in one store.
var keyMakers = map[string]func(*rand.Rand) string{
	"tiny": func(r *rand.Rand) string {
		return []string{"a", "a\x00", "a\x00\x00", "b", "ab", "\xff", "\xff\xff\xff\xff\xff\xff\xff\xff", "\xff\xff\xff\xff\xff\xff\xff\xff\xff"}[r.IntN(8)]
	},
	"prefixed": func(r *rand.Rand) string { return fmt.Sprintf("user:profile:%06d", r.IntN(300)) },
	"spaces": func(r *rand.Rand) string {
		return fmt.Sprintf("%c\x00\x00\x00\x00\x00\x00\x00%c:%d", 1+r.IntN(2), r.IntN(4), r.IntN(20))
	},
	"random": func(r *rand.Rand) string { return string([]byte{byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())}) },
}

// scatter deals n entries with distinct sequences over k children.
func scatter(r *rand.Rand, n, k int, key func(*rand.Rand) string) (children [][]Entry, all []Entry) {
	children = make([][]Entry, k)
	for i := range n {
		e := put(key(r), base.SeqNum(i+1))
		c := r.IntN(k)
		if r.IntN(3) > 0 { // one child has most of it, some have nothing
			c = 0
		}
		children[c] = append(children[c], e)
		all = append(all, e)
	}
	for _, c := range children {
		slices.SortFunc(c, compare)
	}
	slices.SortFunc(all, compare)
	return children, all
}

func merging(r *rand.Rand, children [][]Entry) *Merging {
	m := &Merging{}
	var its []Iterator
	for _, c := range children {
		s := NewSlice(c)
		if r != nil {
			s.BlockLen = r.IntN(30)
		}
		its = append(its, s)
	}
	m.Init(its)
	return m
}

// walk runs a random tape of moves on it and on the model and compares every
// answer.
func walk(t *testing.T, r *rand.Rand, it Iterator, all []Entry, key func(*rand.Rand) string, steps int) {
	t.Helper()
	model := NewSlice(all)
	var want, got *Entry
	move := "start"
	for range steps {
		op := r.IntN(10)
		if want == nil && op >= 4 {
			op = r.IntN(4)
		}
		switch op {
		case 0:
			move, want, got = "First", model.First(), it.First()
		case 1:
			move, want, got = "Last", model.Last(), it.Last()
		case 2:
			k, s := []byte(key(r)), base.SeqNum(r.IntN(len(all)+2))
			move, want, got = fmt.Sprintf("SeekGE(%q,%d)", k, s), model.SeekGE(k, s), it.SeekGE(k, s)
		case 3:
			k := []byte(key(r))
			move, want, got = fmt.Sprintf("SeekLT(%q)", k), model.SeekLT(k), it.SeekLT(k)
		default: // go on for a while, so that streams start and end
			n := 1 + r.IntN(4)
			if op > 7 {
				n = r.IntN(120)
			}
			forward := r.IntN(2) == 0
			for ; n > 0 && want != nil; n-- {
				if forward {
					move, want, got = "Next", model.Next(), it.Next()
				} else {
					move, want, got = "Prev", model.Prev(), it.Prev()
				}
				same(t, move, want, got)
			}
		}
		same(t, move, want, got)
	}
	if err := it.Err(); err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, move string, want, got *Entry) {
	t.Helper()
	switch {
	case want == nil && got == nil:
	case want == nil:
		t.Fatalf("%s: got %q@%d, want the end", move, got.Key, got.Seq)
	case got == nil:
		t.Fatalf("%s: got the end, want %q@%d", move, want.Key, want.Seq)
	case string(got.Key) != string(want.Key) || got.Seq != want.Seq || string(got.Value) != string(want.Value):
		t.Fatalf("%s: got %q@%d, want %q@%d", move, got.Key, got.Seq, want.Key, want.Seq)
	}
}

func TestMergingWalksLikeOneSortedSlice(t *testing.T) {
	for name, key := range keyMakers {
		for _, k := range []int{1, 2, 3, 8, 40} {
			t.Run(fmt.Sprintf("%s/%d", name, k), func(t *testing.T) {
				r := newRand(t)
				for range 6 {
					children, all := scatter(r, 1+r.IntN(600), k, key)
					m := merging(r, children)
					walk(t, r, m, all, key, 150)
				}
			})
		}
	}
}

// TestOtherIsSaidOfOtherKeysOnly walks with turns, stretches and ties. Children
// that have every key once say so.
func TestOtherIsSaidOfOtherKeysOnly(t *testing.T) {
	for name, key := range keyMakers {
		for _, k := range []int{1, 2, 5} {
			t.Run(fmt.Sprintf("%s/%d", name, k), func(t *testing.T) {
				r := newRand(t)
				children, all := scatter(r, 600, k, key)
				for i, c := range children {
					once := slices.CompactFunc(c, func(a, b Entry) bool { return string(a.Key) == string(b.Key) })
					for j := range once {
						once[j].Sole = i == 0
					}
					if i == 0 {
						children[i] = once
					}
				}
				m := merging(r, children)
				for range 50 {
					e := m.SeekGE(all[r.IntN(len(all))].Key, base.SeqMax)
					move := m.Next
					for range r.IntN(100) {
						if e == nil {
							break
						}
						if r.IntN(30) == 0 {
							move = m.Prev
						} else if r.IntN(30) == 0 {
							move = m.Next
						}
						if r.IntN(10) == 0 {
							m.Lead() // as if it would be moved
						}
						last := string(e.Key)
						if e = move(); e != nil && m.Other() && string(e.Key) == last {
							t.Fatalf("%q is said to be another key than %q", e.Key, last)
						}
					}
				}
			})
		}
	}
}

func TestOtherIsSaidWhereverRanksDiffer(t *testing.T) {
	children := make([][]Entry, 3)
	for i := range 300 {
		children[i%3] = append(children[i%3], put(fmt.Sprintf("user:profile:%06d", i), base.SeqNum(i+1)))
	}
	m := merging(nil, children)
	said := 0
	for e := m.First(); e != nil; e = m.Next() {
		if m.Other() {
			said++
		}
	}
	if said < 290 {
		t.Fatalf("said of %d of 299 moves", said)
	}
}

func TestMergingOfNothingIsEmpty(t *testing.T) {
	for _, children := range [][][]Entry{nil, {nil}, {nil, nil, nil}} {
		m := merging(nil, children)
		if m.First() != nil || m.Last() != nil || m.SeekGE([]byte("a"), 1) != nil || m.SeekLT([]byte("z")) != nil || m.Err() != nil {
			t.Fatal("an empty merge has an entry")
		}
	}
}

func TestEqualRecordsComeInTheOrderOfTheChildren(t *testing.T) {
	a, b := put("k", 0), put("k", 0)
	a.Value, b.Value = []byte("newer"), []byte("older")
	m := merging(nil, [][]Entry{{a}, {b}})
	first, second := string(m.First().Value), string(m.Next().Value)
	if first != "newer" || second != "older" {
		t.Fatalf("forward: %s, %s", first, second)
	}
	if back := string(m.Prev().Value); back != "newer" {
		t.Fatalf("backward: %s", back)
	}
	if m.Prev() != nil {
		t.Fatal("more than two")
	}
}

// failing is a source that fails at its n-th move.
type failing struct {
	*Slice
	left int
	err  error
}

var errBroken = errors.New("broken block")

func (f *failing) move(e *Entry) *Entry {
	if f.left--; f.left < 0 {
		f.err = errBroken
		return nil
	}
	return e
}

func (f *failing) First() *Entry                         { return f.move(f.Slice.First()) }
func (f *failing) Last() *Entry                          { return f.move(f.Slice.Last()) }
func (f *failing) Next() *Entry                          { return f.move(f.Slice.Next()) }
func (f *failing) Prev() *Entry                          { return f.move(f.Slice.Prev()) }
func (f *failing) SeekGE(k []byte, s base.SeqNum) *Entry { return f.move(f.Slice.SeekGE(k, s)) }
func (f *failing) SeekLT(k []byte) *Entry                { return f.move(f.Slice.SeekLT(k)) }
func (f *failing) Err() error                            { return f.err }
func (f *failing) Close() error                          { return f.err }

func TestErrorOfAnyChildStopsTheMerge(t *testing.T) {
	r := newRand(t)
	for n := range 60 {
		children, all := scatter(r, 200, 3, keyMakers["prefixed"])
		f := &failing{Slice: NewSlice(children[n%3]), left: n % 20}
		f.BlockLen = 16
		m := &Merging{}
		its := []Iterator{NewSlice(children[0]), NewSlice(children[1]), NewSlice(children[2])}
		its[n%3] = f
		m.Init(its)
		seen := 0
		if n%2 == 0 {
			for e := m.First(); e != nil; e = m.Next() {
				same(t, "Next", &all[seen], e)
				seen++
			}
		} else {
			for e := m.Last(); e != nil; e = m.Prev() {
				same(t, "Prev", &all[len(all)-1-seen], e)
				seen++
			}
		}
		if broke := f.err != nil; broke != errors.Is(m.Err(), errBroken) {
			t.Fatalf("child error %v, merge error %v after %d entries", f.err, m.Err(), seen)
		} else if !broke && seen != len(all) {
			t.Fatalf("%d of %d entries, and no error", seen, len(all))
		}
		if f.err != nil && !errors.Is(m.Close(), errBroken) {
			t.Fatal("Close forgets the error")
		}
	}
}

func TestStretchEndsBeforeTheRunnerUpsFirstKey(t *testing.T) {
	big := make([]Entry, 0, 200)
	for i := range 200 {
		big = append(big, put(fmt.Sprintf("k%04d", i*2), 1))
	}
	a := NewSlice(big)
	a.BlockLen = 50
	m := &Merging{}
	m.Init([]Iterator{a, NewSlice([]Entry{put("k0150", 9), put("k0151", 9)})})
	streamed := 0
	for e := m.First(); e != nil; e = m.Next() {
		r, ok := m.Block()
		if !ok {
			continue
		}
		streamed++
		if string(r.First) != string(e.Key) || string(r.Last) >= "k0150" && string(e.Key) < "k0150" {
			t.Fatalf("at %s the stretch is [%s, %s]", e.Key, r.First, r.Last)
		}
	}
	if streamed < 140 {
		t.Fatalf("only %d of 202 entries were in a stretch", streamed)
	}
}

func TestLookKnowsTheStretchRightBehindASeek(t *testing.T) {
	var big []Entry
	for i := range 200 {
		big = append(big, put(fmt.Sprintf("k%04d", i*2), base.SeqNum(i)))
	}
	a := NewSlice(big)
	a.BlockLen = 50
	for name, c := range map[string]struct {
		other []Entry
		moves int // known to be without company
	}{
		"alone":                   {nil, 39},
		"beside one behind":       {[]Entry{put("k0099", 9)}, 39},
		"beside one in the block": {[]Entry{put("k0097", 9)}, 0},
	} {
		m := &Merging{}
		m.Init([]Iterator{a, NewSlice(c.other)})
		e := m.SeekGE([]byte("k0020"), base.SeqMax)
		if m.Stretch() != 0 {
			t.Errorf("%s: %d moves are known before anybody has looked", name, m.Stretch())
		}
		r, ok := m.Look()
		if ok != (c.moves > 0) || m.Stretch() != c.moves || ok && (string(r.First) != string(e.Key) || string(r.Last) != "k0098") {
			t.Errorf("%s: %+v %v, %d moves", name, r, ok, m.Stretch())
		}
		seen := 1
		for e = m.Next(); e != nil; e = m.Next() {
			seen++
		}
		if want := 190 + len(c.other); seen != want {
			t.Errorf("%s: %d entries of %d", name, seen, want)
		}
	}
}

func TestMergingDoesNotAllocate(t *testing.T) {
	children, _ := scatter(rand.New(rand.NewPCG(1, 2)), 3000, 6, keyMakers["prefixed"])
	m := &Merging{}
	its := make([]Iterator, len(children))
	for i, c := range children {
		its[i] = NewSlice(c)
	}
	key := []byte("user:profile:000100")
	n := testing.AllocsPerRun(20, func() {
		m.Init(its)
		m.SeekGE(key, base.SeqMax)
		for range 200 {
			m.Next()
		}
		for range 100 {
			m.Prev()
		}
	})
	if n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkMerge(b *testing.B) {
	for _, k := range []int{1, 2, 4, 8, 16} {
		for _, shape := range []string{"even", "lastlevel"} {
			b.Run(fmt.Sprintf("%s/%d", shape, k), func(b *testing.B) {
				r := rand.New(rand.NewPCG(7, 7))
				children := make([][]Entry, k)
				for i := range 20000 {
					c := r.IntN(k)
					if shape == "lastlevel" && r.IntN(10) > 0 {
						c = k - 1
					}
					children[c] = append(children[c], put(fmt.Sprintf("user:%010d", r.IntN(1<<30)), base.SeqNum(i)))
				}
				its := make([]Iterator, k)
				for i, c := range children {
					slices.SortFunc(c, compare)
					its[i] = NewSlice(c)
				}
				m := &Merging{}
				b.ReportAllocs()
				b.ResetTimer()
				for n := 0; n < b.N; {
					m.Init(its)
					for e := m.First(); e != nil && n < b.N; e = m.Next() {
						n++
					}
				}
			})
		}
	}
}
