package memtable

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/seed"
)

var _ iterator.Iterator = (*Iter)(nil)

// record is an entry that owns its bytes.
type record struct {
	key, value string
	base.Trailer
}

func (r record) String() string {
	return fmt.Sprintf("%q#%d,%s,%d=%.20q", r.key, r.Seq, r.Attr.Kind(), r.Expiry, r.value)
}

// model is the memtable as a sorted slice.
type model []record

func compareRecords(a, b record) int {
	return base.CompareInternal([]byte(a.key), a.Seq, []byte(b.key), b.Seq)
}

// ge returns the index of the first record at or after (key, seq).
func (m model) ge(key string, seq base.SeqNum) int {
	return sort.Search(len(m), func(i int) bool { return compareRecords(m[i], record{key: key, Trailer: base.Trailer{Seq: seq}}) >= 0 })
}

func (m model) record(i int) *record {
	if i < 0 || i >= len(m) {
		return nil
	}
	return &m[i]
}

// newSeed returns a generator and tells the seed.
func newSeed(t testing.TB) *rand.Rand {
	return rand.New(rand.NewPCG(seed.New(t), 0))
}

func put(seq base.SeqNum) base.Trailer {
	return base.Trailer{Seq: seq, Attr: base.MakeAttr(base.KindPut, 0, false)}
}

// set adds a plain record.
func set(t *Table, key string, seq base.SeqNum, value string) {
	t.Add(xxhash.Sum64String(key), []byte(key), put(seq), []byte(value))
}

// keyMakers draw keys of the shapes that trouble prefixes and fences.
var keyMakers = map[string]func(r *rand.Rand, i int) string{
	"random": func(r *rand.Rand, i int) string { return fmt.Sprintf("%016x", r.Uint64()) },
	"rising": func(r *rand.Rand, i int) string { return fmt.Sprintf("user%08d", i) },
	"falling": func(r *rand.Rand, i int) string {
		return fmt.Sprintf("user%08d", 1<<20-i)
	},
	"overwrites": func(r *rand.Rand, i int) string { return fmt.Sprint("k", r.IntN(50)) },
	"zeros and ones": func(r *rand.Rand, i int) string {
		b := make([]byte, 1+r.IntN(14))
		for j := range b {
			b[j] = byte(-r.IntN(2))
		}
		return string(b)
	},
	"shared prefixes": func(r *rand.Rand, i int) string {
		return fmt.Sprintf("%s%0*d", []string{"user:", "user:hash:field:", "u"}[r.IntN(3)], 1+r.IntN(12), r.IntN(3000))
	},
	"several rising": func(r *rand.Rand, i int) string { return fmt.Sprintf("stream%d:%09d", i%5, i) },
	"long": func(r *rand.Rand, i int) string {
		return string(bytes.Repeat([]byte{byte(r.IntN(3))}, 1+r.IntN(300))) + fmt.Sprint(r.IntN(5))
	},
	"rising then low": func(r *rand.Rand, i int) string {
		if i > 500 && i%3 == 0 {
			return fmt.Sprintf("a%06d", r.IntN(1000))
		}
		return fmt.Sprintf("m%06d", i)
	},
}

// fill adds n random records of the given shape and returns the model of them.
func fill(t *Table, r *rand.Rand, n int, maker func(*rand.Rand, int) string) model {
	m := randomRecords(r, n, maker)
	for _, rec := range m {
		rec.addTo(t)
	}
	slices.SortFunc(m, compareRecords)
	return m
}

// adder is a Table or a Builder.
type adder interface {
	Add(hash uint64, key []byte, tr base.Trailer, value []byte)
}

func (r record) addTo(t adder) {
	t.Add(xxhash.Sum64String(r.key), []byte(r.key), r.Trailer, []byte(r.value))
}

// randomRecords returns n random records of the given shape, by sequence.
func randomRecords(r *rand.Rand, n int, maker func(*rand.Rand, int) string) (m model) {
	seq := base.SeqNum(0)
	for i := range n {
		seq += base.SeqNum(1 + r.IntN(3))
		rec := record{key: maker(r, i), Trailer: put(seq)}
		switch r.IntN(8) {
		case 0:
			rec.Attr = base.MakeAttr(base.KindDelete, 0, false)
		case 1:
			rec.Attr, rec.Expiry = base.MakeAttr(base.KindPut, 2, true), 1+r.Int64N(1<<40)
			fallthrough
		default:
			rec.value = fmt.Sprint("value ", seq)
		}
		m = append(m, rec)
	}
	return m
}

func TestTableAnswersLikeASortedSlice(t *testing.T) {
	for name, maker := range keyMakers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newSeed(t)
			for _, n := range []int{0, 1, 2, pageCap, pageCap + 1, 3000, 12_000} {
				table := New(64 << 20)
				m := fill(table, r, n, maker)
				if table.Len() != n || table.Empty() != (n == 0) {
					t.Fatalf("n=%d: Len %d, Empty %v", n, table.Len(), table.Empty())
				}
				checkRow(t, table)
				checkPoints(t, r, table, m)
				checkWalk(t, r, table.NewIter(false), m)
				checkWalkAt(t, r, table, m)
				checkNewer(t, r, table, m)
			}
		})
	}
}

// checkRow holds the ordered index to its rules: fences rise and are unique, keys
// lie between them, prefixes are those of the keys, every leaf is found by its
// fence.
func checkRow(t *testing.T, table *Table) {
	t.Helper()
	o, a := table.order, &table.arena
	row := o.first
	branches := 0
	for b := o.branches; b != nil; b = b.next {
		branches++
		checkPage(t, a, &b.page, b.key, b.hi())
		if b.leaf[0] != row || !bytes.Equal(b.leaf[0].lo, b.key) {
			t.Fatalf("branch %q begins with leaf %q", b.key, b.leaf[0].lo)
		}
		for i := range int(b.n) + 1 {
			l := b.leaf[i]
			if l != row || i > 0 && !bytes.Equal(a.key(b.ref[i-1]), l.lo) {
				t.Fatalf("branch %q: leaf %d is not the next in the row", b.key, i)
			}
			if l.next != nil && l.next.prev != l || o.leaves[l.number] != l || o.leafFor(l.lo, new(fence)) != l {
				t.Fatalf("leaf %q is not found by its fence", l.lo)
			}
			checkPage(t, a, &l.page, l.lo, l.hi())
			for _, node := range l.ref[:l.n] {
				if *a.word(node, nodeLeaf) != l.number || uint64(a.seq(a.head(node))) > l.maxSeq.Load() {
					t.Fatalf("%q does not know its leaf, or is newer", a.key(node))
				}
			}
			row = l.next
		}
	}
	if row != nil || o.list.Len() != branches || o.count != branches {
		t.Fatalf("skiplist has %d elements, the order counts %d branches, there are %d", o.list.Len(), o.count, branches)
	}
}

func checkPage(t *testing.T, a *arena, p *page, lo, hi []byte) {
	t.Helper()
	if hi != nil && bytes.Compare(lo, hi) >= 0 {
		t.Fatalf("fences %q, %q", lo, hi)
	}
	var last []byte
	for i, ref := range p.ref[:p.n] {
		key := a.key(ref)
		switch {
		case last != nil && bytes.Compare(last, key) >= 0:
			t.Fatalf("%q before %q", last, key)
		case bytes.Compare(key, lo) < 0, hi != nil && bytes.Compare(key, hi) >= 0:
			t.Fatalf("%q is not between its page's fences", key)
		case p.prefix[i] != base.Prefix8(key, int(p.skip)) || base.CommonPrefix(key, p.sample) < int(p.skip):
			t.Fatalf("%q has the wrong prefix", key)
		}
		last = key
	}
}

// checkPoints compares Get at random sequences with the model.
func checkPoints(t *testing.T, r *rand.Rand, table *Table, m model) {
	t.Helper()
	for range 2000 {
		key, seq := draw(r, m)
		value, tr, ok := table.Get(xxhash.Sum64String(key), []byte(key), seq)
		i := m.ge(key, seq)
		if want := i < len(m) && m[i].key == key; want != ok {
			t.Fatalf("Get(%q, %d): ok %v, want %v", key, seq, ok, want)
		}
		if ok && (tr != m[i].Trailer || string(value) != m[i].value) {
			t.Fatalf("Get(%q, %d) = %q %v, want %v", key, seq, value, tr, m[i])
		}
	}
}

// draw returns a key and a sequence to ask for: mostly keys there are, some that
// differ from one in its last byte or its length.
func draw(r *rand.Rand, m model) (string, base.SeqNum) {
	if len(m) == 0 {
		return "k", base.SeqNum(r.IntN(5))
	}
	key := m[r.IntN(len(m))].key
	switch r.IntN(6) {
	case 0:
		key += "\x00"
	case 1:
		key = key[:len(key)-1]
	case 2:
		b := []byte(key)
		b[len(b)-1] += byte(r.IntN(256))
		key = string(b)
	}
	seq := m[r.IntN(len(m))].Seq + base.SeqNum(r.IntN(2))
	if r.IntN(4) == 0 {
		seq = base.SeqMax
	}
	return key, seq
}

// at returns what a reader at seq sees: the newest version of each key.
func (m model) at(seq base.SeqNum) (seen model) {
	for _, rec := range m {
		if rec.Seq <= seq && (len(seen) == 0 || seen[len(seen)-1].key != rec.key) {
			seen = append(seen, rec)
		}
	}
	return seen
}

// checkWalkAt compares iterators at several sequences with the model.
func checkWalkAt(t *testing.T, r *rand.Rand, table *Table, m model) {
	t.Helper()
	var it Iter
	for range 4 {
		_, seq := draw(r, m)
		it.InitAt(table, false, seq)
		checkWalk(t, r, &it, m.at(seq))
	}
}

// checkWalk compares an iterator with the model, from random places in random
// directions.
func checkWalk(t *testing.T, r *rand.Rand, it *Iter, m model) {
	t.Helper()
	defer it.Close()
	i := 0
	compare := func(what string, e *iterator.Entry) bool {
		t.Helper()
		want := m.record(i)
		if (e == nil) != (want == nil) {
			t.Fatalf("%s: entry %v, want %v", what, e, want)
		}
		if e == nil {
			return false
		}
		if got := (record{string(e.Key), string(e.Value), e.Trailer}); got != *want {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
		return true
	}
	for ok := compare("First", it.First()); ok; ok = compare("Next", it.Next()) {
		i++
	}
	i = len(m) - 1
	for ok := compare("Last", it.Last()); ok; ok = compare("Prev", it.Prev()) {
		i--
	}
	for range 300 {
		key, seq := draw(r, m)
		var ok bool
		if r.IntN(2) == 0 {
			i = m.ge(key, seq)
			ok = compare(fmt.Sprintf("SeekGE(%q, %d)", key, seq), it.SeekGE([]byte(key), seq))
		} else {
			i = m.ge(key, base.SeqMax) - 1
			ok = compare(fmt.Sprintf("SeekLT(%q)", key), it.SeekLT([]byte(key)))
		}
		for n := 0; ok && n < 10; n++ {
			if r.IntN(3) == 0 {
				i--
				ok = compare("Prev", it.Prev())
			} else {
				i++
				ok = compare("Next", it.Next())
			}
		}
	}
}

// checkNewer compares Newer and NewerInRange with the model.
func checkNewer(t *testing.T, r *rand.Rand, table *Table, m model) {
	t.Helper()
	newest := base.SeqNum(0)
	for _, rec := range m {
		newest = max(newest, rec.Seq)
	}
	for range 200 {
		lo, since := draw(r, m)
		hi, _ := draw(r, m)
		if r.IntN(2) == 0 {
			since = newest - min(newest, base.SeqNum(r.IntN(20)))
		}
		i := m.ge(lo, base.SeqMax)
		if got, want := table.Newer(xxhash.Sum64String(lo), []byte(lo), since), i < len(m) && m[i].key == lo && m[i].Seq > since; got != want {
			t.Fatalf("Newer(%q, %d) = %v", lo, since, got)
		}
		bound := []byte(hi)
		if r.IntN(4) == 0 {
			bound = nil
		}
		for i < len(m) && m[i].Seq <= since {
			i++
		}
		want := i < len(m) && (bound == nil || m[i].key < hi)
		key, got := table.NewerInRange([]byte(lo), bound, since)
		if got != want || got && string(key) != m[i].key {
			t.Fatalf("NewerInRange(%q, %q, %d) = %q, %v; want %v", lo, bound, since, key, got, want)
		}
	}
}
