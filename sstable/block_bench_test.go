package sstable

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
)

// BenchmarkBlock takes one block of a hundred records, in the first cache:
// what encoding, decoding and searching cost without waiting for memory.
func BenchmarkBlock(b *testing.B) {
	const records = 100
	var keys [records][]byte
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range keys {
		keys[i] = benchKey(nil, rng.Uint64())
	}
	slices.SortFunc(keys[:], bytes.Compare)
	var w blockWriter
	var p packer
	p.reset(NoCompression, 0)
	encode := func(buf []byte) []byte {
		w.reset()
		e := iterator.Entry{Trailer: base.Trailer{Attr: base.MakeAttr(base.KindPut, 1, false)}}
		value := make([]byte, 128)
		for _, e.Key = range keys {
			w.add(&e, value, xxhash.Sum64(e.Key), false, false)
		}
		buf, _, err := w.finish(buf[:0], &p)
		if err != nil {
			b.Fatal(err)
		}
		return buf
	}
	sealed := encode(nil)
	var bl block
	if err := decodeBlock(&bl, sealed); err != nil {
		b.Fatal(err)
	}
	b.Run("Encode", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf = encode(buf)
		}
	})
	b.Run("Decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var bl block
			if err := decodeBlock(&bl, sealed); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Find", func(b *testing.B) {
		hashes := [records]uint64{}
		for i, k := range keys {
			hashes[i] = xxhash.Sum64(k)
		}
		for i := 0; b.Loop(); i++ {
			if n := i % records; bl.find(keys[n], hashes[n]) != n {
				b.Fatal(n)
			}
		}
	})
	b.Run("SeekGE", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if n := i % records; bl.seekGE(keys[n], base.SeqMax, false) != n {
				b.Fatal(n)
			}
		}
	})
}

// BenchmarkFilter takes the filter of a million keys, more than caches hold.
func BenchmarkFilter(b *testing.B) {
	const keys, bitsPerKey = 1 << 20, 10
	hashes := make([]uint64, 2*keys)
	var buf [8]byte
	for i := range hashes {
		buf[0], buf[1], buf[2] = byte(i), byte(i>>8), byte(i>>16)
		hashes[i] = xxhash.Sum64(buf[:])
	}
	f := newFilter(nil, hashes[:keys], bitsPerKey, filterProbes(bitsPerKey))
	b.Run("Build", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f = newFilter(f.words, hashes[:keys], bitsPerKey, filterProbes(bitsPerKey))
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/keys, "ns/key")
	})
	b.Run("Present", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if !f.mayContain(hashes[i%keys]) {
				b.Fatal(i)
			}
		}
	})
	b.Run("Missing", func(b *testing.B) {
		wrong := 0
		for i := 0; b.Loop(); i++ {
			if f.mayContain(hashes[keys+i%keys]) {
				wrong++
			}
		}
		b.ReportMetric(100*float64(wrong)/float64(b.N), "%wrong")
	})
}
