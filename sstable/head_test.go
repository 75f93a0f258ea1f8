package sstable

import (
	"bytes"
	"slices"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
)

// TestADamagedHeadTellsNoKey damages the head of a large record byte by byte, and its
// value: who asks for the key meets the first and not the second.
func TestADamagedHeadTellsNoKey(t *testing.T) {
	value := string(bytes.Repeat([]byte("0123456789abcdef"), aloneFrom/16))
	for _, kind := range []Compression{NoCompression, S2, Zstd} {
		file, _ := build(t, WriterOptions{BlockSize: 4096, Compression: kind}, []rec{put("a", 1, "small"), put("large", 2, value), put("z", 3, "small")})
		r := mustOpen(t, file, ReaderOptions{})
		if !r.index.alone(1) || r.index.blocks() != 3 {
			t.Fatalf("%v: %d blocks, the large record is not alone", kind, r.index.blocks())
		}
		offset, _ := r.index.handle(1)
		n := headLen(len("large"), 0)
		for _, at := range []int{0, 8, 30, 33, 41, n - 1, n, n + checksumLen - 1, n + checksumLen} {
			bad := slices.Clone(file)
			bad[int(offset)+at] ^= 0x10
			it := mustOpen(t, bad, ReaderOptions{}).NewIter(IterOptions{KeysOnly: true})
			e := it.SeekGE([]byte("large"), base.SeqMax)
			if at < n+checksumLen {
				wantCorrupt(t, kind.String(), it.Err())
			} else if e == nil || string(e.Key) != "large" || e.Seq != 2 || e.Value != nil {
				t.Errorf("%v: damage of the value hides the key: %v, %v", kind, e, it.Err())
			}
		}
		if err := r.Verify(nothing); err != nil {
			t.Errorf("%v: %v", kind, err)
		}
	}
}

// TestWalksWithinBoundsMissNothing walks a table whose every third record is a large
// one, within all bounds and in both directions: records outside may be met, and none
// inside is missed.
func TestWalksWithinBoundsMissNothing(t *testing.T) {
	large := string(make([]byte, aloneFrom))
	var recs []rec
	var probes [][]byte
	for i := range 9 {
		key, value := string(rune('b'+2*i)), "small"
		if i%3 == 2 {
			value = large
		}
		recs = append(recs, put(key, base.SeqNum(i+1), value))
		probes = append(probes, []byte(key), []byte{key[0] + 1})
	}
	file, _ := build(t, WriterOptions{BlockSize: 64, Compression: NoCompression}, recs)
	r := mustOpen(t, file, ReaderOptions{})
	for i, lower := range probes {
		for _, upper := range probes[i:] {
			var want []byte
			for _, rec := range recs {
				if rec.key >= string(lower) && rec.key < string(upper) {
					want = append(want, rec.key[0])
				}
			}
			backwards := slices.Clone(want)
			slices.Reverse(backwards)
			it := r.NewIter(IterOptions{Lower: lower, Upper: upper, KeysOnly: len(want)%2 == 0})
			met := func(e *iterator.Entry, next func() *iterator.Entry) (keys []byte) {
				for ; e != nil; e = next() {
					if bytes.Compare(e.Key, lower) >= 0 && bytes.Compare(e.Key, upper) < 0 {
						keys = append(keys, e.Key[0])
					}
				}
				return keys
			}
			for name, got := range map[string][2][]byte{
				"SeekGE": {met(it.SeekGE(lower, base.SeqMax), it.Next), want},
				"First":  {met(it.First(), it.Next), want},
				"SeekLT": {met(it.SeekLT(upper), it.Prev), backwards},
				"behind": {met(it.SeekLT([]byte("zz")), it.Prev), backwards},
				"Last":   {met(it.Last(), it.Prev), backwards},
			} {
				if !bytes.Equal(got[0], got[1]) {
					t.Errorf("%s in [%s, %s): %q, want %q", name, lower, upper, got[0], got[1])
				}
			}
		}
	}
}
