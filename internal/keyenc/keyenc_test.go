package keyenc

import (
	"bytes"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
)

func TestRowsLookLikeThis(t *testing.T) {
	ks := AppendKeyspacePrefix(nil, 7)
	for name, c := range map[string]struct {
		row  []byte
		want string
	}{
		"key":                  {AppendKeyRow(nil, nil, []byte("k")), "01 6b"},
		"key by name":          {AppendNameRow(nil, nil, "k"), "01 6b"},
		"key in a keyspace":    {AppendNameRow(nil, ks, "k"), "10 00000007 01 6b"},
		"owner":                {AppendElementRow(nil, nil, 258, TagOwner, ""), "02 0000000000000102 01"},
		"element":              {AppendElementRow(nil, nil, 258, TagElement, "m"), "02 0000000000000102 02 6d"},
		"element in keyspace":  {AppendElementRow(nil, ks, 258, TagElement, "m"), "10 00000007 02 0000000000000102 02 6d"},
		"score":                {AppendScoreRow(nil, nil, 258, OrderScore(1), "m"), "02 0000000000000102 03 bff0000000000000 6d"},
		"item":                 {AppendItemRow(nil, nil, 258, ItemMiddle), "02 0000000000000102 06 8000000000000000"},
		"timer":                {AppendTimerRow(nil, 1000, 258), "00 65 00000000000003e8 0000000000000102"},
		"registry":             {AppendRegistryRow(nil, "ks"), "00 6b 6b73"},
		"behind what is there": {AppendNameRow([]byte("x"), nil, "k"), "78 01 6b"},
	} {
		if got := hex.EncodeToString(c.row); got != strings.ReplaceAll(c.want, " ", "") {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestScoreOrderIsTheOrderOfNumbers(t *testing.T) {
	numbers := []float64{math.Inf(-1), -math.MaxFloat64, -2, -1.5, -1, -math.SmallestNonzeroFloat64, 0,
		math.SmallestNonzeroFloat64, 1, 1.5, 2, math.MaxFloat64, math.Inf(1)}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		if f := math.Float64frombits(rng.Uint64()); !math.IsNaN(f) {
			numbers = append(numbers, f)
		}
	}
	slices.Sort(numbers)
	for i, f := range numbers {
		b := AppendScore(nil, f)
		if got, ok := DecodeScore(b); !ok || got != f || len(b) != ScoreLen {
			t.Fatalf("%v became %v", f, got)
		}
		if i > 0 && numbers[i-1] != f && bytes.Compare(AppendScore(nil, numbers[i-1]), b) >= 0 {
			t.Fatalf("%v does not stand below %v", numbers[i-1], f)
		}
	}
	if OrderScore(math.Copysign(0, -1)) != OrderScore(0) {
		t.Error("−0 is not 0")
	}
	if OrderScore(math.Inf(1)) == math.MaxUint64 {
		t.Error("nothing stands behind +Inf")
	}
}

func TestScoreThatIsNeverWrittenIsRefused(t *testing.T) {
	for _, b := range []string{"", "8000000000000000"[:14], "fff8000000000000", "0007ffffffffffff", "7fffffffffffffff", "ffffffffffffffff", "0000000000000000"} {
		raw, _ := hex.DecodeString(b)
		if f, ok := DecodeScore(raw); ok {
			t.Errorf("%s is %v", b, f)
		}
	}
}

func TestParsersTakeApartWhatWasPutTogether(t *testing.T) {
	for _, prefix := range [][]byte{nil, AppendKeyspacePrefix(nil, math.MaxUint32)} {
		row := AppendElementRow(nil, prefix, 77, TagElement, "member")
		p, rest, ok := KeyspaceOf(row)
		if !ok || !bytes.Equal(p, prefix) {
			t.Errorf("keyspace %x %v", p, ok)
		}
		id, tag, name, ok := ParseCollectionRow(rest)
		if !ok || id != 77 || tag != TagElement || string(name) != "member" {
			t.Errorf("%d %d %q %v", id, tag, name, ok)
		}
		if string(row[CollectionHeaderLen(prefix):]) != "member" {
			t.Error("header length")
		}
	}
	expiry, id, ok := ParseTimerRow(AppendTimerRow(nil, 123, 456))
	if !ok || expiry != 123 || id != 456 {
		t.Error(expiry, id, ok)
	}
	if _, ok := DecodeItem(make([]byte, 7)); ok {
		t.Error("an index of 7 bytes")
	}
	for _, b := range [][]byte{nil, {0}, {0x10}, {0x10, 0, 0, 0, 1}, {0x10, 0, 0, 0, 1, 3}, {0x33}, {0, 'e', 1}} {
		if _, _, ok := KeyspaceOf(b); ok {
			t.Errorf("%x is in a keyspace", b)
		}
		if _, _, _, ok := ParseCollectionRow(b); ok {
			t.Errorf("%x is of a collection", b)
		}
		if _, _, ok := ParseTimerRow(b); ok {
			t.Errorf("%x is a timer", b)
		}
	}
}

func TestRangesHoldTheirRowsAndNoOthers(t *testing.T) {
	ks := AppendKeyspacePrefix(nil, 3)
	in := func(row, lo, hi []byte) bool { return bytes.Compare(lo, row) <= 0 && bytes.Compare(row, hi) < 0 }
	for _, prefix := range [][]byte{nil, ks} {
		lo, hi := CollectionRange(prefix, 7, 9)
		for id := uint64(6); id <= 10; id++ {
			for _, row := range [][]byte{
				AppendElementRow(nil, prefix, id, TagOwner, ""),
				AppendElementRow(nil, prefix, id, TagElement, "\xff\xff\xff"),
				AppendItemRow(nil, prefix, id, math.MaxUint64),
			} {
				if in(row, lo, hi) != (id >= 7 && id <= 9) {
					t.Errorf("row %x of id %d", row, id)
				}
			}
		}
		lo, hi = CollectionRange(prefix, math.MaxUint64, math.MaxUint64)
		if row := AppendElementRow(nil, prefix, math.MaxUint64, TagDue, "\xff"); !in(row, lo, hi) {
			t.Error("the last id")
		}
		lo, hi = KeySpaceRange(prefix)
		for _, k := range []string{"", "\x00", "\xff\xff", strings.Repeat("\xff", base.MaxKeyLen)} {
			if !in(AppendNameRow(nil, prefix, k), lo, hi) {
				t.Errorf("key %.10q", k)
			}
		}
		if in(AppendCollection(nil, prefix, 0), lo, hi) {
			t.Error("an element row is among the keys")
		}
	}
	lo, hi := TimerRange(100)
	for expiry, want := range map[int64]bool{0: true, 100: true, 101: false} {
		if in(AppendTimerRow(nil, expiry, math.MaxUint64), lo, hi) != want {
			t.Errorf("timer at %d", expiry)
		}
	}
	lo, hi = RegistryRange()
	if !in(AppendRegistryRow(nil, "\xff"), lo, hi) || in(AppendTimerRow(nil, 0, 0), lo, hi) {
		t.Error("registry")
	}
}

func TestLongestNamesFitARow(t *testing.T) {
	ks := AppendKeyspacePrefix(nil, 3)
	long := strings.Repeat("x", base.MaxKeyLen)
	for _, row := range [][]byte{AppendNameRow(nil, ks, long), AppendElementRow(nil, ks, 1, TagElement, long), AppendScoreRow(nil, ks, 1, 1, long)} {
		if len(row) > base.MaxRowKeyLen {
			t.Errorf("row of %d bytes", len(row))
		}
	}
}
