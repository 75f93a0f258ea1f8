package txn_test

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

// steps turns a loop into its number of items and the error it ends with; body runs
// after the first item.
func steps[V any](loop iter.Seq2[V, error], body func()) (n int, last error) {
	for _, err := range loop {
		if last = err; err == nil {
			if n++; n == 1 {
				body()
			}
		}
	}
	return n, last
}

func TestCloseInsideALoopEndsIt(t *testing.T) {
	t.Parallel()
	for name, loop := range map[string]func(from siltstone.Typed, body func()) (int, error){
		"Hash.All":  func(from siltstone.Typed, body func()) (int, error) { return steps(from.Hash("h").All(), body) },
		"Set.All":   func(from siltstone.Typed, body func()) (int, error) { return steps(from.Set("s").All(), body) },
		"Set.Inter": func(from siltstone.Typed, body func()) (int, error) { return steps(from.Set("s").Inter("s"), body) },
		"ZSet.Range": func(from siltstone.Typed, body func()) (int, error) {
			return steps(from.ZSet("z").Range(typed.ByRank(0, -1)), body)
		},
		"List.Range": func(from siltstone.Typed, body func()) (int, error) { return steps(from.List("l").Range(0, -1), body) },
		"Keys.All": func(from siltstone.Typed, body func()) (int, error) {
			return steps(from.Keys().All(typed.KeyOptions{}), body)
		},
		"Scan": func(from siltstone.Typed, body func()) (int, error) {
			return steps(from.(siltstone.Reader).Scan(siltstone.Range{}), body)
		},
	} {
		for _, elements := range []int{20, 200} { // in one row, and in rows of their own
			for _, keyspace := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s of %d, in a keyspace %v", name, elements, keyspace), func(t *testing.T) {
					db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem(), Durability: siltstone.BufferedDurability})
					if err != nil {
						t.Fatal(err)
					}
					var from siltstone.Typed = db
					if keyspace {
						if from, err = db.CreateKeyspace("ks"); err != nil {
							t.Fatal(err)
						}
					}
					var members []string
					var items [][]byte
					for i := range elements {
						members, items = append(members, fmt.Sprint("m", i)), append(items, fmt.Append(nil, i))
					}
					_, err1 := from.Set("s").Add(members...)
					_, err2 := from.List("l").PushBack(items...)
					err = errors.Join(err1, err2)
					for _, m := range members {
						_, err1 := from.Hash("h").Set(m, nil)
						_, err2 := from.ZSet("z").Add(m, 1)
						err = errors.Join(err, err1, err2)
					}
					// Flushed: Close publishes no newer state.
					if err := errors.Join(err, db.Flush(bg)); err != nil {
						t.Fatal(err)
					}
					n, err := loop(from, func() {
						if err := db.Close(); err != nil && !strings.Contains(err.Error(), "still open") {
							t.Error("Close:", err)
						}
					})
					if n != 1 || !errors.Is(err, siltstone.ErrClosed) {
						t.Errorf("%d items, then %v", n, err)
					}
				})
			}
		}
	}
}
