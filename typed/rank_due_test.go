package typed_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
)

// levelsOf returns the number of levels that the metadata of the only collection
// says its counted order has.
func levelsOf(t *testing.T, db *fakeDB) int {
	t.Helper()
	for _, r := range db.rows {
		if _, rest, ok := keyenc.KeyspaceOf(r.Key); ok && rest[0] == keyenc.SpaceKeys {
			m, err := record.DecodeMeta(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			if len(m.Body) == 0 {
				return 0
			}
			return int(m.Body[1])
		}
	}
	return 0
}

// A call that changes scores alone leaves the count as it is, and may change the
// number of levels.
func TestMovesAloneChangeTheNumberOfLevels(t *testing.T) {
	typedtest.SmallRanks(t)
	db, rng := newFake(t, 1), rand.New(rand.NewPCG(1, 2))
	z := db.ZSet("z")
	name := func(i int) string { return fmt.Sprintf("m%02d", i) }
	const members = 20
	for i := range members {
		must[bool](t)(z.Add(name(i), float64(i)))
	}
	was, changes := levelsOf(t, db), 0
	for range 2000 {
		must[bool](t)(z.Add(name(rng.IntN(members)), float64(rng.IntN(10*members))))
		if err := db.check(); err != nil {
			t.Fatal(err)
		}
		if now := levelsOf(t, db); now != was {
			was, changes = now, changes+1
		}
	}
	if changes == 0 {
		t.Error("the number of levels never changed: nothing was shown")
	}
}

// The call that finds all members due ends the set, and begins another one.
func TestSetOfDueMembersBeginsAnewWithoutItsBuckets(t *testing.T) {
	typedtest.SmallRanks(t)
	for _, limit := range []uint64{1000, 5} {
		typedtest.PurgeUpTo(t, limit)
		db := newFake(t, 1)
		z := db.ZSet("z")
		for i := range 40 {
			must[int](t)(z.AddTTL(time.Minute, typed.Member{Name: fmt.Sprint("due ", i), Score: float64(i)}))
		}
		if levelsOf(t, db) == 0 {
			t.Fatal("the set is not counted")
		}
		db.Advance(time.Minute.Milliseconds())
		var fresh []typed.Member
		for i := range 12 {
			fresh = append(fresh, typed.Member{Name: fmt.Sprint("new ", i), Score: float64(i)})
		}
		must[int](t)(z.AddMany(0, fresh...))
		if n := must[int64](t)(z.Len()); n != 12 || levelsOf(t, db) == 0 {
			t.Errorf("%d members, %d levels", n, levelsOf(t, db))
		}
		if err := db.check(); err != nil {
			t.Error(err)
		}
	}
}

// What is given a deadline that is over, also by no more than this moment, leaves
// no rows.
func TestDeadlineOfThisMomentRemovesAtOnce(t *testing.T) {
	typedtest.InRows(t)
	db := newFake(t, 1)
	must[int](t)(db.Set("s").Add("stays", "goes"))
	rows := len(db.rows)
	if n := must[int](t)(db.Set("s").ExpireMembersAt(time.UnixMilli(db.Now()), 0, "goes")); n != 1 || len(db.rows) != rows-1 {
		t.Errorf("%d removed, %d rows of %d are left", n, len(db.rows), rows)
	}
}

// A version that does not know counted orders leaves pages behind.
func TestSetIsCountedAnewOverPagesThatWereLeftBehind(t *testing.T) {
	typedtest.InRows(t)
	typedtest.SmallRanks(t)
	db := newFake(t, 1)
	z := db.ZSet("z")
	for i := range 3 {
		must[bool](t)(z.Add(fmt.Sprint(i), float64(i)))
	}
	txn, err := db.Begin(true, "z", 1)
	if err != nil {
		t.Fatal(err)
	}
	id := uint64(0)
	for _, r := range db.rows {
		if got, _, _, ok := keyenc.ParseCollectionRow(r.Key); ok {
			id = got
		}
	}
	stale := keyenc.AppendElementRow(nil, nil, id, keyenc.TagBucket, "\x07stale")
	if _, err := db.End(txn, txn.Put(stale, record.TypeNone, 0, []byte("\x05stale\x09"))); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		must[bool](t)(z.Add(fmt.Sprint("more ", i), float64(i)))
	}
	if err := db.check(); err != nil {
		t.Error(err)
	}
}
