package sstable

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/seed"
)

// TestEveryRecordIsFoundByItsNumber draws tables of all kinds of blocks, and reads
// their records by number: with and without a cache, before and after others have
// cached the blocks in any of their forms.
func TestEveryRecordIsFoundByItsNumber(t *testing.T) {
	first := seed.New(t)
	for round := range 24 {
		rng := rand.New(rand.NewPCG(first, uint64(round)))
		recs := randomRecords(rng, 1+rng.IntN(900))
		if round%4 == 0 {
			recs = append(recs, put("~large", 1, strings.Repeat("v", 2*aloneFrom)))
		}
		file, _ := build(t, WriterOptions{Compression: Compression(1 + round%3), BlockSize: []int{1, 256, 4096}[round%3]}, recs)
		var o ReaderOptions
		if round%2 == 0 {
			o.Cache = cache.New(int64(rng.IntN(1 << 20)))
		}
		r := mustOpen(t, file, o)
		for range 2 * len(recs) {
			n := rng.IntN(len(recs))
			key, tr, err := r.AppendNumbered([]byte("in front "), uint64(n))
			if want := recs[n]; err != nil || string(key) != "in front "+want.key || tr != want.Trailer {
				t.Fatalf("round %d: record %d is %q %v, %v, want %v", round, n, key, tr, err, want)
			}
			if rng.IntN(8) == 0 {
				if _, _, err := r.getString(recs[n].key, base.SeqMax); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, n := range []uint64{uint64(len(recs)), 1 << 40, ^uint64(0)} {
			_, _, err := r.AppendNumbered(nil, n)
			wantCorrupt(t, fmt.Sprintf("round %d: record %d of %d", round, n, len(recs)), err)
		}
		r.Close()
	}
}

func TestNumbersOfARangeHaveAllItsRecordsAndFewOthers(t *testing.T) {
	rng := rand.New(rand.NewPCG(seed.New(t), 1))
	recs := randomRecords(rng, 800)
	file, _ := build(t, WriterOptions{BlockSize: 256}, recs)
	r := mustOpen(t, file, ReaderOptions{})
	most := uint64(0) // in a block
	for i := range r.index.blocks() {
		most = max(most, r.index.counts[i]-r.index.before(i))
	}
	for round := range 500 {
		lo, hi := []byte(randomKey(rng)), []byte(randomKey(rng))
		if string(lo) > string(hi) {
			lo, hi = hi, lo
		}
		if round%5 == 0 {
			hi = nil
		}
		from, to := r.NumbersWithin(lo, hi)
		within := uint64(0)
		for i, rec := range recs {
			if rec.key < string(lo) || hi != nil && rec.key >= string(hi) {
				continue
			}
			if within++; uint64(i) < from || uint64(i) >= to {
				t.Fatalf("[%q, %q): record %d %q is not in [%d, %d)", lo, hi, i, rec.key, from, to)
			}
		}
		if to-from > within+2*most {
			t.Errorf("[%q, %q): %d records are in [%d, %d)", lo, hi, within, from, to)
		}
	}
	if from, to := r.NumbersWithin([]byte(recs[len(recs)-1].key+"\x00"), nil); from != to {
		t.Errorf("behind all keys are [%d, %d)", from, to)
	}
}

func TestABlockOfOtherThanTheCountedRecordsIsDamage(t *testing.T) {
	recs := []rec{put("a", 1, "v"), put("b", 2, "v"), put("c", 3, strings.Repeat("v", aloneFrom))}
	file, _ := build(t, WriterOptions{}, recs)
	for _, counts := range [][]uint64{{1, 3}, {2, 4}} {
		r := mustOpen(t, slices.Clone(file), ReaderOptions{})
		if r.index.blocks() != len(counts) {
			t.Fatalf("%d blocks", r.index.blocks())
		}
		r.index.counts = counts
		last := counts[len(counts)-1] - 1
		_, _, err := r.AppendNumbered(nil, last)
		wantCorrupt(t, fmt.Sprintf("record %d of %v", last, counts), err)
	}
}

func TestKeysAAndANulAreTwo(t *testing.T) {
	var recs []rec
	for n := range 24 {
		recs = append(recs, put("a"+strings.Repeat("\x00", n), 1, fmt.Sprint(n)))
		recs = append(recs, put("b1234567"+strings.Repeat("\x00", n), 1, fmt.Sprint(n)))
	}
	for _, blockSize := range []int{1, 64, 16384} {
		file, _ := build(t, WriterOptions{BlockSize: blockSize}, recs)
		r := mustOpen(t, file, ReaderOptions{})
		if err := answers(t, r, recs, ""); err != nil {
			t.Fatal(err)
		}
		it := r.NewIter(IterOptions{})
		for i, want := range recs {
			if e := it.SeekGE([]byte(want.key), base.SeqMax); !sameEntry(e, want, false) {
				t.Fatalf("SeekGE(%q) = %v", want.key, e)
			}
			if e := it.SeekLT([]byte(want.key)); i > 0 && !sameEntry(e, recs[i-1], false) || i == 0 && e != nil {
				t.Fatalf("SeekLT(%q) = %v", want.key, e)
			}
		}
		if _, ok, err := r.getString("a"+strings.Repeat("\x00", 24), base.SeqMax); ok || err != nil {
			t.Fatalf("one zero more is found: %v", err)
		}
	}
}

func TestSeeksTellKeysApartThatBeginWithTheHighestBytes(t *testing.T) {
	const high = "\xff\xff\xff\xff\xff\xff\xff\xff" // the highest prefix of a block's column
	recs := []rec{put("a", 1, "")}
	for _, end := range []string{"", "b", "d", "f", "\xff"} {
		recs = append(recs, put(high+end, 1, ""))
	}
	file, _ := build(t, WriterOptions{}, recs)
	r := mustOpen(t, file, ReaderOptions{})
	checkWalks(t, "high bytes", r, recs, IterOptions{})
	it := r.NewIter(IterOptions{})
	defer it.Close()
	for _, end := range []string{"", "a", "b", "c", "d", "e", "f", "g", "\xff", "\xff\xff"} {
		key := high + end
		i, _ := slices.BinarySearchFunc(recs, key, func(r rec, key string) int { return strings.Compare(r.key, key) })
		e := it.SeekGE([]byte(key), base.SeqMax)
		if i == len(recs) != (e == nil) || e != nil && string(e.Key) != recs[i].key {
			t.Errorf("the seek to %q found %v, want record %d of %d", key, e, i, len(recs))
		}
		if e := it.SeekLT([]byte(key)); e == nil || string(e.Key) != recs[i-1].key {
			t.Errorf("the seek below %q found %v, want record %d", key, e, i-1)
		}
	}
}
