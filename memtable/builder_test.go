package memtable

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
)

// build returns the table that a Builder makes of records, by sequence.
func build(records model) *Table {
	b := NewBuilder(64<<20, 0)
	for _, r := range records {
		r.addTo(b)
	}
	return b.Table()
}

// sorted returns the records in internal order.
func (m model) sorted() model { return slices.SortedFunc(slices.Values(m), compareRecords) }

// runMakers draw keys of the shapes that trouble a sort by prefixes.
var runMakers = map[string]func(r *rand.Rand, i int) string{
	"one key": func(*rand.Rand, int) string { return "the only one" },
	"few keys with much in common": func(r *rand.Rand, i int) string {
		return strings.Repeat("deep", 8+4*r.IntN(2)) + []string{"", "\x00", "\x00\x00", "a"}[r.IntN(4)]
	},
	"zeros at the end": func(r *rand.Rand, i int) string { return "z" + strings.Repeat("\x00", r.IntN(40)) },
	"prefixes of each other": func(r *rand.Rand, i int) string {
		return strings.Repeat("abcdefgh", 40)[:1+r.IntN(320)]
	},
	"tenants": func(r *rand.Rand, i int) string {
		return fmt.Sprintf("tenant:%019d:user:%019d:%x", r.IntN(3), r.IntN(5), r.Uint32N(5000))
	},
	"skip shrinks": func(r *rand.Rand, i int) string {
		return strings.Repeat("k", max(1, 60-i/20)) + fmt.Sprint(r.IntN(100))
	},
}

func TestBuiltTableAnswersLikeASortedSlice(t *testing.T) {
	for _, makers := range []map[string]func(*rand.Rand, int) string{keyMakers, runMakers} {
		for name, maker := range makers {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := newSeed(t)
				for _, n := range []int{0, 1, 2, shortRun + 1, pageCap, pageCap + 1, 3000, 20_000} {
					all := randomRecords(r, n, maker)
					table := build(all)
					checkBuilt(t, r, table, all)
				}
			})
		}
	}
}

// checkBuilt compares a table of all records, by sequence, with them.
func checkBuilt(t *testing.T, r *rand.Rand, table *Table, all model) {
	t.Helper()
	n := len(all)
	if table.Len() != n || table.Empty() != (n == 0) {
		t.Fatalf("n=%d: Len %d, Empty %v", n, table.Len(), table.Empty())
	}
	if n > 0 && (table.MinSeq() != all[0].Seq || table.MaxSeq() != all[n-1].Seq) {
		t.Fatalf("n=%d: sequences %d to %d, want %d to %d", n, table.MinSeq(), table.MaxSeq(), all[0].Seq, all[n-1].Seq)
	}
	m := all.sorted()
	checkRow(t, table)
	checkPoints(t, r, table, m)
	checkWalk(t, r, table.NewIter(false), m)
	checkNewer(t, r, table, m)
}

func TestBuiltTableTakesMore(t *testing.T) {
	for name, maker := range keyMakers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newSeed(t)
			all := randomRecords(r, 20_000, maker)
			table := build(all[:13_000])
			for _, rec := range all[13_000:] {
				rec.addTo(table)
			}
			checkBuilt(t, r, table, all)
		})
	}
}

func TestBuiltTableHoldsWhatAddedRecordsHold(t *testing.T) {
	const hash = 0xFEEDFEEDFEEDFEED // the same for many: most are left out of the index
	b, added := NewBuilder(8<<20, 100), New(8<<20)
	own := bytes.Repeat([]byte("own"), LargeValue)
	for i := range base.SeqNum(3000) {
		key, value := fmt.Appendf(nil, "key%03d", i*7919%700), fmt.Append(nil, i)
		if i%5 == 0 {
			key = []byte("often") // has versions that can jump, of every size
		}
		switch i % 400 {
		case 75: // the 16th version of its key
			value = bytes.Repeat(value, LargeValue)
		case 80:
			value = nil
		}
		b.Add(hash, key, put(i), value)
		added.Add(hash, key, put(i), value)
	}
	b.AddReferenced(hash, []byte("large"), put(3000), own)
	added.AddReferenced(hash, []byte("large"), put(3000), own)
	b.AddRangeDelete([]byte("key1"), []byte("key3"), 3001)
	added.AddRangeDelete([]byte("key1"), []byte("key3"), 3001)

	built := b.Table()
	if len(built.index.leftOut) == 0 {
		t.Fatal("no key was left out")
	}
	for _, table := range []*Table{built, added} {
		table.Rebase(1000)
		if table.Len() != 3001 || table.MinSeq() != 1000 || table.MaxSeq() != 4001 || table.CoverSeq([]byte("key2"), base.SeqMax) != 4001 {
			t.Fatalf("%d records, %d to %d, cover %d", table.Len(), table.MinSeq(), table.MaxSeq(), table.CoverSeq([]byte("key2"), base.SeqMax))
		}
	}
	sameHashed(t, built, added, hash)
	if v, _, ok := built.Get(hash, []byte("large"), base.SeqMax); !ok || &v[0] != &own[0] {
		t.Error("the referenced value was copied")
	}
	if a, b := drawVersions(built, hash, "often"), drawVersions(added, hash, "often"); a != b {
		t.Errorf("versions of one key hang like this:\n%swant\n%s", a, b)
	}
	if n := built.Filled(); n > 512<<10 {
		t.Errorf("%d bytes of arena for values outside of it", n)
	}
	if a, b := len(*built.large.Load()), len(*added.large.Load()); a != b {
		t.Errorf("%d values outside the arena, added records have %d", a, b)
	}
}

// drawVersions draws how the versions of a key hang together.
func drawVersions(t *Table, hash uint64, key string) string {
	a := &t.arena
	node := t.find(hash, []byte(key))
	s := fmt.Sprintf("%d versions\n", *a.word(node, nodeVersions))
	for v := a.head(node); v != 0; v = a.older(v) {
		if off, ok := a.jumpAt(v); ok {
			far, ordinal := a.far(v)
			s += fmt.Sprintf("%d: ordinal %d, far %d %v\n", a.seq(v), *a.word(v, off+jumpOrdinal), ordinal, far != 0)
		}
	}
	return s
}

// sameHashed compares two tables by their iterators and by point reads, all with
// the same hash.
func sameHashed(t *testing.T, a, b *Table, hash uint64) {
	t.Helper()
	x, y := a.NewIter(false), b.NewIter(false)
	defer x.Close()
	defer y.Close()
	p, q := x.First(), y.First()
	for ; p != nil && q != nil; p, q = x.Next(), y.Next() {
		if !bytes.Equal(p.Key, q.Key) || p.Trailer != q.Trailer || !bytes.Equal(p.Value, q.Value) {
			t.Fatalf("%q %v, want %q %v", p.Key, p.Trailer, q.Key, q.Trailer)
		}
		if v, tr, ok := a.Get(hash, q.Key, q.Seq); !ok || tr != q.Trailer || !bytes.Equal(v, q.Value) {
			t.Fatalf("Get(%q, %d) = %v, %v", q.Key, q.Seq, tr, ok)
		}
	}
	if p != nil || q != nil {
		t.Fatal("one has more records")
	}
	if _, _, ok := a.Get(hash, []byte("absent"), base.SeqMax); ok {
		t.Fatal("found an absent key")
	}
}

func TestBuiltTableOfRangeDeletesAlone(t *testing.T) {
	b := NewBuilder(1<<20, 0)
	b.AddRangeDelete([]byte("a"), []byte("b"), 7)
	table := b.Table()
	if table.Empty() || table.Len() != 0 || table.MinSeq() != 7 || table.MaxSeq() != 7 || table.CoverSeq([]byte("a"), base.SeqMax) != 7 {
		t.Errorf("Empty %v, Len %d, %d to %d", table.Empty(), table.Len(), table.MinSeq(), table.MaxSeq())
	}
	checkRow(t, table)
}

func TestBuilderOfABatchTakesExactlyIt(t *testing.T) {
	b := NewBuilder(Footprint(1000, 1000*116), 1000)
	if !b.Fits(1000, 1000*116) {
		t.Fatal("does not fit")
	}
	if b.Fits(1001, 1001*116) {
		t.Fatal("more fits than was asked for")
	}
}

// One list is made of them at the end: what it takes grows with their number.
func TestBuilderJoinsItsRangeDeletesOnce(t *testing.T) {
	const n = 4096
	var keys [3*n + 1][]byte
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "%06d", i)
	}
	allocs := testing.AllocsPerRun(1, func() {
		b := NewBuilder(8<<20, 0)
		for i := range n {
			b.AddRangeDelete(keys[i], keys[3*n-i], base.SeqNum(i+1))
		}
		b.Table()
	})
	if allocs > n+100 { // the copies of their bounds
		t.Errorf("%d range deletes allocate %v times", n, allocs)
	}
	b := NewBuilder(8<<20, 0)
	b.AddRangeDelete([]byte("a"), []byte("z"), 5)
	b.AddRangeDelete([]byte("c"), []byte("d"), 6)
	b.AddRangeDelete([]byte("x"), []byte("b"), 7) // empty
	table := b.Table()
	table.AddRangeDelete([]byte("e"), []byte("f"), 8)
	if got, want := table.RangeDeletes().String(), "[a-z)#5 [c-d)#6 [e-f)#8"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if table.MaxSeq() != 8 || table.MinSeq() != 5 {
		t.Errorf("%d to %d", table.MinSeq(), table.MaxSeq())
	}
}
