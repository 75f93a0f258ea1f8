package typed_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/handle"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/seed"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
)

// A call that fails leaves pages behind it that say what did not happen.
func TestPagesOfACallThatFailedAreNotWrittenByTheNext(t *testing.T) {
	typedtest.InRows(t)
	typedtest.SmallRanks(t)
	failed := 0
	for failIn := 1; ; failIn++ {
		db := newFake(t, 1)
		for i := range 40 {
			must[bool](t)(db.ZSet("z").Add(fmt.Sprint(i), float64(i)))
			must[bool](t)(db.ZSet("other").Add(fmt.Sprint(i), float64(i)))
		}
		tx := db.newTxn()
		db.failIn = failIn
		if _, err := handle.ZSet(tx, "z").Add("new", 20.5); err == nil {
			break
		} else if !errors.Is(err, errEngine) {
			t.Fatal(err)
		}
		failed++
		clear(tx.own)
		must[bool](t)(handle.ZSet(tx, "other").Add("new", 20.5))
		db.ended(tx)
		tx.commit()
		must[int](t)(0, db.check())
	}
	if failed < 8 {
		t.Errorf("the call failed in %d places: has it become so short?", failed)
	}
}

// Every count is one byte up to 127: pages grow and shrink in the middle.
func TestCountsOfMoreThanAByteArePutInPlace(t *testing.T) {
	typedtest.InRows(t)
	typedtest.SmallRanks(t)
	collection.Shape.Bytes = 1 << 10 // pages are cut by their entries
	db := newFake(t, 1)
	z := db.ZSet("z")
	long := 0
	step := func() {
		must[int](t)(0, db.check())
		for _, r := range db.rows {
			_, rest, _ := keyenc.KeyspaceOf(r.Key)
			_, tag, key, _ := keyenc.ParseCollectionRow(rest)
			if tag != keyenc.TagBucket || len(key) != 1 {
				continue
			}
			// The first entry has a rest of no bytes, then comes its count.
			if _, entries, _ := record.CutRankStart(r.Value); bytes.HasPrefix(entries, []byte{0, 0x80, 1}) {
				long++
			}
		}
	}
	const members = 600
	for i := range members {
		must[bool](t)(z.Add(fmt.Sprintf("%03d", i), float64(members-i)))
		step()
	}
	grown := long
	for i := range members { // from the first entries on
		must[int](t)(z.Remove(fmt.Sprintf("%03d", members-1-i)))
		step()
	}
	if grown == 0 || long == grown {
		t.Errorf("the first entry of a page counted 128 members %d times while they came and %d while they went", grown, long-grown)
	}
}

// Entries of a page may be many more than those of one call.
func TestCallThatChangesManyPagesFindsEachAgain(t *testing.T) {
	typedtest.InRows(t)
	typedtest.SmallRanks(t)
	db := newFake(t, 1)
	z := db.ZSet("z")
	var some []typed.Member
	for i := range 1000 {
		some = append(some, typed.Member{Name: fmt.Sprintf("%03d", i*7%1000), Score: float64(i * 7 % 1000)})
	}
	for at := 0; at < len(some); at += 500 {
		must[int](t)(z.AddMany(0, some[at:at+500]...))
		must[int](t)(0, db.check())
	}
	for i := range some {
		some[i].Score = float64(i * 11 % 1000)
	}
	must[int](t)(z.AddMany(0, some...))
	must[int](t)(0, db.check())
}

func TestMoveInsideABucketWritesNoPage(t *testing.T) {
	typedtest.InRows(t)
	typedtest.SmallRanks(t)
	db := newFake(t, 1)
	for i := range 40 {
		must[bool](t)(db.ZSet("z").Add(fmt.Sprint(i), float64(i)))
	}
	for score, want := range map[float64]bool{20.5: false, 35: true} {
		tx := db.newTxn()
		must[bool](t)(handle.ZSet(tx, "z").Add("20", score))
		pages := 0
		for row := range tx.own {
			if _, tag, _, _ := keyenc.ParseCollectionRow([]byte(row)); tag == keyenc.TagBucket {
				pages++
			}
		}
		if (pages > 0) != want {
			t.Errorf("a move from 20 to %v writes %d pages", score, pages)
		}
		db.ended(tx)
	}
}

// longestPage returns how many bytes the longest page of the only sorted set has, and
// how many pages there are.
func longestPage(db *fakeDB) (longest, pages int) {
	for _, r := range db.rows {
		_, rest, _ := keyenc.KeyspaceOf(r.Key)
		if _, tag, _, _ := keyenc.ParseCollectionRow(rest); tag == keyenc.TagBucket {
			longest, pages = max(longest, len(r.Value)), pages+1
		}
	}
	return longest, pages
}

// TestPagesOfLongNamesStaySmall: what all names share is in a page once, and where some
// share much and others little a page has few of them.
func TestPagesOfLongNamesStaySmall(t *testing.T) {
	const nameLen, members = 4000, 2600
	rng := rand.New(rand.NewPCG(seed.New(t), 1))
	start := strings.Repeat("x", nameLen)
	for name, c := range map[string]struct {
		name func(i int) string
		most int
	}{
		"one start": {func(i int) string { return fmt.Sprintf("%s%06d", start, i) }, nameLen + 32*16},
		// The boundaries of buckets lie in a group and between two by turns.
		"many starts": {func(i int) string { return fmt.Sprintf("%03d%s%06d", i/130, start, i) }, 3*nameLen + collection.Shape.Bytes + 100},
	} {
		db := newFake(t, 1)
		z := db.ZSet("z")
		grow := func(from, to int) {
			var some []typed.Member
			for _, i := range rng.Perm(to - from) {
				some = append(some, typed.Member{Name: c.name(from + i)})
			}
			must[int](t)(z.AddMany(0, some...))
		}
		holds := func(when string) {
			t.Helper()
			must[int](t)(0, db.check())
			if longest, pages := longestPage(db); longest > c.most || pages == 0 {
				t.Errorf("%s, %s: a page of %d bytes, of %d pages; want at most %d", name, when, longest, pages, c.most)
			}
		}
		grow(0, members/4)
		holds("made")
		for from := members / 4; from < members; from += members / 4 {
			grow(from, from+members/4)
			holds("grown")
		}
		for from := 0; from < members*9/10; from += members / 10 {
			var names []string
			for i := range members / 10 {
				names = append(names, c.name(from+i))
			}
			must[int](t)(z.Remove(names...))
			holds("shrunk")
		}
	}
}
