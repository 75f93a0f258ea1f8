package codec_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/codec"
)

// ladder is a key codec with values in strictly rising order.
type ladder struct {
	name string
	test func(t *testing.T)
}

// rising says that the values are in strictly rising order for the codec, that
// their bytes are, and that they come back; same compares two values.
func rising[T any](name string, k codec.KeyCodec[T], same func(a, b T) bool, values ...T) ladder {
	return ladder{name, func(t *testing.T) {
		head := []byte("head")
		for i, a := range values {
			ea := k.AppendKey(head[:4:4], a)
			if !bytes.HasPrefix(ea, head) {
				t.Fatalf("%v: %x does not start with what was there", a, ea)
			}
			ea = ea[len(head):]
			if back, err := k.DecodeKey(ea); err != nil || !same(back, a) {
				t.Errorf("%v became %v, %v", a, back, err)
			}
			if s, ok := k.(codec.Sized); ok && s.KeyLen() > 0 && s.KeyLen() != len(ea) {
				t.Errorf("%v has %d bytes, not %d", a, len(ea), s.KeyLen())
			}
			for j, b := range values {
				if got := bytes.Compare(ea, k.AppendKey(nil, b)); got != cmp.Compare(i, j) {
					t.Errorf("%v and %v compare %d", a, b, got)
				}
			}
		}
	}}
}

func equal[T comparable](a, b T) bool { return a == b }

func sameFloat[T ~float32 | ~float64](a, b T) bool { return cmp.Compare(a, b) == 0 }

func sameTime(a, b time.Time) bool {
	return a.Equal(b) && b.Equal(a) && a.Nanosecond() == b.Nanosecond() && a.Location() == time.UTC
}

type userID uint16
type tag string

var (
	samples     = []string{"", "\x00", "\x00\x00", "\x00\x01", "\x00\xff", "\x01", "\x01\x00", "a", "a\x00", "a\x00b", "aa", "b", "\xff", "\xff\x00", "\xff\xff"}
	someStrings = []string{"", "\x00", "\x00\x01", "a", "a\x00", "a\x00\xff", "b", "\xff"}
	someInts    = []int16{math.MinInt16, -1, 0, 1, 255, 256, math.MaxInt16}
)

// product returns the pairs of the values in rising order.
func product[A, B any](as []A, bs []B) (pairs []codec.Pair[A, B]) {
	for _, a := range as {
		for _, b := range bs {
			pairs = append(pairs, codec.NewPair(a, b))
		}
	}
	return pairs
}

func asBytes(ss []string) (bs [][]byte) {
	for _, s := range ss {
		bs = append(bs, []byte(s))
	}
	return bs
}

var inf = math.Inf(1)

var ladders = []ladder{
	rising("Bool", codec.Bool, equal, false, true),
	rising("Int", codec.Int, equal, math.MinInt, -1, 0, 1, math.MaxInt),
	rising("Int8", codec.Int8, equal, math.MinInt8, -2, -1, 0, 1, 2, math.MaxInt8),
	rising("Int16", codec.Int16, equal, math.MinInt16, -256, -1, 0, 1, 255, 256, math.MaxInt16),
	rising("Int32", codec.Int32, equal, math.MinInt32, -65536, -1, 0, 1, 65536, math.MaxInt32),
	rising("Int64", codec.Int64, equal, math.MinInt64, math.MinInt32, -1, 0, 1, math.MaxInt32, math.MaxInt64),
	rising("Uint", codec.Uint, equal, 0, 1, 255, 256, math.MaxUint),
	rising("Uint8", codec.Uint8, equal, 0, 1, 127, 128, 255),
	rising("Uint16", codec.Uint16, equal, 0, 1, 255, 256, math.MaxUint16),
	rising("Uint32", codec.Uint32, equal, 0, 1, 255, 256, math.MaxInt32+1, math.MaxUint32),
	rising("Uint64", codec.Uint64, equal, 0, 1, 255, 256, math.MaxInt64+1, math.MaxUint64),
	rising("named integer", codec.IntegerOf[userID](), equal, 0, 1, math.MaxUint16),
	rising("Duration", codec.IntegerOf[time.Duration](), equal, -time.Hour, -1, 0, time.Second),
	rising("Float64", codec.Float64, sameFloat, math.NaN(), -inf, -math.MaxFloat64, -1.5, -1, -math.SmallestNonzeroFloat64,
		0, math.SmallestNonzeroFloat64, 1, 1.5, 2, math.MaxFloat64, inf),
	rising("Float32", codec.Float32, sameFloat, float32(math.NaN()), float32(-inf), -math.MaxFloat32, -1.5, -1, -math.SmallestNonzeroFloat32,
		0, math.SmallestNonzeroFloat32, 1, 1.5, 2, math.MaxFloat32, float32(inf)),
	rising("Time", codec.Time, sameTime, firstTime, time.Unix(math.MinInt64/2, 0), time.Time{}.Add(-1), time.Time{}, time.Unix(-1, 999_999_999),
		time.Unix(0, 0), time.Unix(0, 1), time.Unix(1, 0), time.Unix(math.MaxInt64/2, 999_999_999), lastTime),
	rising("String", codec.String, equal, samples...),
	rising("named string", codec.StringOf[tag](), equal, "", "a", "b"),
	rising("Bytes", codec.Bytes, bytes.Equal, asBytes(samples)...),
	rising("Tuple2 of strings", codec.Tuple2(codec.String, codec.String), equal, product(samples, someStrings)...),
	rising("Tuple2 of integers", codec.Tuple2(codec.Int16, codec.Int16), equal, product(someInts, someInts)...),
	rising("Tuple2 of both", codec.Tuple2(codec.String, codec.Int16), equal, product(samples, someInts)...),
	rising("tuple in a tuple, first", codec.Tuple2(codec.Tuple2(codec.String, codec.String), codec.String), equal, product(product(someStrings, someStrings), someStrings)...),
	rising("tuple in a tuple, last", codec.Tuple2(codec.Int16, codec.Tuple2(codec.String, codec.Int16)), equal, product(someInts, product(someStrings, someInts))...),
	rising("Tuple3", codec.Tuple3(codec.String, codec.Bool, codec.String), equal,
		codec.NewTriple("", false, "\xff"), codec.NewTriple("", true, ""), codec.NewTriple("\x00", false, ""), codec.NewTriple("a", false, "b"), codec.NewTriple("a", true, "a")),
	rising("Tuple4", codec.Tuple4(codec.Uint8, codec.String, codec.Uint8, codec.String), equal,
		codec.NewQuad(uint8(0), "z", uint8(9), "z"), codec.NewQuad(uint8(1), "", uint8(0), ""), codec.NewQuad(uint8(1), "a", uint8(0), ""),
		codec.NewQuad(uint8(1), "a", uint8(0), "\x00"), codec.NewQuad(uint8(1), "a", uint8(1), ""), codec.NewQuad(uint8(2), "", uint8(0), "")),
}

// The first and the last instant that a time.Time holds.
var (
	firstTime = time.Unix(math.MaxInt64-62_135_596_800+1, 0)
	lastTime  = time.Unix(math.MaxInt64-62_135_596_800, 999_999_999)
)

func TestBytesAreInTheOrderOfTheValues(t *testing.T) {
	for _, l := range ladders {
		t.Run(l.name, l.test)
	}
}

func TestZeroHasOneKey(t *testing.T) {
	if a, b := codec.Float64.AppendKey(nil, math.Copysign(0, -1)), codec.Float64.AppendKey(nil, 0); !bytes.Equal(a, b) {
		t.Errorf("−0 is %x, 0 is %x", a, b)
	}
	minus := float32(math.Copysign(0, -1))
	if a, b := codec.Float32.AppendKey(nil, minus), codec.Float32.AppendKey(nil, 0); !bytes.Equal(a, b) {
		t.Errorf("−0 is %x, 0 is %x", a, b)
	}
}

func TestNaNsAreOneKey(t *testing.T) {
	want := make([]byte, 8)
	for _, bits := range []uint64{0x7FF8000000000001, 0xFFF8000000000000, 0x7FF0000000000001, math.MaxUint64} {
		if got := codec.Float64.AppendKey(nil, math.Float64frombits(bits)); !bytes.Equal(got, want) {
			t.Errorf("NaN %x is %x", bits, got)
		}
	}
}

func TestSameInstantIsTheSameKey(t *testing.T) {
	now := time.Now()
	want := codec.Time.AppendKey(nil, now.UTC())
	for _, same := range []time.Time{now, now.Round(0), now.In(time.FixedZone("east", 7200))} {
		if got := codec.Time.AppendKey(nil, same); !bytes.Equal(got, want) {
			t.Errorf("%v is %x, want %x", same, got, want)
		}
	}
}

func pictured[T any](b *strings.Builder, name string, k codec.KeyCodec[T], values ...T) {
	for _, v := range values {
		fmt.Fprintf(b, "%s %v: % X\n", name, v, k.AppendKey(nil, v))
	}
}

// TestKeysHaveTheBytesTheyAlwaysHad: stored keys must be found again.
func TestKeysHaveTheBytesTheyAlwaysHad(t *testing.T) {
	var b strings.Builder
	pictured(&b, "bool", codec.Bool, true)
	pictured(&b, "int16", codec.Int16, -1, 0)
	pictured(&b, "uint16", codec.Uint16, 258)
	pictured(&b, "int", codec.Int, 1)
	pictured(&b, "float64", codec.Float64, math.NaN(), math.Inf(-1), -1, 0, 1, inf)
	pictured(&b, "float32", codec.Float32, float32(math.NaN()), -1, 0, 1)
	pictured(&b, "time", codec.Time, time.Time{}, time.Unix(1, 2).UTC())
	pictured(&b, "string", codec.String, "a")
	pictured(&b, "pair", codec.Tuple2(codec.String, codec.String), codec.NewPair("a", "b"))
	pictured(&b, "pair", codec.Tuple2(codec.Int8, codec.String), codec.NewPair(int8(0), "b"))
	zero := codec.NewPair("a\x00\x00", "\x00")
	fmt.Fprintf(&b, "zeros: % X\n", codec.Tuple2(codec.String, codec.String).AppendKey(nil, zero))
	fmt.Fprintf(&b, "nested: % X\n", codec.Tuple2(codec.Tuple2(codec.String, codec.String), codec.Bool).AppendKey(nil, codec.NewPair(codec.NewPair("a", "b"), true)))
	want := `bool true: 01
int16 -1: 7F FF
int16 0: 80 00
uint16 258: 01 02
int 1: 80 00 00 00 00 00 00 01
float64 NaN: 00 00 00 00 00 00 00 00
float64 -Inf: 00 0F FF FF FF FF FF FF
float64 -1: 40 0F FF FF FF FF FF FF
float64 0: 80 00 00 00 00 00 00 00
float64 1: BF F0 00 00 00 00 00 00
float64 +Inf: FF F0 00 00 00 00 00 00
float32 NaN: 00 00 00 00
float32 -1: 40 7F FF FF
float32 0: 80 00 00 00
float32 1: BF 80 00 00
time 0001-01-01 00:00:00 +0000 UTC: 80 00 00 00 00 00 00 00 00 00 00 00
time 1970-01-01 00:00:01.000000002 +0000 UTC: 80 00 00 0E 77 91 F7 01 00 00 00 02
string a: 61
pair {a b}: 61 00 01 62
pair {0 b}: 80 62
zeros: 61 00 FF 00 FF 00 01 00
nested: 61 00 FF 01 62 00 01 01
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func refusal[T any](k codec.KeyCodec[T], encoded string) string {
	v, err := k.DecodeKey([]byte(encoded))
	if err == nil {
		return fmt.Sprintf("%v", v)
	}
	return err.Error()
}

func TestBytesThatNoValueHasAreRefused(t *testing.T) {
	two := codec.Tuple2(codec.String, codec.Bool)
	for _, c := range []struct{ got, want string }{
		{refusal(codec.Bool, ""), "0 bytes, want 1"},
		{refusal(codec.Bool, "\x02"), "byte of a bool is neither 0 nor 1"},
		{refusal(codec.Int64, "1234567"), "7 bytes, want 8"},
		{refusal(codec.Uint8, "12"), "2 bytes, want 1"},
		{refusal(codec.Float64, "123456789"), "9 bytes, want 8"},
		{refusal(codec.Float64, "\x7f\xff\xff\xff\xff\xff\xff\xff"), "float is −0 or another NaN than keys have"},
		{refusal(codec.Float64, "\x00\x00\x00\x00\x00\x00\x00\x01"), "float is −0 or another NaN than keys have"},
		{refusal(codec.Float32, "\x7f\xff\xff\xff"), "float is −0 or another NaN than keys have"},
		{refusal(codec.Float32, "\xff\xff\xff\xff"), "float is −0 or another NaN than keys have"},
		{refusal(codec.Time, "\x80\x00\x00\x00\x00\x00\x00\x00\x3b\x9a\xca\x00"), "time has a second or more of nanoseconds"},
		{refusal(two, ""), "first component: component of a tuple has no end"},
		{refusal(two, "a"), "first component: component of a tuple has no end"},
		{refusal(two, "a\x00"), "first component: component of a tuple has no end"},
		{refusal(two, "a\x00\xff"), "first component: component of a tuple has no end"},
		{refusal(two, "a\x00\x02"), "first component: zero byte in a component of a tuple is neither escape nor end"},
		{refusal(two, "a\x00\x01"), "second component: 0 bytes, want 1"},
		{refusal(two, "a\x00\x01\x01\x00"), "second component: 2 bytes, want 1"},
		{refusal(codec.Tuple3(codec.Int16, codec.Int32, codec.Bool), "123"), "second component: 1 bytes left, want 4"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// backwards is a codec of a user: it is not Sized, and its bytes are full of zeros.
type backwards struct{}

func (backwards) AppendKey(dst []byte, v uint8) []byte { return append(dst, 0, 255-v, 0) }

func (backwards) DecodeKey(b []byte) (uint8, error) {
	if len(b) != 3 || b[0] != 0 || b[2] != 0 {
		return 0, fmt.Errorf("%x is no number", b)
	}
	return 255 - b[1], nil
}

func TestCodecOfAUserIsAComponentLikeAnyOther(t *testing.T) {
	k := codec.Tuple2[uint8, string](backwards{}, codec.String)
	rising("backwards", k, equal, product([]uint8{255, 254, 1, 0}, samples)...).test(t)
}
