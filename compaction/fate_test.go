package compaction

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/internal/seed"
	"github.com/siltstonedb/siltstone/manifest"
)

func TestFates(t *testing.T) {
	put := base.Trailer{Seq: 50, Attr: base.MakeAttr(base.KindPut, 1, false)}
	tomb := base.Trailer{Seq: 50, Attr: base.MakeAttr(base.KindDelete, 0, false)}
	due := base.Trailer{Seq: 50, Expiry: 1000, Attr: base.MakeAttr(base.KindPut, 1, true)}
	zero := put
	zero.Seq = 0
	alone := surroundings{newer: infinity, cover: infinity}
	type points = []base.ReadPoint
	for _, c := range []struct {
		name   string
		r      base.Trailer
		s      surroundings
		points points
		now    int64
		want   fate
	}{
		{"the only version", put, alone, nil, 1, zeroed},
		{"already without a sequence", zero, alone, nil, 1, kept},
		{"above an older run", put, surroundings{newer: infinity, cover: infinity, older: true}, nil, 1, kept},
		{"under a range tombstone that stays", put, surroundings{newer: infinity, cover: infinity, under: true}, nil, 1, kept},
		{"unknown to a reader", put, alone, points{{Seq: 49, Clock: 1}}, 1, kept},
		{"just known to every reader", put, alone, points{{Seq: 50, Clock: 1}}, 1, zeroed},
		{"overwritten", put, surroundings{newer: 51, cover: infinity}, nil, 1, shadowed},
		{"overwritten, a reader at the record", put, surroundings{newer: 51, cover: infinity}, points{{Seq: 50, Clock: 1}}, 1, zeroed},
		{"overwritten, a reader at the overwrite", put, surroundings{newer: 51, cover: infinity}, points{{Seq: 51, Clock: 1}}, 1, shadowed},
		{"overwritten, readers on both sides", put, surroundings{newer: 60, cover: infinity}, points{{Seq: 49, Clock: 1}, {Seq: 60, Clock: 1}}, 1, shadowed},
		{"overwritten, readers on both sides and between", put, surroundings{newer: 60, cover: infinity}, points{{Seq: 49, Clock: 1}, {Seq: 59, Clock: 1}, {Seq: 60, Clock: 1}}, 1, kept},
		{"range deleted", put, surroundings{newer: infinity, cover: 51}, nil, 1, covered},
		{"range deleted, then overwritten", put, surroundings{newer: 60, cover: 51}, points{{Seq: 55, Clock: 1}}, 1, covered},
		{"range deleted above a reader", put, surroundings{newer: infinity, cover: 60, under: true}, points{{Seq: 55, Clock: 1}}, 1, kept},
		{"tombstone over nothing", tomb, alone, nil, 1, elided},
		{"tombstone over something", tomb, surroundings{newer: infinity, cover: infinity, older: true}, nil, 1, kept},
		{"tombstone a reader does not know", tomb, alone, points{{Seq: 49, Clock: 1}}, 1, kept},
		{"tombstone below another", tomb, surroundings{newer: 51, cover: infinity, older: true}, nil, 1, shadowed},
		{"alive", due, alone, nil, 999, zeroed},
		{"expired at this moment", due, alone, nil, 1000, expired},
		{"expired but not for a reader", due, alone, points{{Seq: 60, Clock: 999}}, 1000, zeroed},
		{"expired over something", due, surroundings{newer: infinity, cover: infinity, older: true}, nil, 1000, buried},
		{"expired and unknown to a reader", due, alone, points{{Seq: 49, Clock: 1000}}, 1000, buried},
		{"expired and overwritten", due, surroundings{newer: 51, cover: infinity}, nil, 1000, shadowed},
	} {
		h := newHorizon(c.points, c.now)
		if got := h.decide(c.r, c.s); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestDecisionsOverOneKeyChangeNoAnswer plays random versions and tombstones of
// one key, over an older record that the merge cannot see, through decide and
// remaining.
func TestDecisionsOverOneKeyChangeNoAnswer(t *testing.T) {
	first := seed.New(t)
	r := rand.New(rand.NewPCG(first, 3))
	for round := range 60000 {
		const top = 10
		seqs := r.Perm(top)
		var in []iterator.Entry
		var tombs []rangedel.Tombstone
		for _, s := range seqs[:r.IntN(5)] {
			switch r.IntN(3) {
			case 0:
				in = append(in, deleteEntry("k", base.SeqNum(s+2)))
			default:
				in = append(in, putEntry("k", fmt.Sprint(s), base.SeqNum(s+2), []int64{0, int64(1 + r.IntN(9))}[r.IntN(2)]))
			}
		}
		for _, s := range seqs[5 : 5+r.IntN(3)] {
			tombs = append(tombs, rangedel.Tombstone{Start: []byte("a"), End: []byte("z"), Seq: base.SeqNum(s + 2)})
		}
		slices.SortFunc(in, func(a, b iterator.Entry) int { return int(b.Seq) - int(a.Seq) })
		var points []base.ReadPoint
		for range r.IntN(4) {
			points = append(points, base.ReadPoint{Seq: base.SeqNum(r.IntN(top + 3)), Clock: int64(r.IntN(8))})
		}
		now := int64(8)
		older := r.IntN(2) == 0
		h := newHorizon(points, now)
		all := h.distinct(rangedel.New(slices.Clone(tombs)))
		stay := h.remaining(all, func(_, _ []byte) bool { return older })
		out := apply(&h, in, all, stay, older)

		var below []iterator.Entry
		if older {
			below = []iterator.Entry{putEntry("k", "below", 1, 0)}
		}
		before, after := append(slices.Clone(in), below...), append(out, below...)
		left := stay.Tombstones()
		for _, p := range append(slices.Clone(points), base.ReadPoint{Seq: base.SeqMax, Clock: now}, base.ReadPoint{Seq: base.SeqMax, Clock: now + 1}) {
			want, got := read(before, tombs, "k", p), read(after, left, "k", p)
			news := newerThan(before, tombs, "k", p.Seq) && !newerThan(after, left, "k", p.Seq)
			if got != want || news && p.Seq < base.SeqMax {
				t.Fatalf("seed %d round %d: at %v %q, want %q; news lost: %v\nin  %v %v\nout %v %v\npoints %v older %v",
					first, round, p, got, want, news, in, tombs, after, left, points, older)
			}
		}
		if len(points) == 0 && !older && (len(out) > 1 || !stay.Empty()) {
			t.Fatalf("seed %d round %d: nobody reads, and %v %v is left of %v %v", first, round, out, stay, in, tombs)
		}
	}
}

// TestDistinctTombstonesTellReadPointsTheSame plays random tombstones of several
// keys through distinct.
func TestDistinctTombstonesTellReadPointsTheSame(t *testing.T) {
	seed := seed.New(t)
	r := rand.New(rand.NewPCG(seed, 4))
	for round := range 2000 {
		var ts []rangedel.Tombstone
		for i := range r.IntN(8) {
			lo := r.IntN(10)
			hi := lo + r.IntN(10-lo) + 1
			ts = append(ts, rangedel.Tombstone{Start: []byte{'a' + byte(lo)}, End: []byte{'a' + byte(hi)}, Seq: base.SeqNum(2*i + 2)})
		}
		var points []base.ReadPoint
		for range r.IntN(4) {
			points = append(points, base.ReadPoint{Seq: base.SeqNum(r.IntN(20)), Clock: 1})
		}
		h := newHorizon(points, 1)
		all := rangedel.New(slices.Clone(ts))
		part := h.distinct(all)
		at := func() string {
			return fmt.Sprintf("seed %d round %d: %v of %v, read points %v", seed, round, part, all, points)
		}
		if most := 2 * len(ts); len(part.Tombstones()) > max(most, 1) {
			t.Fatalf("more than twice as many; %s", at())
		}
		for k := []byte("a"); k[0] < 'k'; k[0]++ {
			for _, p := range append(slices.Clone(h.seqs), base.SeqMax) {
				if got, want := part.Cover(k, p), all.Cover(k, p); got != want {
					t.Fatalf("over %s at %d is %d, want %d; %s", k, p, got, want, at())
				}
			}
			if got, want := len(part.Covering(k, base.SeqMax)), len(points)+1; got > want {
				t.Fatalf("%d over %s; %s", got, k, at())
			}
			for s := base.SeqNum(1); s < 20; s += 2 { // of a record
				got, want := part.Above(k, s), all.Above(k, s)
				if (got == 0) != (want == 0) || got != 0 && h.reads(s, got) != h.reads(s, want) {
					t.Fatalf("the next above %s#%d is %d, want %d; %s", k, s, got, want, at())
				}
			}
		}
	}
}

// apply decides over each version of a key, newest first.
func apply(h *horizon, in []iterator.Entry, all, stay *rangedel.List, older bool) (out []iterator.Entry) {
	newer := infinity
	for _, e := range in {
		s := surroundings{newer: newer, cover: infinity, under: !stay.Empty(), older: older}
		if above := all.Above([]byte("k"), e.Seq); above > 0 {
			s.cover = above
		}
		newer = e.Seq
		switch h.decide(e.Trailer, s) {
		case kept:
			out = append(out, e)
		case zeroed:
			e.Seq = 0
			out = append(out, e)
		case buried:
			e.Trailer = bury(e.Trailer)
			out = append(out, e)
		}
	}
	return out
}

func TestOlderErrsOnTheSideOfThereMayBe(t *testing.T) {
	o := &Older{}
	o.Add(Span{Lo: []byte("m"), Hi: []byte("p")})
	o.Add(Span{Lo: []byte("c"), Hi: []byte("e"), Exclusive: true})
	o.Add(Span{Lo: []byte("d"), Hi: []byte("g")})
	o.Add(Span{Lo: []byte("x")})
	ask := func(keys string) (got string) {
		for _, k := range keys {
			if o.MayHave([]byte(string(k))) {
				got += string(k)
			}
		}
		return got
	}
	if got := ask("abcdefghlmnopqwxyz"); got != "cdefgmnopxyz" {
		t.Errorf("rising: %s", got)
	}
	if got := ask("zbnahx"); got != "znx" {
		t.Errorf("at random: %s", got)
	}
	for _, c := range []struct {
		lo, hi string
		open   bool
		want   bool
	}{
		{"a", "c", true, false}, {"a", "c", false, true}, {"g", "m", true, true}, {"h", "m", true, false},
		{"h", "m", false, true}, {"q", "w", false, false}, {"q", "", false, true}, {"z", "zz", true, true},
	} {
		s := Span{Lo: []byte(c.lo), Exclusive: c.open}
		if c.hi != "" {
			s.Hi = []byte(c.hi)
		}
		if got := o.Overlaps(s); got != c.want {
			t.Errorf("Overlaps(%v) = %v", s, got)
		}
	}
	var none *Older
	if none.MayHave([]byte("a")) || none.Overlaps(Span{Lo: []byte("a")}) {
		t.Error("nothing is something")
	}
}

func TestOlderOfAMergeIsBehindAllItsInputs(t *testing.T) {
	run := func(age uint64, level uint8, lo, hi string) manifest.Run {
		t := &manifest.Table{Num: base.FileNum(age + 1), Level: level, Run: age}
		t.Smallest, t.Largest = []byte(lo), []byte(hi)
		return manifest.Run{Age: age, Level: level, Tables: []*manifest.Table{t}}
	}
	v := &manifest.Version{Runs: []manifest.Run{run(9, 0, "a", "c"), run(8, 0, "d", "f"), run(7, 0, "g", "i"), run(5, 0, "k", "m"), run(0, lastLevel, "x", "z")}}
	p := newPicker(v, Input{OldestReadSeq: base.SeqMax})
	for _, c := range []struct {
		c    *Compaction
		want string
	}{
		{p.whole(0, 2, 0, ReasonFlushRuns), "gklmxz"}, // a run of the same level is older too
		{p.whole(1, 4, 1, ReasonFlushRuns), "xz"},
		{p.down(2, Span{Lo: []byte("g"), Hi: []byte("y")}, ReasonManual), ""},
		{PlaceFlush(v, Input{}, Span{Lo: []byte("b"), Hi: []byte("y")}, 10, false), "acdfgklmxz"},
	} {
		got, o := "", NewOlder(v, c.c)
		for _, k := range "acdfgklmxz" {
			if o.MayHave([]byte(string(k))) {
				got += string(k)
			}
		}
		if got != c.want {
			t.Errorf("%v: older may have %q, want %q", c.c, got, c.want)
		}
	}
}
