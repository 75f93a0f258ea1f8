package typed

import (
	"bytes"
	"iter"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Hash is a key that maps fields to values, in bytewise order of the fields. Safe
// for concurrent use if what it comes from is.
type Hash struct{ Key }

// Field is a field of a hash with its value.
type Field struct {
	Name  string
	Value []byte
}

func (h Hash) openToWrite(t collection.Txn) (collection.Collection, error) {
	return collection.OpenToWrite(t, h.name, record.TypeHash)
}

func (h Hash) openOld(t collection.Txn) (collection.Collection, bool, error) {
	return collection.OpenOld(t, h.name, record.TypeHash)
}

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
	return collection.Update(h.src, h.name, func(t collection.Txn) (bool, error) {
		if err := checkField(field, value); err != nil {
			return false, err
		}
		c, err := h.openToWrite(t)
		if err != nil {
			return false, err
		}
		added, err := c.Set(t, field, value, nx)
		if err != nil {
			return false, err
		}
		return added, c.Keep(t)
	})
}

// SetMany sets the fields and returns how many are new. Of a field that is given
// twice the last value stays, and it counts once. [HSET, HMSET]
func (h Hash) SetMany(fields ...Field) (added int, err error) {
	return collection.Update(h.src, h.name, func(t collection.Txn) (n int, err error) {
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
			added, err := c.Set(t, f.Name, f.Value, false)
			if err != nil {
				return 0, err
			}
			if added {
				n++
			}
		}
		return n, c.Keep(t) // metadata says nothing of values
	})
}

func checkField(field string, value []byte) error {
	if err := collection.CheckMember(field); err != nil {
		return err
	}
	return collection.CheckValue(value)
}

// Get returns the value of the field, which is yours, or ErrNotFound. [HGET]
func (h Hash) Get(field string) ([]byte, error) { return h.AppendGet(nil, field) }

// AppendGet appends the value of the field to dst. Without one it returns dst and
// the error.
func (h Hash) AppendGet(dst []byte, field string) ([]byte, error) {
	v, err := collection.View(h.src, func(t collection.Txn) ([]byte, error) {
		if err := collection.CheckMember(field); err != nil {
			return nil, err
		}
		c, found, err := h.openOld(t)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, base.ErrNotFound
		}
		v, _, err := c.Get(t, dst, field)
		return v, err
	})
	if err != nil {
		return dst, err
	}
	return collection.Owned(v), nil
}

// GetMany returns the values of the fields, in their order. One is nil where
// there is no such field, and not nil where it is empty. The values are yours.
// [HMGET]
func (h Hash) GetMany(fields ...string) ([][]byte, error) {
	return collection.View(h.src, func(t collection.Txn) ([][]byte, error) {
		if err := collection.CheckMembers(fields); err != nil {
			return nil, err
		}
		values := make([][]byte, len(fields))
		c, found, err := h.openOld(t)
		if !found {
			return values, err
		}
		for i, f := range fields {
			v, _, err := c.Get(t, nil, f)
			if err == nil {
				values[i] = collection.Owned(v)
			} else if collection.AbsentOK(err) != nil {
				return nil, err
			}
		}
		return values, nil
	})
}

// Has reports whether there is such a field. [HEXISTS]
func (h Hash) Has(field string) (bool, error) {
	return collection.View(h.src, func(t collection.Txn) (bool, error) {
		if err := collection.CheckMember(field); err != nil {
			return false, err
		}
		c, found, err := h.openOld(t)
		if !found {
			return false, err
		}
		return c.Has(t, field)
	})
}

// StrLen returns how many bytes the value of the field has, 0 if there is no such
// field. It reads the value. [HSTRLEN]
func (h Hash) StrLen(field string) (int64, error) {
	return collection.View(h.src, func(t collection.Txn) (int64, error) {
		if err := collection.CheckMember(field); err != nil {
			return 0, err
		}
		c, found, err := h.openOld(t)
		if !found {
			return 0, err
		}
		sc := t.Scratch()
		v, _, err := c.Get(t, sc.Val[:0], field)
		sc.Val = v[:0]
		return int64(len(v)), collection.AbsentOK(err)
	})
}

// Len returns how many fields there are, at the same cost for any number; fields
// whose time to live is over and that are not purged yet are counted one by one.
// [HLEN]
func (h Hash) Len() (int64, error) { return length(h.Key, record.TypeHash) }

// Remove removes the fields and returns how many there were. Without fields left
// the key is gone. Drop removes all of them with the key; Delete of a store does so
// without a report. [HDEL]
func (h Hash) Remove(fields ...string) (removed int, err error) {
	return removeElements(h.Key, record.TypeHash, fields)
}

// All yields the fields in bytewise order. A Value is borrowed: copy what you
// keep beyond the loop's next step. [HGETALL, HVALS]
func (h Hash) All() iter.Seq2[Field, error] { return h.Prefix("") }

// Prefix yields the fields whose names start with prefix, as All does.
func (h Hash) Prefix(prefix string) iter.Seq2[Field, error] { return h.Scan(Prefix(prefix)) }

// After yields the fields above the given one, which need not exist, as All does:
// a loop that was broken off continues after the last name it met. [HSCAN]
func (h Hash) After(field string) iter.Seq2[Field, error] { return h.Scan(Range{}.After(field)) }

// Scan yields the fields of r in bytewise order, as All does.
func (h Hash) Scan(r Range) iter.Seq2[Field, error] { return h.fields(r, false) }

// ScanBack yields the fields of r from the last to the first, as All does.
func (h Hash) ScanBack(r Range) iter.Seq2[Field, error] { return h.fields(r, true) }

func (h Hash) fields(r Range, back bool) iter.Seq2[Field, error] {
	return func(yield func(Field, error) bool) {
		collection.Stream(h.src, yield, func(t collection.Txn, each func(Field) bool) error {
			if err := r.check(); err != nil {
				return err
			}
			c, found, err := h.openOld(t)
			if !found {
				return err
			}
			var names nameArena
			return c.Each(t, r.part(), collection.ScanOptions{Reverse: back}, func(e *collection.Elements) bool {
				return each(Field{names.name(e.Member()), collection.Owned(e.Value)})
			})
		})
	}
}

// Random returns n different fields, or all if there are fewer, each choice as
// likely as any other, in random order. With n below 0 it returns −n fields, of
// which some may be the same and then may share their value; below −2²⁴ it is
// ErrBadOption. The values are yours. Cost: about two look-ups for each, more where
// much of what the hash held is gone, and a walk of the hash at most: that is what
// more than one in 64 of the fields, or any of fewer than 256, costs. [HRANDFIELD]
func (h Hash) Random(n int) ([]Field, error) {
	return collection.View(h.src, func(t collection.Txn) ([]Field, error) {
		c, found, err := h.openOld(t)
		if !found || n == 0 {
			return nil, err
		}
		return draw(t, &c, n, collection.ScanOptions{}, func(e *collection.Elements, names *nameArena) Field {
			return Field{names.name(e.Member()), collection.Owned(bytes.Clone(e.Value))}
		})
	})
}

// Fields yields the names of the fields in bytewise order, and does not read the
// values. [HKEYS]
func (h Hash) Fields() iter.Seq2[string, error] { return h.ScanFields(Range{}) }

// ScanFields yields the names of the fields of r in bytewise order, and does not read
// the values.
func (h Hash) ScanFields(r Range) iter.Seq2[string, error] {
	return elementNames(h.Key, record.TypeHash, r, false)
}

// ScanFieldsBack yields the names of the fields of r from the last to the first, and
// does not read the values.
func (h Hash) ScanFieldsBack(r Range) iter.Seq2[string, error] {
	return elementNames(h.Key, record.TypeHash, r, true)
}

// Incr adds by to the integer in the field, 0 if there is none, and returns the
// sum; refused as in String.Incr. [HINCRBY]
func (h Hash) Incr(field string, by int64) (int64, error) {
	return change(h, field, func(sc *collection.Scratch, old []byte) (sum int64, err error) {
		if old != nil {
			if sum, err = parseInt(old); err != nil {
				return 0, err
			}
		}
		if sum, err = addInt(sum, by); err == nil {
			sc.Out = appendInt(sc.Out[:0], sum)
		}
		return sum, err
	})
}

// IncrFloat adds by to the decimal number in the field, 0 if there is none, and
// returns the sum; written and refused as in String.IncrFloat. [HINCRBYFLOAT]
func (h Hash) IncrFloat(field string, by float64) (float64, error) {
	return change(h, field, func(sc *collection.Scratch, old []byte) (sum float64, err error) {
		sc.Out, sum, err = addFraction(sc.Out[:0], old, by)
		return sum, err
	})
}

// change replaces the value of the field by what compute leaves in sc.out. old
// is nil if there is no such field.
func change[T any](h Hash, field string, compute func(sc *collection.Scratch, old []byte) (T, error)) (T, error) {
	return collection.Update(h.src, h.name, func(t collection.Txn) (v T, err error) {
		if err := collection.CheckMember(field); err != nil {
			return v, err
		}
		c, err := h.openToWrite(t)
		if err != nil {
			return v, err
		}
		sc := t.Scratch()
		old, deadline, err := c.Load(t, field)
		if err != nil {
			return v, err
		}
		if v, err = compute(sc, old); err != nil {
			return v, c.Refused(t, base.In(err, "key %s, field %s", base.Quote(h.name), base.Quote(field)))
		}
		if err := c.Create(t); err != nil {
			return v, err
		}
		if err := c.Put(t, field, sc.Out, deadline, deadline); err != nil {
			return v, err
		}
		if old == nil {
			c.Grew(len(field) + len(sc.Out))
		}
		return v, c.Keep(t)
	})
}
