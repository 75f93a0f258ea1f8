package fuzz

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/codec"
)

// keyCodec is a key codec with a way to make its values of any bytes, and their
// order.
type keyCodec struct {
	name   string
	order  func(t *testing.T, a, b []byte)
	decode func(t *testing.T, b []byte)
}

func keyCodecOf[T any](name string, k codec.KeyCodec[T], from func([]byte) T, compare func(a, b T) int) keyCodec {
	return keyCodec{
		name: name,
		order: func(t *testing.T, ab, bb []byte) {
			a, b := from(ab), from(bb)
			ea, eb := k.AppendKey(nil, a), k.AppendKey(nil, b)
			if got, want := bytes.Compare(ea, eb), compare(a, b); got != want {
				t.Fatalf("%s: %v and %v compare %d as %x and %x, want %d", name, a, b, got, ea, eb, want)
			}
			if back, err := k.DecodeKey(ea); err != nil || compare(back, a) != 0 {
				t.Fatalf("%s: %v became %v, %v", name, a, back, err)
			}
		},
		decode: func(t *testing.T, b []byte) {
			in := bytes.Clone(b)
			v, err := k.DecodeKey(in)
			if !bytes.Equal(in, b) {
				t.Fatalf("%s: decoding changed %x", name, b)
			}
			if err != nil {
				return
			}
			if again := k.AppendKey(nil, v); !bytes.Equal(again, b) {
				t.Fatalf("%s: %x is %v, which is %x", name, b, v, again)
			}
		},
	}
}

// word returns the first 8 bytes, as if zeros followed.
func word(b []byte) uint64 {
	var w [8]byte
	copy(w[:], b)
	return binary.BigEndian.Uint64(w[:])
}

func integer[T codec.Integer](b []byte) T { return T(word(b)) }

func integerCodec[T codec.Integer](name string, k codec.KeyCodec[T]) keyCodec {
	return keyCodecOf(name, k, integer[T], cmp.Compare[T])
}

func float(b []byte) float64 { return math.Float64frombits(word(b)) }

func float32Of(b []byte) float32 { return math.Float32frombits(uint32(word(b) >> 32)) }

func instant(b []byte) time.Time {
	t := time.Unix(int64(word(b)), int64(word(b[min(8, len(b)):])%1e9))
	if len(b)%2 == 0 {
		return t
	}
	return t.UTC()
}

func text(b []byte) string { return string(b) }

func same(b []byte) []byte { return b }

func truth(b []byte) bool { return len(b)%2 == 1 }

func compareTruth(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// parts splits bytes in two where the first of them says.
func parts(b []byte) (first, second []byte) {
	if len(b) == 0 {
		return nil, nil
	}
	at := min(int(b[0]), len(b)-1)
	return b[1 : 1+at], b[1+at:]
}

func pairOf[A, B any](a func([]byte) A, b func([]byte) B) func([]byte) codec.Pair[A, B] {
	return func(in []byte) codec.Pair[A, B] {
		first, second := parts(in)
		return codec.NewPair(a(first), b(second))
	}
}

func comparePairs[A, B any](a func(x, y A) int, b func(x, y B) int) func(x, y codec.Pair[A, B]) int {
	return func(x, y codec.Pair[A, B]) int {
		return cmp.Or(a(x.First, y.First), b(x.Second, y.Second))
	}
}

func pairCodec[A, B any](name string, ka codec.KeyCodec[A], fa func([]byte) A, ca func(x, y A) int, kb codec.KeyCodec[B], fb func([]byte) B, cb func(x, y B) int) keyCodec {
	return keyCodecOf(name, codec.Tuple2(ka, kb), pairOf(fa, fb), comparePairs(ca, cb))
}

func quad(b []byte) codec.Quad[string, int16, []byte, string] {
	first, rest := parts(b)
	second, rest := parts(rest)
	third, fourth := parts(rest)
	return codec.NewQuad(text(first), integer[int16](second), third, text(fourth))
}

func compareQuads(x, y codec.Quad[string, int16, []byte, string]) int {
	return cmp.Or(strings.Compare(x.First, y.First), cmp.Compare(x.Second, y.Second), bytes.Compare(x.Third, y.Third), strings.Compare(x.Fourth, y.Fourth))
}

func triple(b []byte) codec.Triple[[]byte, bool, float32] {
	first, rest := parts(b)
	second, third := parts(rest)
	return codec.NewTriple(first, truth(second), float32Of(third))
}

func compareTriples(x, y codec.Triple[[]byte, bool, float32]) int {
	return cmp.Or(bytes.Compare(x.First, y.First), compareTruth(x.Second, y.Second), cmp.Compare(x.Third, y.Third))
}

var nested = codec.Tuple2(codec.Tuple2(codec.String, codec.String), codec.Tuple2(codec.Bytes, codec.Time))

var keyCodecs = []keyCodec{
	keyCodecOf("Bool", codec.Bool, truth, compareTruth),
	integerCodec("Int", codec.Int),
	integerCodec("Int8", codec.Int8),
	integerCodec("Int16", codec.Int16),
	integerCodec("Int32", codec.Int32),
	integerCodec("Int64", codec.Int64),
	integerCodec("Uint", codec.Uint),
	integerCodec("Uint8", codec.Uint8),
	integerCodec("Uint16", codec.Uint16),
	integerCodec("Uint32", codec.Uint32),
	integerCodec("Uint64", codec.Uint64),
	keyCodecOf("Float64", codec.Float64, float, cmp.Compare[float64]),
	keyCodecOf("Float32", codec.Float32, float32Of, cmp.Compare[float32]),
	keyCodecOf("Time", codec.Time, instant, time.Time.Compare),
	keyCodecOf("String", codec.String, text, strings.Compare),
	keyCodecOf("Bytes", codec.Bytes, same, bytes.Compare),
	pairCodec("strings", codec.String, text, strings.Compare, codec.String, text, strings.Compare),
	pairCodec("time and bytes", codec.Time, instant, time.Time.Compare, codec.Bytes, same, bytes.Compare),
	pairCodec("integers", codec.Int32, integer[int32], cmp.Compare[int32], codec.Uint8, integer[uint8], cmp.Compare[uint8]),
	keyCodecOf("Tuple3", codec.Tuple3(codec.Bytes, codec.Bool, codec.Float32), triple, compareTriples),
	keyCodecOf("Tuple4", codec.Tuple4(codec.String, codec.Int16, codec.Bytes, codec.String), quad, compareQuads),
	keyCodecOf("tuples in a tuple", nested,
		pairOf(pairOf(text, text), pairOf(same, instant)),
		comparePairs(comparePairs(strings.Compare, strings.Compare), comparePairs(bytes.Compare, time.Time.Compare))),
}

// FuzzKeyCodecOrder: the bytes of two keys compare as the keys do, for every key
// codec, and every key comes back.
func FuzzKeyCodecOrder(f *testing.F) {
	f.Add([]byte{}, []byte{0})
	f.Add([]byte("\x01a\x00b"), []byte("\x02a\x00b"))
	f.Add([]byte("\x02a\x00\xff"), []byte("\x01a\x01\xff"))
	f.Add([]byte("\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x01"), []byte("\x80\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x7f\xf8\x00\x00\x00\x00\x00\x01"), []byte("\xff\xf0\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x03\x01\x00\x00\x00\x00"), []byte("\x03\x01\x00\x00\x00\xff"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		for _, k := range keyCodecs {
			k.order(t, a, b)
		}
	})
}

// FuzzKeyCodecBytes: any bytes are the one encoding of a key or are refused, by
// every key codec.
func FuzzKeyCodecBytes(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("a\x00\x01b"))
	f.Add([]byte("a\x00\xff\x00\x01b\x00\x02"))
	f.Add([]byte("a\x00\xff\x01b\x00\x01c\x00\x01\x80\x00\x00\x00\x00\x00\x00\x00\x3b\x9a\xca\x00"))
	f.Add([]byte("\x80\x00\x00\x0e\x77\x91\xf7\x00\x3b\x9a\xc9\xff"))
	f.Add([]byte("\x7f\xff\xff\xff\xff\xff\xff\xff"))
	f.Add(codec.Tuple4(codec.String, codec.Int16, codec.Bytes, codec.String).AppendKey(nil, quad([]byte("\x01a\x02bc\x02\x00\x00d"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, k := range keyCodecs {
			k.decode(t, b)
		}
	})
}

type document struct {
	Name string
	Size int
	Tags []string
	Seen map[string]time.Time
	Next *document
}

// survives decodes any bytes as a value; what they are is encoded and decoded
// again.
func survives[T any](t *testing.T, name string, c codec.ValueCodec[T], b []byte) {
	in := bytes.Clone(b)
	v, err := c.DecodeValue(in)
	if !bytes.Equal(in, b) {
		t.Fatalf("%s: decoding changed %x", name, b)
	}
	if err != nil {
		return
	}
	encoded, err := c.AppendValue(nil, v)
	if err != nil {
		return // JSON decodes times that it does not encode
	}
	if _, err := c.DecodeValue(encoded); err != nil {
		t.Fatalf("%s: %x is %v, which is %x: %v", name, b, v, encoded, err)
	}
}

// FuzzValueCodecs: any bytes are a value that comes back or are refused, by every
// value codec.
func FuzzValueCodecs(f *testing.F) {
	d := document{Name: "a", Size: -1, Tags: []string{"b", ""}, Seen: map[string]time.Time{"c": {}}, Next: &document{}}
	for _, c := range []codec.ValueCodec[document]{codec.JSON[document](), codec.Gob[document]()} {
		b, err := c.AppendValue(nil, d)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("\x20\x01\x0d\xb8zone"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		survives(t, "JSON", codec.JSON[document](), b)
		survives(t, "Gob", codec.Gob[document](), b)
		survives(t, "Binary of addresses", codec.Binary[netip.Addr](), b)
		survives(t, "Binary of times", codec.Binary[time.Time](), b)
		survives(t, "Raw", codec.Raw, b)
		survives(t, "Text", codec.Text, b)
		survives(t, "AsValue", codec.AsValue(nested), b)
	})
}
