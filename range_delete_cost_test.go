package siltstone_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
)

// Whoever keeps a window of time deletes everything below a bound that rises: the
// ranges of these calls all overlap, and each makes those before it superfluous.
// What the store takes for them must grow with their number, not with its square.
func TestOverlappingRangeDeletesTakeMemoryByTheirNumber(t *testing.T) {
	const n, most = 8000, 10 << 10 // bytes for each: were it a square, 64 KB at the least
	key := func(i int) []byte { return fmt.Appendf(nil, "event/%08d", i) }
	for name, bounds := range map[string]func(i int) siltstone.Range{
		"below a rising bound":       func(i int) siltstone.Range { return siltstone.Range{Upper: key(i)} },
		"above a falling bound":      func(i int) siltstone.Range { return siltstone.Range{Lower: key(n - i)} },
		"each inside the last one":   func(i int) siltstone.Range { return siltstone.Range{Lower: key(i), Upper: key(3*n - i)} },
		"each around the last one":   func(i int) siltstone.Range { return siltstone.Range{Lower: key(n - i), Upper: key(n + i + 1)} },
		"each a step behind another": func(i int) siltstone.Range { return siltstone.Range{Lower: key(i), Upper: key(i + n/2)} },
	} {
		fs := vfs.NewMem()
		open := func() *siltstone.DB {
			db, err := siltstone.Open("db", &siltstone.Options{FS: fs, MemoryLimit: 64 << 20, Durability: siltstone.Buffered})
			ok(t, err)
			return db
		}
		step := func(what string, do func()) {
			t.Helper()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			do()
			runtime.ReadMemStats(&after)
			if each := (after.TotalAlloc - before.TotalAlloc) / n; each > most {
				t.Errorf("%s: %s takes %d bytes for each of %d range deletes", name, what, each, n)
			}
		}
		deletes := func(db *siltstone.DB) {
			for i := range n {
				ok(t, db.DeleteRange(bounds(i)))
			}
		}
		db := open()
		step("to delete", func() { deletes(db) })
		snap, err := db.NewSnapshot()
		ok(t, err)
		step("Metrics", func() { db.Metrics() })
		step("a scan", func() {
			for _, err := range db.Scan(siltstone.Range{}) {
				ok(t, err)
			}
		})
		step("Flush", func() { ok(t, db.Flush(bg)) })
		step("a transaction", func() {
			ok(t, db.Update(bg, func(tx *siltstone.Tx) error {
				for i := range n {
					ok(t, tx.DeleteRange(bounds(i)))
				}
				return nil
			}))
		})
		step("to read below them", func() {
			for i := range n / 10 {
				_, _ = snap.Get(key(i * 10))
			}
		})
		step("Metrics of tables", func() { db.Metrics() })
		snap.Close()
		step("Close", func() { ok(t, db.Close()) })
		step("Open", func() { db = open() })
		ok(t, db.Close())
	}
}

// A snapshot sees the range deletes up to its own sequence, none of the many above
// it and no fewer than the many below it, wherever they lie.
func TestSnapshotsAmongOverlappingRangeDeletesSeeTheirOwn(t *testing.T) {
	s := newStore(t, small)
	const n = 60
	for i := range n {
		s.put(fmt.Sprintf("%03d", i), "v")
	}
	s.flush()
	var snaps []*siltstone.Snapshot
	var wants []string
	lo, hi := 0, n
	rest := func() string {
		var keys []string
		for k := lo; k < hi; k++ {
			keys = append(keys, fmt.Sprintf("%03d=v", k))
		}
		return strings.Join(keys, " ")
	}
	for i := range n / 3 {
		lo, hi = lo+1, hi-1
		ok(t, s.DeleteRange(siltstone.Range{Upper: fmt.Appendf(nil, "%03d", lo)}))
		ok(t, s.DeleteRange(siltstone.Range{Lower: fmt.Appendf(nil, "%03d", hi)}))
		if i%4 != 0 {
			continue
		}
		snap, err := s.NewSnapshot()
		ok(t, err)
		snaps, wants = append(snaps, snap), append(wants, rest())
	}
	look := func(when string) {
		t.Helper()
		for i, snap := range snaps {
			if got := list(snap, siltstone.Range{}); got != wants[i] {
				t.Errorf("%s, snapshot %d: %s\nwant %s", when, i, got, wants[i])
			}
			for k := range n {
				key := fmt.Sprintf("%03d", k)
				if got, want := get(snap, key) == "v", strings.Contains(wants[i], key); got != want {
					t.Errorf("%s, snapshot %d: %s there %v, want %v", when, i, key, got, want)
				}
			}
		}
	}
	look("in memory")
	s.flush()
	look("in a table")
	s.compact()
	look("merged")
	s.check()
	for len(snaps) > 0 {
		snaps[0].Close()
		snaps, wants = snaps[1:], wants[1:]
		s.compact()
		look("merged again")
	}
	s.check()
	s.reopen()
	wantText(t, list(s, siltstone.Range{}), rest())
}
