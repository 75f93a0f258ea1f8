package sstable

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/rangedel"
)

func TestWriterRefusesWhatATableCannotHold(t *testing.T) {
	long := strings.Repeat("k", base.MaxRowKeyLen+1)
	attr := base.MakeAttr(base.KindPut, 1, false)
	for name, c := range map[string]struct {
		add []rec
		is  error
	}{
		"key below the last":        {[]rec{put("b", 1, ""), put("a", 2, "")}, nil},
		"version newer than last":   {[]rec{put("a", 1, ""), put("a", 2, "")}, nil},
		"same version twice":        {[]rec{put("a", 1, ""), put("a", 1, "")}, nil},
		"empty key":                 {[]rec{put("", 1, "")}, base.ErrEmptyKey},
		"key too long":              {[]rec{put(long, 1, "")}, base.ErrKeyTooLarge},
		"range delete as a record":  {[]rec{{"a", "b", base.Trailer{Seq: 1, Attr: base.MakeAttr(base.KindRangeDelete, 0, false)}}}, nil},
		"unknown kind":              {[]rec{{"a", "b", base.Trailer{Seq: 1, Attr: base.MakeAttr(base.KindCount, 0, false)}}}, nil},
		"sequence out of bounds":    {[]rec{put("a", base.SeqMax+1, "")}, nil},
		"expiry without attribute":  {[]rec{{"a", "b", base.Trailer{Seq: 1, Attr: attr, Expiry: 5}}}, nil},
		"attribute without expiry":  {[]rec{{"a", "b", base.Trailer{Seq: 1, Attr: base.MakeAttr(base.KindPut, 1, true)}}}, nil},
		"expiry before time's dawn": {[]rec{{"a", "b", base.Trailer{Seq: 1, Attr: base.MakeAttr(base.KindPut, 1, true), Expiry: -5}}}, nil},
	} {
		w := NewWriter(&memory{}, WriterOptions{})
		var err error
		for i, r := range c.add {
			if err = w.Add(r.entry()); err != nil && i < len(c.add)-1 {
				t.Fatalf("%s: refused too early: %v", name, err)
			}
		}
		if err == nil || c.is != nil && !errors.Is(err, c.is) {
			t.Fatalf("%s: %v", name, err)
		}
		if _, again := w.Finish(); again != err {
			t.Fatalf("%s: Finish after the error gives %v", name, again)
		}
	}
}

func TestWriterRefusesBadRangeTombstones(t *testing.T) {
	tomb := func(lo, hi string, seq base.SeqNum) rangedel.Tombstone {
		return rangedel.Tombstone{Start: []byte(lo), End: []byte(hi), Seq: seq}
	}
	for name, ts := range map[string][]rangedel.Tombstone{
		"empty range":             {tomb("b", "b", 1)},
		"no sequence":             {tomb("a", "b", 0)},
		"sequence out of bounds":  {tomb("a", "b", base.SeqMax+1)},
		"same start, older first": {tomb("a", "b", 1), tomb("a", "c", 2)},
		"the same twice":          {tomb("a", "b", 1), tomb("a", "b", 1)},
		"out of order":            {tomb("c", "d", 1), tomb("a", "b", 1)},
		"empty start":             {tomb("", "b", 1)},
	} {
		w := NewWriter(&memory{}, WriterOptions{})
		var err error
		for _, d := range ts {
			err = w.AddRangeDelete(d)
		}
		if err == nil {
			t.Fatalf("%s is accepted", name)
		}
	}
}

func TestEmptyTableIsAnError(t *testing.T) {
	if _, err := NewWriter(&memory{}, WriterOptions{}).Finish(); !errors.Is(err, errEmptyTable) {
		t.Fatalf("got %v", err)
	}
}

// fullDisk fails once it has taken room bytes.
type fullDisk struct {
	memory
	room int
}

func (d *fullDisk) Write(b []byte) (int, error) {
	if d.room -= len(b); d.room < 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return len(b), nil
}

func TestFailedWriteIsKept(t *testing.T) {
	w := NewWriter(&fullDisk{room: 700 << 10}, WriterOptions{})
	value := strings.Repeat("v", 10<<10)
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		err = w.Add(put(fmt.Sprintf("%04d", i), 1, value).entry())
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("got %v", err)
	}
	if _, again := w.Finish(); again != err {
		t.Fatalf("Finish gives %v", again)
	}
}

func TestPropertiesDescribeTheTable(t *testing.T) {
	file, p := build(t, WriterOptions{}, tinyRecords(), tinyRanges()...)
	want := base.TableProperties{
		ID: testID, Size: uint64(len(file)), Digest: p.Digest,
		Smallest: []byte("user:1"), Largest: []byte("user:9"), LargestExclusive: true,
		MinSeq: 3, MaxSeq: 12, Puts: 3, Deletes: 1, RangeDeletes: 2, MetaRows: 1, CollectionBytes: 9,
		KeyBytes: 6 + 6 + 6 + 14, ValueBytes: 12 + 1 + 3, MinExpiry: 1000, MaxExpiry: 1000, Expiring: 1, Shadowed: 1,
	}
	if got := fmt.Sprintf("%+v", p); got != fmt.Sprintf("%+v", want) {
		t.Fatalf("got  %s\nwant %+v", got, want)
	}
	r := mustOpen(t, file, ReaderOptions{Digest: p.Digest})
	if got := fmt.Sprintf("%+v", r.Properties()); got != fmt.Sprintf("%+v", want) {
		t.Fatalf("read %s\nwant %+v", got, want)
	}
}

func TestBoundsCoverRecordsAndRangeTombstones(t *testing.T) {
	tomb := func(lo, hi string, seq base.SeqNum) rangedel.Tombstone {
		return rangedel.Tombstone{Start: []byte(lo), End: []byte(hi), Seq: seq}
	}
	for _, c := range []struct {
		keys      string
		ranges    []rangedel.Tombstone
		want      string
		exclusive bool
	}{
		{"bd", nil, "b-d", false},
		{"bd", []rangedel.Tombstone{tomb("a", "c", 5)}, "a-d", false},
		{"bd", []rangedel.Tombstone{tomb("c", "d", 5)}, "b-d", false},
		{"bd", []rangedel.Tombstone{tomb("c", "e", 5)}, "b-e", true},
		{"", []rangedel.Tombstone{tomb("c", "e", 5), tomb("f", "g", 5)}, "c-g", true},
		{"", []rangedel.Tombstone{tomb("c", "g", 5), tomb("d", "f", 6)}, "c-g", true},
	} {
		var recs []rec
		for _, k := range c.keys {
			recs = append(recs, put(string(k), 7, "v"))
		}
		file, p := build(t, WriterOptions{}, recs, c.ranges...)
		if got := fmt.Sprintf("%s-%s", p.Smallest, p.Largest); got != c.want || p.LargestExclusive != c.exclusive {
			t.Errorf("%q with %v: %s, exclusive %v", c.keys, c.ranges, got, p.LargestExclusive)
		}
		r := mustOpen(t, file, ReaderOptions{})
		if err := r.Verify(nothing); err != nil {
			t.Errorf("%q with %v: %v", c.keys, c.ranges, err)
		}
		if c.keys != "" {
			continue
		}
		it := r.NewIter(IterOptions{})
		if it.First() != nil || it.Last() != nil || it.SeekGE([]byte("c"), base.SeqMax) != nil || it.SeekLT([]byte("z")) != nil {
			t.Error("a table without records has entries")
		}
		if it.Err() != nil {
			t.Error(it.Err())
		}
	}
}

func TestResetWriterWritesTheSameBytes(t *testing.T) {
	recs := tinyRecords()
	want, _ := build(t, WriterOptions{Compression: S2}, recs, tinyRanges()...)
	var other, file memory
	w := NewWriter(&other, WriterOptions{ID: 9, Compression: Zstd, BlockSize: 1})
	for i := range 500 {
		if err := w.Add(put(fmt.Sprintf("%04d", i), 1, strings.Repeat("z", 200)).entry()); err != nil {
			t.Fatal(err)
		}
	}
	w.Reset(&file, WriterOptions{ID: testID, Compression: S2})
	for _, r := range recs {
		if err := w.Add(r.entry()); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range tinyRanges() {
		if err := w.AddRangeDelete(d); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	if file.String() != string(want) {
		t.Fatal("a Writer that was used before writes another file")
	}
}

func TestSizeEstimatesTheFile(t *testing.T) {
	var file memory
	w := NewWriter(&file, WriterOptions{})
	for i := range 20000 {
		if err := w.Add(put(fmt.Sprintf("%08d", i), 1, "value of about thirty characters").entry()); err != nil {
			t.Fatal(err)
		}
	}
	estimate := w.Size()
	p, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if d := float64(estimate) / float64(p.Size); d < 0.95 || d > 1.05 {
		t.Fatalf("estimate %d, file %d", estimate, p.Size)
	}
}

func TestHugeRecordHasABlockOfItsOwn(t *testing.T) {
	huge := strings.Repeat("0123456789abcdef", 1<<16)
	for _, c := range []Compression{NoCompression, S2} {
		recs := []rec{put("a", 1, "small"), put("b", 1, huge), put("c", 1, "small")}
		file, _ := build(t, WriterOptions{Compression: c}, recs)
		r := mustOpen(t, file, ReaderOptions{})
		if n := r.index.blocks(); n != 3 {
			t.Fatalf("%v: %d blocks, want 3", c, n)
		}
		if err := answers(t, r, recs, ""); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAddAllocatesNothingPerRecord(t *testing.T) {
	w := NewWriter(&memory{}, WriterOptions{})
	e := iterator.Entry{Key: []byte("key-00000000"), Value: make([]byte, 100), Trailer: put("", 1, "").Trailer}
	n := 0
	add := func() {
		n++
		for i, v := 11, n; i >= 4; i, v = i-1, v/10 {
			e.Key[i] = '0' + byte(v%10)
		}
		if err := w.Add(&e); err != nil {
			t.Fatal(err)
		}
	}
	for range 20000 {
		add()
	}
	var sink memory
	sink.Grow(8 << 20)
	w.Reset(&sink, WriterOptions{})
	n = 0
	if a := testing.AllocsPerRun(15000, add); a != 0 {
		t.Fatalf("%v allocations per record", a)
	}
}
