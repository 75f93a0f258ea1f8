package typed_test

import (
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/handle"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/typed"
)

// cannedTxn is an engine that allocates nothing: the same metadata for every key,
// the same value for every element, and nothing is kept.
type cannedTxn struct {
	fakeTxn
	typ     record.Type
	meta    []byte
	element []byte
	missing bool // elements are
	pages   bool // there are of a counted order
}

func newCanned(typ record.Type, element []byte, missing bool) *cannedTxn {
	m := record.Meta{Encoding: record.EncodingRows, ID: 7, Count: 1}
	if typ == record.TypeList {
		m.Body = append([]byte{0x80, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 1, 0, 0}, 0)
	}
	c := &cannedTxn{typ: typ, element: element, missing: missing}
	c.scratch = new(collection.Scratch)
	c.meta = record.AppendMeta(nil, m)
	if typ == record.TypeString {
		c.meta = element
	}
	return c
}

// newCannedCounted has a sorted set that is counted by pages of three levels, all
// with the same three entries behind their first one.
func newCannedCounted(missing bool) *cannedTxn {
	c := newCanned(record.TypeZSet, keyenc.AppendScore(nil, 1), missing)
	c.meta = record.AppendMeta(nil, record.Meta{Encoding: record.EncodingRows, ID: 7, Count: 400, Body: []byte{1, 3}})
	c.pages = true
	return c
}

// appendPage appends a page.
func appendPage(dst []byte) []byte {
	return append(dst, 0, 0, 100, 1, 0xC0, 100, 1, 0xC1, 100, 1, 0xD0, 100)
}

// newCannedInline has an inline collection with elements called a to h.
func newCannedInline(typ record.Type) *cannedTxn {
	c := newCanned(typ, nil, false)
	var body []byte
	for m := 'a'; m <= 'h'; m++ {
		key := []byte(string(m))
		if typ == record.TypeZSet {
			key = append(keyenc.AppendScore(nil, 1), key...)
		}
		body = record.AppendInline(body, typ, key, []byte("41"))
	}
	c.meta = record.AppendMeta(nil, record.Meta{Encoding: record.EncodingInline, Count: 8, Body: body})
	return c
}

func (c *cannedTxn) Begin(bool, string, int) (collection.Txn, error) { return c, nil }
func (c *cannedTxn) Prefix() []byte                                  { return nil }
func (c *cannedTxn) Dead(uint64)                                     {}
func (c *cannedTxn) Removed(uint64)                                  {}
func (c *cannedTxn) Put([]byte, record.Type, int64, []byte) error    { return nil }
func (c *cannedTxn) Delete([]byte) error                             { return nil }

func (c *cannedTxn) Get(dst, row []byte) ([]byte, base.Trailer, error) {
	if c.pages {
		if _, tag, _, _ := keyenc.ParseCollectionRow(row); tag == keyenc.TagBucket {
			return appendPage(dst), base.Trailer{}, nil
		}
	}
	t, err := c.Peek(row)
	switch {
	case err != nil:
		return dst, t, err
	case row[0] == keyenc.SpaceKeys:
		return append(dst, c.meta...), t, nil
	}
	return append(dst, c.element...), t, nil
}

func (c *cannedTxn) Head(dst, row []byte, n int) ([]byte, base.Trailer, error) {
	v, t, err := c.Get(dst, row)
	return v[:min(len(v), len(dst)+n)], t, err
}

func (c *cannedTxn) Peek(row []byte) (base.Trailer, error) {
	if row[0] == keyenc.SpaceKeys && c.typ != record.TypeNone {
		return base.Trailer{Attr: base.MakeAttr(base.KindPut, uint8(c.typ), false)}, nil
	}
	if c.missing {
		return base.Trailer{}, base.ErrNotFound
	}
	return base.Trailer{Attr: base.MakeAttr(base.KindPut, 0, false)}, nil
}

var pivot = []byte("41") // a value of a canned list

var oneShots = []struct {
	name string
	src  *cannedTxn
	call func(src collection.Source, buf []byte) error
}{
	{"Key.Exists", newCanned(record.TypeHash, nil, false), func(src collection.Source, _ []byte) error {
		_, err := handle.Key(src, "k").Exists()
		return err
	}},
	{"Key.TTL", newCanned(record.TypeHash, nil, false), func(src collection.Source, _ []byte) error {
		_, err := handle.Key(src, "k").TTL()
		return err
	}},
	{"Key.Expire", newCanned(record.TypeHash, nil, false), func(src collection.Source, _ []byte) error {
		return handle.Key(src, "k").Expire(time.Hour)
	}},
	{"Key.Drop", newCanned(record.TypeHash, nil, false), func(src collection.Source, _ []byte) error {
		_, err := handle.Key(src, "k").Drop()
		return err
	}},
	{"String.AppendGet", newCanned(record.TypeString, []byte("value"), false), func(src collection.Source, buf []byte) error {
		_, err := handle.String(src, "k").AppendGet(buf[:0])
		return err
	}},
	{"String.Set", newCanned(record.TypeString, []byte("value"), false), func(src collection.Source, buf []byte) error {
		return handle.String(src, "k").Set(buf)
	}},
	{"String.Incr", newCanned(record.TypeString, []byte("41"), false), func(src collection.Source, _ []byte) error {
		_, err := handle.String(src, "k").Incr(1)
		return err
	}},
	{"Key.ExpireIf", newCanned(record.TypeHash, nil, false), func(src collection.Source, _ []byte) error {
		_, err := handle.Key(src, "k").ExpireIf(typed.CondNX, time.Unix(1e10, 0))
		return err
	}},
	{"String.SetRange", newCanned(record.TypeString, []byte("value"), false), func(src collection.Source, buf []byte) error {
		_, err := handle.String(src, "k").SetRange(3, buf)
		return err
	}},
	{"String.SetBit", newCanned(record.TypeString, []byte("value"), false), func(src collection.Source, _ []byte) error {
		_, err := handle.String(src, "k").SetBit(100, true)
		return err
	}},
	{"String.Bit", newCanned(record.TypeString, []byte("value"), false), func(src collection.Source, _ []byte) error {
		_, err := handle.String(src, "k").Bit(9)
		return err
	}},
	{"String.BitCount", newCanned(record.TypeString, []byte("value"), false), func(src collection.Source, _ []byte) error {
		_, err := handle.String(src, "k").BitCount(typed.ByBits(1, -2))
		return err
	}},
	{"String.BitPos", newCanned(record.TypeString, []byte("value"), false), func(src collection.Source, _ []byte) error {
		_, err := handle.String(src, "k").BitPos(true, typed.BitRange{})
		return err
	}},
	{"String.BitOp", newCanned(record.TypeString, []byte("value"), false), func(src collection.Source, _ []byte) error {
		_, err := handle.String(src, "k").BitOp(typed.BitXor, "a", "b")
		return err
	}},
	{"Hash.Set, old", newCanned(record.TypeHash, nil, false), func(src collection.Source, buf []byte) error {
		_, err := handle.Hash(src, "k").Set("f", buf)
		return err
	}},
	{"Hash.Set, new", newCanned(record.TypeHash, nil, true), func(src collection.Source, buf []byte) error {
		_, err := handle.Hash(src, "k").Set("f", buf)
		return err
	}},
	{"Hash.AppendGet", newCanned(record.TypeHash, []byte("value"), false), func(src collection.Source, buf []byte) error {
		_, err := handle.Hash(src, "k").AppendGet(buf[:0], "f")
		return err
	}},
	{"Hash.Len", newCanned(record.TypeHash, nil, false), func(src collection.Source, _ []byte) error {
		_, err := handle.Hash(src, "k").Len()
		return err
	}},
	{"Hash.Incr", newCanned(record.TypeHash, []byte("41"), false), func(src collection.Source, _ []byte) error {
		_, err := handle.Hash(src, "k").Incr("f", 1)
		return err
	}},
	{"Hash.Remove", newCanned(record.TypeHash, nil, false), func(src collection.Source, _ []byte) error {
		_, err := handle.Hash(src, "k").Remove("f")
		return err
	}},
	{"Set.Add", newCanned(record.TypeSet, nil, true), func(src collection.Source, _ []byte) error {
		_, err := handle.Set(src, "k").Add("m", "n")
		return err
	}},
	{"Set.Has", newCanned(record.TypeSet, nil, false), func(src collection.Source, _ []byte) error {
		_, err := handle.Set(src, "k").Has("m")
		return err
	}},
	{"ZSet.Add", newCanned(record.TypeZSet, keyenc.AppendScore(nil, 1), false), func(src collection.Source, _ []byte) error {
		_, err := handle.ZSet(src, "k").Add("m", 2)
		return err
	}},
	{"ZSet.Incr", newCanned(record.TypeZSet, keyenc.AppendScore(nil, 1), false), func(src collection.Source, _ []byte) error {
		_, err := handle.ZSet(src, "k").Incr("m", 2)
		return err
	}},
	{"ZSet.Score", newCanned(record.TypeZSet, keyenc.AppendScore(nil, 1), false), func(src collection.Source, _ []byte) error {
		_, err := handle.ZSet(src, "k").Score("m")
		return err
	}},
	{"ZSet.Add, new and counted", newCannedCounted(true), func(src collection.Source, _ []byte) error {
		_, err := handle.ZSet(src, "k").Add("m", 2)
		return err
	}},
	{"ZSet.Add, old and counted", newCannedCounted(false), func(src collection.Source, _ []byte) error {
		_, err := handle.ZSet(src, "k").Add("m", 2)
		return err
	}},
	{"ZSet.Remove, counted", newCannedCounted(false), func(src collection.Source, _ []byte) error {
		_, err := handle.ZSet(src, "k").Remove("m")
		return err
	}},
	{"List.PushBack", newCanned(record.TypeList, nil, false), func(src collection.Source, buf []byte) error {
		_, err := handle.List(src, "k").PushBack(buf)
		return err
	}},
	{"List.SetAt", newCanned(record.TypeList, nil, false), func(src collection.Source, buf []byte) error {
		return handle.List(src, "k").SetAt(0, buf)
	}},
	{"Hash.Set, inline", newCannedInline(record.TypeHash), func(src collection.Source, buf []byte) error {
		_, err := handle.Hash(src, "k").Set("i", buf)
		return err
	}},
	{"Hash.AppendGet, inline", newCannedInline(record.TypeHash), func(src collection.Source, buf []byte) error {
		_, err := handle.Hash(src, "k").AppendGet(buf[:0], "d")
		return err
	}},
	{"Hash.Incr, inline", newCannedInline(record.TypeHash), func(src collection.Source, _ []byte) error {
		_, err := handle.Hash(src, "k").Incr("d", 1)
		return err
	}},
	{"Hash.Remove, inline", newCannedInline(record.TypeHash), func(src collection.Source, _ []byte) error {
		_, err := handle.Hash(src, "k").Remove("d")
		return err
	}},
	{"Set.Add, inline", newCannedInline(record.TypeSet), func(src collection.Source, _ []byte) error {
		_, err := handle.Set(src, "k").Add("m", "n")
		return err
	}},
	{"Set.Has, inline", newCannedInline(record.TypeSet), func(src collection.Source, _ []byte) error {
		_, err := handle.Set(src, "k").Has("d")
		return err
	}},
	{"ZSet.Add, inline", newCannedInline(record.TypeZSet), func(src collection.Source, _ []byte) error {
		_, err := handle.ZSet(src, "k").Add("d", 2)
		return err
	}},
	{"ZSet.Incr, inline", newCannedInline(record.TypeZSet), func(src collection.Source, _ []byte) error {
		_, err := handle.ZSet(src, "k").Incr("d", 2)
		return err
	}},
	{"ZSet.Score, inline", newCannedInline(record.TypeZSet), func(src collection.Source, _ []byte) error {
		_, err := handle.ZSet(src, "k").Score("d")
		return err
	}},
	{"ZSet.Rank, inline", newCannedInline(record.TypeZSet), func(src collection.Source, _ []byte) error {
		_, err := handle.ZSet(src, "k").Rank("d")
		return err
	}},
	{"List.PushBack, inline", newCannedInline(record.TypeList), func(src collection.Source, buf []byte) error {
		_, err := handle.List(src, "k").PushBack(buf)
		return err
	}},
	{"List.SetAt, inline", newCannedInline(record.TypeList), func(src collection.Source, buf []byte) error {
		return handle.List(src, "k").SetAt(3, buf)
	}},
	{"List.InsertAfter, inline", newCannedInline(record.TypeList), func(src collection.Source, buf []byte) error {
		_, err := handle.List(src, "k").InsertAfter(pivot, buf)
		return err
	}},
	{"Hash.Set, new and inline", newCanned(record.TypeNone, nil, true), func(src collection.Source, buf []byte) error {
		_, err := handle.Hash(src, "k").Set("f", buf)
		return err
	}},
}

func TestOneShotsAllocateNothing(t *testing.T) {
	buf := make([]byte, 100)
	for _, c := range oneShots {
		if err := c.call(c.src, buf); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if n := testing.AllocsPerRun(100, func() { _ = c.call(c.src, buf) }); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}

// BenchmarkOneShot is what this package adds to the engine's cost of a call.
func BenchmarkOneShot(b *testing.B) {
	buf := make([]byte, 100)
	for _, c := range oneShots {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = c.call(c.src, buf)
			}
		})
	}
}
