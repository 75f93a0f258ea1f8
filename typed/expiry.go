package typed

import (
	"errors"
	"math"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// NoTTL is the TTL of a key that never expires. It is the largest Duration, so
// that ttl < time.Minute is never true of such a key.
const NoTTL time.Duration = math.MaxInt64

// maxExpiry is the last deadline a record can carry, milliseconds since 1970.
const maxExpiry = 1 << 62

// deadlineIn returns the deadline ttl from now: in milliseconds, rounded up, 0
// for NoTTL.
func deadlineIn(now int64, ttl time.Duration) int64 {
	if ttl == NoTTL {
		return 0
	}
	ms := ttl.Milliseconds()
	if ttl > 0 && ttl%time.Millisecond != 0 {
		ms++
	}
	return max(1, now+ms)
}

// deadlineAt returns at in milliseconds, rounded up; 0 for the zero time, which
// is no deadline, and 1 for times before 1970.
func deadlineAt(at time.Time) (int64, error) {
	switch {
	case at.IsZero():
		return 0, nil
	case at.Unix() >= maxExpiry/1000:
		return 0, base.ErrBadTTL
	case at.Unix() < 0:
		return 1, nil
	}
	ms := at.UnixMilli()
	if at.Nanosecond()%int(time.Millisecond) != 0 {
		ms++
	}
	return max(1, ms), nil
}

// ttlOf is the TTL at now of a record that expires at expiry.
func ttlOf(now, expiry int64) time.Duration {
	if expiry == 0 {
		return NoTTL
	}
	left := expiry - now
	if left >= int64(NoTTL/time.Millisecond) {
		return NoTTL - 1
	}
	return time.Duration(left) * time.Millisecond
}

// setExpiry gives the key the deadline at (0: none), or drops it if at is over.
// It returns the deadline the key had. Cost: the record is written anew.
func setExpiry(t Txn, name string, at int64) (had int64, err error) {
	if err := checkName(name); err != nil {
		return 0, err
	}
	sc := t.Scratch()
	sc.key = keyenc.AppendNameRow(sc.key[:0], t.Prefix(), name)
	if at != 0 && at <= t.Now() {
		existed, err := dropRow(t, sc.key)
		if err == nil && !existed {
			err = base.ErrNotFound
		}
		return 0, err
	}
	if _, err := peekKey(t, sc.key); err != nil {
		return 0, err
	}
	value, trailer, err := t.Get(sc.val[:0], sc.key)
	if err != nil {
		return 0, err
	}
	sc.val = value[:0]
	had = trailer.Expiry
	if had == at {
		return had, nil
	}
	typ := record.Type(trailer.Attr.Type())
	if err := t.Put(sc.key, typ, at, value); err != nil {
		return had, err
	}
	id, ok := record.CollectionID(typ, value)
	if !ok {
		return had, nil
	}
	due := nextDue(value)
	return had, moveTimers(t, id, timers{had, due}, timers{at, due})
}

// nextDue returns the next due of the collection with this metadata.
func nextDue(value []byte) int64 {
	m, err := record.DecodeMeta(value)
	if err != nil {
		return 0
	}
	return m.NextDue
}

// displace makes room for a new value of the key row: if a collection is there,
// it is given up, its metadata row not yet overwritten. The trailer is that of
// the old record, of type none if there was no live one, which includes
// a collection whose elements are all due: the row of that is deleted here.
func displace(t Txn, row []byte) (base.Trailer, bool, error) {
	old, err := t.Peek(row)
	if errors.Is(err, base.ErrNotFound) {
		return base.Trailer{}, false, nil
	}
	if err != nil {
		return old, false, err
	}
	typ := record.Type(old.Attr.Type())
	if !typ.IsCollection() {
		return old, true, nil
	}
	_, live := peekKey(t, row)
	if absentOK(live) != nil {
		return old, false, live
	}
	sc := t.Scratch()
	value, _, err := t.Get(sc.val[:0], row)
	if err != nil {
		return old, false, err
	}
	sc.val = value[:0]
	// A damaged metadata row names no collection and can still be overwritten.
	if id, ok := record.CollectionID(typ, value); ok {
		if err := dropTimers(t, id, timers{old.Expiry, nextDue(value)}); err != nil {
			return old, false, err
		}
		t.Dead(id)
	}
	if live != nil {
		return base.Trailer{}, false, t.Delete(row)
	}
	return old, true, nil
}

// dropRow removes the key with the given row, whatever it holds.
func dropRow(t Txn, row []byte) (existed bool, err error) {
	if _, existed, err = displace(t, row); err != nil || !existed {
		return false, err
	}
	return true, t.Delete(row)
}
