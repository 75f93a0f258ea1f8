package txn_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

// TestACallThatMakesItsTransactionTooLargeChangesNothing fills a transaction until a call
// is refused: one that has written some of its rows by then, or has ended a collection that
// began in the transaction. The rest commits, and the collections are whole.
func TestACallThatMakesItsTransactionTooLargeChangesNothing(t *testing.T) {
	huge := make([]byte, 2<<20)
	for name, refuse := range map[string]func(tx *siltstone.Tx, i int) error{
		"Put over a hash": func(tx *siltstone.Tx, _ int) error { return tx.Put([]byte("hash"), huge) },
		"Set over a hash": func(tx *siltstone.Tx, _ int) error { return tx.String("hash").Set(huge) },
		"Hash.Set": func(tx *siltstone.Tx, i int) error {
			_, err := tx.Hash("hash").Set(fmt.Sprint("more", i), make([]byte, 3000))
			return err
		},
		"ZSet.Add": func(tx *siltstone.Tx, i int) error {
			_, err := tx.ZSet("zset").Add(fmt.Sprint("more", i), 0)
			return err
		},
		"List.PushBack": func(tx *siltstone.Tx, _ int) error {
			_, err := tx.List("list").PushBack(make([]byte, 700), make([]byte, 500))
			return err
		},
		"CopyTo": func(tx *siltstone.Tx, i int) error {
			_, err := tx.Key("hash").CopyTo(fmt.Sprint("copy", i), true)
			return err
		},
		"Hash.SetMany": func(tx *siltstone.Tx, _ int) error {
			_, err := tx.Hash("hash").SetMany(typed.Field{Name: "a", Value: make([]byte, 5000)}, typed.Field{Name: "b", Value: make([]byte, 6000)})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem(), MaxTxBytes: 1 << 20})
			ok(t, err)
			defer db.Close()
			var want, got string
			ok(t, db.Update(bg, func(tx *siltstone.Tx) error {
				for i := range 200 {
					m := fmt.Sprintf("%03d", i)
					_, err1 := tx.Hash("hash").Set(m, make([]byte, 1000))
					_, err2 := tx.ZSet("zset").Add(m, float64(i))
					_, err3 := tx.List("list").PushBack([]byte(m))
					if err := errors.Join(err1, err2, err3); err != nil {
						return err
					}
				}
				for i := 0; tx.Put(fmt.Append(nil, i), make([]byte, 10_000)) == nil; i++ {
				}
				for i, err := 0, error(nil); !errors.Is(err, siltstone.ErrTxTooLarge); i++ {
					ok(t, err)
					want = contents(t, tx)
					err = refuse(tx, i)
				}
				got = contents(t, tx)
				return tx.Put([]byte("small"), nil)
			}))
			if got != want {
				t.Errorf("the transaction has %.200s, and before the refusal it was %.200s", got, want)
			}
			if got := contents(t, db); got != want {
				t.Errorf("after the commit there is %.200s, want %.200s", got, want)
			}
			ok(t, db.Check(bg))
		})
	}
}

// contents shows the collections.
func contents(t *testing.T, from siltstone.ReadWriter) string {
	t.Helper()
	var out strings.Builder
	for _, name := range []string{"hash", "copy0", "copy1", "copy2", "copy3", "copy4", "copy5"} {
		for f, err := range from.Hash(name).All() {
			ok(t, err)
			fmt.Fprint(&out, f.Name, len(f.Value), " ")
		}
	}
	for m, err := range from.ZSet("zset").All() {
		ok(t, err)
		fmt.Fprint(&out, m.Name, m.Score, " ")
	}
	for v, err := range from.List("list").Range(0, -1) {
		ok(t, err)
		fmt.Fprint(&out, string(v), " ")
	}
	return out.String()
}
