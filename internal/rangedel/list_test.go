package rangedel

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
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

// newest draws a list's picture.
func newest(l *List) string {
	return (&List{all: l.Newest()}).String()
}

func TestNewestTombstonesMakeThePicture(t *testing.T) {
	for _, c := range []struct{ name, given, want string }{
		{"nothing", "", ""},
		{"empty and backward ranges vanish", "c-c#4 d-b#5", ""},
		{"one", "a-c#4", "[a-c)#4"},
		{"the picture of the type", "a-e#9 g-k#4 c-h#7", "[a-e)#9 [e-h)#7 [h-k)#4"},
		{"a newer one inside", "a-z#1 c-d#2", "[a-c)#1 [c-d)#2 [d-z)#1"},
		{"an older one inside", "a-z#2 c-d#1", "[a-z)#2"},
		{"same start", "a-c#1 a-b#2", "[a-b)#2 [b-c)#1"},
		{"same end", "a-c#2 b-c#1", "[a-c)#2"},
		{"each above the one before", "a-b#1 a-c#2 a-d#3 a-e#4", "[a-e)#4"},
		{"each inside the one before", "a-z#1 b-y#2 c-x#3", "[a-b)#1 [b-c)#2 [c-x)#3 [x-y)#2 [y-z)#1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ts := parse(t, c.given)
			l := New(parse(t, c.given))
			if got := newest(l); got != c.want {
				t.Errorf("picture %s, want %s", got, c.want)
			}
			if want := len(ts) > 1 && c.want != ""; l.Layered() != want || want && len(l.Tombstones()) != len(ts) {
				t.Errorf("layered %v: %s", l.Layered(), l)
			}
		})
	}
}

func TestTombstonesOfOneSequenceJoin(t *testing.T) {
	for _, c := range []struct{ name, given, want string }{
		{"the same twice", "a-c#2 a-c#2", "[a-c)#2"},
		{"touching, one sequence", "a-c#2 c-e#2", "[a-e)#2"},
		{"touching, two sequences: apart", "a-c#2 c-e#3", "[a-c)#2 [c-e)#3"},
		{"overlapping, one sequence", "a-d#2 c-e#2", "[a-e)#2"},
		{"gap", "a-b#2 c-d#2", "[a-b)#2 [c-d)#2"},
		{"a boundary inside what it does not change", "a-z#5 c-f#5", "[a-z)#5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if l := New(parse(t, c.given)); l.String() != c.want || newest(l) != c.want || l.Layered() {
				t.Errorf("got %s, picture %s, layered %v; want %s", l, newest(l), l.Layered(), c.want)
			}
		})
	}
}

func TestMergeIsTheListOfAllTombstones(t *testing.T) {
	one := New(parse(t, "a-c#4"))
	if Merge(nil, one, nil) != one {
		t.Error("a single list is copied")
	}
	if Merge(nil, nil) != nil || Merge() != nil {
		t.Error("nothing merged is something")
	}
	if l := Merge(one, New(parse(t, "b-d#7"))); l.String() != "[a-c)#4 [b-d)#7" || newest(l) != "[a-b)#4 [b-d)#7" {
		t.Error(l, newest(l))
	}
	if got := Merge(New(parse(t, "a-m#4")), New(parse(t, "m-z#4"))).String(); got != "[a-z)#4" {
		t.Errorf("parts of one tombstone do not join: %s", got)
	}
}

func TestListHoldsWhatOverlapsOnce(t *testing.T) {
	const n = 1 << 12
	for name, bounds := range map[string]func(i int) (lo, hi int){
		"rising":   func(i int) (lo, hi int) { return 0, i + 1 },
		"nested":   func(i int) (lo, hi int) { return i, 2*n - i },
		"around":   func(i int) (lo, hi int) { return n - i, n + i + 1 },
		"falling":  func(i int) (lo, hi int) { return n - i, n + 1 },
		"stepping": func(i int) (lo, hi int) { return i, i + 100 },
	} {
		var ts []Tombstone
		for i := range n {
			lo, hi := bounds(i)
			ts = append(ts, Tombstone{Start: fmt.Appendf(nil, "%06d", lo), End: fmt.Appendf(nil, "%06d", hi), Seq: base.SeqNum(i + 1)})
		}
		if allocs := testing.AllocsPerRun(1, func() { New(slices.Clone(ts)) }); allocs > 50 {
			t.Errorf("%s: New allocates %v times", name, allocs) // lists of parts would be a multiple of n
		}
		l := New(ts)
		if len(l.Tombstones()) != n || cap(l.newest) > 3*n {
			t.Errorf("%s: %d tombstones, a picture of %d", name, len(l.Tombstones()), cap(l.newest))
		}
		below := l.layers()
		if most := 2 * n * 14; len(below.seqs) > most || len(below.first) > 4*n+2 {
			t.Errorf("%s: %d sequences at %d nodes", name, len(below.seqs), len(below.first))
		}
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
		if r.IntN(2) == 0 {
			l = l.Shift(3)
			for i := range ts {
				ts[i].Seq += 3
			}
		}
		at := func() string { return fmt.Sprintf("seed %d round %d: %v of %s", first, round, l, lists) }
		top := base.SeqNum(0)
		for i, d := range l.Newest() {
			top = max(top, d.Seq)
			if bytes.Compare(d.Start, d.End) >= 0 {
				t.Fatalf("an empty stretch; %s", at())
			}
			if i == 0 {
				continue
			}
			last := l.Newest()[i-1]
			if c := bytes.Compare(last.End, d.Start); c > 0 || c == 0 && last.Seq == d.Seq {
				t.Fatalf("stretches overlap or should be one; %s", at())
			}
		}
		if l.MaxSeq() != top {
			t.Fatalf("MaxSeq %d; %s", l.MaxSeq(), at())
		}
		lo, hi := key(), key()
		if bytes.Equal(lo, hi) || r.IntN(4) == 0 {
			hi = nil
		}
		overlap, since := false, base.SeqNum(r.IntN(20))
		for k := []byte("a"); k[0] <= 'n'; k[0]++ {
			inside := bytes.Compare(lo, k) <= 0 && (hi == nil || bytes.Compare(k, hi) < 0)
			for limit := base.SeqNum(0); limit < 25; limit++ {
				checkAt(t, l, ts, k, limit, at)
				if got, want := l.Above(k, limit), above(ts, k, limit); got != want {
					t.Fatalf("Above(%s, %d) = %d, want %d; %s", k, limit, got, want, at())
				}
			}
			if got, want := l.Covering(k, 15), covering(ts, k, 15); !slices.Equal(got, want) {
				t.Fatalf("Covering(%s, 15) = %d, want %d; %s", k, got, want, at())
			}
			overlap = overlap || inside && cover(ts, k, base.SeqMax) > since
		}
		if got := l.Overlaps(lo, hi, since); got != overlap {
			t.Fatalf("Overlaps(%s, %s, %d) = %v; %s", lo, hi, since, got, at())
		}
	}
}

// covering returns the sequences, up to limit, of the tombstones over key.
func covering(ts []Tombstone, key []byte, limit base.SeqNum) (seqs []base.SeqNum) {
	for limit > 0 {
		seq := cover(ts, key, limit)
		if seq == 0 {
			break
		}
		seqs = append(seqs, seq)
		limit = seq - 1
	}
	return seqs
}

// above is Above by brute force.
func above(ts []Tombstone, key []byte, seq base.SeqNum) (next base.SeqNum) {
	for _, s := range covering(ts, key, base.SeqMax) {
		if s > seq {
			next = s
		}
	}
	return next
}

// ater is what can be asked for a key's place.
type ater interface {
	At(key []byte, limit base.SeqNum) (seq base.SeqNum, below, above []byte)
}

// checkAt asserts that At finds what covers k, and that between the two boundaries
// every key has the same cover.
func checkAt(t *testing.T, l ater, ts []Tombstone, k []byte, limit base.SeqNum, at func() string) {
	t.Helper()
	seq, below, above := l.At(k, limit)
	if want := cover(ts, k, limit); seq != want {
		t.Fatalf("At(%s, %d): %d, want %d; %s", k, limit, seq, want, at())
	}
	if below != nil && bytes.Compare(below, k) > 0 || above != nil && bytes.Compare(above, k) <= 0 {
		t.Fatalf("At(%s, %d): between %s and %s; %s", k, limit, below, above, at())
	}
	for o := []byte("a"); o[0] <= 'n'; o[0]++ {
		if (below == nil || bytes.Compare(below, o) <= 0) && (above == nil || bytes.Compare(o, above) < 0) && cover(ts, o, limit) != seq {
			t.Fatalf("At(%s, %d): %s between %s and %s has other cover; %s", k, limit, o, below, above, at())
		}
	}
}

func TestRunAnswersLikeAllItsLists(t *testing.T) {
	seed := seed.New(t)
	r := rand.New(rand.NewPCG(seed, 1))
	for round := range 300 {
		var all []Tombstone
		var run Run
		for from := 0; from < 12; from += 3 {
			var ts []Tombstone
			for range r.IntN(4) {
				lo := from + r.IntN(3)
				hi := lo + 1 + r.IntN(from+3-lo)
				ts = append(ts, Tombstone{Start: []byte{'a' + byte(lo)}, End: []byte{'a' + byte(hi)}, Seq: base.SeqNum(1 + r.IntN(20))})
			}
			all = append(all, ts...)
			if l := New(ts); !l.Empty() {
				run = append(run, l)
			}
		}
		at := func() string { return fmt.Sprintf("seed %d round %d: %s", seed, round, []*List(run)) }
		for k := []byte("a"); k[0] <= 'n'; k[0]++ {
			for limit := base.SeqNum(0); limit < 22; limit++ {
				checkAt(t, run, all, k, limit, at)
			}
		}
	}
}

// The key of a look-up stands on its caller's stack and must not be moved from
// there.
func TestLookingUpDoesNotAllocate(t *testing.T) {
	flat, deep := New(disjoint(1000)), New(rising(1000))
	run := Run{flat}
	deep.Cover([]byte("k0"), 10) // makes the layers
	if n := testing.AllocsPerRun(100, func() {
		var room [16]byte
		key := append(room[:0], "k0000500a"...)
		for _, l := range []*List{flat, deep} {
			l.Cover(key, base.SeqMax)
			l.Cover(key, 900)
			l.Overlaps(key, nil, 1<<40)
			l.At(key, 900)
			l.Above(key, 600)
		}
		run.At(key, base.SeqMax)
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
			for b.Loop() {
				New(append([]Tombstone(nil), given...))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/tombstone")
		})
	}
}

// Each of these lies below the next one, as those of a window of time do.
func rising(n int) []Tombstone {
	ts := make([]Tombstone, n)
	for i := range ts {
		ts[i] = Tombstone{Start: []byte("k"), End: fmt.Appendf(nil, "k%07d", i), Seq: base.SeqNum(i + 1)}
	}
	return ts
}

func BenchmarkNewRising(b *testing.B) {
	for _, n := range []int{1000, 10000, 100000} {
		given := rising(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				New(append([]Tombstone(nil), given...))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/tombstone")
		})
	}
}

// A reader of the past, below the newest tombstone over its key.
func BenchmarkCoverBelow(b *testing.B) {
	l := New(rising(100000))
	key := []byte("k0040000a")
	l.Cover(key, 50000)
	for b.Loop() {
		l.Cover(key, 50000)
	}
}

func BenchmarkCover(b *testing.B) {
	l := New(disjoint(100000))
	key := []byte("k0050000a")
	for b.Loop() {
		l.Cover(key, base.SeqMax)
	}
}
