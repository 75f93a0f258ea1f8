package codec

import "fmt"

// Pair is a key of two components, ordered by the first, then by the next.
type Pair[A, B any] struct {
	First  A
	Second B
}

// NewPair returns the Pair of its components.
func NewPair[A, B any](first A, second B) Pair[A, B] {
	return Pair[A, B]{first, second}
}

// PairKey is the key codec of a Pair; Tuple2 makes it.
type PairKey[A, B any] struct {
	first  component[A]
	second component[B]
}

// Tuple2 is the key codec of a Pair of components with these codecs.
func Tuple2[A, B any](a KeyCodec[A], b KeyCodec[B]) PairKey[A, B] {
	return PairKey[A, B]{componentOf(a), componentOf(b)}
}

// KeyLen returns the length of every encoding, 0 if they differ.
func (k PairKey[A, B]) KeyLen() int {
	return sizeOf(k.first.size, k.second.size)
}

func (k PairKey[A, B]) coded() bool {
	return coded(k.first.key) && coded(k.second.key)
}

// AppendKey appends the components of v to dst.
func (k PairKey[A, B]) AppendKey(dst []byte, v Pair[A, B]) []byte {
	dst = k.first.append(dst, v.First)
	return k.second.appendLast(dst, v.Second)
}

// DecodeKey returns the Pair that b was made of.
func (k PairKey[A, B]) DecodeKey(b []byte) (v Pair[A, B], err error) {
	if v.First, b, err = k.first.cut(b); err != nil {
		return Pair[A, B]{}, fmt.Errorf("first component: %w", err)
	}
	if v.Second, err = k.second.decodeLast(b); err != nil {
		return Pair[A, B]{}, fmt.Errorf("second component: %w", err)
	}
	return v, nil
}

// Prefix returns the prefix of the keys with this first component.
func (k PairKey[A, B]) Prefix(first A) Prefix[Pair[A, B]] {
	return Prefix[Pair[A, B]]{string(k.first.append(nil, first))}
}

// Triple is a key of three components, ordered by the first, then by the next.
type Triple[A, B, C any] struct {
	First  A
	Second B
	Third  C
}

// NewTriple returns the Triple of its components.
func NewTriple[A, B, C any](first A, second B, third C) Triple[A, B, C] {
	return Triple[A, B, C]{first, second, third}
}

// TripleKey is the key codec of a Triple; Tuple3 makes it.
type TripleKey[A, B, C any] struct {
	first  component[A]
	second component[B]
	third  component[C]
}

// Tuple3 is the key codec of a Triple of components with these codecs.
func Tuple3[A, B, C any](a KeyCodec[A], b KeyCodec[B], c KeyCodec[C]) TripleKey[A, B, C] {
	return TripleKey[A, B, C]{componentOf(a), componentOf(b), componentOf(c)}
}

// KeyLen returns the length of every encoding, 0 if they differ.
func (k TripleKey[A, B, C]) KeyLen() int {
	return sizeOf(k.first.size, k.second.size, k.third.size)
}

func (k TripleKey[A, B, C]) coded() bool {
	return coded(k.first.key) && coded(k.second.key) && coded(k.third.key)
}

// AppendKey appends the components of v to dst.
func (k TripleKey[A, B, C]) AppendKey(dst []byte, v Triple[A, B, C]) []byte {
	dst = k.first.append(dst, v.First)
	dst = k.second.append(dst, v.Second)
	return k.third.appendLast(dst, v.Third)
}

// DecodeKey returns the Triple that b was made of.
func (k TripleKey[A, B, C]) DecodeKey(b []byte) (v Triple[A, B, C], err error) {
	if v.First, b, err = k.first.cut(b); err != nil {
		return Triple[A, B, C]{}, fmt.Errorf("first component: %w", err)
	}
	if v.Second, b, err = k.second.cut(b); err != nil {
		return Triple[A, B, C]{}, fmt.Errorf("second component: %w", err)
	}
	if v.Third, err = k.third.decodeLast(b); err != nil {
		return Triple[A, B, C]{}, fmt.Errorf("third component: %w", err)
	}
	return v, nil
}

// Prefix returns the prefix of the keys with this first component.
func (k TripleKey[A, B, C]) Prefix(first A) Prefix[Triple[A, B, C]] {
	return Prefix[Triple[A, B, C]]{string(k.first.append(nil, first))}
}

// Prefix2 returns the prefix of the keys with these first two components.
func (k TripleKey[A, B, C]) Prefix2(first A, second B) Prefix[Triple[A, B, C]] {
	b := k.first.append(nil, first)
	b = k.second.append(b, second)
	return Prefix[Triple[A, B, C]]{string(b)}
}

// Quad is a key of four components, ordered by the first, then by the next.
type Quad[A, B, C, D any] struct {
	First  A
	Second B
	Third  C
	Fourth D
}

// NewQuad returns the Quad of its components.
func NewQuad[A, B, C, D any](first A, second B, third C, fourth D) Quad[A, B, C, D] {
	return Quad[A, B, C, D]{first, second, third, fourth}
}

// QuadKey is the key codec of a Quad; Tuple4 makes it.
type QuadKey[A, B, C, D any] struct {
	first  component[A]
	second component[B]
	third  component[C]
	fourth component[D]
}

// Tuple4 is the key codec of a Quad of components with these codecs.
func Tuple4[A, B, C, D any](a KeyCodec[A], b KeyCodec[B], c KeyCodec[C], d KeyCodec[D]) QuadKey[A, B, C, D] {
	return QuadKey[A, B, C, D]{componentOf(a), componentOf(b), componentOf(c), componentOf(d)}
}

// KeyLen returns the length of every encoding, 0 if they differ.
func (k QuadKey[A, B, C, D]) KeyLen() int {
	return sizeOf(k.first.size, k.second.size, k.third.size, k.fourth.size)
}

func (k QuadKey[A, B, C, D]) coded() bool {
	return coded(k.first.key) && coded(k.second.key) && coded(k.third.key) && coded(k.fourth.key)
}

// AppendKey appends the components of v to dst.
func (k QuadKey[A, B, C, D]) AppendKey(dst []byte, v Quad[A, B, C, D]) []byte {
	dst = k.first.append(dst, v.First)
	dst = k.second.append(dst, v.Second)
	dst = k.third.append(dst, v.Third)
	return k.fourth.appendLast(dst, v.Fourth)
}

// DecodeKey returns the Quad that b was made of.
func (k QuadKey[A, B, C, D]) DecodeKey(b []byte) (v Quad[A, B, C, D], err error) {
	if v.First, b, err = k.first.cut(b); err != nil {
		return Quad[A, B, C, D]{}, fmt.Errorf("first component: %w", err)
	}
	if v.Second, b, err = k.second.cut(b); err != nil {
		return Quad[A, B, C, D]{}, fmt.Errorf("second component: %w", err)
	}
	if v.Third, b, err = k.third.cut(b); err != nil {
		return Quad[A, B, C, D]{}, fmt.Errorf("third component: %w", err)
	}
	if v.Fourth, err = k.fourth.decodeLast(b); err != nil {
		return Quad[A, B, C, D]{}, fmt.Errorf("fourth component: %w", err)
	}
	return v, nil
}

// Prefix returns the prefix of the keys with this first component.
func (k QuadKey[A, B, C, D]) Prefix(first A) Prefix[Quad[A, B, C, D]] {
	return Prefix[Quad[A, B, C, D]]{string(k.first.append(nil, first))}
}

// Prefix2 returns the prefix of the keys with these first two components.
func (k QuadKey[A, B, C, D]) Prefix2(first A, second B) Prefix[Quad[A, B, C, D]] {
	b := k.first.append(nil, first)
	b = k.second.append(b, second)
	return Prefix[Quad[A, B, C, D]]{string(b)}
}

// Prefix3 returns the prefix of the keys with these first three components.
func (k QuadKey[A, B, C, D]) Prefix3(first A, second B, third C) Prefix[Quad[A, B, C, D]] {
	b := k.first.append(nil, first)
	b = k.second.append(b, second)
	b = k.third.append(b, third)
	return Prefix[Quad[A, B, C, D]]{string(b)}
}

// sizeOf returns the length of a tuple with components of these, 0 if one is 0.
func sizeOf(sizes ...int) (sum int) {
	for _, n := range sizes {
		if n == 0 {
			return 0
		}
		sum += n
	}
	return sum
}
