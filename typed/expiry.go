package typed

import (
	"math"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
)

// NoTTL is the TTL of a key that never expires. It is the largest Duration, so
// that ttl < time.Minute is never true of such a key.
const NoTTL time.Duration = math.MaxInt64

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
	case at.Unix() >= collection.MaxExpiry/1000:
		return 0, base.Errorf(base.ErrBadTTL, "deadline in the year %d is beyond what a record holds", at.Year())
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

// moment is when something expires, as a caller gives it: in some time from now, or at
// a fixed time.
type moment struct {
	in    time.Duration
	at    time.Time
	fixed bool
}

// check refuses what no record can hold.
func (m moment) check() error {
	if !m.fixed {
		return nil
	}
	_, err := deadlineAt(m.at)
	return err
}

// deadline returns the moment in milliseconds, 0 for none.
func (m moment) deadline(now int64) int64 {
	if !m.fixed {
		return deadlineIn(now, m.in)
	}
	at, _ := deadlineAt(m.at) // checked
	return at
}
