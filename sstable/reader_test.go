package sstable

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
)

func TestVersionsOfAKeyContinueIntoTheNextBlocks(t *testing.T) {
	recs := []rec{put("a", 3, "a"), put("z", 5, "z")}
	for seq := range base.SeqNum(1000) {
		recs = append(recs, put("key", 10+2*seq, fmt.Sprint("version ", 10+2*seq)))
	}
	file, _ := build(t, WriterOptions{BlockSize: 256}, recs)
	r := mustOpen(t, file, ReaderOptions{Cache: cache.New(1 << 20)})
	if err := r.Verify(nothing); err != nil {
		t.Fatal(err)
	}
	it := r.NewIter(IterOptions{})
	for seq := range base.SeqNum(2020) {
		want, wantOK := modelGet(recs, "key", seq)
		got, ok, err := r.getString("key", seq)
		if err != nil || ok != wantOK || got != want && ok {
			t.Fatalf("Get at %d: %v, %v, %v", seq, got, ok, err)
		}
		if !wantOK {
			want = put("z", 5, "z")
		}
		if e := it.SeekGE([]byte("key"), seq); !sameEntry(e, want, false) {
			t.Fatalf("SeekGE at %d: %v", seq, e)
		}
	}
	for e := it.First(); e != nil; e = it.Next() {
		if run, _ := it.Block(); run.Plain && string(e.Key) == "key" {
			t.Fatalf("a block with versions of one key calls itself plain")
		}
	}
}

func TestKeyLengthsAtTheLimits(t *testing.T) {
	for _, n := range []int{1, 7, 8, 9, 255, 256, 257, 65534, 65535, 65536, base.MaxRowKeyLen - 1, base.MaxRowKeyLen} {
		long := strings.Repeat("k", n)
		recs := []rec{put("A", 1, "first"), put(long, 1, "long"), put(long[:n-1]+"l", 1, "other"), put("z", 1, "last")}
		file, _ := build(t, WriterOptions{BlockSize: 1 << 20}, recs)
		r := mustOpen(t, file, ReaderOptions{})
		if err := answers(t, r, recs, ""); err != nil {
			t.Fatalf("%d: %v", n, err)
		}
		if err := r.Verify(nothing); err != nil {
			t.Fatalf("%d: %v", n, err)
		}
	}
}

func TestFilterHasNoFalseNegativesAndFewFalsePositives(t *testing.T) {
	const keys = 100_000
	for _, c := range []struct {
		bits int
		most float64 // percent
	}{{5, 12}, {10, 1.2}, {16, 0.2}} {
		var hashes []uint64
		for i := range keys {
			hashes = append(hashes, xxhash.Sum64String(fmt.Sprintf("user:%d", i)))
		}
		f := newFilter(nil, hashes, c.bits, filterProbes(c.bits))
		encoded := f.appendTo(nil, c.bits, keys)
		f, err := decodeFilter(encoded)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range hashes {
			if !f.mayContain(h) {
				t.Fatal("the filter denies a key it was given")
			}
		}
		wrong := 0
		for i := range keys {
			if f.mayContain(xxhash.Sum64String(fmt.Sprintf("member:%d", i))) {
				wrong++
			}
		}
		rate := 100 * float64(wrong) / keys
		t.Logf("%d bits per key: %.2f %% false positives", c.bits, rate)
		if rate > c.most {
			t.Errorf("%d bits per key: %.2f %% false positives, want at most %.1f", c.bits, rate, c.most)
		}
	}
}

func TestSeparatorsPartBlocksAndStayShort(t *testing.T) {
	for _, c := range []struct{ last, next, want string }{
		{"abcdef", "abzzzz", "abz"},
		{"abcdef", "abd", "abcdef"},
		{"ab", "abc", "ab"},
		{"ab", "ab", "ab"},
		{"a", "bcd", "a"},
		{"user:1999", "user:2000", "user:2"},
		{"last", "", "last"},
	} {
		next := []byte(c.next)
		if c.next == "" {
			next = nil
		}
		if got := string(appendSeparator(nil, []byte(c.last), next)); got != c.want {
			t.Errorf("between %q and %q: %q, want %q", c.last, c.next, got, c.want)
		}
	}
}

// counting counts the reads of a file and can be told to fail.
type counting struct {
	io.ReaderAt
	reads, bytes int
	fail         error
}

func (c *counting) ReadAt(b []byte, off int64) (int, error) {
	if c.fail != nil {
		return 0, c.fail
	}
	c.reads++
	c.bytes += len(b)
	return c.ReaderAt.ReadAt(b, off)
}

// wideTable has 64 blocks of about 4 KiB.
func wideTable(t testing.TB, c Compression) ([]byte, []rec) {
	var recs []rec
	for i := range 2560 {
		recs = append(recs, put(fmt.Sprintf("key-%06d", i), 1, strings.Repeat("value ", 16)))
	}
	file, _ := build(t, WriterOptions{BlockSize: 4096, Compression: c}, recs)
	return file, recs
}

func TestReadsOfTheFileAreFewAndLarge(t *testing.T) {
	file, recs := wideTable(t, NoCompression)
	open := func(limit int64) (*counting, *Reader) {
		f := &counting{ReaderAt: bytes.NewReader(file)}
		r, err := Open(f, int64(len(file)), ReaderOptions{Name: "000001.sst", Cache: cache.New(limit)})
		if err != nil {
			t.Fatal(err)
		}
		if f.reads > 2 {
			t.Errorf("Open took %d reads", f.reads)
		}
		f.reads, f.bytes = 0, 0
		return f, r
	}
	walk := func(it *Iter) {
		n := 0
		for e := it.First(); e != nil; e = it.Next() {
			n++
		}
		if n != len(recs) || it.Err() != nil {
			t.Fatalf("%d records, %v", n, it.Err())
		}
	}

	f, r := open(1 << 20)
	it := r.NewIter(IterOptions{})
	if f.reads != 0 {
		t.Error("an iterator reads before it is positioned")
	}
	walk(it)
	if f.reads > 8 {
		t.Errorf("a scan of %d blocks took %d reads", r.index.blocks(), f.reads)
	}
	f.reads = 0
	walk(it)
	if f.reads != 0 {
		t.Errorf("a second scan of cached blocks took %d reads", f.reads)
	}

	f, r = open(1 << 20)
	walk(r.NewIter(IterOptions{Cold: true}))
	if m := r.o.Cache.Metrics(); m.Blocks != 0 {
		t.Errorf("a cold scan left %d blocks in the cache", m.Blocks)
	}
	if f.reads > 1+len(file)/coldAhead {
		t.Errorf("a cold scan took %d reads for %d bytes", f.reads, len(file))
	}
	it = r.NewIter(IterOptions{Cold: true})
	f.reads = 0
	for e := it.Last(); e != nil; e = it.Prev() {
	}
	if f.reads > 2+len(file)/coldAhead {
		t.Errorf("a cold scan backward took %d reads", f.reads)
	}

	f, r = open(1 << 20)
	for range 3 {
		if _, ok, err := r.getString("key-001000", base.SeqMax); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if _, length := r.index.handle(0); f.reads != 1 || f.bytes > 2*int(length) {
		t.Errorf("three reads of a key took %d reads of %d bytes", f.reads, f.bytes)
	}
}

func TestKeysOnlyLeavesValuesPackedForTheNextGet(t *testing.T) {
	file, recs := wideTable(t, S2)
	c := cache.New(4 << 20)
	r := mustOpen(t, file, ReaderOptions{Cache: c})
	it := r.NewIter(IterOptions{KeysOnly: true})
	for e := it.First(); e != nil; e = it.Next() {
	}
	for i := range r.slots {
		if b := blockOf(r.slots[i].Peek()); b.values != nil || b.packed == nil {
			t.Fatal("a scan of keys decompressed values")
		}
	}
	packed := c.Metrics().Bytes
	if err := answers(t, r, recs, ""); err != nil {
		t.Fatal(err)
	}
	if m := c.Metrics(); m.Bytes <= packed || m.Blocks != int64(r.index.blocks()) {
		t.Fatalf("after reading values: %+v", m)
	}
}

func TestIncompressibleValuesAreStoredAsTheyAre(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var recs []rec
	size := 0
	for i := range 500 {
		v := make([]byte, 200)
		for j := range v {
			v[j] = byte(rng.Uint32())
		}
		size += len(v)
		recs = append(recs, put(fmt.Sprintf("%04d", i), 1, string(v)))
	}
	for _, c := range []Compression{S2, Zstd} {
		file, _ := build(t, WriterOptions{Compression: c}, recs)
		r := mustOpen(t, file, ReaderOptions{})
		for i := range r.index.blocks() {
			if r.index.blockFlags(i)&flagPacked != 0 {
				t.Fatalf("%v: block %d is compressed", c, i)
			}
		}
	}
}

func TestReadErrorsAreReturnedAndNotCorruption(t *testing.T) {
	file, _ := wideTable(t, NoCompression)
	broken := errors.New("input/output error")
	check := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, broken) || errors.Is(err, base.ErrCorruption) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, o := range []IterOptions{{}, {Cold: true}} {
		f := &counting{ReaderAt: bytes.NewReader(file)}
		r, err := Open(f, int64(len(file)), ReaderOptions{Name: "000001.sst", Cache: cache.New(1 << 20)})
		if err != nil {
			t.Fatal(err)
		}
		f.fail = broken
		_, _, err = r.getString("key-000001", base.SeqMax)
		check("Get", err)
		check("Verify", r.Verify(nothing))
		it := r.NewIter(o)
		if it.First() != nil || it.Next() != nil || it.Prev() != nil {
			t.Error("an iterator that could not read stands on an entry")
		}
		check("First", it.Err())
		f.fail = nil
		if it.First() == nil || it.Err() != nil {
			t.Errorf("after the fault: %v", it.Err())
		}
	}
}

func TestVerifyStopsWhenYieldSaysSo(t *testing.T) {
	file, _ := wideTable(t, NoCompression)
	r := mustOpen(t, file, ReaderOptions{})
	enough := errors.New("enough")
	total, calls := 0, 0
	if err := r.Verify(func(n int) error { total += n; calls++; return nil }); err != nil || total != len(file) {
		t.Fatalf("%d of %d bytes, %v", total, len(file), err)
	}
	if err := r.Verify(func(int) error { return enough }); err != enough {
		t.Fatalf("got %v", err)
	}
}

func TestVerifyFindsWhatChecksumsDoNot(t *testing.T) {
	recs := tinyRecords()
	for i := range 200 {
		recs = append(recs, put(fmt.Sprintf("w%04d", i), 20, "value"))
	}
	recs = append(recs, put("z", 31, "new"), put("z", 30, "old"))
	for name, c := range map[string]struct {
		spoil func(w *Writer)
		want  error
	}{
		"filter without a key":   {func(w *Writer) { w.hashes = w.hashes[:2] }, errVerifyFilter},
		"wrong tag":              {func(w *Writer) { w.block.tags[0]++ }, errVerifyTag},
		"missing flag":           {func(w *Writer) { w.block.flags &^= flagTombstone; w.block.flags |= flagMetadata }, errVerifyFlags},
		"wrong sum of bytes":     {func(w *Writer) { w.props.KeyBytes-- }, errVerifyProperties},
		"wrong count":            {func(w *Writer) { w.props.Puts-- }, errPropertyCounts},
		"wrong largest sequence": {func(w *Writer) { w.block.maxSeq++ }, errVerifyFlags},
		"keys out of order":      {func(w *Writer) { copy(w.block.keys, "zzzzz") }, nil},
		"versions out of order": {func(w *Writer) {
			n := len(w.block.seqs)
			w.block.seqs[n-1], w.block.seqs[n-2] = w.block.seqs[n-2], w.block.seqs[n-1]
		}, errVerifyOrder},
		"separator below its block": {func(w *Writer) { w.index.keys[0] = 'a' }, errVerifySeparator},
	} {
		var file memory
		w := NewWriter(&file, WriterOptions{BlockSize: 600, ID: testID})
		slices.SortFunc(recs, compareRec)
		for _, r := range recs {
			if err := w.Add(r.entry()); err != nil {
				t.Fatal(err)
			}
		}
		c.spoil(w)
		if _, err := w.Finish(); err != nil {
			t.Fatal(err)
		}
		r, err := openBytes(file.Bytes(), ReaderOptions{})
		if err == nil {
			err = r.Verify(nothing)
		}
		wantCorrupt(t, name, err)
		if c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestApproximateOffsetRisesWithKeys(t *testing.T) {
	file, recs := wideTable(t, NoCompression)
	r := mustOpen(t, file, ReaderOptions{})
	last := int64(-1)
	for _, rc := range recs {
		at := r.ApproximateOffset([]byte(rc.key))
		if at < last {
			t.Fatalf("offset of %q is %d, below %d", rc.key, at, last)
		}
		last = at
	}
	end := r.ApproximateOffset([]byte("z"))
	if r.ApproximateOffset(nil) != 0 || end <= last || end > int64(len(file)) {
		t.Fatalf("ends at %d, last %d, file %d", end, last, len(file))
	}
}

func TestValuesOutliveTheReaderAndTheCache(t *testing.T) {
	file, recs := wideTable(t, S2)
	c := cache.New(64 << 10)
	r := mustOpen(t, file, ReaderOptions{Cache: c})
	kept := map[string][]byte{}
	for _, rc := range recs {
		v, _, ok, err := r.Get([]byte(rc.key), xxhash.Sum64String(rc.key), base.SeqMax, nil)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		kept[rc.key] = v
	}
	if c.Metrics().Evictions == 0 {
		t.Fatal("the test needs a cache that evicts")
	}
	r.Close()
	r.Close()
	for _, rc := range recs {
		if string(kept[rc.key]) != rc.value {
			t.Fatalf("the value of %q changed under its holder", rc.key)
		}
	}
}

func TestAppendingToALentValueDoesNotTouchTheBlock(t *testing.T) {
	file, recs := wideTable(t, NoCompression)
	r := mustOpen(t, file, ReaderOptions{Cache: cache.New(1 << 20)})
	v, _, _, err := r.Get([]byte(recs[0].key), xxhash.Sum64String(recs[0].key), base.SeqMax, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(v, "overwrite"...)
	if got, _, _ := r.getString(recs[1].key, base.SeqMax); got.value != recs[1].value {
		t.Fatalf("the neighbour's value is %q", got.value)
	}
}

func TestConcurrentReadersOfOneTable(t *testing.T) {
	file, recs := wideTable(t, S2)
	r := mustOpen(t, file, ReaderOptions{Cache: cache.New(100 << 10)})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 3))
			it := r.NewIter(IterOptions{KeysOnly: g == 1, Cold: g == 2})
			for range 400 {
				want := recs[rng.IntN(len(recs))]
				if got, ok, err := r.getString(want.key, base.SeqMax); !ok || err != nil || got != want {
					t.Errorf("Get %v: %v, %v, %v", want, got, ok, err)
				}
				e := it.SeekGE([]byte(want.key), base.SeqMax)
				if !sameEntry(e, want, g == 1) {
					t.Errorf("SeekGE %v: %v", want, e)
				}
				for range rng.IntN(200) {
					if it.Next() == nil {
						break
					}
				}
			}
		})
	}
	wg.Wait()
	if m := r.o.Cache.Metrics(); m.Bytes+m.Reserved > m.Limit || m.Misses == 0 {
		t.Fatalf("%+v", m)
	}
}

func TestWarmReadsAllocateNothing(t *testing.T) {
	for _, c := range []Compression{NoCompression, S2} {
		file, recs := wideTable(t, c)
		r := mustOpen(t, file, ReaderOptions{Cache: cache.New(64 << 20)})
		if err := answers(t, r, recs, ""); err != nil {
			t.Fatal(err)
		}
		key, absent := []byte(recs[777].key), []byte("key-absent")
		hash, absentHash := xxhash.Sum64(key), xxhash.Sum64(absent)
		it := r.NewIter(IterOptions{})
		it.First()
		for name, f := range map[string]func(){
			"Get":        func() { r.Get(key, hash, base.SeqMax, nil) },
			"Get absent": func() { r.Get(absent, absentHash, base.SeqMax, nil) },
			"SeekGE":     func() { it.SeekGE(key, base.SeqMax) },
			"SeekLT":     func() { it.SeekLT(key) },
			"Run":        func() { it.Block() },
			"Next over blocks": func() {
				it.First()
				for range 300 {
					it.Next()
				}
			},
			"Prev over blocks": func() {
				it.Last()
				for range 300 {
					it.Prev()
				}
			},
			"Init": func() { it.Init(r, IterOptions{}); it.First() },
		} {
			if n := testing.AllocsPerRun(100, f); n != 0 {
				t.Errorf("%v: %s allocates %v times", c, name, n)
			}
		}
	}
}
