package sstable

import (
	"bytes"
	"slices"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
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
