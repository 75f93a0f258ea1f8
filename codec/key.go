package codec

import (
	"errors"
)

// KeyCodec turns values of T into bytes whose order is the order of the values. Equal
// values have the same bytes, and different ones have different bytes. Methods are
// called from many goroutines at once.
type KeyCodec[T any] interface {
	// AppendKey appends the bytes of v to dst. It changes nothing in dst and keeps
	// neither it nor, if v is a slice, v.
	AppendKey(dst []byte, v T) []byte
	// DecodeKey returns what AppendKey made b of, and an error for any b that it
	// never makes. b is borrowed: the result has no part of it, and b is not
	// changed. Any bytes may come, and none may panic.
	DecodeKey(b []byte) (T, error)
}

// Sized is what a KeyCodec has beside its two methods if all of its encodings
// have the same length. A tuple then stores it as it is, without escapes.
type Sized interface {
	// KeyLen returns that length in bytes, and 0 if encodings differ in length.
	KeyLen() int
}

// keyLen returns the length of every encoding of k, 0 if they differ.
func keyLen[T any](k KeyCodec[T]) int {
	if s, ok := k.(Sized); ok {
		return s.KeyLen()
	}
	return 0
}

// String is the key codec of strings, in bytewise order, which is that of Go's <.
// The bytes are those of the string.
var String = StringOf[string]()

// StringOf is String for a type that is a string beneath.
func StringOf[T ~string]() KeyCodec[T] { return stringKey[T]{} }

type stringKey[T ~string] struct{}

func (stringKey[T]) AppendKey(dst []byte, v T) []byte { return append(dst, v...) }

func (stringKey[T]) DecodeKey(b []byte) (T, error) { return T(b), nil }

// Bytes is the key codec of byte slices, in the order of bytes.Compare; nil is the
// empty one, and decoding gives one that is not nil.
var Bytes KeyCodec[[]byte] = bytesKey{}

type bytesKey struct{}

func (bytesKey) AppendKey(dst []byte, v []byte) []byte { return append(dst, v...) }

func (bytesKey) DecodeKey(b []byte) ([]byte, error) { return append([]byte{}, b...), nil }

// Bool is the key codec of bools, false before true.
//
//	false  00
//	true   01
var Bool KeyCodec[bool] = boolKey{}

type boolKey struct{}

func (boolKey) KeyLen() int { return 1 }

func (boolKey) AppendKey(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func (boolKey) DecodeKey(b []byte) (bool, error) {
	if err := checkLen(b, 1); err != nil {
		return false, err
	}
	if b[0] > 1 {
		return false, errNotBool
	}
	return b[0] == 1, nil
}

// Prefix names the keys of T whose bytes start alike, for Map.Prefix and
// ZSet.ByPrefix: those of a tuple with the same first components, or strings
// that start alike. StartsWith makes one, and so do the methods of PairKey, TripleKey and
// QuadKey. Within makes a Range of it. The zero Prefix is that of all keys. It is a value.
type Prefix[T any] struct{ bytes string }

// StartsWith returns the prefix of the strings or byte slices that start with p,
// for the codecs String, StringOf and Bytes.
func StartsWith[T ~string | ~[]byte](p T) Prefix[T] { return Prefix[T]{string(p)} }

var errNotBool = errors.New("byte of a bool is neither 0 nor 1")
