package sstable

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/internal/seed"
)

var _ iterator.Iterator = (*Iter)(nil)

// memory is a table's file in memory.
type memory struct{ bytes.Buffer }

func (*memory) Sync() error  { return nil }
func (*memory) Close() error { return nil }

const testID = 0x5117570E

// rec is a record of the model.
type rec struct {
	key   string
	value string
	base.Trailer
}

func put(key string, seq base.SeqNum, value string) rec {
	return rec{key, value, base.Trailer{Seq: seq, Attr: base.MakeAttr(base.KindPut, 1, false)}}
}

func del(key string, seq base.SeqNum) rec {
	return rec{key, "", base.Trailer{Seq: seq, Attr: base.MakeAttr(base.KindDelete, 0, false)}}
}

func (r rec) entry() *iterator.Entry {
	return &iterator.Entry{Key: []byte(r.key), Value: []byte(r.value), Trailer: r.Trailer}
}

func (r rec) String() string {
	return fmt.Sprintf("%.40q#%d %#x exp %d = %d bytes", r.key, r.Seq, uint8(r.Attr), r.Expiry, len(r.value))
}

func compareRec(a, b rec) int {
	return base.CompareInternal([]byte(a.key), a.Seq, []byte(b.key), b.Seq)
}

// build writes a table of the records, which it sorts.
func build(tb testing.TB, o WriterOptions, recs []rec, ranges ...rangedel.Tombstone) ([]byte, base.TableProperties) {
	tb.Helper()
	slices.SortFunc(recs, compareRec)
	if o.ID == 0 {
		o.ID = testID
	}
	var file memory
	w := NewWriter(&file, o)
	for _, r := range recs {
		if err := w.Add(r.entry()); err != nil {
			tb.Fatal(err)
		}
	}
	for _, f := range ranges {
		if err := w.AddRangeDelete(f); err != nil {
			tb.Fatal(err)
		}
	}
	p, err := w.Finish()
	if err != nil {
		tb.Fatal(err)
	}
	if p.Size != uint64(file.Len()) || p.Digest != xxhash.Sum64(file.Bytes()) {
		tb.Fatalf("properties %+v of a file of %d bytes with digest %x", p, file.Len(), xxhash.Sum64(file.Bytes()))
	}
	return file.Bytes(), p
}

func openBytes(b []byte, o ReaderOptions) (*Reader, error) {
	o.Name = "000001.sst"
	return Open(bytes.NewReader(b), int64(len(b)), o)
}

func mustOpen(tb testing.TB, b []byte, o ReaderOptions) *Reader {
	tb.Helper()
	r, err := openBytes(b, o)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func (r *Reader) getString(key string, seq base.SeqNum) (rec, bool, error) {
	v, t, ok, err := r.Get([]byte(key), xxhash.Sum64String(key), seq, nil)
	return rec{key, string(v), t}, ok, err
}

func nothing(int) error { return nil }

// modelGet is Get on sorted records.
func modelGet(recs []rec, key string, seq base.SeqNum) (rec, bool) {
	i, _ := slices.BinarySearchFunc(recs, rec{key: key, Trailer: base.Trailer{Seq: seq}}, compareRec)
	if i < len(recs) && recs[i].key == key {
		return recs[i], true
	}
	return rec{}, false
}

// randomKey makes keys that collide in every column: zeros at the end, shared
// prefixes of all lengths, lengths around eight.
func randomKey(rng *rand.Rand) string {
	switch rng.IntN(5) {
	case 0:
		return "a" + string(make([]byte, rng.IntN(20)))
	case 1:
		return fmt.Sprintf("user:%06d", rng.IntN(500))
	case 2:
		return "collection/" + string(bytes.Repeat([]byte{'x'}, rng.IntN(12))) + fmt.Sprint(rng.IntN(30))
	case 3:
		b := binary.BigEndian.AppendUint64([]byte{2}, uint64(rng.IntN(3)))
		return string(b) + fmt.Sprintf("\x02member-%d", rng.IntN(300))
	}
	b := make([]byte, 1+rng.IntN(20))
	for i := range b {
		b[i] = []byte{0, 1, 'a', 0xFF}[rng.IntN(4)]
	}
	return string(b)
}

// randomRecords makes about n records, in order, several versions of some keys.
func randomRecords(rng *rand.Rand, n int) []rec {
	var recs []rec
	seq := base.SeqNum(rng.Uint64N(1 << 40))
	plain := rng.IntN(4) == 0
	fixed := rng.IntN(3) == 0
	for len(recs) < n {
		key := randomKey(rng)
		if fixed {
			key = fmt.Sprintf("%016x", rng.Uint64())
		}
		versions := 1
		if !plain && rng.IntN(8) == 0 {
			versions = 1 + rng.IntN(12)
		}
		for range versions {
			seq += base.SeqNum(rng.Uint64N(1 << rng.IntN(20)))
			seq++
			r := rec{key: key, Trailer: base.Trailer{Seq: seq}}
			if plain {
				r.Seq = 0
			}
			kind, typ := base.KindPut, uint8(rng.IntN(6))
			switch {
			case plain:
				typ = 1
			case rng.IntN(10) == 0:
				kind, typ = base.KindDelete, 0
			case rng.IntN(10) == 0:
				r.Expiry = 1 + rng.Int64N(1<<45)
			}
			r.Attr = base.MakeAttr(kind, typ, r.Expiry != 0)
			if kind == base.KindPut {
				r.value = string(bytes.Repeat([]byte{byte(rng.IntN(256)), 'v'}, rng.IntN(60)))
			}
			recs = append(recs, r)
		}
	}
	slices.SortFunc(recs, compareRec)
	return slices.CompactFunc(recs, func(a, b rec) bool { return a.key == b.key && a.Seq == b.Seq })
}

func sameEntry(e *iterator.Entry, r rec, keysOnly bool) bool {
	if e == nil || string(e.Key) != r.key || e.Trailer != r.Trailer {
		return false
	}
	if keysOnly {
		return e.Value == nil
	}
	return e.Value != nil && string(e.Value) == r.value
}

func TestTableAnswersLikeASortedSlice(t *testing.T) {
	first := seed.New(t)
	for round := range 24 {
		rng := rand.New(rand.NewPCG(first, uint64(round)))
		recs := randomRecords(rng, 1+rng.IntN(1500))
		o := WriterOptions{
			Compression: Compression(1 + round%3),
			BlockSize:   []int{1, 256, 1000, 4096, 16384}[rng.IntN(5)],
		}
		file, props := build(t, o, recs)
		ro := ReaderOptions{ID: testID, Digest: props.Digest}
		if rng.IntN(4) > 0 {
			ro.Cache = cache.New(int64(rng.IntN(1 << 20)))
		}
		r := mustOpen(t, file, ro)
		name := fmt.Sprintf("round %d: %+v, %d records, %d blocks", round, o, len(recs), r.index.blocks())
		if err := r.Verify(nothing); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		checkGets(t, name, r, recs, rng)
		for _, io := range []IterOptions{{}, {KeysOnly: true}, {Cold: true}, {Cold: true, KeysOnly: true}} {
			checkWalks(t, fmt.Sprintf("%s, %+v", name, io), r, recs, io)
			checkSeeks(t, fmt.Sprintf("%s, %+v", name, io), r, recs, io, rng)
		}
		r.Close()
		if ro.Cache != nil {
			if m := ro.Cache.Metrics(); m.Bytes != 0 || m.Reserved != 0 {
				t.Fatalf("%s: after Close the cache holds %+v", name, m)
			}
		}
	}
}

func checkGets(t *testing.T, name string, r *Reader, recs []rec, rng *rand.Rand) {
	t.Helper()
	for i := range 1200 {
		key, seq := randomKey(rng), base.SeqMax
		if i%2 == 0 {
			at := recs[rng.IntN(len(recs))]
			key, seq = at.key, at.Seq+base.SeqNum(rng.IntN(3))-min(1, at.Seq)
		}
		want, wantOK := modelGet(recs, key, seq)
		got, ok, err := r.getString(key, seq)
		if err != nil || ok != wantOK || ok && got != want {
			t.Fatalf("%s: Get(%q, %d) = %v, %v, %v, want %v, %v", name, key, seq, got, ok, err, want, wantOK)
		}
	}
}

func checkWalks(t *testing.T, name string, r *Reader, recs []rec, o IterOptions) {
	t.Helper()
	it := r.NewIter(o)
	defer it.Close()
	i := 0
	for e := it.First(); e != nil; e = it.Next() {
		if i == len(recs) || !sameEntry(e, recs[i], o.KeysOnly) {
			t.Fatalf("%s: forward at %d: %v", name, i, e)
		}
		checkRun(t, name, it, recs, i)
		i++
	}
	if i != len(recs) || it.Err() != nil {
		t.Fatalf("%s: forward ends after %d: %v", name, i, it.Err())
	}
	for e := it.Last(); e != nil; e = it.Prev() {
		i--
		if i < 0 || !sameEntry(e, recs[i], o.KeysOnly) {
			t.Fatalf("%s: backward at %d: %v", name, i, e)
		}
	}
	if i != 0 || it.Err() != nil {
		t.Fatalf("%s: backward ends at %d: %v", name, i, it.Err())
	}
}

// checkRun tests what Block promises about the record the iterator stands on.
func checkRun(t *testing.T, name string, it *Iter, recs []rec, i int) {
	t.Helper()
	r := recs[i]
	run, ok := it.Block()
	if first, last := i-run.Before, i+run.After; first < 0 || last >= len(recs) ||
		recs[first].key != string(run.First) || recs[last].key != string(run.Last) {
		t.Fatalf("%s: record %d: run of %d before and %d after", name, i, run.Before, run.After)
	}
	if !ok || r.key < string(run.First) || r.key > string(run.Last) || r.Seq > run.MaxSeq ||
		run.Plain && (r.Expiry != 0 || r.Attr.Kind() != base.KindPut) {
		t.Fatalf("%s: %v stands in run %+v, %v", name, r, run, ok)
	}
}

func checkSeeks(t *testing.T, name string, r *Reader, recs []rec, o IterOptions, rng *rand.Rand) {
	t.Helper()
	it := r.NewIter(o)
	defer it.Close()
	for range 200 {
		key, seq := randomKey(rng), base.SeqMax
		if rng.IntN(2) == 0 {
			at := recs[rng.IntN(len(recs))]
			key, seq = at.key, at.Seq
		}
		i, _ := slices.BinarySearchFunc(recs, rec{key: key, Trailer: base.Trailer{Seq: seq}}, compareRec)
		e := it.SeekGE([]byte(key), seq)
		if rng.IntN(2) == 0 {
			i, _ = slices.BinarySearchFunc(recs, key, func(r rec, k string) int { return cmp.Or(cmp.Compare(r.key, k), 1) })
			i--
			e = it.SeekLT([]byte(key))
		}
		for range rng.IntN(40) { // a walk that turns at random
			if i < 0 || i >= len(recs) {
				break
			}
			if !sameEntry(e, recs[i], o.KeysOnly) {
				t.Fatalf("%s: near (%q, %d) at %d: got %v, want %v", name, key, seq, i, e, recs[i])
			}
			if rng.IntN(3) > 0 {
				i, e = i+1, it.Next()
			} else {
				i, e = i-1, it.Prev()
			}
		}
		if (e == nil) != (i < 0 || i >= len(recs)) || it.Err() != nil {
			t.Fatalf("%s: near (%q, %d): at %d of %d: %v, %v", name, key, seq, i, len(recs), e, it.Err())
		}
	}
}

func wantCorrupt(t *testing.T, what string, err error) {
	t.Helper()
	var c *base.CorruptionError
	if !errors.Is(err, base.ErrCorruption) || !errors.As(err, &c) || c.File != "000001.sst" {
		t.Fatalf("%s: %v, want a corruption error that names the file", what, err)
	}
}
