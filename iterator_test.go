package siltstone_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
)

func (s *testStore) iter(o *siltstone.IterOptions) *siltstone.Iterator {
	s.t.Helper()
	it, err := s.NewIter(o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { ok(s.t, it.Close()) })
	return it
}

// TestTenThousandVersionsOfOneKeyUnderASnapshot: a leaf that was split among
// versions of one key lost some of them.
func TestTenThousandVersionsOfOneKeyUnderASnapshot(t *testing.T) {
	for _, configure := range []func(*siltstone.Options){func(*siltstone.Options) {}, small} {
		s := newStore(t, configure)
		const versions = 10_000
		snaps := map[int]*siltstone.Snapshot{}
		for i := range 60 {
			s.put(fmt.Sprintf("beside%02d", i), "x")
		}
		for i := range versions {
			s.put("key", fmt.Sprint(i))
			if i%997 == 0 {
				snap, err := s.NewSnapshot()
				ok(t, err)
				snaps[i] = snap
			}
		}
		for range 2 {
			for i, snap := range snaps {
				wantText(t, get(snap, "key"), fmt.Sprint(i))
				wantText(t, list(snap, siltstone.Prefix([]byte("key"))), fmt.Sprint("key=", i))
				wantText(t, listBack(snap, siltstone.Prefix([]byte("key"))), fmt.Sprint("key=", i))
			}
			wantText(t, get(s, "key"), fmt.Sprint(versions-1))
			s.compact()
		}
		s.check()
		for _, snap := range snaps {
			snap.Close()
		}
	}
}

// TestIteratorAcrossLeafSplitYieldsEachKeyOnce writes between the steps of
// iterators, so that what they stand in is split under them.
func TestIteratorAcrossLeafSplitYieldsEachKeyOnce(t *testing.T) {
	s := newStore(t)
	const n = 2000
	for i := range n {
		s.put(fmt.Sprintf("%06d", i*10), "old")
	}
	forward, backward := s.iter(nil), s.iter(nil)
	for i := range n {
		if i == 0 {
			forward.First()
			backward.Last()
		} else {
			forward.Next()
			backward.Prev()
		}
		for j := range 3 {
			s.put(fmt.Sprintf("%06d", (i*37%n)*10+j), "new", fmt.Sprintf("%06d", i*10+1+j), "new", fmt.Sprintf("%06d", (n-i)*10-1-j), "new")
		}
		if got, want := string(forward.Key()), fmt.Sprintf("%06d", i*10); got != want || string(forward.Value()) != "old" {
			t.Fatalf("forward step %d is at %s=%s, want %s", i, got, forward.Value(), want)
		}
		if got, want := string(backward.Key()), fmt.Sprintf("%06d", (n-1-i)*10); got != want || string(backward.Value()) != "old" {
			t.Fatalf("backward step %d is at %s=%s, want %s", i, got, backward.Value(), want)
		}
	}
	if forward.Next() || backward.Prev() {
		t.Error("there is more than was there")
	}
}

// TestSliceKeptAfterIteratorCloseNeverFaults keeps every slice an iterator lent,
// and reads them when all that they were cut from is gone.
func TestSliceKeptAfterIteratorCloseNeverFaults(t *testing.T) {
	s := newStore(t, small)
	for i := range 500 {
		s.put(fmt.Sprintf("%04d", i), strings.Repeat("v", 300))
	}
	var kept [][]byte
	keep := func() {
		it, err := s.NewIter(nil)
		ok(t, err)
		for at := it.First(); at; at = it.Next() {
			kept = append(kept, it.Key(), it.Value())
		}
		ok(t, it.Close())
		for kv := range s.ScanBack(siltstone.Range{}) {
			kept = append(kept, kv.Key, kv.Value)
		}
	}
	keep()
	s.step()
	keep()
	s.compact()
	keep()
	ok(t, s.DB.Close())
	runtime.GC()
	sum := 0
	for _, b := range kept {
		for _, c := range b {
			sum += int(c)
		}
	}
	if sum == 0 {
		t.Error("nothing was kept")
	}
	s.open()
}

// TestValueStaysPutWhileBackwardStepsCrossBlocks: to know the newest version
// of a key, a backward step looks one entry further, which may lie in another
// block.
func TestValueStaysPutWhileBackwardStepsCrossBlocks(t *testing.T) {
	s := newStore(t, small)
	value := func(i int) []byte { return bytes.Repeat(fmt.Appendf(nil, "%04d", i), 40) }
	for i := range 400 {
		ok(t, s.Put(fmt.Appendf(nil, "%04d", i), value(i)))
	}
	s.compact()
	it := s.iter(nil)
	i := 399
	for at := it.Last(); at; at = it.Prev() {
		if !bytes.Equal(it.Value(), value(i)) {
			t.Fatalf("key %s has the value %.8s", it.Key(), it.Value())
		}
		i--
	}
	if i != -1 {
		t.Errorf("%d keys are missing", i+1)
	}
}

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
	if testing.Short() {
		t.Skip("the full tier")
	}
	t.Parallel()
	for _, where := range []string{"memtable", "memtable and table", "memtable on one side", "tables", "plain table", "transaction"} {
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
			switch where {
			case "memtable", "transaction":
			case "plain table":
				for i := range 5000 {
					keys = append(keys, fmt.Sprintf("%05d", i))
					ok(t, s.Put([]byte(keys[i]), []byte(keys[i])))
				}
				s.flush()
			default:
				write(s, 2000, 0, 5000)
				s.flush()
			}
			from, of := siltstone.Reader(s.DB), siltstone.Writer(s.DB)
			switch where {
			case "memtable on one side":
				write(s, 1500, 3000, 5000)
			case "plain table":
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
						if where == "transaction" || where == "plain table" {
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

// Whoever keeps a window of time deletes everything below a bound that rises: the
// ranges of these calls all overlap, and each makes those before it superfluous.
// What the store takes for them must grow with their number, not with its square.
func TestOverlappingRangeDeletesTakeMemoryByTheirNumber(t *testing.T) {
	if testing.Short() {
		t.Skip("the full tier")
	}
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
			db, err := siltstone.Open("db", &siltstone.Options{FS: fs, MemoryLimit: 64 << 20, Durability: siltstone.BufferedDurability})
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

func TestAfterAndBeforeOfARangeHoldItsKeysOnThatSide(t *testing.T) {
	t.Parallel()
	longest := func(end string) []byte {
		return append(bytes.Repeat([]byte{0xFF}, siltstone.MaxKeyLen-len(end)), end...)
	}
	keys := [][]byte{
		[]byte("\x00"), []byte("\x00\x00"), []byte("a"), []byte("a\x00"), []byte("a\xff"), []byte("b"), []byte("\xff"),
		[]byte("\xff\xff"), longest("a"), longest("b"), longest("\xff"),
	}
	bounds := append([][]byte{nil, {}, append(longest("a"), 0), append(longest("\xff"), 0xFF)}, keys...)
	holds := func(r siltstone.Range, key []byte) bool {
		return bytes.Compare(key, r.Lower) >= 0 && (r.Upper == nil || bytes.Compare(key, r.Upper) < 0)
	}
	for _, lower := range bounds {
		for _, upper := range bounds {
			r := siltstone.Range{Lower: lower, Upper: upper}
			bad := upper != nil && bytes.Compare(lower, upper) > 0
			for _, at := range bounds {
				after, before := r.After(at), r.Before(at)
				for _, part := range []siltstone.Range{after, before} {
					if isBad := part.Upper != nil && bytes.Compare(part.Lower, part.Upper) > 0; isBad != bad {
						t.Fatalf("%.9q to %.9q, part at %.9q: %.9q", lower, upper, at, part)
					}
				}
				for _, key := range keys {
					if holds(after, key) != (holds(r, key) && bytes.Compare(key, at) > 0) && !bad {
						t.Errorf("%.9q to %.9q, after %.9q: %.9q", lower, upper, at, key)
					}
					if holds(before, key) != (holds(r, key) && bytes.Compare(key, at) < 0) && !bad {
						t.Errorf("%.9q to %.9q, before %.9q: %.9q", lower, upper, at, key)
					}
				}
				if len(lower) <= siltstone.MaxKeyLen && len(upper) <= siltstone.MaxKeyLen && max(len(after.Lower), len(before.Upper)) > siltstone.MaxKeyLen {
					t.Errorf("a part of %.9q to %.9q at %.9q has a bound that is too long", lower, upper, at)
				}
			}
		}
	}
}

func TestLimitTakesNoMoreStepsThanItYieldsItems(t *testing.T) {
	failed := errors.New("failed")
	for n, want := range map[int]string{-1: "", 0: "", 1: "0", 3: "0 1 2", 9: "0 1 2 3 failed"} {
		steps := 0
		loop := func(yield func(int, error) bool) {
			for i := range 4 {
				if steps++; !yield(i, nil) {
					return
				}
			}
			steps++
			yield(0, failed)
		}
		var got []string
		for i, err := range siltstone.Limit(loop, n) {
			if err != nil {
				got = append(got, err.Error())
				continue
			}
			got = append(got, fmt.Sprint(i))
		}
		if text := strings.Join(got, " "); text != want || steps != len(got) {
			t.Errorf("Limit %d: %q in %d steps, want %q", n, text, steps, want)
		}
	}
	for range siltstone.Limit[int](nil, 1) {
		t.Error("a nil loop yields something")
	}
	for range siltstone.Limit(func(yield func(int, error) bool) { _ = yield(1, nil) && yield(2, nil) }, 2) {
		break
	}
}
