package txn_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

// These tests are of whole stores: what a draw says is what transactions make of it.

var bg = context.Background()

func newStore(t testing.TB, change ...func(*siltstone.Options)) *siltstone.DB {
	t.Helper()
	o := &siltstone.Options{FS: vfs.NewMem(), Durability: siltstone.BufferedDurability}
	for _, c := range change {
		c(o)
	}
	db, err := siltstone.Open("db", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ok(t, db.Close()) })
	return db
}

func begin(t *testing.T, db *siltstone.DB) *siltstone.Tx {
	t.Helper()
	tx, err := db.Begin(bg, siltstone.ReadWriteMode)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

// drawn makes a set and a hash of so many elements, in a run and in memory, and as many
// keys beside them.
func drawn(t *testing.T, s *siltstone.DB, elements int) (names []string) {
	t.Helper()
	for i := range elements {
		names = append(names, fmt.Sprintf("%05d", i))
	}
	for _, part := range [][]string{names[:elements/2], names[elements/2:]} {
		var fields []typed.Field
		for _, name := range part {
			fields = append(fields, typed.Field{Name: name})
			ok(t, s.Put([]byte("key "+name), nil))
		}
		_, err := s.Set("s").Add(part...)
		ok(t, err)
		_, err = s.Hash("h").SetMany(fields...)
		ok(t, err)
		if part[0] == names[0] {
			ok(t, s.Flush(bg))
		}
	}
	return names
}

// TestATransactionRestsOnWhatItHasDrawn: what another changes of it, or of the number
// of elements, is a conflict, and what it changes of others is none.
func TestATransactionRestsOnWhatItHasDrawn(t *testing.T) {
	s := newStore(t)
	names := drawn(t, s, 2000)
	fresh := 0
	exchange := func(name string) error {
		return s.Update(bg, func(tx *siltstone.Tx) error {
			fresh++
			_, err := tx.Set("s").Remove(name)
			_, addErr := tx.Set("s").Add(fmt.Sprint("fresh", fresh))
			return errors.Join(err, addErr)
		})
	}
	set := func(name string) error { _, err := s.Hash("h").Set(name, []byte("changed")); return err }
	drop := func(name string) error { _, err := s.Keys().Drop(name); return err }
	member := func(tx *siltstone.Tx) (string, error) { m, err := tx.Set("s").Random(1); return m[0], err }
	for name, c := range map[string]struct {
		draw   func(tx *siltstone.Tx) (string, error)
		change func(drawn string) error
		want   error
	}{
		"another for the member": {member, exchange, siltstone.ErrConflict},
		"one more":               {member, func(string) error { _, err := s.Set("s").Add("more"); return err }, siltstone.ErrConflict},
		"the value of the field": {func(tx *siltstone.Tx) (string, error) {
			f, err := tx.Hash("h").Random(2)
			return f[1].Name, err
		}, set, siltstone.ErrConflict},
		"the value of another": {func(tx *siltstone.Tx) (string, error) {
			f, err := tx.Hash("h").Random(-1)
			return f[0].Name, err
		}, func(drawn string) error {
			if drawn == names[7] {
				return set(names[8])
			}
			return set(names[7])
		}, nil},
		"the key":   {func(tx *siltstone.Tx) (string, error) { return tx.Keys().Random() }, drop, siltstone.ErrConflict},
		"a new key": {func(tx *siltstone.Tx) (string, error) { return tx.Keys().Random() }, func(string) error { return s.Put([]byte("key new"), nil) }, nil},
		"the set, with others": {func(tx *siltstone.Tx) (string, error) {
			_, err := tx.Set("s").Pop(1)
			return "", err
		}, func(string) error { _, err := s.Set("s").Pop(1); return err }, siltstone.ErrConflict},
	} {
		tx := begin(t, s)
		drawn, err := c.draw(tx)
		ok(t, err)
		ok(t, tx.Put([]byte("result"), []byte(drawn)))
		ok(t, c.change(drawn))
		if err := tx.Commit(); !errors.Is(err, c.want) {
			t.Errorf("%s is changed: %v, want %v", name, err, c.want)
		}
	}
}

// TestDrawsOfATransactionSeeItsOwnWrites, those of a snapshot none that came later.
func TestDrawsOfATransactionSeeItsOwnWrites(t *testing.T) {
	s := newStore(t)
	names := drawn(t, s, 2000)
	snap, err := s.NewSnapshot()
	ok(t, err)
	defer snap.Close()
	tx := begin(t, s)
	there := map[string]bool{}
	for i, name := range names {
		if i%4 > 0 {
			_, err := tx.Set("s").Remove(name)
			ok(t, err)
			continue
		}
		there[name], there["own "+name] = true, true
		_, err := tx.Set("s").Add("own " + name)
		ok(t, err)
	}
	own := 0
	for i := range 200 {
		members, err := tx.Set("s").Random(10 - 20*(i%2))
		ok(t, err)
		for _, m := range members {
			if !there[m] {
				t.Fatalf("%q is drawn, which is not there", m)
			}
			if m[0] == 'o' {
				own++
			}
		}
	}
	if own < 850 || own > 1150 { // seven standard deviations around one in two
		t.Errorf("%d of 2000 draws are the transaction's own", own)
	}
	popped, err := tx.Set("s").Pop(15)
	ok(t, err)
	for _, m := range popped {
		if has, err := tx.Set("s").Has(m); has || err != nil || !there[m] {
			t.Errorf("%q is popped, and there: %v %v", m, has, err)
		}
	}
	if n, err := tx.Set("s").Len(); n != 985 || err != nil {
		t.Errorf("%d members are left, %v", n, err)
	}
	ok(t, tx.Commit())
	ok(t, s.Compact(bg, siltstone.Range{}))
	for range 200 {
		members, err := snap.Set("s").Random(5)
		ok(t, err)
		for _, m := range members {
			if len(m) != len(names[0]) {
				t.Fatalf("a snapshot draws %q, which came later", m)
			}
		}
	}
}

// TestDrawsOfWhatIsNearlyGone: of many dead rows a few live ones are found all the same.
func TestDrawsOfWhatIsNearlyGone(t *testing.T) {
	s := newStore(t)
	names := drawn(t, s, 30_000)
	kept := map[string]bool{}
	for i, name := range names {
		if i%100 == 7 {
			kept[name] = true
		}
	}
	ok(t, s.Update(bg, func(tx *siltstone.Tx) error {
		for _, name := range names {
			if kept[name] {
				continue
			}
			if _, err := tx.Set("s").Remove(name); err != nil {
				return err
			}
		}
		return nil
	}))
	for range 50 {
		members, err := s.Set("s").Random(4)
		if ok(t, err); len(members) != 4 {
			t.Errorf("%q are drawn", members)
		}
		for _, m := range members {
			if !kept[m] {
				t.Errorf("%q is drawn, which is gone", m)
			}
		}
	}
}

// TestATransactionAtATimeAndSeedDoesTheSameInEveryStore: two stores with the same keys,
// in files of their own each.
func TestATransactionAtATimeAndSeedDoesTheSameInEveryStore(t *testing.T) {
	start := time.UnixMilli(1_000_000)
	open := func(flush bool) *siltstone.DB {
		db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem(), LogicalClock: true, Clock: func() time.Time { return time.Time{} }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ok(t, db.Close()) })
		ok(t, db.Update(bg, func(tx *siltstone.Tx) error {
			for i := range 600 {
				_, err := tx.Set("s").Add(fmt.Sprint(i))
				ok(t, err)
				_, err = tx.ZSet("z").Add(fmt.Sprint(i), float64(i%7))
				ok(t, err)
				ok(t, tx.Put(fmt.Appendf(nil, "key %d", i), nil))
			}
			return nil
		}))
		if flush {
			ok(t, db.Flush(bg))
			_, err := db.Set("s").Add("599") // and some of it in memory once more
			ok(t, err)
		}
		return db
	}
	run := func(db *siltstone.DB, at time.Time, seed uint64) (all []string) {
		ok(t, db.Update(bg, func(tx *siltstone.Tx) error {
			ok(t, tx.RunAt(at, seed))
			if !tx.Now().Equal(at) {
				t.Errorf("it is %v, not %v", tx.Now(), at)
			}
			names, err := tx.Set("s").Random(3)
			ok(t, err)
			popped, err := tx.Set("s").Pop(2)
			ok(t, err)
			key, err := tx.Keys().Random()
			ok(t, err)
			members, err := tx.ZSet("z").Random(-4)
			ok(t, err)
			all = append(append(append(all, names...), popped...), key, fmt.Sprint(members))
			has, err := tx.Has([]byte("short"))
			ok(t, err)
			all = append(all, fmt.Sprint(has))
			return tx.PutTTL([]byte("short"), nil, time.Minute)
		}))
		return all
	}
	a, b := open(false), open(true)
	previous := ""
	for i, wait := range []time.Duration{0, time.Minute - time.Millisecond, time.Minute, 2 * time.Minute} {
		at := start.Add(wait)
		x, y := fmt.Sprint(run(a, at, uint64(i))), fmt.Sprint(run(b, at, uint64(i)))
		if x != y {
			t.Errorf("%v: %s and %s", wait, x, y)
		}
		if x == previous {
			t.Errorf("seeds %d and %d draw the same: %s", i-1, i, x)
		}
		previous = x
	}
}

func TestATimeAndSeedComeFirstAndNotBeforeTheClock(t *testing.T) {
	db := newStore(t)
	tx := begin(t, db)
	if err := tx.RunAt(tx.Now().Add(-time.Second), 1); !errors.Is(err, siltstone.ErrBadOption) {
		t.Errorf("before the clock: %v", err)
	}
	if err := tx.RunAt(time.UnixMilli(1<<62), 1); !errors.Is(err, siltstone.ErrBadOption) {
		t.Errorf("later than any clock: %v", err)
	}
	ok(t, tx.RunAt(tx.Now().Add(time.Hour), 1))
	if err := tx.RunAt(tx.Now(), 1); !errors.Is(err, siltstone.ErrBadOption) {
		t.Errorf("twice: %v", err)
	}
	ok(t, tx.Rollback())
	if err := tx.RunAt(time.Now(), 1); !errors.Is(err, siltstone.ErrTxDone) {
		t.Errorf("after the end: %v", err)
	}
	for what, use := range map[string]func(*siltstone.Tx) error{
		"a write": func(tx *siltstone.Tx) error { return tx.Put([]byte("k"), nil) },
		"a read":  func(tx *siltstone.Tx) error { _, err := tx.Has([]byte("k")); return err },
	} {
		tx := begin(t, db)
		ok(t, use(tx))
		if err := tx.RunAt(tx.Now(), 1); !errors.Is(err, siltstone.ErrBadOption) {
			t.Errorf("after %s: %v", what, err)
		}
		ok(t, tx.Rollback())
	}
}
