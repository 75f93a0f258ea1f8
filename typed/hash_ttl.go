package typed

import (
	"time"

	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/record"
)

// SetTTL sets the field, gives it a time to live of ttl from now, rounded up to
// a millisecond, and reports whether it is new. The field is gone when that is
// over, and the hash with its last field; Set on it takes the time to live away
// again, Incr leaves it. A ttl of 0 or less is ErrBadTTL, NoTTL is none; a value
// of more than 1 GiB − 8 bytes is ErrValueTooLarge. [HSETEX]
func (h Hash) SetTTL(field string, value []byte, ttl time.Duration) (added bool, err error) {
	return collection.Update(h.src, h.name, func(t collection.Txn) (bool, error) {
		if err := checkField(field, value); err != nil {
			return false, err
		}
		if err := checkElementTTL(ttl, value); err != nil {
			return false, err
		}
		c, err := h.openToWrite(t)
		if err != nil {
			return false, err
		}
		added, err := c.SetUntil(t, field, value, deadlineIn(t.Now(), ttl))
		if err != nil {
			return false, err
		}
		return added, c.Keep(t)
	})
}

// FieldTTL returns how long the field still lives, NoTTL if it has no time to live
// of its own, or ErrNotFound. It is never 0 or negative, and says nothing of the
// hash's. [HPTTL]
func (h Hash) FieldTTL(field string) (time.Duration, error) {
	return elementTTL(h.Key, record.TypeHash, field)
}

// FieldDeadline returns when the field is gone, from the first moment of that
// millisecond; the zero time if never, or ErrNotFound. [HPEXPIRETIME]
func (h Hash) FieldDeadline(field string) (time.Time, error) {
	return elementDeadlineTime(h.Key, record.TypeHash, field)
}

// ExpireFields lets the fields live for ttl from now, rounded up to a millisecond, and
// returns for how many it did so: not for fields that are missing or that the condition
// leaves out. CondNX is for fields without a deadline, CondXX for those with one, CondGT
// and CondLT for those whose deadline becomes later or earlier, none being later than
// any; CondNX with another condition, and CondGT with CondLT, are ErrBadOption. A ttl of 0
// or less removes the fields, NoTTL lets them live for ever. The value is written anew.
// Refused as in Key.ExpireAt, and as in SetTTL for long values. [HEXPIRE, HPEXPIRE]
func (h Hash) ExpireFields(ttl time.Duration, c Cond, fields ...string) (int, error) {
	return expireElements(h.Key, record.TypeHash, moment{in: ttl}, c, fields)
}

// ExpireFieldsAt is ExpireFields with a deadline: a past one removes the fields, the zero time is
// none. [HEXPIREAT, HPEXPIREAT]
func (h Hash) ExpireFieldsAt(deadline time.Time, c Cond, fields ...string) (int, error) {
	return expireElements(h.Key, record.TypeHash, moment{at: deadline, fixed: true}, c, fields)
}

// PersistFields takes the times to live of the fields away and returns how many
// had one. [HPERSIST]
func (h Hash) PersistFields(fields ...string) (int, error) {
	return persistElements(h.Key, record.TypeHash, fields)
}
