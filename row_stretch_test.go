package siltstone_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
)

// sightRows are keys of a store with the values a reader sees, in order.
type sightRows struct{ keys, values []string }

// see looks every key up by itself.
func see(t *testing.T, r siltstone.Reader, keys []string) (rows sightRows) {
	t.Helper()
	slices.Sort(keys)
	for _, k := range slices.Compact(keys) {
		if v, err := r.Get([]byte(k)); err == nil {
			rows.keys, rows.values = append(rows.keys, k), append(rows.values, string(v))
		}
	}
	return rows
}

// between returns the rows of [lo, hi).
func (rows sightRows) between(lo, hi string) sightRows {
	i, j := sort.SearchStrings(rows.keys, lo), sort.SearchStrings(rows.keys, hi)
	return sightRows{rows.keys[i:max(i, j)], rows.values[i:max(i, j)]}
}

// walkLong compares long walks in either direction, with turns, with the rows.
func (rows sightRows) walkLong(t *testing.T, rng *rand.Rand, it *siltstone.Iterator) {
	t.Helper()
	at := func(what string, i int, valid bool) bool {
		t.Helper()
		if want := i >= 0 && i < len(rows.keys); valid != want || it.Valid() != want {
			t.Fatalf("%s: valid %v, want row %d of %d", what, valid, i, len(rows.keys))
		}
		if valid && (string(it.Key()) != rows.keys[i] || string(it.Value()) != rows.values[i]) {
			t.Fatalf("%s: at %s=%.20s, want %s=%.20s", what, it.Key(), it.Value(), rows.keys[i], rows.values[i])
		}
		return valid
	}
	i := 0
	for ok := at("First", i, it.First()); ok; ok = at("Next", i, it.Next()) {
		i++
	}
	i = len(rows.keys) - 1
	for ok := at("Last", i, it.Last()); ok; ok = at("Prev", i, it.Prev()) {
		i--
	}
	for range 30 {
		key := fmt.Sprintf("%05d", rng.IntN(6000))
		i = sort.SearchStrings(rows.keys, key)
		ok := at("SeekGE "+key, i, it.SeekGE([]byte(key)))
		for range 4 {
			for n := rng.IntN(60); ok && n > 0; n-- {
				i++
				ok = at("Next", i, it.Next())
			}
			for n := rng.IntN(60); ok && n > 0; n-- {
				i--
				ok = at("Prev", i, it.Prev())
			}
		}
	}
}

// TestLongWalksShowWhatLookUpsShow walks stretches of memtables and tables with
// everything in them that ends a stretch, or must be passed over in one.
func TestLongWalksShowWhatLookUpsShow(t *testing.T) {
	for _, where := range []string{"memtable", "memtable and table", "memtable on one side", "tables", "transaction"} {
		t.Run(where, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 4))
			s := newStore(t)
			var keys []string
			write := func(to siltstone.Writer, n, lo, hi int) {
				for i := range n {
					key := fmt.Sprintf("%05d", lo+rng.IntN(hi-lo))
					keys = append(keys, key)
					switch rng.IntN(12) {
					case 0:
						ok(t, to.Delete([]byte(key)))
					case 1:
						ok(t, to.PutTTL([]byte(key), []byte("short"), time.Second))
					case 2:
						ok(t, to.PutTTL([]byte(key), []byte("long"), time.Hour))
					default:
						ok(t, to.Put([]byte(key), fmt.Appendf(nil, "%s.%d", key, i)))
					}
				}
			}
			if where != "memtable" && where != "transaction" {
				write(s, 2000, 0, 5000)
				s.flush()
			}
			from, of := siltstone.Reader(s.DB), siltstone.Writer(s.DB)
			switch where {
			case "memtable on one side":
				write(s, 1500, 3000, 5000)
			case "tables":
				write(s, 1000, 0, 5000)
				s.flush()
			case "transaction":
				write(s, 1500, 0, 5000)
				tx := s.begin()
				defer tx.Rollback()
				from, of = tx, tx
				write(tx, 1500, 2000, 4000)
			default:
				write(s, 2000, 0, 5000)
			}
			check := func(what string) {
				rows := see(t, from, keys)
				var after []string
				for _, bounds := range [][2]string{{"", "9"}, {"01000", "01100"}, {"02345", "04567"}, {"03000", "03000"}} {
					o := &siltstone.IterOptions{Range: siltstone.Range{Lower: []byte(bounds[0]), Upper: []byte(bounds[1])}}
					it, err := from.NewIter(o)
					ok(t, err)
					want := rows.between(bounds[0], bounds[1])
					for range 300 { // must not be seen
						if where == "transaction" {
							break
						}
						after = append(after, fmt.Sprintf("%05d", rng.IntN(5000)))
						ok(t, s.Put([]byte(after[len(after)-1]), []byte("later")))
					}
					want.walkLong(t, rng, it)
					ok(t, it.Close())
					keys = append(keys, after...)
					rows = see(t, from, keys)
				}
				t.Log(what, len(rows.keys), "rows")
			}
			check("filled")
			s.clock.advance(2 * time.Second)
			check("some expired")
			ok(t, of.DeleteRange(siltstone.Range{Lower: []byte("02500"), Upper: []byte("02600")}))
			ok(t, of.DeleteRange(siltstone.Range{Lower: []byte("03333"), Upper: []byte("03336")}))
			check("ranges deleted")
			write(of, 50, 2400, 2700)
			check("and filled again")
		})
	}
}
