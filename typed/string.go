package typed

import (
	"errors"
	"slices"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/record"
)

// String is a key that holds bytes, or a number as text. Safe for concurrent use
// if what it comes from is.
type String struct{ Key }

// Get returns the value, which is yours, or ErrNotFound. [GET]
func (s String) Get() ([]byte, error) { return s.AppendGet(nil) }

// AppendGet appends the value to dst, for callers that have a buffer. Without a
// value it returns dst and the error.
func (s String) AppendGet(dst []byte) ([]byte, error) {
	v, err := collection.View(s.src, func(t collection.Txn) ([]byte, error) { return s.get(t, dst) })
	if err != nil {
		return dst, err
	}
	return collection.Owned(v), nil
}

func (s String) get(t collection.Txn, dst []byte) ([]byte, error) {
	v, _, err := s.load(t, dst)
	return v, err
}

// load appends the value to dst. Without one it returns dst and ErrNotFound.
func (s String) load(t collection.Txn, dst []byte) ([]byte, base.Trailer, error) {
	if err := collection.CheckName(s.name); err != nil {
		return dst, base.Trailer{}, err
	}
	v, trailer, err := t.Get(dst, s.row(t))
	if err != nil {
		return dst, trailer, err
	}
	if typ := record.Type(trailer.Attr.Type()); typ != record.TypeString {
		return dst, trailer, collection.WrongType(t, s.row(t), typ, record.TypeString)
	}
	return v, trailer, nil
}

// loadScratch is load into scratch, which the value is borrowed from. Without one
// it is nil and found is false.
func (s String) loadScratch(t collection.Txn) (value []byte, expiry int64, found bool, err error) {
	sc := t.Scratch()
	value, trailer, err := s.load(t, sc.Val[:0])
	if errors.Is(err, base.ErrNotFound) {
		return nil, 0, false, nil
	}
	if err != nil {
		return nil, 0, false, err
	}
	sc.Val = value[:0]
	return collection.Owned(value), trailer.Expiry, true, nil
}

// Set sets the value whatever the key held before, be it a collection, and
// clears the time to live. [SET]
func (s String) Set(value []byte) error {
	_, err := s.SetWith(value, SetOptions{})
	return err
}

// SetOptions refine SetWith. At most one of TTL, At and KeepTTL may be given.
type SetOptions struct {
	Cond    Cond          // NX: only a new key; XX: only an existing one, of whatever type
	TTL     time.Duration // zero or NoTTL: none; negative is ErrBadTTL
	At      time.Time     // deadline; zero: none; a past one leaves no key
	KeepTTL bool          // leave the time to live as it is
	Get     bool          // return the old value; another type is ErrWrongType then
}

// SetResult tells what SetWith met and did.
type SetResult struct {
	Written bool   // false only if Cond forbade it
	Existed bool   // there was a value, of whatever type
	Old     []byte // it, if Get was asked for; yours; nil if there was none
}

// SetWith is Set with conditions and a time to live. [SET NX XX GET PX PXAT
// KEEPTTL, GETSET, SETNX, PSETEX]
func (s String) SetWith(value []byte, o SetOptions) (SetResult, error) {
	at, err := o.check()
	if err == nil {
		err = collection.CheckName(s.name)
	}
	if err == nil {
		err = collection.CheckValue(value)
	}
	if err != nil {
		return SetResult{}, err
	}
	return collection.Update(s.src, s.name, func(t collection.Txn) (SetResult, error) {
		return s.set(t, value, o, at)
	})
}

// check returns the deadline of At, and refuses contradictions.
func (o *SetOptions) check() (at int64, err error) {
	expiries := 0
	for _, given := range []bool{o.TTL != 0, !o.At.IsZero(), o.KeepTTL} {
		if given {
			expiries++
		}
	}
	if expiries > 1 {
		return 0, base.Errorf(base.ErrBadOption, "SetOptions: TTL, At and KeepTTL exclude one another")
	}
	if err := o.Cond.check(CondNX | CondXX); err != nil {
		return 0, err
	}
	if o.TTL < 0 {
		return 0, base.CheckTTL(o.TTL)
	}
	return deadlineAt(o.At)
}

func (s String) set(t collection.Txn, value []byte, o SetOptions, at int64) (r SetResult, err error) {
	if o.Get {
		if r.Old, err = s.get(t, nil); err == nil {
			r.Old = collection.Owned(r.Old)
		} else if collection.AbsentOK(err) != nil {
			return SetResult{}, err
		}
	}
	row := s.row(t)
	if o.Cond != 0 {
		if r.Existed, err = collection.KeyExists(t, row); err != nil {
			return r, err
		}
		if r.Existed != (o.Cond == CondXX) {
			return r, nil
		}
	}
	old, existed, err := collection.Displace(t, row)
	if err != nil {
		return r, err
	}
	r.Written, r.Existed = true, existed
	if o.TTL != 0 {
		at = deadlineIn(t.Now(), o.TTL)
	}
	if o.KeepTTL {
		at = old.Expiry
	}
	if at != 0 && at <= t.Now() {
		if existed {
			err = t.Delete(row)
		}
		return r, err
	}
	return r, t.Put(row, record.TypeString, at, value)
}

// Append puts value behind the value there is, or sets it if there is none, and
// returns the length then. The time to live stays. Cost: the whole value is
// written anew. [APPEND]
func (s String) Append(value []byte) (n int64, err error) {
	return collection.Update(s.src, s.name, func(t collection.Txn) (int64, error) {
		old, expiry, _, err := s.loadScratch(t)
		if err != nil {
			return 0, err
		}
		if len(value) > base.MaxValueLen-len(old) {
			return 0, base.ValueTooLarge(int64(len(old)) + int64(len(value)))
		}
		sc := t.Scratch()
		v := append(old, value...)
		sc.Val = v[:0]
		return int64(len(v)), t.Put(s.row(t), record.TypeString, expiry, v)
	})
}

// Len returns how many bytes the value has, 0 if there is none. It reads the
// value. [STRLEN]
func (s String) Len() (int64, error) {
	return collection.View(s.src, func(t collection.Txn) (int64, error) {
		v, _, _, err := s.loadScratch(t)
		return int64(len(v)), err
	})
}

// Range returns the bytes from start to stop, both included; −1 is the last
// byte. It cuts off what lies outside the value, and is empty, not an error, if
// nothing is left or there is no value. The bytes are yours. [GETRANGE, SUBSTR]
func (s String) Range(start, stop int64) ([]byte, error) {
	return collection.View(s.src, func(t collection.Txn) ([]byte, error) {
		v, _, _, err := s.loadScratch(t)
		if err != nil {
			return nil, err
		}
		from, n := span(start, stop, int64(len(v)))
		return append([]byte{}, v[from:from+n]...), nil
	})
}

// SetRange overwrites the bytes from offset on with value, and returns the length
// then. A value that ends before offset is filled up with zero bytes, one that is
// missing is empty; without bytes to write nothing changes. The time to live
// stays. ErrOutOfRange if offset is negative, ErrValueTooLarge if the value would
// be. Cost: the whole value is written anew. [SETRANGE]
func (s String) SetRange(offset int64, value []byte) (n int64, err error) {
	if offset < 0 {
		return 0, outOfRange("offset", offset)
	}
	return collection.Update(s.src, s.name, func(t collection.Txn) (int64, error) {
		v, expiry, _, err := s.loadScratch(t)
		if err != nil || len(value) == 0 {
			return int64(len(v)), err
		}
		if offset > base.MaxValueLen-int64(len(value)) {
			return 0, base.Errorf(base.ErrValueTooLarge, "%d bytes at offset %d: the limit of a value is %d bytes", len(value), offset, base.MaxValueLen)
		}
		v = padded(t, v, int(offset)+len(value))
		copy(v[offset:], value)
		return int64(len(v)), t.Put(s.row(t), record.TypeString, expiry, v)
	})
}

// padded returns v, which is in scratch, with zero bytes behind it that make it n
// bytes long, if it is shorter.
func padded(t collection.Txn, v []byte, n int) []byte {
	if short := n - len(v); short > 0 {
		v = slices.Grow(v, short)[:n]
		clear(v[n-short:])
		t.Scratch().Val = v[:0]
	}
	return v
}

// span resolves start and stop, both included and counted from the end if
// negative, against length: n elements from index first on.
func span(start, stop, length int64) (first, n int64) {
	if start < 0 {
		start = max(0, start+length)
	}
	if stop < 0 {
		stop += length
	}
	stop = min(stop, length-1)
	if start > stop {
		return 0, 0
	}
	return start, stop - start + 1
}

// Incr adds by to the integer in the value, 0 if there is none, and returns the
// sum. ErrNotNumber if the value is not a decimal 64-bit integer, ErrOverflow if
// the sum is none. The time to live stays. [INCRBY, DECRBY]
func (s String) Incr(by int64) (int64, error) {
	return collection.Update(s.src, s.name, func(t collection.Txn) (sum int64, err error) {
		old, expiry, found, err := s.loadScratch(t)
		if err != nil {
			return 0, err
		}
		if found {
			if sum, err = parseInt(old); err != nil {
				return 0, base.In(err, "key %s", base.Quote(s.name))
			}
		}
		if sum, err = addInt(sum, by); err != nil {
			return 0, base.In(err, "key %s", base.Quote(s.name))
		}
		sc := t.Scratch()
		sc.Out = appendInt(sc.Out[:0], sum)
		return sum, t.Put(s.row(t), record.TypeString, expiry, sc.Out)
	})
}

// IncrFloat adds by to the decimal number in the value, 0 if there is none, and
// returns the sum as it is stored: with 17 significant digits, of which none stands
// further behind the point than the seventeenth, and without an exponent.
// ErrNotNumber if the value is not a number, ErrNaN if by is none or
// infinite, ErrOverflow if the sum is infinite. The time to live stays.
// [INCRBYFLOAT]
func (s String) IncrFloat(by float64) (float64, error) {
	return collection.Update(s.src, s.name, func(t collection.Txn) (float64, error) {
		old, expiry, _, err := s.loadScratch(t)
		if err != nil {
			return 0, err
		}
		sc := t.Scratch()
		text, sum, err := addFraction(sc.Out[:0], old, by)
		if err != nil {
			return 0, base.In(err, "key %s", base.Quote(s.name))
		}
		sc.Out = text[:0]
		return sum, t.Put(s.row(t), record.TypeString, expiry, text)
	})
}
