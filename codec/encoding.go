package codec

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"encoding/json"
	"errors"
	"reflect"
)

// JSON is the value codec of what encoding/json turns T into. Fields may come and
// go between versions of a program, by the rules of that package.
func JSON[T any]() ValueCodec[T] { return jsonValue[T]{} }

type jsonValue[T any] struct{}

func (jsonValue[T]) AppendValue(dst []byte, v T) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return dst, err
	}
	return append(dst, b...), nil
}

func (jsonValue[T]) DecodeValue(b []byte) (v T, err error) {
	err = json.Unmarshal(b, &v)
	return v, err
}

// Gob is the value codec of what encoding/gob turns T into. Each value carries the
// description of its type and is decoded by itself: for a small struct that takes
// about five times as long as JSON to encode and fifteen times to decode. It is for
// what JSON cannot express. Interfaces in T need gob.Register. A nil pointer is
// refused.
func Gob[T any]() ValueCodec[T] { return gobValue[T]{} }

type gobValue[T any] struct{}

func (gobValue[T]) AppendValue(dst []byte, v T) ([]byte, error) {
	// The package panics at a nil.
	for r := reflect.ValueOf(&v).Elem(); r.Kind() == reflect.Pointer || r.Kind() == reflect.Interface; r = r.Elem() {
		if r.IsNil() {
			return dst, errGobNil
		}
	}
	w := bytes.NewBuffer(dst)
	if err := gob.NewEncoder(w).Encode(&v); err != nil {
		return dst, err
	}
	return w.Bytes(), nil
}

func (gobValue[T]) DecodeValue(b []byte) (v T, err error) {
	r := bytes.NewReader(b)
	if err := gob.NewDecoder(r).Decode(&v); err != nil {
		return v, err
	}
	if r.Len() > 0 {
		return v, errGobRest
	}
	return v, nil
}

// Binary is the value codec of a type with the methods of encoding.BinaryMarshaler
// and encoding.BinaryUnmarshaler, such as netip.Addr or url.URL; P is found by the
// compiler: Binary[netip.Addr](). A type that has AppendBinary is encoded with it.
func Binary[T any, P BinaryPointer[T]]() ValueCodec[T] { return binaryValue[T, P]{} }

// BinaryPointer is a pointer to T that has the methods Binary needs, which T
// itself may have in part.
type BinaryPointer[T any] interface {
	*T
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

type binaryValue[T any, P BinaryPointer[T]] struct{}

func (binaryValue[T, P]) AppendValue(dst []byte, v T) ([]byte, error) {
	p := P(&v)
	if a, ok := any(p).(encoding.BinaryAppender); ok {
		out, err := a.AppendBinary(dst)
		if err != nil {
			return dst, err
		}
		return out, nil
	}
	b, err := p.MarshalBinary()
	if err != nil {
		return dst, err
	}
	return append(dst, b...), nil
}

func (binaryValue[T, P]) DecodeValue(b []byte) (v T, err error) {
	err = P(&v).UnmarshalBinary(b)
	return v, err
}

var (
	errGobNil  = errors.New("gob has no nil pointer")
	errGobRest = errors.New("bytes behind the gob")
)
