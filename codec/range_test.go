package codec_test

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/codec"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

// part is a range, and what tells which keys are in it.
type part[K any] struct {
	what string
	of   codec.Range[K]
	has  func(K) bool
}

// partsOf returns every range with bounds among at.
func partsOf[K any](compare func(a, b K) int, at []K) (all []part[K]) {
	all = append(all, part[K]{"all", codec.Range[K]{}, func(K) bool { return true }})
	for _, lower := range at {
		from, above := func(k K) bool { return compare(k, lower) >= 0 }, func(k K) bool { return compare(k, lower) > 0 }
		all = append(all,
			part[K]{fmt.Sprintf("from %v", lower), codec.Range[K]{}.From(lower), from},
			part[K]{fmt.Sprintf("after %v", lower), codec.Range[K]{}.After(lower), above},
			part[K]{fmt.Sprintf("before %v", lower), codec.Range[K]{}.Before(lower), func(k K) bool { return !from(k) }})
		for _, upper := range at {
			if compare(lower, upper) > 0 {
				continue
			}
			below := func(k K) bool { return compare(k, upper) < 0 }
			all = append(all,
				part[K]{fmt.Sprintf("from %v before %v", lower, upper), codec.Between(lower, upper), func(k K) bool { return from(k) && below(k) }},
				part[K]{fmt.Sprintf("after %v before %v", lower, upper), codec.Range[K]{}.After(lower).Before(upper), func(k K) bool { return above(k) && below(k) }})
		}
	}
	return all
}

// checkParts walks each part of a Map and a Set of the keys at, in both directions.
func checkParts[K any](t *testing.T, db *siltstone.DB, k codec.KeyCodec[K], at []K, parts []part[K]) {
	t.Helper()
	m, s := codec.MapOf(db.Hash("h"), k, codec.AsValue(k)), codec.SetOf(db.Set("s"), k)
	for _, key := range at {
		want(t, true)(m.Set(key, key))
		want(t, 1)(s.Add(key))
	}
	keys := func(entries iter.Seq2[codec.Entry[K, K], error]) iter.Seq2[K, error] {
		return func(yield func(K, error) bool) {
			for e, err := range entries {
				if fmt.Sprint(e.Key) != fmt.Sprint(e.Value) {
					t.Errorf("%v has the value %v", e.Key, e.Value)
				}
				if !yield(e.Key, err) {
					return
				}
			}
		}
	}
	for _, p := range parts {
		up := slices.DeleteFunc(slices.Clone(at), func(key K) bool { return !p.has(key) })
		down := slices.Clone(up)
		slices.Reverse(down)
		for name, loop := range map[string]struct {
			got  iter.Seq2[K, error]
			want []K
		}{
			"Map.Scan": {keys(m.Scan(p.of)), up}, "Map.ScanBack": {keys(m.ScanBack(p.of)), down},
			"Map.ScanKeys": {m.ScanKeys(p.of), up}, "Map.ScanKeysBack": {m.ScanKeysBack(p.of), down},
			"Set.Scan": {s.Scan(p.of), up}, "Set.ScanBack": {s.ScanBack(p.of), down},
		} {
			if got, err := collect(loop.got); err != nil || fmt.Sprint(got) != fmt.Sprint(loop.want) {
				t.Errorf("%s %s: %v, %v, want %v", name, p.what, got, err, loop.want)
			}
		}
	}
	for i, key := range at {
		if got, err := collect(keys(m.After(key))); err != nil || len(got) != len(at)-i-1 {
			t.Errorf("Map.After(%v): %v, %v", key, got, err)
		}
		if got, err := collect(s.After(key)); err != nil || len(got) != len(at)-i-1 {
			t.Errorf("Set.After(%v): %v, %v", key, got, err)
		}
	}
}

func TestMapsAndSetsAreWalkedInEveryRangeInBothDirections(t *testing.T) {
	t.Run("numbers", func(t *testing.T) {
		at := []int64{-1 << 63, -2, -1, 0, 1, 255, 256, 1<<63 - 1}
		checkParts(t, openTest(t), codec.Int64, at, partsOf(cmp.Compare[int64], at))
	})
	t.Run("strings", func(t *testing.T) {
		at := []string{"", "\x00", "\x00\x00", "a", "a\x00", "b", "\xff", "\xff\xff"}
		checkParts(t, openTest(t), codec.String, at, partsOf(strings.Compare, at))
	})
	t.Run("tuples", func(t *testing.T) {
		k := codec.Tuple2(codec.String, codec.Int)
		var at []codec.Pair[string, int]
		for _, user := range []string{"a", "b", "c"} {
			for _, n := range []int{1, 2, 3} {
				at = append(at, codec.NewPair(user, n))
			}
		}
		ofB := func(least, below int) func(codec.Pair[string, int]) bool {
			return func(p codec.Pair[string, int]) bool { return p.First == "b" && p.Second >= least && p.Second < below }
		}
		b := codec.Within(k.Prefix("b"))
		checkParts(t, openTest(t), k, at, []part[codec.Pair[string, int]]{
			{"b", b, ofB(0, 9)},
			{"b after 1", b.After(codec.NewPair("b", 1)), ofB(2, 9)},
			{"b from 3", b.From(codec.NewPair("b", 3)), ofB(3, 9)},
			{"b before 3", b.Before(codec.NewPair("b", 3)), ofB(0, 3)},
			{"b from a", b.From(codec.NewPair("a", 3)), ofB(0, 9)},
			{"b from c", b.From(codec.NewPair("c", 1)), ofB(9, 9)},
			{"b after c", b.After(codec.NewPair("c", 1)), ofB(9, 9)},
			{"b before a", b.Before(codec.NewPair("a", 1)), ofB(9, 9)},
			{"b before c", b.Before(codec.NewPair("c", 1)), ofB(0, 9)},
		})
	})
}

func TestRangeWhoseBoundsAreSwappedIsRefused(t *testing.T) {
	db := openTest(t)
	_, err := collect(codec.SetOf(db.Set("s"), codec.Int).Scan(codec.Between(9, 3)))
	refused[int](t, siltstone.ErrBadRange)(0, err)
	got, err := collect(codec.SetOf(db.Set("s"), codec.String).Scan(codec.Between("a", "")))
	if err != nil || got != nil {
		t.Errorf("a range below the empty string: %q, %v", got, err)
	}
}

func TestZSetContinuesAfterAMember(t *testing.T) {
	z := codec.ZSetOf(openTest(t).ZSet("z"), codec.Int)
	all := []codec.Member[int]{{-5, 1}, {3, 1}, {300, 1}, {-7, 2}, {4, 2.5}}
	want(t, len(all))(z.AddMany(0, all...))
	for i, m := range all {
		got, err := collect(z.After(m))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(all[i+1:]) {
			t.Errorf("after %v: %v, %v", m, got, err)
		}
		back := slices.Clone(all[:i])
		slices.Reverse(back)
		got, err = collect(z.Range(z.ByScoreAfter(1, 2, m).Reverse()))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(back) {
			t.Errorf("before %v: %v, %v, want %v", m, got, err, back)
		}
	}
	want(t, int64(3))(z.Count(z.ByLexTo(3)))
}

func TestTimesToLiveOfSingleKeysAndMembers(t *testing.T) {
	start := time.UnixMilli(1_000_000)
	var passed atomic.Int64
	db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem(), Clock: func() time.Time { return start.Add(time.Duration(passed.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	m, s, z := codec.MapOf(db.Hash("h"), codec.Int, codec.Text), codec.SetOf(db.Set("s"), codec.Int), codec.ZSetOf(db.ZSet("z"), codec.Int)
	want(t, true)(m.SetTTL(7, "seven", time.Minute))
	want(t, true)(m.Set(8, "eight"))
	want(t, 1)(s.AddTTL(time.Minute, 7))
	want(t, 1)(s.Add(8))
	want(t, 1)(z.AddTTL(time.Minute, codec.Member[int]{Name: 7, Score: 1}))
	want(t, true)(z.Add(8, 1))
	want(t, time.Minute)(m.KeyTTL(7))
	want(t, time.Minute)(s.MemberTTL(7))
	want(t, time.Minute)(z.MemberTTL(7))
	want(t, typed.NoTTL)(m.KeyTTL(8))
	deadline := start.Add(time.Minute)
	want(t, deadline)(m.KeyDeadline(7))
	want(t, deadline)(s.MemberDeadline(7))
	want(t, deadline)(z.MemberDeadline(7))
	refused[time.Duration](t, siltstone.ErrNotFound)(m.KeyTTL(9))
	refused[bool](t, siltstone.ErrBadTTL)(m.SetTTL(7, "", 0))
	later := deadline.Add(time.Minute)
	want(t, 1)(m.ExpireKeysAt(later, typed.CondNX, 7, 8, 9))
	want(t, 1)(s.ExpireMembersAt(later, typed.CondNX, 7, 8, 9))
	want(t, 1)(z.ExpireMembersAt(later, typed.CondNX, 7, 8, 9))
	passed.Store(int64(time.Minute))
	want(t, false)(m.Has(7))
	want(t, false)(s.Has(7))
	want(t, int64(1))(z.Len())
	want(t, 1)(m.PersistKeys(7, 8))
	want(t, 1)(s.PersistMembers(7, 8))
	want(t, 1)(z.PersistMembers(7, 8))
	passed.Store(int64(2 * time.Minute))
	want(t, int64(1))(m.Len())
	want(t, int64(1))(s.Len())
	want(t, int64(1))(z.Len())
}
