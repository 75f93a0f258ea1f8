package record

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
)

func put(typ Type, expiry int64, key, value string) Op {
	return Op{Attr: base.MakeAttr(base.KindPut, uint8(typ), expiry != 0), Expiry: expiry, Key: []byte(key), Value: []byte(value)}
}

func TestOpsLookLikeThis(t *testing.T) {
	for _, c := range []struct {
		op   Op
		want string
	}{
		{put(TypeString, 0, "k", "v"), "09 01 6b 01 76"},
		{put(TypeHash, 300, "k", ""), "51 ac02 01 6b 00"},
		{Op{Attr: base.MakeAttr(base.KindDelete, 0, false), Key: []byte("k")}, "02 01 6b"},
		{Op{Attr: base.MakeAttr(base.KindRangeDelete, 0, false), Key: []byte("a"), Value: []byte("b")}, "03 01 61 01 62"},
	} {
		b := AppendOp(nil, c.op)
		if got := hex.EncodeToString(b); got != strings.ReplaceAll(c.want, " ", "") {
			t.Errorf("%v: %s, want %s", c.op, got, c.want)
		}
		got, n, err := DecodeOp(append(b, "behind"...))
		if err != nil || n != len(b) || got.Attr != c.op.Attr || got.Expiry != c.op.Expiry ||
			!bytes.Equal(got.Key, c.op.Key) || !bytes.Equal(got.Value, c.op.Value) {
			t.Errorf("%v came back as %v, %d bytes, %v", c.op, got, n, err)
		}
		for i := range b {
			if _, _, err := DecodeOp(b[:i]); err == nil {
				t.Errorf("%v cut to %d bytes is taken", c.op, i)
			}
		}
	}
}

func TestOpsOfLimitLengthAreTakenAndLongerOnesNot(t *testing.T) {
	for n, want := range map[int]error{base.MaxRowKeyLen: nil, base.MaxRowKeyLen + 1: errOpKey} {
		_, _, err := DecodeOp(AppendOp(nil, put(TypeString, 0, strings.Repeat("k", n), "v")))
		if !errors.Is(err, want) {
			t.Errorf("key of %d bytes: %v", n, err)
		}
	}
	op := put(TypeString, 1<<62, "k", "v")
	if b := AppendOp(nil, op); len(b) > len("kv")+MaxOpOverhead {
		t.Errorf("%d bytes of overhead", len(b)-2)
	}
}

func TestOddOpsAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		bytes string
		want  error
	}{
		"nothing":              {"", errOpTruncated},
		"unknown kind":         {"0f016b0176", errOpAttr},
		"reserved kind":        {"0c016b0176", errOpAttr},
		"unused bit":           {"89016b0176", errOpAttr},
		"expiry zero":          {"4900016b0176", errOpExpiry},
		"expiry too large":     {"49ffffffffffffffffff01016b0176", errOpExpiry},
		"endless varint":       {"49ffffffffffffffffffffff", errOpExpiry},
		"empty key":            {"09000176", errOpKey},
		"value is longer":      {"09016bffffffff7f76", errOpValue},
		"value is not there":   {"09016b0576", errOpTruncated},
		"range ends at start":  {"0301610161", errOpRange},
		"range ends before":    {"0301620161", errOpRange},
		"range without an end": {"03016100", errOpKey},
	} {
		b, err := hex.DecodeString(c.bytes)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := DecodeOp(b); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestMetaLooksLikeThis(t *testing.T) {
	for _, c := range []struct {
		m    Meta
		want string
	}{
		{Meta{Encoding: EncodingRows, ID: 258, Count: 1, Bytes: 300}, "01 0000000000000102 01 ac02 00"},
		{Meta{Encoding: EncodingRows, ID: math.MaxUint64, Count: 1 << 62, NextDue: 1 << 62, Body: []byte("body")},
			"01 ffffffffffffffff 808080808080808040 00 808080808080808040 626f6479"},
		{Meta{Encoding: EncodingInline, Count: 2, Body: []byte{7}}, "02 02 00 00 07"},
	} {
		b := AppendMeta(nil, c.m)
		if got := hex.EncodeToString(b); got != strings.ReplaceAll(c.want, " ", "") {
			t.Errorf("%+v: %s, want %s", c.m, got, c.want)
		}
		got, err := DecodeMeta(b)
		if err != nil || !bytes.Equal(got.Body, c.m.Body) {
			t.Errorf("%+v came back as %+v, %v", c.m, got, err)
		}
		id, ok := CollectionID(TypeHash, b)
		if ok != (c.m.Encoding == EncodingRows) || id != c.m.ID {
			t.Errorf("%+v has id %d %v", c.m, id, ok)
		}
		if _, ok := CollectionID(TypeString, b); ok {
			t.Error("a string has an id")
		}
		for i := range len(b) - len(c.m.Body) {
			if _, err := DecodeMeta(b[:i]); err == nil {
				t.Errorf("%+v cut to %d bytes is taken", c.m, i)
			}
		}
	}
	for _, bad := range []string{"00", "03000000", "02ffffffffffffffffff010000", "020000808080808080808041"} {
		b, _ := hex.DecodeString(bad)
		if m, err := DecodeMeta(b); err == nil {
			t.Errorf("%s is %+v", bad, m)
		}
	}
}

func TestInlineBodiesLookLikeThis(t *testing.T) {
	long := strings.Repeat("x", 128)
	for _, c := range []struct {
		typ        Type
		key, value string
		want       string
	}{
		{TypeHash, "f", "v1", "01 66 02 7631"},
		{TypeHash, "", "", "00 00"},
		{TypeSet, "m", "", "01 6d"},
		{TypeZSet, "12345678m", "", "09 31323334353637386d"},
		{TypeList, "", "v", "01 76"},
		{TypeList, "", long, "8001" + hex.EncodeToString([]byte(long))},
	} {
		b := AppendInline(nil, c.typ, []byte(c.key), []byte(c.value))
		if got := hex.EncodeToString(b); got != strings.ReplaceAll(c.want, " ", "") || len(b) != InlineLen(c.typ, []byte(c.key), []byte(c.value)) {
			t.Errorf("%v %q %q: %s, want %s", c.typ, c.key, c.value, got, c.want)
		}
		key, value, rest, ok := NextInline(c.typ, append(b, "rest"...))
		if !ok || string(key) != c.key || string(value) != c.value || string(rest) != "rest" {
			t.Errorf("%x came apart into %q %q %q %v", b, key, value, rest, ok)
		}
		for i := range b {
			if key, value, _, ok := NextInline(c.typ, b[:i]); ok {
				t.Errorf("%x is %q %q", b[:i], key, value)
			}
		}
	}
}

func TestInlineBodyIsCheckedWhole(t *testing.T) {
	for _, c := range []struct {
		typ   Type
		count uint64
		body  string
		want  bool
	}{
		{TypeSet, 2, "01 61 01 62", true},
		{TypeSet, 2, "01 62 01 61", false},        // the order
		{TypeSet, 2, "01 61 01 61", false},        // twice
		{TypeSet, 1, "01 61 01 62", false},        // the count
		{TypeSet, 3, "01 61 01 62", false},        // the count
		{TypeSet, 0, "", false},                   // an empty one does not exist
		{TypeSet, 1 << 61, "01 61", false},        // more than bytes
		{TypeList, 2, "01 62 01 61", true},        // any order
		{TypeList, 2, "01 62 02 61", false},       // cut short
		{TypeZSet, 1, "07 31323334353637", false}, // no room for a score
		{TypeHash, 1, "01 61 ffffffffffffffffff01 62", false},
	} {
		body, _ := hex.DecodeString(strings.ReplaceAll(c.body, " ", ""))
		if err := CheckInline(c.typ, body, c.count); (err == nil) != c.want {
			t.Errorf("%v of %d, %s: %v", c.typ, c.count, c.body, err)
		}
	}
}

func TestListBoundsLookLikeThis(t *testing.T) {
	for _, c := range []struct {
		b     ListBounds
		count uint64
		want  string
	}{
		{ListBounds{First: 1 << 63, End: 1<<63 + 2<<16}, 2, "8000000000000000 8000000000020000 00"},
		{ListBounds{First: 5, End: 9, Gaps: true}, 4, "0000000000000005 0000000000000009 01"},
	} {
		body := AppendListBounds(nil, c.b)
		if got := hex.EncodeToString(body); got != strings.ReplaceAll(c.want, " ", "") || len(body) != ListBoundsLen {
			t.Errorf("%+v: %s, want %s", c.b, got, c.want)
		}
		if got, err := DecodeListBounds(body, c.count); got != c.b || err != nil {
			t.Errorf("%+v came back as %+v, %v", c.b, got, err)
		}
		for i := range body {
			if got, err := DecodeListBounds(body[:i], c.count); err == nil {
				t.Errorf("%x is %+v", body[:i], got)
			}
		}
	}
}

func TestListBoundsThatDoNotHoldTheItemsAreRefused(t *testing.T) {
	const first, stride = 1 << 63, 1 << 16
	for name, c := range map[string]struct {
		b     ListBounds
		count uint64
	}{
		"no item":              {ListBounds{First: first, End: first + stride}, 0},
		"empty":                {ListBounds{First: first, End: first}, 1},
		"the wrong way round":  {ListBounds{First: first + stride, End: first}, 1},
		"not a stride apart":   {ListBounds{First: first, End: first + stride + 1}, 1},
		"too many":             {ListBounds{First: first, End: first + stride}, 2},
		"too few":              {ListBounds{First: first, End: first + 2*stride}, 1},
		"too many in the gaps": {ListBounds{First: 5, End: 8, Gaps: true}, 4},
	} {
		if got, err := DecodeListBounds(AppendListBounds(nil, c.b), c.count); !errors.Is(err, errListBounds) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	later := AppendListBounds(nil, ListBounds{First: first, End: first + stride})
	later[len(later)-1] = 2
	if _, err := DecodeListBounds(later, 1); !errors.Is(err, base.ErrFormatTooNew) {
		t.Errorf("a flag of a later version: %v", err)
	}
}

func TestRanksLookLikeThis(t *testing.T) {
	for body, want := range map[string]Ranks{"": {}, "\x01\x01": {1}, "\x01\x20": {32}} {
		if got := AppendRanks(nil, want); string(got) != body {
			t.Errorf("%+v: %x, want %x", want, got, body)
		}
		if got, err := DecodeRanks([]byte(body)); got != want || err != nil {
			t.Errorf("%x is %+v, %v", body, got, err)
		}
	}
	for body, want := range map[string]error{
		"\x01": errRanks, "\x01\x00": errRanks, "\x01\x21": errRanks, "\x01\x01\x00": errRanks, "\x02\x01": base.ErrFormatTooNew, "\x00": base.ErrFormatTooNew,
	} {
		if got, err := DecodeRanks([]byte(body)); !errors.Is(err, want) {
			t.Errorf("%x is %+v, %v", body, got, err)
		}
	}
}

func TestPagesOfRanksLookLikeThis(t *testing.T) {
	long := strings.Repeat("x", 128)
	for _, c := range []struct {
		boundary string
		members  uint64
		want     string
	}{
		{"", 3, "00 03"},
		{"a", 127, "01 61 7f"},
		{"a", 128, "01 61 8001"},
		{long, 1 << 62, "8001" + hex.EncodeToString([]byte(long)) + "808080808080808040"},
	} {
		page := AppendRankEntry(nil, c.boundary, c.members)
		if got := hex.EncodeToString(page); got != strings.ReplaceAll(c.want, " ", "") {
			t.Errorf("%q %d: %s, want %s", c.boundary, c.members, got, c.want)
		}
		boundary, members, rest, ok := NextRankEntry(append(page, "rest"...))
		if !ok || string(boundary) != c.boundary || members != c.members || string(rest) != "rest" {
			t.Errorf("%x came apart into %q %d %q %v", page, boundary, members, rest, ok)
		}
		for i := range page {
			if _, _, _, ok := NextRankEntry(page[:i]); ok {
				t.Errorf("%x cut to %d bytes is taken", page, i)
			}
		}
	}
	if _, _, _, ok := NextRankEntry(AppendRankEntry(nil, "", 1<<62+1)); ok {
		t.Error("more members than there can be are taken")
	}
	page := AppendRankEntry(AppendRankStart(nil, long), "", 3)
	start, entries, ok := CutRankStart(page)
	if !ok || string(start) != long || hex.EncodeToString(entries) != "0003" {
		t.Errorf("%x came apart into %q %x %v", page, start, entries, ok)
	}
	for i := range len(long) + 2 {
		if _, _, ok := CutRankStart(page[:i]); ok {
			t.Errorf("%x cut to %d bytes is taken", page, i)
		}
	}
}

func TestDecodersAllocateNothing(t *testing.T) {
	op := AppendOp(nil, put(TypeHash, 99, "key", "value"))
	meta := AppendMeta(nil, Meta{Encoding: EncodingRows, ID: 1, Count: 2, Bytes: 3})
	if n := testing.AllocsPerRun(100, func() {
		if _, _, err := DecodeOp(op); err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeMeta(meta); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestTypesHaveTheNamesOfRedis(t *testing.T) {
	want := []string{"none", "string", "hash", "set", "zset", "list", "volatile", "unknown"}
	for typ, name := range want {
		if got := Type(typ).String(); got != name {
			t.Errorf("type %d is %q", typ, got)
		}
		if Type(typ).IsCollection() != (typ >= 2 && typ <= 5) || Type(typ).Known() != (typ <= 6) {
			t.Errorf("type %d is misplaced", typ)
		}
	}
}
