package sstable

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/iterator"
)

// watcher notes which writes were the value itself, not a copy.
type watcher struct {
	memory
	value []byte
	own   int
}

func (w *watcher) Write(b []byte) (int, error) {
	if len(b) == len(w.value) && &b[0] == &w.value[0] {
		w.own++
	}
	return w.memory.Write(b)
}

func randomValue(n int, seed byte) []byte {
	value := make([]byte, n)
	r := rand.NewChaCha8([32]byte{seed})
	_, _ = r.Read(value)
	return value
}

func TestALargeValueIsWrittenFromWhereItLies(t *testing.T) {
	value := randomValue(apartFrom+3, 1)
	sink := &watcher{value: value}
	w := NewWriter(sink, WriterOptions{ID: testID, Compression: S2})
	for i := range 5 {
		e := put(fmt.Sprint("key", i), 1, "").entry()
		e.Value, e.Lasting = value, true
		if err := w.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	p, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if sink.own != 5 {
		t.Errorf("%d of 5 values were written from where they lie", sink.own)
	}
	r := mustOpen(t, sink.Bytes(), ReaderOptions{Digest: p.Digest})
	if err := r.Verify(func(int) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

// A value that the iterator overwrites at its next move is copied: the file is
// the same.
func TestCopiedAndLastingValuesMakeTheSameTable(t *testing.T) {
	sizes := []int{1, 100, defaultBlockSize - 1, defaultBlockSize, defaultBlockSize + 1, apartFrom - 1, apartFrom, apartFrom + 5, 1 << 20}
	for _, c := range []Compression{NoCompression, S2, Zstd} {
		for _, fill := range []string{"random", "text"} {
			write := func(volatile bool) ([]byte, base.TableProperties) {
				var sink memory
				w := NewWriter(&sink, WriterOptions{ID: testID, Compression: c})
				reused := make([]byte, 1<<20)
				for i, n := range sizes {
					for seq := base.SeqNum(3); seq > 0; seq-- { // versions cross the ends of blocks
						value := bytes.Repeat(fmt.Appendf(nil, "text%d", seq), n/4+1)[:n]
						if fill == "random" {
							value = randomValue(n, byte(seq))
						}
						if volatile {
							clear(reused)
							value = reused[:copy(reused, value)]
						}
						e := &iterator.Entry{Key: fmt.Appendf(nil, "%02d", i), Value: value, Lasting: !volatile, Trailer: put("", seq, "").Trailer}
						if err := w.Add(e); err != nil {
							t.Fatal(err)
						}
					}
				}
				p, err := w.Finish()
				if err != nil {
					t.Fatal(err)
				}
				return sink.Bytes(), p
			}
			copied, p := write(true)
			lent, _ := write(false)
			if !bytes.Equal(copied, lent) {
				t.Errorf("%v, %s: the tables differ", c, fill)
			}
			r := mustOpen(t, lent, ReaderOptions{Digest: p.Digest})
			if err := r.Verify(func(int) error { return nil }); err != nil {
				t.Errorf("%v, %s: %v", c, fill, err)
			}
		}
	}
}

// A block larger than half of what is read ahead is read once, straight to where
// it stays; one that was read ahead with others is not read again.
func TestAScanReadsLargeBlocksOnceAndToTheirPlace(t *testing.T) {
	scan := func(sizes ...int) (f *counting, data int, buffer int) {
		var recs []rec
		for i, n := range sizes {
			recs = append(recs, put(fmt.Sprintf("key-%06d", i), 1, strings.Repeat("v", n)))
		}
		file, _ := build(t, WriterOptions{}, recs)
		f = &counting{ReaderAt: bytes.NewReader(file)}
		r, err := Open(f, int64(len(file)), ReaderOptions{Name: "000001.sst", Cache: cache.New(64 << 20)})
		if err != nil {
			t.Fatal(err)
		}
		f.reads, f.bytes = 0, 0
		it, n := r.NewIter(IterOptions{}), 0
		for e := it.First(); e != nil; e = it.Next() {
			if len(e.Value) != sizes[n] {
				t.Fatalf("value %d has %d bytes", n, len(e.Value))
			}
			n++
		}
		offset, length := r.index.handle(r.index.blocks() - 1)
		return f, int(offset + length), cap(it.window.buf)
	}
	large := []int{1 << 20, 300 << 10, 1 << 20, 200 << 10, 1 << 20}
	if f, data, buffer := scan(large...); f.reads != len(large) || f.bytes != data || buffer != 0 {
		t.Errorf("%d reads of %d bytes for %d blocks of %d, with a window of %d", f.reads, f.bytes, len(large), data, buffer)
	}
	mixed := []int{20 << 10, 20 << 10, 20 << 10, 20 << 10, 20 << 10, 20 << 10, 180 << 10, 20 << 10, 20 << 10}
	if f, data, _ := scan(mixed...); f.bytes != data {
		t.Errorf("%d bytes read of %d", f.bytes, data)
	}
}
