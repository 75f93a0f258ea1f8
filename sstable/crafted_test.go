package sstable

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
)

// crafted calls decode with payload changed in every way of one byte and of four
// bytes that make a length of billions, and cut at every length.
func crafted(payload []byte, decode func(b []byte)) {
	bad := slices.Clone(payload)
	for i, was := range payload {
		for to := range 256 {
			bad[i] = byte(to)
			decode(bad)
		}
		bad[i] = was
		for _, to := range []byte{0x7F, 0x80, 0xFF} {
			copy(bad[i:], []byte{to, to, to, to})
			decode(bad)
			copy(bad[i:], payload[i:min(i+4, len(payload))])
		}
		decode(payload[:i])
	}
}

func TestCraftedIndexNeverLeavesTheDataBlocks(t *testing.T) {
	const dataEnd = 4 * 64
	var w indexWriter
	for i, key := range []string{"collection:1", "collection:1/a/long/tail", "collection:2", "collection:3"} {
		w.add([]byte(key), nil, int64(64*(i+1)), i+1, 5, 0)
	}
	good := pad(w.appendTo(nil), 0)
	if _, err := decodeIndex(good, dataEnd); err != nil {
		t.Fatal(err)
	}
	crafted(good, func(b []byte) {
		x, err := decodeIndex(b, dataEnd)
		if err != nil {
			return
		}
		at := int64(0)
		for i := range x.blocks() {
			offset, length := x.handle(i)
			if offset != at || length < blockHeaderLen+checksumLen || length > dataEnd-offset || length%alignment != 0 {
				t.Fatalf("block %d at %d, %d bytes", i, offset, length)
			}
			if n := x.counts[i] - x.before(i); n == 0 || n > uint64(length)/8 {
				t.Fatalf("block %d of %d bytes has %d records", i, length, n)
			}
			at = offset + length
			key := x.keys.appendKey(nil, i)
			if n := x.search(key); n > i {
				t.Fatalf("separator %d %q is found at %d", i, key, n)
			}
		}
		if at != dataEnd {
			t.Fatalf("blocks end at %d of %d", at, dataEnd)
		}
	})
	for _, ends := range [][]uint64{{0, 128}, {128, 128}, {128, 64}, {64, 1 << 63}, {^uint64(7), 128}, {60, 128}, {64, 192}} {
		w.reset()
		for _, end := range ends {
			w.add([]byte("collection:2"), nil, int64(end), 1, 5, 0)
		}
		if _, err := decodeIndex(pad(w.appendTo(nil), 0), 128); err == nil {
			t.Errorf("blocks that end at %d are accepted in 128 bytes", ends)
		}
	}
}

func TestCraftedSectionsNeitherPanicNorGrow(t *testing.T) {
	ranges := []byte{2, 0, 0, 0}
	for _, d := range tinyRanges() {
		ranges = appendTombstone(ranges, d)
	}
	crafted(pad(ranges, 0), func(b []byte) {
		if l, err := decodeRangeDeletes(b); err == nil && len(l.Tombstones()) > 2 {
			t.Fatalf("two tombstones became %v", l)
		}
	})
	filter := newFilter(nil, []uint64{1, 2, 3}, 10, 6).appendTo(nil, 10, 3)
	crafted(filter, func(b []byte) {
		if f, err := decodeFilter(b); err == nil {
			f.mayContain(0)
			f.mayContain(^uint64(0))
		}
	})
	props := base.TableProperties{Smallest: []byte("a"), Largest: []byte("bcd"), MaxSeq: 9, Puts: 2}
	crafted(pad(appendProperties(nil, &props), 0), func(b []byte) {
		if p, err := decodeProperties(b); err == nil && len(p.Smallest)+len(p.Largest) > len(b) {
			t.Fatalf("%d bytes of bounds in %d", len(p.Smallest)+len(p.Largest), len(b))
		}
	})
}

func TestCraftedBlocksNeitherPanicNorAllocateBeyondTheirSize(t *testing.T) {
	var w blockWriter
	p := packer{}
	for _, c := range []Compression{NoCompression, S2, Zstd} {
		w.reset()
		p.reset(c, 256)
		for _, r := range tinyRecords() {
			r.value += strings.Repeat("x", 40)
			w.add(r.entry(), []byte(r.value), 1<<56, false, false)
		}
		good, _, err := w.finish(nil, &p)
		if err != nil {
			t.Fatal(err)
		}
		crafted(pad(good, 0), func(b []byte) { touchBlock(t, b) })
	}
}

// touchPages reads every value by its page, as far as the pages allow.
func touchPages(b *block) {
	for i := range b.keys.n {
		from, to := b.valueAt(i)
		g, ok := b.pages.find(uint32(from), uint32(to))
		if !ok || b.flags&flagPacked == 0 || g.rawTo > 1<<16 {
			continue
		}
		raw := make([]byte, g.rawTo-g.rawFrom)
		stored := b.packed[g.from:g.to]
		if !g.packed() {
			copy(raw, stored)
		} else if new(unpacker).unpack(raw, stored, b.compression) != nil {
			continue
		}
		_ = raw[uint32(from)-g.rawFrom : uint32(to)-g.rawFrom]
	}
}

// touchBlock decodes payload as an attacker's block that verifies, and reads
// every part of it.
func touchBlock(t *testing.T, payload []byte) {
	b := new(block)
	if decodeBlock(b, payload) != nil {
		return
	}
	touchPages(b)
	if b.packed != nil {
		if uint64(b.rawValues) > freeGrowth+maxGrowth*uint64(len(payload)) {
			t.Fatalf("%d bytes may grow to %d", len(payload), b.rawValues)
		}
		if b.rawValues > 1<<16 {
			return
		}
		if _, err := b.unpackInto(b, nil, new(unpacker)); err != nil {
			return
		}
	}
	for i := range b.keys.n {
		key := b.keys.appendKey(nil, i)
		if at := b.find(key, 1<<56); at >= 0 && !bytes.Equal(b.keys.appendKey(nil, at), key) {
			t.Fatalf("record %d is found at %d, which has another key", i, at)
		}
		b.seekGE(key, b.seq(i), false)
		_, _ = b.value(i), b.trailer(i)
	}
}
