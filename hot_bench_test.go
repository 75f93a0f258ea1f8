package siltstone

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/handle"
)

// unlocked is the store as a source whose calls on the same key do not take
// turns: they conflict and run again.
type unlocked DB

func (s *unlocked) Begin(write bool, _ string, _ int) (collection.Txn, error) {
	return begun(s.txns.BeginCall(nil, write, "", 1))
}

func (s *unlocked) End(t collection.Txn, err error) (again bool, e error) {
	return (*dbSource)(s).End(t, err)
}

// BenchmarkHot has 16 goroutines add to one collection or counter:
//
//	locks    as the store does it: calls on one key take turns
//	retries  without the key locks: the loser of a conflict runs again
//	blind    what count deltas could reach at the most: one look-up of the element,
//	         then element and delta written blindly
func BenchmarkHot(b *testing.B) {
	type source = collection.Source
	calls := map[string]func(s source, member string) error{
		"hash":    func(s source, m string) error { _, err := handle.Hash(s, "hot").Set(m, []byte("value")); return err },
		"set":     func(s source, m string) error { _, err := handle.Set(s, "hot").Add(m); return err },
		"counter": func(s source, _ string) error { _, err := handle.String(s, "hot").Incr(1); return err },
	}
	for _, what := range []string{"hash", "set", "counter"} {
		call := calls[what]
		b.Run(what+"/locks", func(b *testing.B) {
			hot(b, func(db *DB, m string) error { return call((*dbSource)(db), m) })
		})
		b.Run(what+"/retries", func(b *testing.B) {
			hot(b, func(db *DB, m string) error { return call((*unlocked)(db), m) })
		})
		b.Run(what+"/blind", func(b *testing.B) {
			hot(b, func(db *DB, m string) error {
				var batch Batch
				if what != "counter" {
					if _, err := db.Has([]byte(m)); err != nil {
						return err
					}
					batch.Put([]byte(m), []byte("value"))
				}
				batch.Put([]byte("delta"), []byte{1})
				return db.Apply(&batch, Default)
			})
		})
	}
}

// hot makes b.N calls from 16 goroutines, each with a member of its own.
func hot(b *testing.B, call func(db *DB, member string) error) {
	db := benchStore(b, false)
	var next atomic.Int64
	var workers sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range 16 {
		workers.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if err := call(db, fmt.Sprintf("member%09d", n)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
}
