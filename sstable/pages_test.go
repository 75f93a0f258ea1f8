package sstable

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
)

// pagedTable has blocks of four pages; every eighth record is special: empty, a
// tombstone, one that expires, one of many versions.
func pagedTable(t testing.TB, blocks int) ([]byte, []rec) {
	t.Helper()
	var recs []rec
	for i := range blocks * 40 {
		r := put(fmt.Sprintf("key-%06d", i), 9, strings.Repeat(fmt.Sprint(i, " "), 20))
		switch i % 32 {
		case 0:
			r.value = ""
		case 8:
			r = del(r.key, 9)
		case 16:
			r.Expiry, r.Attr = 1000, base.MakeAttr(base.KindPut, 1, true)
		case 24:
			recs = append(recs, put(r.key, 4, "older "+r.value))
		}
		recs = append(recs, r)
	}
	file, _ := build(t, WriterOptions{BlockSize: 4096, Compression: S2}, recs)
	return file, recs
}

// keysOnlyRoom opens the table with a cache that is full before all its blocks are
// there, but has room for all their keys, and reads until they are.
func keysOnlyRoom(t testing.TB, file []byte, recs []rec) (*counting, *Reader) {
	t.Helper()
	f := &counting{ReaderAt: bytes.NewReader(file)}
	c := cache.New(0)
	r, err := Open(f, int64(len(file)), ReaderOptions{Name: "000001.sst", Cache: c})
	if err != nil {
		t.Fatal(err)
	}
	c.Release(64<<10 + int64(r.index.blocks())*1200 + r.MemoryBytes())
	for range 20 {
		for i := 0; i < len(recs); i += 10 {
			getOnLoan(t, r, recs[i].key, base.SeqMax)
		}
	}
	alone := 0
	for i := range r.slots {
		if e := r.slots[i].Peek(); e != nil && blockOf(e).values == nil {
			alone++
		}
	}
	if alone < len(r.slots)/2 {
		t.Fatalf("of %d blocks the cache has the keys of %d alone", len(r.slots), alone)
	}
	f.reads, f.bytes = 0, 0
	return f, r
}

func getOnLoan(t testing.TB, r *Reader, key string, seq base.SeqNum) (rec, bool) {
	t.Helper()
	var l Loan
	v, tr, ok, err := r.Get([]byte(key), xxhash.Sum64String(key), seq, &l)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Return()
	return rec{key, string(v), tr}, ok
}

func TestReadOfOneValueReadsOnePage(t *testing.T) {
	file, recs := pagedTable(t, 64)
	f, r := keysOnlyRoom(t, file, recs)
	for _, want := range recs {
		for _, seq := range []base.SeqNum{base.SeqMax, want.Seq, want.Seq - 1} {
			model, has := modelGet(recs, want.key, seq)
			if got, ok := getOnLoan(t, r, want.key, seq); ok != has || ok && got != model {
				t.Fatalf("Get(%s, %d) is %v, %v; want %v, %v", want.key, seq, got, ok, model, has)
			}
		}
	}
	offset, _ := r.index.handle(r.index.blocks() - 1)
	if f.bytes/f.reads > int(offset)/r.index.blocks()/2 {
		t.Errorf("a read of the file is of %d bytes, blocks have %d", f.bytes/f.reads, int(offset)/r.index.blocks())
	}
}

func TestReadOfOnePageAllocatesNothing(t *testing.T) {
	file, recs := pagedTable(t, 64)
	f, r := keysOnlyRoom(t, file, recs)
	i := 0
	if n := testing.AllocsPerRun(500, func() {
		i = (i + 11) % len(recs)
		var l Loan
		_, _, _, _ = r.Get([]byte(recs[i].key), xxhash.Sum64String(recs[i].key), base.SeqMax, &l)
		l.Return()
	}); n > 3 { // now and then keys are stored in the cache, and the key is made here
		t.Errorf("%v allocations a read", n)
	}
	if f.reads == 0 {
		t.Error("nothing was read from the file")
	}
}

func TestDamagedPageIsReportedAndNeverAnsweredFrom(t *testing.T) {
	file, recs := pagedTable(t, 8)
	file = slices.Clone(file)
	_, r := keysOnlyRoom(t, file, recs) // reads from file as it is now
	reported := 0
	for at := 0; at < len(file); at += 3 {
		was := file[at]
		file[at] ^= 0x10
		for i := range recs {
			if i%7 != at%7 {
				continue
			}
			var l Loan
			v, tr, ok, err := r.Get([]byte(recs[i].key), xxhash.Sum64String(recs[i].key), recs[i].Seq, &l)
			if err != nil {
				wantCorrupt(t, fmt.Sprintf("byte %d", at), err)
				reported++
			} else if got := (rec{recs[i].key, string(v), tr}); !ok || got != recs[i] {
				t.Fatalf("with byte %d damaged %v is %v", at, recs[i], got)
			}
			l.Return()
		}
		file[at] = was
	}
	if reported == 0 {
		t.Error("no damage was met")
	}
}

// reseal makes the checksum of data block i fit again.
func reseal(r *Reader, file []byte, i int) {
	offset, length := r.index.handle(i)
	b := file[offset : offset+length]
	binary.LittleEndian.PutUint64(b[len(b)-checksumLen:], checksum(b[:len(b)-checksumLen], r.id, offset, sectionData))
}

func TestVerifyChecksThePagesOwnChecksums(t *testing.T) {
	file, _ := pagedTable(t, 2)
	r := mustOpen(t, file, ReaderOptions{})
	var b block
	offset, length := r.index.handle(0)
	if err := r.decode(&b, file[offset:offset+length], 0); err != nil || b.pages.len() < 2 {
		t.Fatalf("%d pages, %v", b.pages.len(), err)
	}
	b.pages.directory[8] ^= 1 // it points into file
	reseal(r, file, 0)
	wantCorrupt(t, "Verify", r.Verify(nothing))
	b.pages.directory[8] ^= 1
	reseal(r, file, 0)
	if err := r.Verify(nothing); err != nil {
		t.Fatal(err)
	}
}

func TestOnlyTablesWithPagesHaveTheNewerFormat(t *testing.T) {
	paged, _ := pagedTable(t, 2)
	plain, _ := build(t, WriterOptions{BlockSize: 4096}, tinyRecords())
	for want, file := range map[byte][]byte{plainVersion: plain, formatVersion: paged} {
		if got := file[len(file)-footerLen+40]; got != want {
			t.Errorf("format %d, want %d", got, want)
		}
		mustOpen(t, file, ReaderOptions{})
	}
	for _, c := range []Compression{NoCompression, Zstd} {
		file, _ := wideTable(t, c)
		if r := mustOpen(t, file, ReaderOptions{}); r.index.blockFlags(0)&flagPaged != 0 {
			t.Errorf("%v: the values stand in pages", c)
		}
	}
}

func TestPagesHoldWholeValuesAndAllOfThem(t *testing.T) {
	for _, ends := range [][]uint32{{1}, {0, 0, 0}, {5, 9, 100}, {100, 101, 102}, {10, 20, 30, 40, 50}, {10, 10, 10, 60, 60}} {
		for size := uint32(1); size < 64; size++ {
			cut := cutPages(nil, ends, size)
			if len(cut) == 0 {
				continue
			}
			last := uint32(0)
			for _, end := range cut {
				if end <= last || !slices.Contains(ends, end) {
					t.Fatalf("pages of %d of values that end at %v end at %v", size, ends, cut)
				}
				last = end
			}
			if len(cut) == 1 || last != ends[len(ends)-1] {
				t.Fatalf("pages of %d of values that end at %v end at %v", size, ends, cut)
			}
		}
	}
}

// crowded opens the table with a cache that others have filled, so that it gets rows.
func crowded(t *testing.T, file []byte) (*counting, *cache.Cache, *Reader) {
	t.Helper()
	f := &counting{ReaderAt: bytes.NewReader(file)}
	c := cache.New(0)
	r, err := Open(f, int64(len(file)), ReaderOptions{Name: "000001.sst", Cache: c})
	if err != nil {
		t.Fatal(err)
	}
	c.Release(8<<20 + r.MemoryBytes())
	others := make([]cache.Slot, 1024)
	for i := range others {
		c.Store(&others[i], new(cache.Entry), 8<<10, true)
	}
	return f, c, r
}

func TestOlderVersionIsNotKeptAsRow(t *testing.T) {
	file, recs := pagedTable(t, 200)
	_, c, r := crowded(t, file)
	for range 5 {
		for _, old := range recs {
			if old.Seq != 4 {
				continue
			}
			if got, ok := getOnLoan(t, r, old.key, 4); !ok || got != old {
				t.Fatalf("%v is %v, %v", old, got, ok)
			}
		}
	}
	if c.Rows() == nil {
		t.Fatal("the cache has no rows")
	}
	for _, old := range recs {
		want, _ := modelGet(recs, old.key, base.SeqMax)
		if got, ok := getOnLoan(t, r, old.key, base.SeqMax); !ok || got != want {
			t.Fatalf("%v is %v, %v", want, got, ok)
		}
	}
}

func TestRowOftenAskedForIsNotReadFromTheFile(t *testing.T) {
	file, recs := pagedTable(t, 200)
	f, c, r := crowded(t, file)
	hot := slices.Clone(recs[:40])
	for range 4 {
		for _, h := range hot {
			getOnLoan(t, r, h.key, base.SeqMax)
		}
	}
	if c.Metrics().Rows == 0 {
		t.Fatal("the cache has no rows")
	}
	f.reads = 0
	for _, h := range hot {
		want, _ := modelGet(recs, h.key, base.SeqMax)
		if got, ok := getOnLoan(t, r, h.key, base.SeqMax); !ok || got != want {
			t.Fatalf("%v is %v, %v", want, got, ok)
		}
	}
	if f.reads > 2 {
		t.Errorf("%d reads for %d rows", f.reads, len(hot))
	}
	f.reads = 0
	older, _ := modelGet(recs, recs[24].key, 4)
	if got, ok := getOnLoan(t, r, older.key, 4); !ok || got != older || f.reads == 0 {
		t.Errorf("the older version is %v, %v after %d reads; want %v", got, ok, f.reads, older)
	}
	key := []byte(hot[1].key)
	hash := xxhash.Sum64(key)
	if n := testing.AllocsPerRun(100, func() {
		var l Loan
		_, _, _, _ = r.Get(key, hash, base.SeqMax, &l)
		l.Return()
	}); n > 0.5 { // the pool may be emptied meanwhile
		t.Errorf("a row allocates %v times", n)
	}
}
