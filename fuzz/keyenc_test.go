package fuzz

import (
	"bytes"
	"math"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// FuzzRowKeys: any bytes either are no row of a collection or are put together
// again from their parts.
func FuzzRowKeys(f *testing.F) {
	f.Add([]byte{})
	f.Add(keyenc.AppendNameRow(nil, nil, "key"))
	f.Add(keyenc.AppendElementRow(nil, keyenc.AppendKeyspacePrefix(nil, 7), 9, keyenc.TagElement, "member"))
	f.Add(keyenc.AppendScoreRow(nil, nil, 9, keyenc.OrderScore(-1), "member"))
	f.Add(keyenc.AppendItemRow(nil, nil, 9, keyenc.ItemMiddle))
	f.Add(keyenc.AppendTimerRow(nil, 1_700_000_000_000, 9))
	f.Fuzz(func(t *testing.T, row []byte) {
		if expiry, id, ok := keyenc.ParseTimerRow(row); ok {
			if again := keyenc.AppendTimerRow(nil, expiry, id); !bytes.Equal(again, row) {
				t.Fatalf("timer %x became %x", row, again)
			}
		}
		prefix, rest, ok := keyenc.KeyspaceOf(row)
		if !ok {
			return
		}
		if rest[0] == keyenc.SpaceKeys {
			if again := keyenc.AppendKeyRow(nil, prefix, rest[1:]); !bytes.Equal(again, row) {
				t.Fatalf("key row %x became %x", row, again)
			}
			return
		}
		id, tag, name, ok := keyenc.ParseCollectionRow(rest)
		if !ok {
			return
		}
		if again := keyenc.AppendElementRow(nil, prefix, id, tag, string(name)); !bytes.Equal(again, row) {
			t.Fatalf("element row %x became %x", row, again)
		}
		if lo, hi := keyenc.CollectionRange(prefix, id, id); bytes.Compare(row, lo) < 0 || hi != nil && bytes.Compare(row, hi) >= 0 {
			t.Fatalf("row %x is outside its collection", row)
		}
	})
}

// FuzzScoreRows: score rows stand in the order of scores, then of members, and
// any 8 bytes are a score in its one encoding or none.
func FuzzScoreRows(f *testing.F) {
	f.Add(0.0, "", 0.0, "\x00")
	f.Add(-1.5, "a", math.Inf(1), "a")
	f.Add(math.Copysign(0, -1), "a", 0.0, "b")
	f.Add(math.SmallestNonzeroFloat64, "\xff", -math.MaxFloat64, "")
	f.Fuzz(func(t *testing.T, a float64, am string, b float64, bm string) {
		raw := base.Prefix8([]byte(am+bm), 0)
		if score, ok := keyenc.DecodeScore([]byte((am + bm + "00000000")[:8])); ok && len(am+bm) >= 8 && keyenc.OrderScore(score) != raw {
			t.Fatalf("%x decodes to %v, which is encoded otherwise", raw, score)
		}
		if math.IsNaN(a) || math.IsNaN(b) {
			return
		}
		ra := keyenc.AppendScoreRow(nil, nil, 1, keyenc.OrderScore(a), am)
		rb := keyenc.AppendScoreRow(nil, nil, 1, keyenc.OrderScore(b), bm)
		want := 0
		switch {
		case a < b || a == b && am < bm:
			want = -1
		case a > b || a == b && am > bm:
			want = 1
		}
		if got := bytes.Compare(ra, rb); got != want {
			t.Fatalf("(%v, %q) and (%v, %q) compare %d, want %d", a, am, b, bm, got, want)
		}
	})
}

// FuzzCollectionMeta: any bytes are refused or are metadata that survives being
// written again.
func FuzzCollectionMeta(f *testing.F) {
	f.Add(record.AppendMeta(nil, record.Meta{Encoding: record.EncodingRows, ID: 7, Count: 3, Bytes: 99}))
	f.Add(record.AppendMeta(nil, record.Meta{Encoding: record.EncodingInline, Count: 1, Body: []byte("abc")}))
	f.Add([]byte{1, 0, 0})
	f.Fuzz(func(t *testing.T, value []byte) {
		m, err := record.DecodeMeta(value)
		if err != nil {
			return
		}
		again, err := record.DecodeMeta(record.AppendMeta(nil, m))
		if err != nil || again.ID != m.ID || again.Count != m.Count || again.Bytes != m.Bytes ||
			again.NextDue != m.NextDue || again.Encoding != m.Encoding || !bytes.Equal(again.Body, m.Body) {
			t.Fatalf("%+v became %+v, %v", m, again, err)
		}
		if id, ok := record.CollectionID(record.TypeHash, value); ok != (m.Encoding == record.EncodingRows) || id != m.ID {
			t.Fatalf("%+v has id %d %v", m, id, ok)
		}
	})
}

// FuzzInlineBody: any bytes either are no body, or come apart into elements that
// are put together again, in order if the check says so.
func FuzzInlineBody(f *testing.F) {
	score := string(keyenc.AppendScore(nil, 1))
	for typ := record.TypeHash; typ <= record.TypeList; typ++ {
		body := record.AppendInline(nil, typ, []byte(score+"a"), []byte("1"))
		f.Add(uint8(typ), record.AppendInline(body, typ, []byte(score+"b"), nil), uint64(2))
	}
	f.Add(uint8(record.TypeHash), []byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 'a'}, uint64(1))
	f.Fuzz(func(t *testing.T, kind uint8, body []byte, count uint64) {
		typ := record.Type(kind)
		if !typ.IsCollection() {
			return
		}
		sound := record.CheckInline(typ, body, count) == nil
		var again, last []byte
		n := uint64(0)
		for left := body; len(left) > 0; n++ {
			key, value, rest, ok := record.NextInline(typ, left)
			if !ok {
				if sound {
					t.Fatalf("%x is sound and has no element at %x", body, left)
				}
				return
			}
			if sound && n > 0 && typ != record.TypeList && bytes.Compare(last, key) >= 0 {
				t.Fatalf("%x is sound and has %x in front of %x", body, last, key)
			}
			if len(rest) >= len(left) {
				t.Fatalf("%x: no step at %x", body, left)
			}
			again = record.AppendInline(again, typ, key, value)
			if size := record.InlineLen(typ, key, value); size > len(left)-len(rest) {
				t.Fatalf("%x takes %d bytes, was read from %d", key, size, len(left)-len(rest))
			}
			last, left = key, rest
		}
		if sound != (record.CheckInline(typ, again, count) == nil) || sound && n != count {
			t.Fatalf("%x, written again %x: sound %v, %d elements", body, again, sound, n)
		}
	})
}

// FuzzListBounds: any bytes are refused or are bounds that are written so, and hold
// the items.
func FuzzListBounds(f *testing.F) {
	f.Add(record.AppendListBounds(nil, record.ListBounds{First: keyenc.ItemMiddle, End: keyenc.ItemMiddle + 3*keyenc.ItemStride}), uint64(3))
	f.Add(record.AppendListBounds(nil, record.ListBounds{First: 5, End: 20, Gaps: true}), uint64(3))
	f.Fuzz(func(t *testing.T, body []byte, count uint64) {
		b, err := record.DecodeListBounds(body, count)
		if err != nil {
			return
		}
		if again := record.AppendListBounds(nil, b); !bytes.Equal(again, body) {
			t.Fatalf("%x became %x", body, again)
		}
		if count == 0 || b.End <= b.First || b.End-b.First < count {
			t.Fatalf("%+v hold %d items", b, count)
		}
	})
}

// FuzzRankPage: any bytes either are no page, or come apart into entries that are
// put together again; a boundary says where in the page it stands.
func FuzzRankPage(f *testing.F) {
	f.Add(record.AppendRankEntry(record.AppendRankEntry(record.AppendRankStart(nil, "start"), "", 5), "a", 1<<40))
	f.Add([]byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 'a'})
	f.Fuzz(func(t *testing.T, page []byte) {
		page = page[:len(page):len(page)]
		start, left, ok := record.CutRankStart(page)
		if ok && len(page) != len(record.AppendRankStart(nil, string(start)))+len(left) && page[0] < 0x80 {
			t.Fatalf("%x: start %x and entries %x", page, start, left)
		}
		for len(left) > 0 {
			boundary, members, rest, ok := record.NextRankEntry(left)
			if !ok {
				return
			}
			if len(rest) >= len(left) {
				t.Fatalf("%x: no step at %x", page, left)
			}
			if at := cap(page) - cap(boundary); !bytes.HasPrefix(page[at:], boundary) {
				t.Fatalf("%x: boundary %x does not stand at %d", page, boundary, at)
			}
			again, m, _, ok := record.NextRankEntry(record.AppendRankEntry(nil, string(boundary), members))
			if !ok || !bytes.Equal(again, boundary) || m != members {
				t.Fatalf("%x %d became %x %d", boundary, members, again, m)
			}
			left = rest
		}
		if r, err := record.DecodeRanks(page); err == nil && !bytes.Equal(record.AppendRanks(nil, r), page) {
			t.Fatalf("%x is %+v", page, r)
		}
	})
}
