package codec

import (
	"fmt"
	"iter"

	"github.com/siltstonedb/siltstone/typed"
)

// Map is a hash whose fields are keys of K, in their order, and whose values are
// of V. It embeds the key, so that Expire, Drop and the like are at hand. It is a
// value; safe for concurrent use if what it comes from is.
//
// A call costs what that of the hash does, the codecs, and no allocation of its
// own if the encoded key has at most 32 bytes, else one. Calls with several keys
// allocate twice for all of their names.
type Map[K, V any] struct {
	typed.Key
	keys   elements[K]
	values ValueCodec[V]
}

// MapOf returns the hash h as a Map. All that use the hash need the same codecs;
// nothing in it tells which they are.
func MapOf[K, V any](h typed.Hash, k KeyCodec[K], v ValueCodec[V]) Map[K, V] {
	if !coded(v) {
		k = nil // every call looks at this one
	}
	return Map[K, V]{h.Key, elementsOf(k), v}
}

// Entry is a key of a Map with its value.
type Entry[K, V any] struct {
	Key   K
	Value V
}

// Optional is the value of a key that was asked for, if Found.
type Optional[V any] struct {
	Value V
	Found bool
}

// Handle returns the hash itself.
func (m Map[K, V]) Handle() typed.Hash { return typed.Hash{Key: m.Key} }

// Set sets the value of the key and reports whether the key is new.
func (m Map[K, V]) Set(key K, value V) (added bool, err error) {
	sc := getScratch()
	defer sc.put()
	if err := m.encode(sc, key, value); err != nil {
		return false, err
	}
	return m.Handle().Set(string(sc.name), sc.value)
}

// SetNX sets the value of the key only if the key is new, and reports whether it
// was.
func (m Map[K, V]) SetNX(key K, value V) (added bool, err error) {
	sc := getScratch()
	defer sc.put()
	if err := m.encode(sc, key, value); err != nil {
		return false, err
	}
	return m.Handle().SetNX(string(sc.name), sc.value)
}

// encode leaves the field of the key in sc.name, and the value in sc.value.
func (m Map[K, V]) encode(sc *scratch, key K, value V) (err error) {
	if err := m.keys.encode(sc, key); err != nil {
		return err
	}
	if sc.value, err = m.values.AppendValue(sc.value[:0], value); err != nil {
		return m.refused(string(sc.name), err)
	}
	return nil
}

// SetMany sets the entries and returns how many keys are new. Of a key that is
// given twice the last value stays, and it counts once.
func (m Map[K, V]) SetMany(entries ...Entry[K, V]) (added int, err error) {
	sc := getScratch()
	defer sc.put()
	names, err := m.keys.encodeAll(sc, len(entries), func(i int) K { return entries[i].Key })
	if err != nil {
		return 0, err
	}
	sc.value, sc.ends = sc.value[:0], sc.ends[:0]
	for i, e := range entries {
		if sc.value, err = m.values.AppendValue(sc.value, e.Value); err != nil {
			return 0, m.refused(names[i], err)
		}
		sc.ends = append(sc.ends, len(sc.value))
	}
	fields, start := make([]typed.Field, len(entries)), 0
	for i, end := range sc.ends {
		fields[i], start = typed.Field{Name: names[i], Value: sc.value[start:end]}, end
	}
	return m.Handle().SetMany(fields...)
}

// Get returns the value of the key, or ErrNotFound.
func (m Map[K, V]) Get(key K) (value V, err error) {
	sc := getScratch()
	defer sc.put()
	if err := m.keys.encode(sc, key); err != nil {
		return value, err
	}
	if sc.value, err = m.Handle().AppendGet(sc.value[:0], string(sc.name)); err != nil {
		return value, err
	}
	if value, err = m.decodeValue(sc.value); err != nil {
		var none V
		return none, &DecodeError{m.Name(), string(sc.name), err}
	}
	return value, nil
}

// GetMany returns the values of the keys, in their order.
func (m Map[K, V]) GetMany(keys ...K) ([]Optional[V], error) {
	sc := getScratch()
	defer sc.put()
	names, err := m.keys.encodeAll(sc, len(keys), func(i int) K { return keys[i] })
	if err != nil {
		return nil, err
	}
	stored, err := m.Handle().GetMany(names...)
	if err != nil {
		return nil, err
	}
	values := make([]Optional[V], len(stored))
	for i, b := range stored {
		if b == nil {
			continue
		}
		if values[i].Value, err = m.decodeValue(b); err != nil {
			return nil, &DecodeError{m.Name(), names[i], err}
		}
		values[i].Found = true
	}
	return values, nil
}

// Has reports whether there is such a key.
func (m Map[K, V]) Has(key K) (bool, error) {
	sc := getScratch()
	defer sc.put()
	if err := m.keys.encode(sc, key); err != nil {
		return false, err
	}
	return m.Handle().Has(string(sc.name))
}

// Len returns how many keys there are, at the same cost for any number.
func (m Map[K, V]) Len() (int64, error) { return m.Handle().Len() }

// Remove removes the keys and returns how many there were. The values are not
// decoded. Without keys left the hash is gone. Drop removes all of them with the
// hash; Delete of a store does so without a report.
func (m Map[K, V]) Remove(keys ...K) (removed int, err error) {
	names, err := m.keys.names(keys)
	if err != nil {
		return 0, err
	}
	return m.Handle().Remove(names...)
}

// All yields the entries in the order of their keys.
func (m Map[K, V]) All() iter.Seq2[Entry[K, V], error] { return m.Scan(Range[K]{}) }

// Prefix yields the entries whose keys have the prefix, in the order of their keys.
func (m Map[K, V]) Prefix(p Prefix[K]) iter.Seq2[Entry[K, V], error] { return m.Scan(Within(p)) }

func (m Map[K, V]) entries(fields iter.Seq2[typed.Field, error]) iter.Seq2[Entry[K, V], error] {
	return walk(fields, func(sc *scratch, f typed.Field) (e Entry[K, V], err error) {
		if e.Key, err = m.keys.decode(sc, m.Name(), f.Name); err != nil {
			return e, err
		}
		if e.Value, err = m.decodeValue(f.Value); err != nil {
			return Entry[K, V]{}, &DecodeError{m.Name(), f.Name, err}
		}
		return e, nil
	})
}

// Keys yields the keys in their order, and does not read the values.
func (m Map[K, V]) Keys() iter.Seq2[K, error] { return m.ScanKeys(Range[K]{}) }

func (m Map[K, V]) fields(names iter.Seq2[string, error]) iter.Seq2[K, error] {
	return walk(names, func(sc *scratch, field string) (K, error) {
		return m.keys.decode(sc, m.Name(), field)
	})
}

// refused says which element has the value that cannot be encoded.
func (m Map[K, V]) refused(element string, err error) error {
	return fmt.Errorf("siltstone: key %.64q, element %.64q: value: %w", m.Name(), element, err)
}

func (m Map[K, V]) decodeValue(b []byte) (v V, err error) {
	if v, err = m.values.DecodeValue(b); err != nil {
		return v, fmt.Errorf("value: %w", err)
	}
	return v, nil
}
