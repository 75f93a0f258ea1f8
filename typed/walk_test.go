package typed_test

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/handle"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
)

// These tests are about what calls walk over, and what they keep of it.

func TestRandomAndPopAreUniform(t *testing.T) {
	const size, rounds = 10, 4000
	db := newFake(t, 7)
	for i := range size {
		must[int](t)(db.Set("s").Add(fmt.Sprint(i)))
	}
	draws := map[string]struct {
		n    int
		draw func() ([]string, error)
	}{
		"Random(1)":  {1, func() ([]string, error) { return db.Set("s").Random(1) }},
		"Random(3)":  {3, func() ([]string, error) { return db.Set("s").Random(3) }},
		"Random(-3)": {3, func() ([]string, error) { return db.Set("s").Random(-3) }},
		"Pop(2)": {2, func() (popped []string, err error) {
			err = db.Update(func(tx typedtest.API) error {
				popped, err = tx.Set("s").Pop(2)
				return errRollback
			})
			if errors.Is(err, errRollback) {
				err = nil
			}
			return popped, err
		}},
	}
	for name, d := range draws {
		first, all := map[string]int{}, map[string]int{}
		for range rounds {
			got := must[[]string](t)(d.draw())
			if len(got) != d.n {
				t.Fatalf("%s: %q", name, got)
			}
			first[got[0]]++
			for _, m := range got {
				all[m]++
			}
		}
		// Six standard deviations of a binomial: one failure in 10⁸ if uniform.
		for i := range size {
			m := fmt.Sprint(i)
			for _, c := range []struct{ got, want float64 }{
				{float64(first[m]), rounds / size}, {float64(all[m]), float64(d.n) * rounds / size},
			} {
				if math.Abs(c.got-c.want) > 6*math.Sqrt(c.want) {
					t.Errorf("%s: %s came %v times, expected %v", name, m, c.got, c.want)
				}
			}
		}
	}
}

// bigSets is a Txn that reads: every key is a set of a million members, made up
// as they are walked; set i holds the multiples of i.
type bigSets struct {
	fakeTxn
	scratch collection.Scratch
	steps   int
	peeks   int
}

const bigSetLen = 1_000_000

func (b *bigSets) Begin(bool, string, int) (collection.Txn, error) { return b, nil }
func (b *bigSets) Prefix() []byte                                  { return nil }
func (b *bigSets) Scratch() *collection.Scratch                    { return &b.scratch }
func (b *bigSets) Frozen(*collection.Scratch) collection.Txn       { return b }

func (b *bigSets) Get(dst, row []byte) ([]byte, base.Trailer, error) {
	id := uint64(row[1] - '0')
	m := record.Meta{Encoding: record.EncodingRows, ID: id, Count: bigSetLen / id}
	return record.AppendMeta(dst, m), base.Trailer{Attr: base.MakeAttr(base.KindPut, uint8(record.TypeSet), false)}, nil
}

func (b *bigSets) Peek([]byte) (base.Trailer, error) {
	b.peeks++
	return base.Trailer{}, base.ErrNotFound
}

func (b *bigSets) Scan(lo, _ []byte, _ collection.ScanOptions) (collection.Cursor, error) {
	id, _, _, _ := keyenc.ParseCollectionRow(lo)
	return &bigCursor{b: b, key: append(slices.Clone(lo), "0000000"...), step: int(id)}, nil
}

type bigCursor struct {
	fakeCursor
	b    *bigSets
	key  []byte
	at   int
	step int
}

func (c *bigCursor) Next() bool {
	c.at += c.step
	c.b.steps++
	for i, v := len(c.key)-1, c.at; v > 0; i-- {
		c.key[i] = byte('0' + v%10)
		v /= 10
	}
	return c.at < bigSetLen
}

func (c *bigCursor) Key() []byte  { return c.key }
func (c *bigCursor) Close() error { return nil }

func TestInterOfMillionMemberSetsNeedsNoMemoryForThem(t *testing.T) {
	b := &bigSets{}
	b.db = newFake(t, 1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n := 0
	for _, err := range handle.Set(b, "1").Inter("2", "3") {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1000 {
			runtime.ReadMemStats(&after)
		}
	}
	if n != (bigSetLen-1)/6 {
		t.Errorf("%d members", n)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes for 1000 members of the result", got)
	}
	if b.peeks != 0 {
		t.Errorf("%d look-ups among sets of like size", b.peeks)
	}
}

func TestInterWithAMuchLargerSetLooksMembersUp(t *testing.T) {
	b := &bigSets{}
	b.db = newFake(t, 1)
	for range handle.Set(b, "1").Inter("a") { // one in 49 numbers
	}
	if b.steps > bigSetLen/49+1 || b.peeks != (bigSetLen-1)/49 {
		t.Errorf("%d steps, %d look-ups", b.steps, b.peeks)
	}
}

func TestRanksTakeFewSteps(t *testing.T) {
	const size = 1000 // seven buckets
	db := newFake(t, 1)
	var members []typed.Member
	for i := range size {
		members = append(members, typed.Member{Name: fmt.Sprintf("m%03d", i), Score: float64(i)})
	}
	must[int](t)(db.ZSet("z").AddMany(0, members...))
	z := db.ZSet("z")
	walk := func(r typed.ZRange) func() {
		return func() {
			for m, err := range z.Range(r) {
				if err != nil {
					t.Fatal(m, err)
				}
			}
		}
	}
	for name, c := range map[string]struct {
		most int
		call func()
	}{
		"lowest":           {3, walk(typed.ByRank(0, 1))},
		"highest":          {8, walk(typed.ByRank(-2, -1))},
		"reverse, lowest":  {8, walk(typed.ByRank(-2, -1).Reverse())},
		"reverse, highest": {3, walk(typed.ByRank(0, 1).Reverse())},
		"all":              {size + 1, walk(typed.ByRank(0, -1))},
		"middle":           {10 + 144, walk(typed.ByRank(size/2, size/2))},
		"rank of lowest":   {4, func() { must[int64](t)(z.Rank("m001")) }},
		"rank of highest":  {10 + 144, func() { must[int64](t)(z.Rank("m998")) }},
		"count by score":   {2*(10+144) + 130, func() { must[int64](t)(z.Count(typed.ByScore(1, 998))) }},
		"one at random":    {10 + 144, func() { must[[]typed.Member](t)(z.Random(1)) }},
		"add":              {2, func() { must[bool](t)(z.Add("m500", 501.5)) }},
		"count by rank":    {0, func() { must[int64](t)(z.Count(typed.ByRank(5, 900))) }},
		"count of all":     {0, func() { must[int64](t)(z.Count(typed.ByLexFrom(""))) }},
		"pop":              {3, func() { must[[]typed.Member](t)(z.PopMax(1)) }},
	} {
		db.steps = 0
		if c.call(); db.steps > c.most {
			t.Errorf("%s took %d steps, at most %d will do", name, db.steps, c.most)
		}
	}
}

func TestTrimUsesARangeTombstoneOnlyForMany(t *testing.T) {
	db := newFake(t, 1)
	for range 300 {
		must[int64](t)(db.List("l").PushBack(nil))
	}
	for _, c := range []struct {
		start, stop int64
		ranges      int
	}{{1, -1, 0}, {0, -2, 0}, {64, -65, 0}, {65, -1, 1}, {0, 0, 1}} {
		db.ranges = 0
		must[int](t)(0, db.List("l").Trim(c.start, c.stop))
		if db.ranges != c.ranges {
			t.Errorf("Trim(%d, %d) took %d range tombstones", c.start, c.stop, db.ranges)
		}
	}
}
