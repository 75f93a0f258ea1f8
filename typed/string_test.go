package typed_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
)

func TestSetRangePadsWithZerosAlsoOverWhatWasLonger(t *testing.T) {
	db := newFake(t, 1)
	must[int](t)(0, db.Update(func(tx typedtest.API) error { // whose scratch is dirty
		if err := tx.String("long").Set(bytes.Repeat([]byte{0xFF}, 100)); err != nil {
			return err
		}
		must[int](t)(0, tx.String("k").Set([]byte("ab")))
		must[int64](t)(tx.String("long").Len())
		must[int64](t)(tx.String("k").SetRange(20, []byte("end")))
		must[bool](t)(tx.String("bit").SetBit(15, true))
		return nil
	}))
	if got := must[[]byte](t)(db.String("k").Get()); string(got) != "ab"+strings.Repeat("\x00", 18)+"end" {
		t.Errorf("%q", got)
	}
	if got := must[[]byte](t)(db.String("bit").Get()); string(got) != "\x00\x01" {
		t.Errorf("%q", got)
	}
	if n := must[int64](t)(db.String("none").SetRange(1<<40, nil)); n != 0 {
		t.Errorf("no bytes made a value of %d", n)
	}
	if must[bool](t)(db.Key("none").Exists()) {
		t.Error("no bytes made a key")
	}
}

func TestOffsetsThatAreTooLargeAllocateNoValue(t *testing.T) {
	for name, call := range map[string]func(s typed.String) error{
		"SetRange": func(s typed.String) error { _, err := s.SetRange(base.MaxValueLen-1, []byte("ab")); return err },
		"SetBit":   func(s typed.String) error { _, err := s.SetBit(8*base.MaxValueLen, true); return err },
		"SetBit, the largest offset": func(s typed.String) error {
			_, err := s.SetBit(1<<63-1, true)
			return err
		},
	} {
		s := typed.NewString(newCanned(record.TypeString, []byte("value"), false), "k")
		if err := call(s); !errors.Is(err, base.ErrValueTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_ = call(s)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: %d bytes allocated", name, n)
		}
	}
}

func TestBitsOfWordsAreThoseOfBytes(t *testing.T) {
	db := newFake(t, 1)
	rng := rand.New(rand.NewPCG(1, 1))
	s := db.String("k")
	for range 300 {
		v := make([]byte, 1+rng.IntN(40))
		if rng.IntN(2) == 0 {
			v = bytes.Repeat([]byte{0xFF}, len(v))
		}
		for range rng.IntN(3) {
			v[rng.IntN(len(v))] ^= 1 << rng.IntN(8)
		}
		must[int](t)(0, s.Set(v))
		n := 8 * len(v)
		first := rng.IntN(n)
		last := first + rng.IntN(n-first)
		ones, pos := int64(0), map[bool]int64{}
		for i := first; i <= last; i++ {
			bit := v[i/8]>>(7-i%8)&1 == 1
			if bit {
				ones++
			}
			if _, ok := pos[bit]; !ok {
				pos[bit] = int64(i)
			}
		}
		r := typed.ByBits(int64(first), int64(last))
		if got := must[int64](t)(s.BitCount(r)); got != ones {
			t.Fatalf("%08b from %d to %d: %d ones, want %d", v, first, last, got, ones)
		}
		for _, bit := range []bool{false, true} {
			got, err := s.BitPos(bit, r)
			want, ok := pos[bit]
			if ok != (err == nil) || ok && got != want {
				t.Fatalf("%08b from %d to %d: first %v at %d, %v, want %d %v", v, first, last, bit, got, err, want, ok)
			}
		}
	}
}

func TestBitPosLooksForAZeroBehindTheEndOnlyIfTheRangeIsOpen(t *testing.T) {
	db := newFake(t, 1)
	must[int](t)(0, db.Keys().Set(typed.Pair{Name: "ones", Value: []byte("\xff\xff")}, typed.Pair{Name: "empty"}))
	for _, c := range []struct {
		key  string
		bit  bool
		r    typed.BitRange
		want int64 // −1: none
	}{
		{"ones", false, typed.BitRange{}, 16},
		{"ones", false, typed.ByBytesFrom(1), 16},
		{"ones", false, typed.ByBytesFrom(2), -1},
		{"ones", false, typed.ByBytes(0, -1), -1},
		{"ones", false, typed.ByBits(0, 100), -1},
		{"ones", true, typed.ByBytesFrom(-1), 8},
		{"ones", true, typed.ByBits(3, -1), 3},
		{"ones", true, typed.ByBits(9, 3), -1},
		{"empty", false, typed.BitRange{}, -1},
		{"none", false, typed.ByBytes(5, 9), 0},
		{"none", true, typed.BitRange{}, -1},
	} {
		got, err := db.String(c.key).BitPos(c.bit, c.r)
		if errors.Is(err, base.ErrNotFound) {
			got, err = -1, nil
		}
		if err != nil || got != c.want {
			t.Errorf("%s, %v in %v: %d, %v, want %d", c.key, c.bit, c.r, got, err, c.want)
		}
	}
}

func TestCommonSubsequences(t *testing.T) {
	db := newFake(t, 1)
	must[int](t)(0, db.Keys().Set(typed.Pair{Name: "a", Value: []byte("ohmytext")}, typed.Pair{Name: "b", Value: []byte("mynewtext")}))
	if got := must[[]byte](t)(db.String("a").LCS("b")); string(got) != "mytext" {
		t.Errorf("%q", got)
	}
	for min, want := range map[int64]string{-1: "[{4 5 4} {2 0 2}]", 3: "[{4 5 4}]", 5: "[]"} {
		got, n, err := db.String("a").LCSMatches("b", min)
		if fmt.Sprint(got) != want || n != 6 || err != nil {
			t.Errorf("from %d bytes on: %v of %d, %v, want %s", min, got, n, err, want)
		}
	}
	if got := must[[]byte](t)(db.String("a").LCS("none")); got == nil || len(got) != 0 {
		t.Errorf("with nothing: %v", got)
	}
}

func TestCommonSubsequenceOfTooMuchIsRefused(t *testing.T) {
	db := newFake(t, 1)
	half := bytes.Repeat([]byte("x"), 16<<10+1)
	must[int](t)(0, db.Keys().Set(typed.Pair{Name: "a", Value: half}, typed.Pair{Name: "b", Value: half}))
	for name, call := range map[string]func() error{
		"LCS":        func() error { _, err := db.String("a").LCS("b"); return err },
		"LCSLen":     func() error { _, err := db.String("a").LCSLen("b"); return err },
		"LCSMatches": func() error { _, _, err := db.String("a").LCSMatches("b", 0); return err },
	} {
		if err := call(); !errors.Is(err, base.ErrValueTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// One side may be as long as a value can be if the other is short.
	must[int](t)(0, db.Keys().Set(typed.Pair{Name: "b", Value: []byte("x")}))
	if n := must[int64](t)(db.String("a").LCSLen("b")); n != 1 {
		t.Errorf("%d bytes in common, want 1", n)
	}
}

func TestRandomKeyIsUniformOverLiveKeys(t *testing.T) {
	const live, rounds = 20, 20_000
	db := newFake(t, 3)
	for i := range live {
		must[int](t)(0, db.String(fmt.Sprintf("live%d", i)).Set(nil))
		gone := db.Set(fmt.Sprintf("gone%d", i))
		must[int](t)(gone.Add("m"))
		must[int](t)(0, gone.Expire(time.Second))
	}
	db.Advance(1000)
	drawn := map[string]int{}
	for range rounds {
		drawn[must[string](t)(db.Keys().Random())]++
	}
	if len(drawn) != live {
		t.Errorf("%d keys were drawn of %d: %v", len(drawn), live, drawn)
	}
	chi := 0.0
	for _, n := range drawn {
		d := float64(n) - rounds/live
		chi += d * d / (rounds / live)
	}
	if chi > 43.8 { // 19 degrees of freedom: one uniform draw in a thousand
		t.Errorf("chi-square %.1f: %v", chi, drawn)
	}
}

func TestWalkInPiecesYieldsEveryStableKeyOnce(t *testing.T) {
	db := newFake(t, 1)
	var stable []string
	for i := range 50 {
		stable = append(stable, fmt.Sprintf("k%02d", i), fmt.Sprintf("k%02d\x00", i))
		must[int](t)(0, db.Keys().Set(typed.Pair{Name: stable[2*i]}, typed.Pair{Name: stable[2*i+1]}))
	}
	var got []string
	o := typed.KeyOptions{Match: "k*", Type: typed.TypeString}
	for piece := 0; ; piece++ {
		n := 0
		for k, err := range db.Keys().All(o) {
			if err != nil {
				t.Fatal(err)
			}
			if got, o.After = append(got, k.Name()), k.Name(); n == 6 {
				break
			}
			n++
		}
		if n < 6 {
			break
		}
		for _, name := range []string{"k", "k00\x00\x00", o.After + "\x00new", "k99"} { // before, behind and beside
			must[int](t)(0, db.String(name).Set(nil))
			if piece%2 == 0 {
				must[bool](t)(db.Key(name).Drop())
			}
		}
		must[int](t)(0, db.String(o.After).Set([]byte("written again")))
	}
	got = slices.DeleteFunc(got, func(name string) bool { return !slices.Contains(stable, name) })
	if !slices.Equal(got, stable) {
		t.Errorf("%q\nwant %q", got, stable)
	}
}
