package rangedel

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/seed"
)

// parse reads tombstones as the pictures write them: "a-e#9 c-h#7".
func parse(t testing.TB, text string) []Tombstone {
	t.Helper()
	var ts []Tombstone
	for _, f := range strings.Fields(text) {
		var ts1 Tombstone
		bounds, seq, ok := strings.Cut(f, "#")
		start, end, ok2 := strings.Cut(bounds, "-")
		if _, err := fmt.Sscan(seq, (*uint64)(&ts1.Seq)); err != nil || !ok || !ok2 {
			t.Fatalf("bad tombstone %q", f)
		}
		ts1.Start, ts1.End = []byte(start), []byte(end)
		ts = append(ts, ts1)
	}
	return ts
}

func TestTombstonesAreCutIntoFragments(t *testing.T) {
	for _, c := range []struct{ name, given, want string }{
		{"nothing", "", ""},
		{"empty and backward ranges vanish", "c-c#4 d-b#5", ""},
		{"one", "a-c#4", "[a-c)#4"},
		{"the picture of the type", "a-e#9 g-k#4 c-h#7", "[a-c)#9 [c-e)#9,7 [e-g)#7 [g-h)#7,4 [h-k)#4"},
		{"nested", "a-z#1 c-d#2", "[a-c)#1 [c-d)#2,1 [d-z)#1"},
		{"same start", "a-c#1 a-b#2", "[a-b)#2,1 [b-c)#1"},
		{"same end", "a-c#2 b-c#1", "[a-b)#2 [b-c)#2,1"},
		{"the same twice", "a-c#2 a-c#2", "[a-c)#2"},
		{"touching, one sequence: joined", "a-c#2 c-e#2", "[a-e)#2"},
		{"touching, two sequences: apart", "a-c#2 c-e#3", "[a-c)#2 [c-e)#3"},
		{"overlapping, one sequence: joined", "a-d#2 c-e#2", "[a-e)#2"},
		{"gap", "a-b#2 c-d#2", "[a-b)#2 [c-d)#2"},
		{"a boundary inside what it does not change", "a-z#5 c-f#5", "[a-z)#5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := New(parse(t, c.given)).String(); got != c.want {
				t.Fatalf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestClip(t *testing.T) {
	const given = "a-e#9 g-k#4 c-h#7"
	for _, c := range []struct{ lo, hi, want string }{
		{"", "", "[a-c)#9 [c-e)#9,7 [e-g)#7 [g-h)#7,4 [h-k)#4"},
		{"b", "d", "[b-c)#9 [c-d)#9,7"},
		{"e", "g", "[e-g)#7"},
		{"h", "", "[h-k)#4"},
		{"j", "z", "[j-k)#4"},
		{"k", "", ""},
		{"0", "a", ""},
		{"d", "d", ""},
	} {
		var hi []byte
		if c.hi != "" {
			hi = []byte(c.hi)
		}
		if got := New(parse(t, given)).Clip([]byte(c.lo), hi).String(); got != c.want {
			t.Errorf("Clip(%q, %q):\n got %s\nwant %s", c.lo, c.hi, got, c.want)
		}
	}
}

func TestMergeIsTheListOfAllTombstones(t *testing.T) {
	one := New(parse(t, "a-c#4"))
	if Merge(nil, one, nil) != one {
		t.Error("a single list is copied")
	}
	if Merge(nil, nil) != nil {
		t.Error("nothing merged is something")
	}
	if got := Merge(one, New(parse(t, "b-d#7"))).String(); got != "[a-b)#4 [b-c)#7,4 [c-d)#7" {
		t.Error(got)
	}
	if got := Merge(New(parse(t, "a-z#4")).Clip([]byte("a"), []byte("m")), New(parse(t, "a-z#4")).Clip([]byte("m"), nil)).String(); got != "[a-z)#4" {
		t.Errorf("parts of one tombstone do not join: %s", got)
	}
}

// cover is Cover by brute force over the tombstones themselves.
func cover(ts []Tombstone, key []byte, limit base.SeqNum) (seq base.SeqNum) {
	for _, t := range ts {
		if bytes.Compare(t.Start, key) <= 0 && bytes.Compare(key, t.End) < 0 && t.Seq <= limit {
			seq = max(seq, t.Seq)
		}
	}
	return seq
}

func TestListAnswersLikeItsTombstones(t *testing.T) {
	first := seed.New(t)
	r := rand.New(rand.NewPCG(first, 0))
	key := func() []byte { return []byte{'a' + byte(r.IntN(12))} }
	for round := range 600 {
		var ts, part []Tombstone
		var lists []*List
		for range r.IntN(4) {
			part = nil
			for range r.IntN(5) {
				part = append(part, Tombstone{Start: key(), End: key(), Seq: base.SeqNum(1 + r.IntN(20))})
			}
			ts = append(ts, part...)
			lists = append(lists, New(part))
		}
		l := Merge(lists...)
		at := func() string { return fmt.Sprintf("seed %d round %d: %v of %s", first, round, l, lists) }
		top := base.SeqNum(0)
		var end []byte
		for _, f := range l.Fragments() {
			if bytes.Compare(f.Start, f.End) >= 0 || bytes.Compare(end, f.Start) > 0 || len(f.Seqs) == 0 {
				t.Fatalf("fragments out of order; %s", at())
			}
			for i, s := range f.Seqs {
				if top = max(top, s); i > 0 && f.Seqs[i-1] <= s {
					t.Fatalf("sequences out of order; %s", at())
				}
			}
			end = f.End
		}
		if l.MaxSeq() != top {
			t.Fatalf("MaxSeq %d; %s", l.MaxSeq(), at())
		}
		lo, hi := key(), key()
		if bytes.Equal(lo, hi) || r.IntN(4) == 0 {
			hi = nil
		}
		clip := l.Clip(lo, hi)
		overlap, since := false, base.SeqNum(r.IntN(20))
		for k := []byte("a"); k[0] <= 'n'; k[0]++ {
			inside := bytes.Compare(lo, k) <= 0 && (hi == nil || bytes.Compare(k, hi) < 0)
			for limit := base.SeqNum(0); limit < 22; limit += 3 {
				want := cover(ts, k, limit)
				if got := l.Cover(k, limit); got != want {
					t.Fatalf("Cover(%s, %d) = %d, want %d; %s", k, limit, got, want, at())
				}
				if !inside {
					want = 0
				}
				if got := clip.Cover(k, limit); got != want {
					t.Fatalf("clipped to [%s, %s) Cover(%s, %d) = %d, want %d; %s", lo, hi, k, limit, got, want, at())
				}
			}
			overlap = overlap || inside && cover(ts, k, base.SeqMax) > since
			checkAt(t, l, ts, k, at)
		}
		if got := l.Overlaps(lo, hi, since); got != overlap {
			t.Fatalf("Overlaps(%s, %s, %d) = %v; %s", lo, hi, since, got, at())
		}
	}
}

// checkAt asserts that between the two boundaries At returns every key has the
// same cover, and that they are boundaries of the right side.
func checkAt(t *testing.T, l *List, ts []Tombstone, k []byte, at func() string) {
	t.Helper()
	f, below, above, ok := l.At(k)
	if ok != (cover(ts, k, base.SeqMax) > 0) || ok && f.Seqs[0] != cover(ts, k, base.SeqMax) {
		t.Fatalf("At(%s): %v %v; %s", k, f, ok, at())
	}
	if below != nil && bytes.Compare(below, k) > 0 || above != nil && bytes.Compare(above, k) <= 0 {
		t.Fatalf("At(%s): between %s and %s; %s", k, below, above, at())
	}
	for o := []byte("a"); o[0] <= 'n'; o[0]++ {
		if (below == nil || bytes.Compare(below, o) <= 0) && (above == nil || bytes.Compare(o, above) < 0) {
			if cover(ts, o, base.SeqMax) != cover(ts, k, base.SeqMax) {
				t.Fatalf("At(%s): %s between %s and %s has other cover; %s", k, o, below, above, at())
			}
		}
	}
}

func TestLookingUpDoesNotAllocate(t *testing.T) {
	l := New(disjoint(1000))
	key := []byte("k0000500a")
	if n := testing.AllocsPerRun(100, func() {
		l.Cover(key, base.SeqMax)
		l.Overlaps(key, nil, 1<<40)
		l.At(key)
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func disjoint(n int) []Tombstone {
	ts := make([]Tombstone, n)
	for i, p := range rand.New(rand.NewPCG(1, 1)).Perm(n) {
		ts[i] = Tombstone{Start: fmt.Appendf(nil, "k%07d", p), End: fmt.Appendf(nil, "k%07dz", p), Seq: base.SeqNum(i + 1)}
	}
	return ts
}

// The cost per tombstone must stay nearly flat as the number grows.
func BenchmarkNewDisjoint(b *testing.B) {
	for _, n := range []int{1000, 10000, 100000} {
		given := disjoint(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				New(append([]Tombstone(nil), given...))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/tombstone")
		})
	}
}

func BenchmarkCover(b *testing.B) {
	l := New(disjoint(100000))
	key := []byte("k0050000a")
	for range b.N {
		l.Cover(key, base.SeqMax)
	}
}
