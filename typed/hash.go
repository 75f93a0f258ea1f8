package typed

import (
	"bytes"
	"iter"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Hash is a key that maps fields to values, in bytewise order of the fields. Safe
// for concurrent use if what it comes from is.
type Hash struct{ Key }

// NewHash returns a handle of the hash called name.
func NewHash(src Source, name string) Hash { return Hash{Key{src, name}} }

// Field is a field of a hash with its value.
type Field struct {
	Name  string
	Value []byte
}

func (h Hash) openToWrite(t Txn) (collection, error) {
	return openToWrite(t, h.name, record.TypeHash)
}

func (h Hash) openOld(t Txn) (collection, bool, error) { return openOld(t, h.name, record.TypeHash) }

// Set sets the field and reports whether it is new. It does not touch the
// hash's time to live, and clears the field's. [HSET]
func (h Hash) Set(field string, value []byte) (added bool, err error) {
	return h.setOne(field, value, false)
}

// SetNX sets the field only if it is new, and reports whether it was. [HSETNX]
func (h Hash) SetNX(field string, value []byte) (added bool, err error) {
	return h.setOne(field, value, true)
}

func (h Hash) setOne(field string, value []byte, nx bool) (bool, error) {
	return update(h.src, h.name, func(t Txn) (bool, error) {
		if err := checkField(field, value); err != nil {
			return false, err
		}
		c, err := h.openToWrite(t)
		if err != nil {
			return false, err
		}
		added, err := putElement(t, &c, field, value, nx)
		if err != nil {
			return false, err
		}
		return added, c.keep(t)
	})
}

// SetMany sets the fields and returns how many are new. Of a field that is given
// twice the last value stays, and it counts once. [HSET, HMSET]
func (h Hash) SetMany(fields ...Field) (added int, err error) {
	return update(h.src, h.name, func(t Txn) (n int, err error) {
		for _, f := range fields {
			if err := checkField(f.Name, f.Value); err != nil {
				return 0, err
			}
		}
		c, err := h.openToWrite(t)
		if err != nil || len(fields) == 0 {
			return 0, err
		}
		for _, f := range fields {
			added, err := putElement(t, &c, f.Name, f.Value, false)
			if err != nil {
				return 0, err
			}
			if added {
				n++
			}
		}
		return n, c.keep(t) // metadata says nothing of values
	})
}

func checkField(field string, value []byte) error {
	if err := checkMember(field); err != nil {
		return err
	}
	return checkValue(value)
}

// Get returns the value of the field, which is yours, or ErrNotFound. [HGET]
func (h Hash) Get(field string) ([]byte, error) { return h.AppendGet(nil, field) }

// AppendGet appends the value of the field to dst. Without one it returns dst and
// the error.
func (h Hash) AppendGet(dst []byte, field string) ([]byte, error) {
	v, err := view(h.src, func(t Txn) ([]byte, error) {
		if err := checkMember(field); err != nil {
			return nil, err
		}
		c, found, err := h.openOld(t)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, base.ErrNotFound
		}
		v, _, err := c.get(t, dst, field)
		return v, err
	})
	if err != nil {
		return dst, err
	}
	return owned(v), nil
}

// GetMany returns the values of the fields, in their order. One is nil where
// there is no such field, and not nil where it is empty. The values are yours.
// [HMGET]
func (h Hash) GetMany(fields ...string) ([][]byte, error) {
	return view(h.src, func(t Txn) ([][]byte, error) {
		if err := checkMembers(fields); err != nil {
			return nil, err
		}
		values := make([][]byte, len(fields))
		c, found, err := h.openOld(t)
		if !found {
			return values, err
		}
		for i, f := range fields {
			v, _, err := c.get(t, nil, f)
			if err == nil {
				values[i] = owned(v)
			} else if absentOK(err) != nil {
				return nil, err
			}
		}
		return values, nil
	})
}

// Has reports whether there is such a field. [HEXISTS]
func (h Hash) Has(field string) (bool, error) {
	return view(h.src, func(t Txn) (bool, error) {
		if err := checkMember(field); err != nil {
			return false, err
		}
		c, found, err := h.openOld(t)
		if !found {
			return false, err
		}
		return c.has(t, field)
	})
}

// StrLen returns how many bytes the value of the field has, 0 if there is no such
// field. It reads the value. [HSTRLEN]
func (h Hash) StrLen(field string) (int64, error) {
	return view(h.src, func(t Txn) (int64, error) {
		if err := checkMember(field); err != nil {
			return 0, err
		}
		c, found, err := h.openOld(t)
		if !found {
			return 0, err
		}
		sc := t.Scratch()
		v, _, err := c.get(t, sc.val[:0], field)
		sc.val = v[:0]
		return int64(len(v)), absentOK(err)
	})
}

// Len returns how many fields there are, at the same cost for any number; fields
// whose time to live is over and that are not purged yet are counted one by one.
// [HLEN]
func (h Hash) Len() (int64, error) { return length(h.Key, record.TypeHash) }

// Remove removes the fields and returns how many there were. Without fields left
// the key is gone. [HDEL]
func (h Hash) Remove(fields ...string) (removed int, err error) {
	return removeElements(h.Key, record.TypeHash, fields)
}

// All yields the fields in bytewise order. A Value is borrowed: copy what you
// keep beyond the loop's next step. [HGETALL, HVALS]
func (h Hash) All() iter.Seq2[Field, error] { return h.Prefix("") }

// Prefix yields the fields whose names start with prefix, as All does.
func (h Hash) Prefix(prefix string) iter.Seq2[Field, error] {
	return h.fields(part{prefix: prefix})
}

// After yields the fields above the given one, which need not exist, as All does:
// a loop that was broken off goes on behind the last name it met. [HSCAN]
func (h Hash) After(field string) iter.Seq2[Field, error] {
	return h.fields(part{after: field, above: true})
}

func (h Hash) fields(p part) iter.Seq2[Field, error] {
	return func(yield func(Field, error) bool) {
		stream(h.src, yield, func(t Txn, each func(Field) bool) error {
			c, found, err := h.openOld(t)
			if !found {
				return err
			}
			var names nameArena
			return eachElement(t, &c, p, ScanOptions{}, func(e *elements) bool {
				return each(Field{names.name(e.member()), owned(e.value)})
			})
		})
	}
}

// Random returns n different fields, or all if there are fewer, each choice as
// likely as any other, in random order. With n below 0 it returns −n fields, of
// which some may be the same and then share their value; below −2²⁴ it is
// ErrOutOfRange. The values are yours. Cost: a walk of part of the hash, a quarter
// of it on average for one field. [HRANDFIELD]
func (h Hash) Random(n int) ([]Field, error) {
	return view(h.src, func(t Txn) ([]Field, error) {
		c, found, err := h.openOld(t)
		if !found || n == 0 {
			return nil, err
		}
		return draw(t, &c, n, ScanOptions{}, func(e *elements, names *nameArena) Field {
			return Field{names.name(e.member()), owned(bytes.Clone(e.value))}
		})
	})
}

// Fields yields the names of the fields in bytewise order, and does not read the
// values. [HKEYS]
func (h Hash) Fields() iter.Seq2[string, error] { return elementNames(h.Key, record.TypeHash, part{}) }

// Incr adds by to the integer in the field, 0 if there is none, and returns the
// sum; refused as in String.Incr. [HINCRBY]
func (h Hash) Incr(field string, by int64) (int64, error) {
	return change(h, field, func(sc *Scratch, old []byte) (sum int64, err error) {
		if old != nil {
			if sum, err = parseInt(old); err != nil {
				return 0, err
			}
		}
		if sum, err = addInt(sum, by); err == nil {
			sc.out = appendInt(sc.out[:0], sum)
		}
		return sum, err
	})
}

// IncrFloat adds by to the decimal number in the field, 0 if there is none, and
// returns the sum; written and refused as in String.IncrFloat. [HINCRBYFLOAT]
func (h Hash) IncrFloat(field string, by float64) (float64, error) {
	return change(h, field, func(sc *Scratch, old []byte) (sum float64, err error) {
		sc.out, sum, err = addFraction(sc.out[:0], old, by)
		return sum, err
	})
}

// change replaces the value of the field by what compute leaves in sc.out. old
// is nil if there is no such field.
func change[T any](h Hash, field string, compute func(sc *Scratch, old []byte) (T, error)) (T, error) {
	return update(h.src, h.name, func(t Txn) (v T, err error) {
		if err := checkMember(field); err != nil {
			return v, err
		}
		c, err := h.openToWrite(t)
		if err != nil {
			return v, err
		}
		sc := t.Scratch()
		old, deadline, err := c.load(t, field)
		if err != nil {
			return v, err
		}
		if v, err = compute(sc, old); err != nil {
			return v, c.refused(t, err)
		}
		if err := c.create(t); err != nil {
			return v, err
		}
		if err := c.put(t, field, sc.out, deadline, deadline); err != nil {
			return v, err
		}
		if old == nil {
			c.grew(len(field) + len(sc.out))
		}
		return v, c.keep(t)
	})
}

// load reads the field into scratch, which the value is borrowed from; it is nil
// if there is none. One that is due is evicted.
func (c *collection) load(t Txn, field string) (value []byte, deadline int64, err error) {
	if !c.exists {
		return nil, 0, nil
	}
	sc := t.Scratch()
	value, deadline, err = c.get(t, sc.val[:0], field)
	if err == nil {
		sc.val = value[:0]
		return owned(value), deadline, nil
	}
	if err = absentOK(err); err == nil && deadline != 0 {
		c.shrank(1)
		err = c.evict(t, field, deadline)
	}
	return nil, 0, err
}
