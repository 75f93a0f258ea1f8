//go:build !race

package codec_test

import (
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/codec"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/handle"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// cannedTxn is an engine that allocates nothing: the same metadata for every key,
// the same value for every element, and nothing is kept.
type cannedTxn struct {
	collection.Txn
	scratch collection.Scratch
	typ     record.Type
	meta    []byte
	element []byte
}

func newCanned(typ record.Type, element []byte) *cannedTxn {
	m := record.Meta{Encoding: record.EncodingRows, ID: 7, Count: 1}
	return &cannedTxn{typ: typ, meta: record.AppendMeta(nil, m), element: element}
}

func (c *cannedTxn) Begin(bool, string, int) (collection.Txn, error) { return c, nil }
func (c *cannedTxn) End(_ collection.Txn, err error) (bool, error)   { return false, err }
func (c *cannedTxn) Scratch() *collection.Scratch                    { return &c.scratch }
func (c *cannedTxn) Prefix() []byte                                  { return nil }
func (c *cannedTxn) Now() int64                                      { return 0 }
func (c *cannedTxn) Dead(uint64)                                     {}
func (c *cannedTxn) Put([]byte, record.Type, int64, []byte) error    { return nil }
func (c *cannedTxn) Delete([]byte) error                             { return nil }

func (c *cannedTxn) Get(dst, row []byte) ([]byte, base.Trailer, error) {
	t, err := c.Peek(row)
	if row[0] == keyenc.SpaceKeys {
		return append(dst, c.meta...), t, err
	}
	return append(dst, c.element...), t, err
}

func (c *cannedTxn) Peek(row []byte) (base.Trailer, error) {
	if row[0] == keyenc.SpaceKeys {
		return base.Trailer{Attr: base.MakeAttr(base.KindPut, uint8(c.typ), false)}, nil
	}
	return base.Trailer{Attr: base.MakeAttr(base.KindPut, 0, false)}, nil
}

var (
	cannedHash = newCanned(record.TypeHash, []byte("value"))
	cannedSet  = newCanned(record.TypeSet, nil)
	cannedZSet = newCanned(record.TypeZSet, keyenc.AppendScore(nil, 1))

	hash  = handle.Hash(cannedHash, "k")
	set   = handle.Set(cannedSet, "k")
	zset  = handle.ZSet(cannedZSet, "k")
	blobs = codec.MapOf(hash, codec.Int64, codec.Raw)
	texts = codec.MapOf(hash, codec.String, codec.Raw)
	ids   = codec.SetOf(set, codec.Int64)
	board = codec.ZSetOf(zset, codec.Int64)

	field = "\x80\x00\x00\x00\x00\x00\x00\x07"
	long  = strings.Repeat("x", 33)
	value = []byte("value")
)

// calls pair a call with codecs with the typed call beneath, and say what it may
// allocate beyond that one.
var calls = []struct {
	name         string
	codec, typed func() error
	more         float64
}{
	{"Map.Set", func() error { _, err := blobs.Set(7, value); return err },
		func() error { _, err := hash.Set(field, value); return err }, 0},
	{"Map.Get", func() error { _, err := blobs.Get(7); return err },
		func() error { _, err := hash.Get(field); return err }, 0},
	{"Map.Has", func() error { _, err := blobs.Has(7); return err },
		func() error { _, err := hash.Has(field); return err }, 0},
	{"Map.Set, long key", func() error { _, err := texts.Set(long, value); return err },
		func() error { _, err := hash.Set(long, value); return err }, 1},
	{"Map.Get, long key", func() error { _, err := texts.Get(long); return err },
		func() error { _, err := hash.Get(long); return err }, 1},
	{"Map.Remove", func() error { _, err := blobs.Remove(7, 8, 9); return err },
		func() error { _, err := hash.Remove(field, field, field); return err }, 2},
	{"Set.Add", func() error { _, err := ids.Add(7, 8, 9); return err },
		func() error { _, err := set.Add(field, field, field); return err }, 2},
	{"Set.Has", func() error { _, err := ids.Has(7); return err },
		func() error { _, err := set.Has(field); return err }, 0},
	{"ZSet.Add", func() error { _, err := board.Add(7, 2); return err },
		func() error { _, err := zset.Add(field, 2); return err }, 0},
	{"ZSet.Incr", func() error { _, err := board.Incr(7, 2); return err },
		func() error { _, err := zset.Incr(field, 2); return err }, 0},
	{"ZSet.Score", func() error { _, err := board.Score(7); return err },
		func() error { _, err := zset.Score(field); return err }, 0},
}

func allocations(t *testing.T, name string, call func() error) float64 {
	if err := call(); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	return testing.AllocsPerRun(200, func() { _ = call() })
}

// The race detector makes pools forget at random, so this does not run under it.
func TestCallsAllocateWhatTheirDocsSay(t *testing.T) {
	for _, c := range calls {
		with, without := allocations(t, c.name, c.codec), allocations(t, c.name, c.typed)
		if with > without+c.more {
			t.Errorf("%s: %v allocations, %v without codecs", c.name, with, without)
		}
	}
}

// BenchmarkCall is what codecs add to the cost of a typed call.
func BenchmarkCall(b *testing.B) {
	for _, c := range calls {
		for _, way := range []struct {
			name string
			call func() error
		}{{"typed", c.typed}, {"codec", c.codec}} {
			b.Run(c.name+"/"+way.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					_ = way.call()
				}
			})
		}
	}
}
