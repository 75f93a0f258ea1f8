package codec

import (
	"errors"
	"fmt"
	"iter"
	"sync"
)

// DecodeError says which element of which key holds bytes that its codec cannot
// decode, and why: they were written with another codec, or by other means. It is
// not ErrCorruption, and a transaction that meets it may go on and commit.
type DecodeError struct {
	Name    string // of the key
	Element string // field or member, as stored
	Err     error  // what is wrong
}

func (e *DecodeError) Error() string {
	if e == nil {
		return "siltstone: cannot be decoded"
	}
	return fmt.Sprintf("siltstone: key %.64q, element %.64q: %v", e.Name, e.Element, e.Err)
}

// Unwrap returns what is wrong.
func (e *DecodeError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// elements are the fields or members of a key as values of T. What is made
// without a codec refuses every call.
type elements[T any] struct{ codec KeyCodec[T] }

// elementsOf returns elements with this codec, or without one if a part of it is
// missing.
func elementsOf[T any](k KeyCodec[T]) elements[T] {
	if !coded(k) {
		k = nil
	}
	return elements[T]{k}
}

var errNoCodec = errors.New("siltstone: handle has no codec")

// encode leaves the name of the element in sc.name.
func (e elements[T]) encode(sc *scratch, v T) error {
	if e.codec == nil {
		return errNoCodec
	}
	sc.name = e.codec.AppendKey(sc.name[:0], v)
	return nil
}

// encodeAll returns the names of n elements, cut from one string.
func (e elements[T]) encodeAll(sc *scratch, n int, at func(i int) T) ([]string, error) {
	if e.codec == nil {
		return nil, errNoCodec
	}
	sc.name, sc.ends = sc.name[:0], sc.ends[:0]
	for i := range n {
		sc.name = e.codec.AppendKey(sc.name, at(i))
		sc.ends = append(sc.ends, len(sc.name))
	}
	all, names, start := string(sc.name), make([]string, n), 0
	for i, end := range sc.ends {
		names[i], start = all[start:end], end
	}
	return names, nil
}

// names returns the names of the elements.
func (e elements[T]) names(all []T) ([]string, error) {
	sc := getScratch()
	defer sc.put()
	return e.encodeAll(sc, len(all), func(i int) T { return all[i] })
}

// decode returns the element called element of the key called name.
func (e elements[T]) decode(sc *scratch, name, element string) (v T, err error) {
	if e.codec == nil {
		return v, errNoCodec
	}
	sc.name = append(sc.name[:0], element...)
	if v, err = e.codec.DecodeKey(sc.name); err != nil {
		var none T
		return none, &DecodeError{name, element, err}
	}
	return v, nil
}

// decodeAll returns the elements, those that cannot be decoded left out, and an
// error that joins theirs.
func (e elements[T]) decodeAll(name string, encoded []string) ([]T, error) {
	if len(encoded) == 0 {
		return nil, nil
	}
	sc := getScratch()
	defer sc.put()
	decoded := make([]T, 0, len(encoded))
	var failed []error
	for _, s := range encoded {
		v, err := e.decode(sc, name, s)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		decoded = append(decoded, v)
	}
	return decoded, errors.Join(failed...)
}

// walk yields what each makes of the items of a loop. An item that it cannot
// decode ends the loop.
func walk[S, T any](items iter.Seq2[S, error], each func(sc *scratch, item S) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		sc := getScratch()
		defer sc.put()
		for item, err := range items {
			var v T
			if err == nil {
				v, err = each(sc, item)
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// scratch is the working memory of a call.
type scratch struct {
	name  []byte // of one element, or of all
	ends  []int  // of the names in name
	value []byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// scratchMax is how much of a buffer the pool keeps.
const scratchMax = 64 << 10

func getScratch() *scratch { return scratches.Get().(*scratch) }

func (s *scratch) put() {
	if cap(s.name) > scratchMax {
		s.name = nil
	}
	if cap(s.ends) > scratchMax/8 {
		s.ends = nil
	}
	if cap(s.value) > scratchMax {
		s.value = nil
	}
	scratches.Put(s)
}
