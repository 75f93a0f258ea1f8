package sstable

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/golden"
	"github.com/siltstonedb/siltstone/internal/rangedel"
)

// tinyRecords meet every column: versions, expiry, tombstone, metadata, rest.
func tinyRecords() []rec {
	meta := "\x01\x00\x00\x00\x00\x00\x00\x00\x07\x02\x09\x00"
	return []rec{
		{"user:1", meta, base.Trailer{Seq: 9, Attr: base.MakeAttr(base.KindPut, 2, false)}},
		{"user:2", "v", base.Trailer{Seq: 12, Attr: base.MakeAttr(base.KindPut, 1, true), Expiry: 1000}},
		put("user:2", 5, "old"),
		del("user:2/friends", 7),
	}
}

func tinyRanges() []rangedel.Tombstone {
	return []rangedel.Tombstone{
		{Start: []byte("user:5"), End: []byte("user:8"), Seq: 11},
		{Start: []byte("user:5"), End: []byte("user:9"), Seq: 3},
	}
}

func TestTinyTableHasTheBytesOfTheFormat(t *testing.T) {
	file, props := build(t, WriterOptions{}, tinyRecords(), tinyRanges()...)
	r := mustOpen(t, file, ReaderOptions{})
	starts := footer{lengths: sectionLengths(file)}.starts(int64(len(file)))
	var b strings.Builder
	part := func(name string, from, to int64) {
		fmt.Fprintf(&b, "%s\n", name)
		for ; from < to; from += 8 {
			fmt.Fprintf(&b, "  %4d  % x  %s\n", from, file[from:from+8], printable(file[from:from+8]))
		}
	}
	for i := range r.index.blocks() {
		offset, length := r.index.handle(i)
		part(fmt.Sprintf("data block %d", i), offset, offset+length)
	}
	part("range tombstones", starts[0], starts[1])
	part("filter", starts[1], starts[2])
	part("index", starts[2], starts[3])
	part("properties", starts[3], int64(len(file))-footerLen)
	part("footer", int64(len(file))-footerLen, int64(len(file)))
	fmt.Fprintf(&b, "digest of the file, in the manifest only\n        %016x\n", props.Digest)

	golden.Compare(t, "testdata/tiny.txt", b.String())
}

func sectionLengths(file []byte) [4]int64 {
	f, _ := decodeFooter(file[len(file)-footerLen:], int64(len(file)))
	return f.lengths
}

func printable(b []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '.'
		}
		return r
	}, string(bytes.ToValidUTF8(b, []byte("."))))
}

// answers reads everything a table can be asked and returns the first error.
func answers(t *testing.T, r *Reader, recs []rec, ranges string) error {
	t.Helper()
	if r.RangeDeletes().String() != ranges {
		t.Fatalf("range tombstones %s, want %s", r.RangeDeletes(), ranges)
	}
	for _, want := range recs {
		got, ok, err := r.getString(want.key, want.Seq)
		if err != nil {
			return err
		}
		if !ok || got != want {
			t.Fatalf("Get of %v gave %v, %v", want, got, ok)
		}
	}
	it := r.NewIter(IterOptions{})
	i := 0
	for e := it.First(); e != nil; e = it.Next() {
		if !sameEntry(e, recs[i], false) {
			t.Fatalf("entry %d is %v", i, e)
		}
		i++
	}
	if it.Err() == nil && i != len(recs) {
		t.Fatalf("%d of %d records", i, len(recs))
	}
	return it.Err()
}

func TestEveryDamagedByteGivesAnErrorOrTheRightAnswer(t *testing.T) {
	for _, c := range []Compression{NoCompression, S2, Zstd} {
		recs := tinyRecords()
		for i := range 12 {
			recs = append(recs, put(fmt.Sprintf("w%03d", i), base.SeqNum(i), strings.Repeat("abc", 3*i)))
		}
		file, _ := build(t, WriterOptions{Compression: c, BlockSize: 300}, recs, tinyRanges()...)
		good := mustOpen(t, file, ReaderOptions{})
		ranges := good.RangeDeletes().String()
		if err := answers(t, good, recs, ranges); err != nil {
			t.Fatal(err)
		}
		damaged := slices.Clone(file)
		for i, was := range file {
			for _, to := range []byte{was ^ 0x01, was ^ 0x80, was ^ 0xFF, 0, 0xFF} {
				if to == was {
					continue
				}
				damaged[i] = to
				r, err := openBytes(damaged, ReaderOptions{})
				if err == nil {
					err = answers(t, r, recs, ranges)
					wantCorrupt(t, fmt.Sprintf("Verify with byte %d = %#x", i, to), r.Verify(nothing))
				}
				if err != nil {
					wantCorrupt(t, fmt.Sprintf("byte %d = %#x", i, to), err)
				}
			}
			damaged[i] = was
		}
	}
}

func TestTableCutAnywhereDoesNotOpen(t *testing.T) {
	file, _ := build(t, WriterOptions{}, tinyRecords(), tinyRanges()...)
	for n := range file {
		_, err := openBytes(file[:n], ReaderOptions{})
		wantCorrupt(t, fmt.Sprintf("cut at %d", n), err)
	}
	for n := range file { // a file that was longer when it was opened
		r, err := Open(bytes.NewReader(file[:n]), int64(len(file)), ReaderOptions{Name: "000001.sst"})
		if err == nil {
			t.Fatalf("opened with %d of %d bytes there: %v", n, len(file), r)
		}
		wantCorrupt(t, fmt.Sprintf("%d bytes there", n), err)
	}
}

func TestBlockMovedToAnotherPlaceIsDetected(t *testing.T) {
	var a, b []rec
	for i := range 64 {
		a = append(a, put(fmt.Sprintf("key-%03d", i), 1, "aaaaaaaa"))
		b = append(b, put(fmt.Sprintf("key-%03d", i), 1, "bbbbbbbb"))
	}
	fileA, _ := build(t, WriterOptions{BlockSize: 256, ID: 1}, a)
	fileB, _ := build(t, WriterOptions{BlockSize: 256, ID: 2}, b)
	rA := mustOpen(t, fileA, ReaderOptions{})
	off0, len0 := rA.index.handle(0)
	off1, len1 := rA.index.handle(1)
	if len0 != len1 || len(fileA) != len(fileB) {
		t.Fatalf("the test needs blocks of one size: %d, %d", len0, len1)
	}

	moved := slices.Clone(fileA)
	copy(moved[off1:], fileA[off0:off0+len0])
	r := mustOpen(t, moved, ReaderOptions{})
	it := rA.NewIter(IterOptions{})
	it.First()
	run, _ := it.Block()
	for it.Next(); it.number == 0; it.Next() {
	}
	if string(it.entry.Key) <= string(run.Last) {
		t.Fatalf("%s is not in the second block", it.entry.Key)
	}
	_, _, err := r.getString(string(it.entry.Key), base.SeqMax)
	wantCorrupt(t, "block moved inside its table", err)

	swapped := slices.Clone(fileA)
	copy(swapped[off0:], fileB[off0:off0+len0])
	r = mustOpen(t, swapped, ReaderOptions{})
	_, _, err = r.getString("key-000", base.SeqMax)
	wantCorrupt(t, "block of another table", err)
	wantCorrupt(t, "block of another table, Verify", r.Verify(nothing))

	tail := slices.Clone(fileA)
	start := footer{lengths: sectionLengths(fileB)}.starts(int64(len(fileB)))[0]
	copy(tail[start:len(tail)-footerLen], fileB[start:])
	_, err = openBytes(tail, ReaderOptions{})
	wantCorrupt(t, "sections of another table", err)

	_, err = openBytes(fileA, ReaderOptions{ID: 2})
	wantCorrupt(t, "another table under this name", err)
}

func TestWholeFileDigestIsCheckedByVerify(t *testing.T) {
	file, props := build(t, WriterOptions{}, tinyRecords())
	if err := mustOpen(t, file, ReaderOptions{Digest: props.Digest}).Verify(nothing); err != nil {
		t.Fatal(err)
	}
	wantCorrupt(t, "wrong digest", mustOpen(t, file, ReaderOptions{Digest: props.Digest + 1}).Verify(nothing))
}

func TestNewerFormatIsRefusedByName(t *testing.T) {
	file, _ := build(t, WriterOptions{}, tinyRecords())
	f, err := decodeFooter(file[len(file)-footerLen:], int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	b := file[len(file)-footerLen:]
	b[40] = formatVersion + 1
	sum := checksum(b[:footerSummed], f.id, int64(len(file)-footerLen), sectionFooter)
	for i := range 8 {
		b[footerSummed+i] = byte(sum >> (8 * i))
	}
	if _, err := openBytes(file, ReaderOptions{}); err == nil || !strings.Contains(err.Error(), base.ErrFormatTooNew.Error()) {
		t.Fatalf("got %v", err)
	}
}
