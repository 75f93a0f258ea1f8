package sstable

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/iterator"
)

// benchTable is a table of a million keys of 16 bytes with values of 128, in
// random places, and every block of it in the cache.
type benchTable struct {
	r    *Reader
	keys []uint64
}

const benchKeys = 1_000_000

func benchKey(dst []byte, x uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst[:0], "key-0000"...), x)
}

// writeBenchTable writes the keys, which are sorted.
func writeBenchTable(b *testing.B, w *Writer, sink Sink, keys []uint64) base.TableProperties {
	w.Reset(sink, WriterOptions{ID: testID})
	e := iterator.Entry{Value: make([]byte, 128), Trailer: base.Trailer{Attr: base.MakeAttr(base.KindPut, 1, false)}}
	for _, x := range keys {
		e.Key = benchKey(e.Key, x)
		if err := w.Add(&e); err != nil {
			b.Fatal(err)
		}
	}
	p, err := w.Finish()
	if err != nil {
		b.Fatal(err)
	}
	return p
}

var makeBenchTable = sync.OnceValue(func() benchTable {
	t := benchTable{keys: make([]uint64, benchKeys)}
	for i := range t.keys {
		t.keys[i] = uint64(i) * 0x9E3779B97F4A7C15
	}
	slices.Sort(t.keys)
	var b testing.B
	var file memory
	file.Grow(160 << 20)
	writeBenchTable(&b, NewWriter(&file, WriterOptions{}), &file, t.keys)
	t.r = mustOpen(&b, file.Bytes(), ReaderOptions{Cache: cache.New(1 << 30)})
	it := t.r.NewIter(IterOptions{})
	for e := it.First(); e != nil; e = it.Next() {
	}
	return t
})

func BenchmarkTable(b *testing.B) {
	t := makeBenchTable()
	rng := rand.New(rand.NewPCG(1, 2))
	var key []byte
	b.Run("GetHit", func(b *testing.B) {
		b.ReportAllocs()
		var copied []byte // the caller's copy: what makes the value's bytes come from memory
		for b.Loop() {
			key = benchKey(key, rng.Uint64N(benchKeys)*0x9E3779B97F4A7C15)
			v, _, ok, err := t.r.Get(key, xxhash.Sum64(key), base.SeqMax, nil)
			if !ok || err != nil {
				b.Fatal(ok, err)
			}
			copied = append(copied[:0], v...)
		}
	})
	b.Run("GetMiss", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			key = benchKey(key, (benchKeys+rng.Uint64N(benchKeys))*0x9E3779B97F4A7C15)
			if _, _, ok, err := t.r.Get(key, xxhash.Sum64(key), base.SeqMax, nil); ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
	it := t.r.NewIter(IterOptions{})
	b.Run("SeekGE", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			key = benchKey(key, rng.Uint64())
			it.SeekGE(key, base.SeqMax)
		}
	})
	b.Run("Next", func(b *testing.B) {
		b.ReportAllocs()
		it.First()
		for b.Loop() {
			if it.Next() == nil {
				it.First()
			}
		}
	})
	b.Run("Prev", func(b *testing.B) {
		b.ReportAllocs()
		it.Last()
		for b.Loop() {
			if it.Prev() == nil {
				it.Last()
			}
		}
	})
	b.Run("NextCold", func(b *testing.B) {
		cold := mustOpen(b, tableBytes(t.r), ReaderOptions{}).NewIter(IterOptions{Cold: true})
		b.ReportAllocs()
		cold.First()
		for b.Loop() {
			if cold.Next() == nil {
				cold.First()
			}
		}
	})
	b.Run("Write", func(b *testing.B) {
		w := NewWriter(&discard{}, WriterOptions{})
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			writeBenchTable(b, w, &discard{}, t.keys[:100_000])
			n += 100_000
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/record")
	})
}

// discard is a Sink that forgets.
type discard struct{}

func (*discard) Write(b []byte) (int, error) { return len(b), nil }
func (*discard) Sync() error                 { return nil }
func (*discard) Close() error                { return nil }

// tableBytes reads the whole file of r.
func tableBytes(r *Reader) []byte {
	b := make([]byte, r.size)
	if _, err := r.file.ReadAt(b, 0); err != nil {
		return nil
	}
	return b
}

// BenchmarkTypedGetHit reads elements of many collections: keys that share long
// prefixes and differ behind their eighth byte.
func BenchmarkTypedGetHit(b *testing.B) {
	const ids, members = 1000, 200
	var recs []rec
	for id := range uint64(ids) {
		for m := range members {
			recs = append(recs, put(typedKey(id, m), 1, "a value of an element"))
		}
		recs = append(recs, put(string(benchKey(nil, id)), 1, "a string"))
	}
	file, _ := build(b, WriterOptions{}, recs)
	r := mustOpen(b, file, ReaderOptions{Cache: cache.New(1 << 30)})
	rng := rand.New(rand.NewPCG(1, 2))
	keys := make([][]byte, 1<<14)
	for i := range keys {
		keys[i] = []byte(typedKey(rng.Uint64N(ids), rng.IntN(members)))
	}
	for i := 0; b.Loop(); i++ {
		key := keys[i&(1<<14-1)]
		if _, _, ok, err := r.Get(key, xxhash.Sum64(key), base.SeqMax, nil); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func typedKey(id uint64, member int) string {
	b := binary.BigEndian.AppendUint64([]byte{2}, id)
	return string(append(b, "\x02member-"...)) + string(binary.BigEndian.AppendUint32(nil, uint32(member)))
}
