package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"

	"github.com/siltstonedb/siltstone/internal/keyenc"
)

// The key codecs of integers, in their order.
var (
	Int    = IntegerOf[int]()
	Int8   = IntegerOf[int8]()
	Int16  = IntegerOf[int16]()
	Int32  = IntegerOf[int32]()
	Int64  = IntegerOf[int64]()
	Uint   = IntegerOf[uint]()
	Uint8  = IntegerOf[uint8]()
	Uint16 = IntegerOf[uint16]()
	Uint32 = IntegerOf[uint32]()
	Uint64 = IntegerOf[uint64]()
)

// Integer is any type that is an integer beneath.
type Integer interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// IntegerOf is the key codec of a type that is an integer beneath, such as
// time.Duration. The bytes are those of the number, big-endian, with the sign bit
// inverted if the type has one; int and uint take 8 bytes everywhere, and one that
// was written on another platform and is too large for this one is an error.
//
//	int16   −1     7F FF
//	int16    0     80 00
//	uint16   258   01 02
//	int      1     80 00 00 00 00 00 00 01
func IntegerOf[T Integer]() KeyCodec[T] {
	k := integerKey[T]{size: 8, shift: 0}
	switch reflect.TypeFor[T]().Kind() {
	case reflect.Int8, reflect.Uint8:
		k.size = 1
	case reflect.Int16, reflect.Uint16:
		k.size = 2
	case reflect.Int32, reflect.Uint32:
		k.size = 4
	}
	k.shift = 64 - 8*k.size
	if T(0)-1 < 0 {
		k.sign = 1 << (8*k.size - 1)
	}
	return k
}

type integerKey[T Integer] struct {
	size  int    // of an encoding, bytes
	shift int    // bits of a uint64 above it
	sign  uint64 // sign bit; 0 if the type is unsigned
}

func (k integerKey[T]) KeyLen() int { return k.size }

func (k integerKey[T]) AppendKey(dst []byte, v T) []byte {
	u := uint64(v) ^ k.sign
	switch k.size {
	case 1:
		return append(dst, byte(u))
	case 2:
		return binary.BigEndian.AppendUint16(dst, uint16(u))
	case 4:
		return binary.BigEndian.AppendUint32(dst, uint32(u))
	}
	return binary.BigEndian.AppendUint64(dst, u)
}

func (k integerKey[T]) DecodeKey(b []byte) (T, error) {
	if err := checkLen(b, k.size); err != nil {
		return 0, err
	}
	var u uint64
	for _, c := range b {
		u = u<<8 | uint64(c)
	}
	u ^= k.sign
	if k.sign != 0 {
		u = uint64(int64(u<<k.shift) >> k.shift) // the sign, extended
	}
	v := T(u)
	if uint64(v) != u {
		return 0, errTooLarge
	}
	return v, nil
}

// Float64 and Float32 are the key codecs of floats, in the order of cmp.Compare:
// NaN before −Inf, whichever NaN it is, and −0 the same key as 0. The bytes are
// those of IEEE 754, big-endian, with the sign bit set if the number is not
// negative and all bits inverted if it is.
//
//	NaN   00 00 00 00 00 00 00 00
//	−Inf  00 0F FF FF FF FF FF FF
//	−1    40 0F FF FF FF FF FF FF
//	 0    80 00 00 00 00 00 00 00
//	 1    BF F0 00 00 00 00 00 00
//	+Inf  FF F0 00 00 00 00 00 00
//
// Scores of a sorted set are no keys: NaN is refused there.
var (
	Float64 KeyCodec[float64] = float64Key{}
	Float32 KeyCodec[float32] = float32Key{}
)

type float64Key struct{}

func (float64Key) KeyLen() int { return keyenc.ScoreLen }

func (float64Key) AppendKey(dst []byte, v float64) []byte {
	if math.IsNaN(v) {
		return binary.BigEndian.AppendUint64(dst, 0)
	}
	return keyenc.AppendScore(dst, v)
}

func (float64Key) DecodeKey(b []byte) (float64, error) {
	if err := checkLen(b, keyenc.ScoreLen); err != nil {
		return 0, err
	}
	if binary.BigEndian.Uint64(b) == 0 {
		return math.NaN(), nil
	}
	v, ok := keyenc.DecodeScore(b)
	if !ok {
		return 0, errOddFloat
	}
	return v, nil
}

type float32Key struct{}

const sign32 = 1 << 31

func (float32Key) KeyLen() int { return 4 }

func (float32Key) AppendKey(dst []byte, v float32) []byte {
	bits := math.Float32bits(v)
	switch {
	case v != v:
		bits = 0
	case v == 0:
		bits = sign32
	case bits&sign32 != 0:
		bits = ^bits
	default:
		bits |= sign32
	}
	return binary.BigEndian.AppendUint32(dst, bits)
}

func (float32Key) DecodeKey(b []byte) (float32, error) {
	if err := checkLen(b, 4); err != nil {
		return 0, err
	}
	bits := binary.BigEndian.Uint32(b)
	if bits == 0 {
		return float32(math.NaN()), nil
	}
	if bits&sign32 != 0 {
		bits &^= sign32
	} else {
		bits = ^bits
	}
	v := math.Float32frombits(bits)
	if v != v || bits == sign32 {
		return 0, errOddFloat
	}
	return v, nil
}

// checkLen refuses an encoding of the wrong length.
func checkLen(b []byte, want int) error {
	if len(b) != want {
		return fmt.Errorf("%d bytes, want %d", len(b), want)
	}
	return nil
}

var (
	errOddFloat = errors.New("float is −0 or another NaN than keys have")
	errTooLarge = errors.New("integer is too large for this platform")
)
