package typed_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/handle"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
)

// bucketPicture draws the bucket rows of the only collection, and the rows below
// each.
func bucketPicture(db *fakeDB) string {
	var b strings.Builder
	for _, r := range db.rows {
		_, rest, _ := keyenc.KeyspaceOf(r.Key)
		if _, tag, key, ok := keyenc.ParseCollectionRow(rest); ok && tag == keyenc.TagBucket {
			fmt.Fprintf(&b, "%d %x: %x\n", key[0], key[1:], r.Value)
		}
	}
	return b.String()
}

func TestBucketsLookLikeThis(t *testing.T) {
	typedtest.InRows(t)
	typedtest.SmallRanks(t)
	db := newFake(t, 1)
	z := db.ZSet("z")
	for i := range 4 {
		must[bool](t)(z.Add(fmt.Sprint("name", i), 1))
	}
	if got := bucketPicture(db); got != "" {
		t.Errorf("four members are counted:\n%s", got)
	}
	for i := range 10 {
		must[bool](t)(z.Add(fmt.Sprint("more", i), 2))
	}
	const want = `1 : 0000030dbff00000000000006e616d653302
1 c0000000000000006d6f726531: 0cc0000000000000006d6f72650002013302013502013703
2 : 0000050dc0000000000000006d6f72653109
`
	if got := bucketPicture(db); got != want {
		t.Errorf("14 members:\n%swant:\n%s", got, want)
	}
	must[int](t)(z.RemoveRange(typed.ByRank(1, -1)))
	if got := bucketPicture(db); got != "" {
		t.Errorf("one member is counted:\n%s", got)
	}
	must[int](t)(0, db.check())
}

// zmodel is a sorted set in a map.
type zmodel map[string]float64

func (m zmodel) sorted() []typed.Member {
	var all []typed.Member
	for name, score := range m {
		all = append(all, typed.Member{Name: name, Score: score})
	}
	slices.SortFunc(all, func(a, b typed.Member) int {
		if a.Score != b.Score {
			if a.Score < b.Score {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all
}

func TestCountedOrderAnswersLikeTheModelWhileItGrowsAndShrinks(t *testing.T) {
	typedtest.InRows(t)
	typedtest.SmallRanks(t)
	for seed := range uint64(8) {
		db, rng, m := newFake(t, seed), rand.New(rand.NewPCG(seed, 2)), zmodel{}
		z := db.ZSet("z")
		name := func() string { return fmt.Sprintf("m%d", rng.IntN(300)) }
		score := func() float64 {
			return []float64{0, 1, float64(rng.IntN(50)), -1, math.Inf(1)}[rng.IntN(1+int(seed%5))]
		}
		for step := range 900 {
			// It grows in two waves and shrinks in between.
			if step/225%2 == 0 || rng.IntN(4) == 0 {
				n, s := name(), score()
				must[bool](t)(z.Add(n, s))
				m[n] = s
			} else {
				shrink(t, z, m, rng)
			}
			if err := db.check(); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
			if step%20 == 0 {
				compareRanks(t, z, m, rng)
			}
		}
	}
}

// shrink removes members in one of the ways there are.
func shrink(t *testing.T, z typed.ZSet, m zmodel, rng *rand.Rand) {
	all := m.sorted()
	if len(all) == 0 {
		return
	}
	var gone []typed.Member
	at := rng.IntN(len(all))
	switch rng.IntN(5) {
	case 0:
		gone = must[[]typed.Member](t)(z.PopMin(1 + rng.IntN(9)))
	case 1:
		gone = must[[]typed.Member](t)(z.PopMax(1 + rng.IntN(9)))
	case 2:
		gone = all[at:min(at+20, len(all))]
		must[int](t)(z.RemoveRange(typed.ByRank(int64(at), int64(at)+19)))
	default:
		gone = all[at : at+1]
		must[int](t)(z.Remove(all[at].Name))
	}
	for _, g := range gone {
		delete(m, g.Name)
	}
}

func compareRanks(t *testing.T, z typed.ZSet, m zmodel, rng *rand.Rand) {
	t.Helper()
	all := m.sorted()
	step := 1 + len(all)/100
	for i := 0; i < len(all); i += step {
		member := all[i]
		if rank, err := z.Rank(member.Name); rank != int64(i) || err != nil {
			t.Fatalf("rank of %v is %d %v, want %d", member, rank, err, i)
		}
	}
	if len(all) == 0 {
		return
	}
	i := rng.IntN(len(all))
	j := i + rng.IntN(len(all)-i)
	for _, r := range []struct {
		r    typed.ZRange
		want []typed.Member
	}{
		{typed.ByRank(int64(i), int64(j)), all[i : j+1]},
		{typed.ByRank(int64(len(all)-1-j), int64(len(all)-1-i)).Reverse(), all[i : j+1]},
		{typed.ByScore(all[i].Score, all[j].Score), slices.DeleteFunc(slices.Clone(all), func(m typed.Member) bool {
			return m.Score < all[i].Score || m.Score > all[j].Score
		})},
	} {
		var got []typed.Member
		for m, err := range z.Range(r.r) {
			got = append(got, must[typed.Member](t)(m, err))
		}
		if len(got) > 0 && got[0] != r.want[0] {
			slices.Reverse(got)
		}
		if !slices.Equal(got, r.want) {
			t.Fatalf("%v: got %v, want %v", r.r, got, r.want)
		}
		if n, err := z.Count(r.r); n != int64(len(r.want)) || err != nil {
			t.Fatalf("%v: count %d %v, want %d", r.r, n, err, len(r.want))
		}
	}
}

func TestRanksLeaveOutWhatIsDue(t *testing.T) {
	typedtest.InRows(t)
	typedtest.SmallRanks(t)
	for _, size := range []int{50, 400, 2100} { // the last one is more than a purge takes
		db, m := newFake(t, 1), zmodel{}
		z := db.ZSet("z")
		var short, long []typed.Member
		for i := range size {
			member := typed.Member{Name: fmt.Sprintf("m%04d", i), Score: float64(i * 7 % 500)}
			if i%2 == 0 {
				short = append(short, member)
				continue
			}
			long = append(long, member)
			m[member.Name] = member.Score
		}
		must[int](t)(z.AddTTL(time.Second, short...))
		must[int](t)(z.AddMany(0, long...))
		db.Advance(1000)
		rng := rand.New(rand.NewPCG(1, 1))
		compareRanks(t, z, m, rng)
		if n, err := z.Len(); n != int64(len(m)) || err != nil {
			t.Errorf("%d members: %d %v", size, n, err)
		}
		for _, got := range must[[]typed.Member](t)(z.Random(len(m))) {
			if _, in := m[got.Name]; !in {
				t.Errorf("%v at random, and is due", got)
			}
		}
		if copied, err := z.CopyTo("copy", false); !copied || err != nil {
			t.Fatal(copied, err)
		}
		compareRanks(t, db.ZSet("copy"), m, rng)
		must[bool](t)(z.Add("m0000", 3)) // purges, and it was due
		m["m0000"] = 3
		compareRanks(t, z, m, rng)
		must[int](t)(0, db.check())
	}
}

func TestLargeSetWithoutBucketsIsCountedByTheNextWrite(t *testing.T) {
	db := newFake(t, 1)
	z, m := db.ZSet("z"), zmodel{}
	for i := range 200 { // below the threshold
		m[fmt.Sprint(i)] = float64(i)
		must[bool](t)(z.Add(fmt.Sprint(i), float64(i)))
	}
	if got := bucketPicture(db); got != "" {
		t.Fatalf("200 members are counted:\n%s", got)
	}
	typedtest.SmallRanks(t)
	rng := rand.New(rand.NewPCG(1, 1))
	compareRanks(t, z, m, rng)
	must[int](t)(z.Remove("7"))
	delete(m, "7")
	if bucketPicture(db) == "" {
		t.Error("a write did not have the order counted")
	}
	compareRanks(t, z, m, rng)
	must[int](t)(0, db.check())
}

func TestDamagedBucketsAreErrors(t *testing.T) {
	typedtest.InRows(t)
	typedtest.SmallRanks(t)
	for name, value := range map[string][]byte{"empty": {}, "cut off": {9, 1}, "endless": {0, 0x80}, "too few": {0, 1}, "too many": {0, 0xFF, 0xFF, 1}} {
		db := newFake(t, 1)
		z := db.ZSet("z")
		for i := range 40 {
			must[bool](t)(z.Add(fmt.Sprint(i), float64(i)))
		}
		for i, r := range db.rows {
			_, rest, _ := keyenc.KeyspaceOf(r.Key)
			if _, tag, _, _ := keyenc.ParseCollectionRow(rest); tag == keyenc.TagBucket {
				db.rows[i].Value = value
			}
		}
		_, randomErr := z.Random(1)
		_, addErr := z.Add("20.5", 20.5)
		_, removeErr := z.RemoveRange(typed.ByScore(10, 20))
		for call, err := range map[string]error{"Random": randomErr, "Add": addErr, "RemoveRange": removeErr} {
			if strings.HasPrefix(name, "too") && call != "RemoveRange" {
				continue // may come by what is right
			}
			if !errors.Is(err, base.ErrCorruption) {
				t.Errorf("%s, %s: %v", name, call, err)
			}
		}
	}
}

func TestBodyOfASortedSetIsCheckedBeforeUse(t *testing.T) {
	for body, want := range map[string]error{
		"": nil, "\x01\x01": nil, "\x01\x20": nil,
		"\x02\x01": base.ErrFormatTooNew, "\x01": base.ErrCorruption, "\x01\x00": base.ErrCorruption,
		"\x01\x21": base.ErrCorruption, "\x01\x01\x00": base.ErrCorruption,
	} {
		c := newCanned(record.TypeZSet, keyenc.AppendScore(nil, 1), false)
		c.meta = append(c.meta, body...)
		if _, err := handle.ZSet(c, "k").Score("m"); !errors.Is(err, want) {
			t.Errorf("%x: %v, want %v", body, err, want)
		}
	}
}

func TestHistoriesWithCountedOrdersAnswerLikeTheModel(t *testing.T) {
	typedtest.InlineUpTo(t, 2, 64)
	typedtest.SmallRanks(t)
	for seed := range uint64(10) {
		db := newFake(t, 100+seed)
		db.unkind = true
		err := typedtest.History(db, typedtest.HistoryOptions{
			Seed: 100 + seed, Steps: 1500, Each: func(int) error { return db.check() },
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestPositionsDrawnAreUniform(t *testing.T) {
	const count, cells = 1_000_000, 1000
	for _, n := range []int{-1_000_000, 500_000} {
		tx := newFake(t, 7).newTxn()
		var hits [cells]float64
		drawn := typed.DrawPositions(tx, count, n)
		for i, at := range drawn {
			if n > 0 && i > 0 && at == drawn[i-1] {
				t.Fatalf("%d was drawn twice", at)
			}
			hits[at/(count/cells)]++
		}
		chi, each := 0.0, float64(len(drawn))/cells
		for _, h := range hits {
			chi += (h - each) * (h - each) / each
		}
		// 999 degrees of freedom: below 1144 but for one seed in a thousand.
		if chi > 1144 || len(drawn) != max(n, -n) {
			t.Errorf("%d draws: chi-square %.0f", len(drawn), chi)
		}
	}
}
