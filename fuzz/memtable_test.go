package fuzz

import (
	"bytes"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/memtable"
)

// memRecord is an entry that owns its bytes.
type memRecord struct {
	key, value string
	base.Trailer
}

func compareMemRecords(a, b memRecord) int {
	return base.CompareInternal([]byte(a.key), a.Seq, []byte(b.key), b.Seq)
}

// FuzzMemtable fills a memtable as the input says and compares every answer with
// a sorted slice. Each step takes two bytes and a key:
//
//	what │ key length │ key …
//
// The low bits of what choose put, delete, expiring put, a look-up, a seek, or
// a run of rising keys. What was added is added to a Builder too, and its table has
// to give the same answers.
func FuzzMemtable(f *testing.F) {
	f.Add([]byte("\x00\x01a\x00\x02a\x00\x03\x01a\x04\x01a"))
	f.Add([]byte("\x05\x04user\x05\x04usex\x03\x06user\x00\x00"))
	f.Add(bytes.Repeat([]byte{0xF0, 3, 0xFF, 0xFF, 0xFF, 0xF5, 2, 0, 0}, 20))
	f.Fuzz(func(t *testing.T, input []byte) {
		m := &memModel{t: t, table: memtable.New(1 << 20)}
		for steps := 0; len(input) >= 2 && len(m.records) < 1000 && steps < 200; steps++ {
			what, n := input[0], min(int(input[1]), len(input)-2)
			m.step(what, string(input[2:2+n]))
			input = input[2+n:]
		}
		m.checkWalk()
		m.checkBuilt()
	})
}

type memModel struct {
	t       *testing.T
	table   *memtable.Table
	records []memRecord // sorted
	added   []memRecord // as they came
	seq     base.SeqNum
}

// memHash returns the hash the table is told for key. Keys with the top bit set
// have four hashes among them, so that inputs reach what lies behind a flooded
// hash index.
func memHash(key string) uint64 {
	h := xxhash.Sum64String(key)
	if key[0] >= 0x80 {
		h &= 3 << 62
	}
	return h
}

func (m *memModel) step(what byte, key string) {
	if key == "" {
		key = "\x00"
	}
	tr := base.Trailer{Attr: base.MakeAttr(base.KindPut, 0, false)}
	switch what & 7 {
	case 1:
		tr.Attr = base.MakeAttr(base.KindDelete, 0, false)
	case 2:
		tr.Attr, tr.Expiry = base.MakeAttr(base.KindPut, 3, true), int64(len(key))
	case 3:
		m.checkPoint(key)
		return
	case 4:
		m.checkSeek(key)
		return
	case 5:
		for i := range 130 {
			m.add(key+string([]byte{byte(i >> 4), byte(i)}), tr)
		}
		return
	}
	m.add(key, tr)
}

func (m *memModel) add(key string, tr base.Trailer) {
	m.seq++
	tr.Seq = m.seq
	r := memRecord{key, key[len(key)/2:], tr}
	m.table.Add(memHash(key), []byte(key), tr, []byte(r.value))
	at, _ := slices.BinarySearchFunc(m.records, r, compareMemRecords)
	m.records = slices.Insert(m.records, at, r)
	m.added = append(m.added, r)
}

// checkBuilt compares the answers of a table that was built of the first records
// at once and then added to.
func (m *memModel) checkBuilt() {
	b := memtable.NewBuilder(1<<20, 0)
	half := len(m.added) - len(m.added)/4
	for _, r := range m.added[:half] {
		b.Add(memHash(r.key), []byte(r.key), r.Trailer, []byte(r.value))
	}
	m.table = b.Table()
	for _, r := range m.added[half:] {
		m.table.Add(memHash(r.key), []byte(r.key), r.Trailer, []byte(r.value))
	}
	m.checkWalk()
	for _, r := range m.added {
		m.checkPoint(r.key)
		m.checkSeek(r.key)
	}
}

// ge returns the index of the first record at or after (key, seq).
func (m *memModel) ge(key string, seq base.SeqNum) int {
	at, _ := slices.BinarySearchFunc(m.records, memRecord{key: key, Trailer: base.Trailer{Seq: seq}}, compareMemRecords)
	return at
}

func (m *memModel) checkPoint(key string) {
	for _, seq := range []base.SeqNum{base.SeqMax, m.seq / 2, 0} {
		value, tr, ok := m.table.Get(memHash(key), []byte(key), seq)
		i := m.ge(key, seq)
		want := i < len(m.records) && m.records[i].key == key
		if ok != want || ok && (memRecord{key, string(value), tr}) != m.records[i] {
			m.t.Fatalf("Get(%q, %d) = %q, %v, %v", key, seq, value, tr, ok)
		}
		newer := m.ge(key, base.SeqMax)
		if got := m.table.Newer(memHash(key), []byte(key), seq); got != (newer < i) {
			m.t.Fatalf("Newer(%q, %d) = %v", key, seq, got)
		}
	}
}

func (m *memModel) checkSeek(key string) {
	it := m.table.NewIter(false)
	defer it.Close()
	for _, seq := range []base.SeqNum{base.SeqMax, m.seq / 2} {
		i := m.ge(key, seq)
		m.compare("SeekGE", it.SeekGE([]byte(key), seq), i)
		if i < len(m.records) {
			m.compare("Prev", it.Prev(), i-1)
		}
	}
	i := m.ge(key, base.SeqMax) - 1
	m.compare("SeekLT", it.SeekLT([]byte(key)), i)
	if i >= 0 {
		m.compare("Next", it.Next(), i+1)
	}
}

func (m *memModel) checkWalk() {
	it := m.table.NewIter(false)
	defer it.Close()
	i := 0
	for e := it.First(); m.compare("Next", e, i); e = it.Next() {
		i++
	}
	i = len(m.records) - 1
	for e := it.Last(); m.compare("Prev", e, i); e = it.Prev() {
		i--
	}
	if m.table.Len() != len(m.records) {
		m.t.Fatalf("Len %d, want %d", m.table.Len(), len(m.records))
	}
}

// compare holds an entry against the i-th record, which is none beyond either
// end, and reports whether there is one.
func (m *memModel) compare(what string, e *iterator.Entry, i int) bool {
	m.t.Helper()
	if i < 0 || i >= len(m.records) {
		if e != nil {
			m.t.Fatalf("%s: %q behind the end", what, e.Key)
		}
		return false
	}
	if e == nil || (memRecord{string(e.Key), string(e.Value), e.Trailer}) != m.records[i] {
		m.t.Fatalf("%s: %v, want %v", what, e, m.records[i])
	}
	return true
}
