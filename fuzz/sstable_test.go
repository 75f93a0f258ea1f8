package fuzz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/sstable"
)

// tableFile is a table in memory.
type tableFile struct{ bytes.Buffer }

func (*tableFile) Sync() error  { return nil }
func (*tableFile) Close() error { return nil }

// tableSeed writes a small table of a dozen records and two range tombstones.
func tableSeed(f *testing.F, c sstable.Compression, blockSize int) []byte {
	var file tableFile
	w := sstable.NewWriter(&file, sstable.WriterOptions{ID: 7, Compression: c, BlockSize: blockSize})
	for i := range 12 {
		e := iterator.Entry{
			Key:     fmt.Appendf(nil, "key-%03d%s", i, bytes.Repeat([]byte{0}, i)),
			Value:   bytes.Repeat([]byte("value"), i),
			Trailer: base.Trailer{Seq: base.SeqNum(i), Attr: base.MakeAttr(base.KindPut, uint8(i%6), i%3 == 0)},
		}
		if i%3 == 0 {
			e.Expiry = int64(1000 + i)
		}
		if err := w.Add(&e); err != nil {
			f.Fatal(err)
		}
	}
	for _, d := range []rangedel.Tombstone{
		{Start: []byte("a"), End: []byte("b"), Seq: 9},
		{Start: []byte("a"), End: []byte("c"), Seq: 4},
	} {
		if err := w.AddRangeDelete(d); err != nil {
			f.Fatal(err)
		}
	}
	if _, err := w.Finish(); err != nil {
		f.Fatal(err)
	}
	return file.Bytes()
}

// FuzzTable reads any bytes as a table: every answer is an answer or
// ErrCorruption, and nothing panics. The file is resealed first, section by
// section, so that the decoders behind the checksums are reached.
func FuzzTable(f *testing.F) {
	for _, c := range []sstable.Compression{sstable.NoCompression, sstable.S2, sstable.Zstd} {
		f.Add(tableSeed(f, c, 64))
		f.Add(tableSeed(f, c, 4096))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		file = resealTable(file)
		r, err := sstable.Open(bytes.NewReader(file), int64(len(file)), sstable.ReaderOptions{Name: "t", Cache: cache.New(1 << 20)})
		if err != nil {
			wantTableError(t, err)
			return
		}
		defer r.Close()
		for _, d := range r.RangeDeletes().Tombstones() {
			if r.RangeDeletes().Cover(d.Start, d.Seq) < d.Seq {
				t.Fatalf("%v does not cover its start", d)
			}
		}
		it := r.NewIter(sstable.IterOptions{})
		for e := it.First(); e != nil; e = it.Next() {
			if _, _, _, err := r.Get(e.Key, xxhash.Sum64(e.Key), e.Seq, nil); err != nil {
				wantTableError(t, err)
			}
			it.Block()
		}
		wantTableError(t, it.Err())
		it.Init(r, sstable.IterOptions{KeysOnly: true, Cold: true})
		for e := it.Last(); e != nil; e = it.Prev() {
		}
		wantTableError(t, it.Err())
		from, to := r.NumbersWithin([]byte("key-003"), []byte("key-007"))
		for n := range min(to-from, 1000) {
			if _, _, err := r.AppendNumbered(nil, from+n); err != nil {
				wantTableError(t, err)
			}
		}
		it.SeekGE([]byte("key-005"), 3)
		it.SeekLT([]byte("key-005"))
		wantTableError(t, it.Err())
		wantTableError(t, r.Verify(func(int) error { return nil }))
	})
}

// resealTable returns a copy of file with right checksums wherever the footer
// and the index still say what they cover.
func resealTable(file []byte) []byte {
	const footerLen, checksumLen = 64, 8
	le := binary.LittleEndian
	file = bytes.Clone(file)
	if len(file) < footerLen {
		return file
	}
	end := len(file) - footerLen
	footer := file[end:]
	id := le.Uint64(footer[32:])
	seal := func(from, to int, section uint64) {
		if from < 0 || to > len(file) || to-from < checksumLen {
			return
		}
		var place [24]byte
		le.PutUint64(place[0:], id)
		le.PutUint64(place[8:], uint64(from))
		le.PutUint64(place[16:], section)
		sum := xxhash.Sum64(file[from:to-checksumLen]) ^ xxhash.Sum64(place[:])
		le.PutUint64(file[to-checksumLen:], sum)
	}
	seal(end, end+footerLen-8, 6)
	for section := 5; section >= 2; section-- {
		n := le.Uint64(footer[8*(section-2):])
		if n > uint64(end) {
			return file
		}
		start := end - int(n)
		seal(start, end, uint64(section))
		if index := file[start:end]; section == 4 && len(index) >= 24 {
			blocks, prefix := uint64(le.Uint32(index)), uint64(le.Uint32(index[4:])+7)&^7
			from := uint64(0)
			for i := range blocks {
				at := 24 + prefix + 8*(blocks+i)
				if at+8 > uint64(len(index)) {
					break
				}
				to := le.Uint64(index[at:])
				if to <= from || to > uint64(start) {
					break
				}
				seal(int(from), int(to), 1)
				from = to
			}
		}
		end = start
	}
	return file
}

func wantTableError(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, base.ErrCorruption) && !errors.Is(err, base.ErrFormatTooNew) {
		t.Fatalf("%v is neither corruption nor a format too new", err)
	}
}
