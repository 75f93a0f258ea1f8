package codec

// ValueCodec turns values of T into bytes and back; the bytes have no order. Methods
// are called from many goroutines at once.
type ValueCodec[T any] interface {
	// AppendValue appends the bytes of v to dst, or returns an error, with which the
	// call that writes is refused. It changes nothing in dst and keeps neither it nor
	// a part of v.
	AppendValue(dst []byte, v T) ([]byte, error)
	// DecodeValue returns what AppendValue made b of. b is borrowed: the result has
	// no part of it, and b is not changed. Any bytes may come, and none may panic.
	DecodeValue(b []byte) (T, error)
}

// Raw is the value codec of byte slices as they are. Decoding copies, and gives
// one that is not nil.
var Raw ValueCodec[[]byte] = rawValue{}

type rawValue struct{}

func (rawValue) AppendValue(dst, v []byte) ([]byte, error) { return append(dst, v...), nil }

func (rawValue) DecodeValue(b []byte) ([]byte, error) { return append([]byte{}, b...), nil }

// Text is the value codec of strings as they are.
var Text = AsValue(String)

// AsValue makes a key codec a value codec, with the same bytes: integers, floats,
// times and tuples are shorter so than in any of the general encodings.
func AsValue[T any](k KeyCodec[T]) ValueCodec[T] { return keyValue[T]{k} }

type keyValue[T any] struct{ key KeyCodec[T] }

func (c keyValue[T]) coded() bool { return coded(c.key) }

func (c keyValue[T]) AppendValue(dst []byte, v T) ([]byte, error) {
	if !c.coded() {
		return dst, errNoCodec
	}
	return c.key.AppendKey(dst, v), nil
}

func (c keyValue[T]) DecodeValue(b []byte) (v T, err error) {
	if !c.coded() {
		return v, errNoCodec
	}
	return c.key.DecodeKey(b)
}
