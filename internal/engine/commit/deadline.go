package commit

import (
	"math"
	"time"
)

// farthest is the latest deadline there is.
const farthest = 1 << 61

// ExpiryAt returns now plus ttl in milliseconds, bounded to what a record can hold;
// 0, which is never, for a ttl of 0.
func ExpiryAt(now, ttl int64) int64 {
	if ttl == 0 {
		return 0
	}
	if ttl > farthest-now {
		return farthest
	}
	return now + ttl
}

// Milliseconds rounds a time to live up to milliseconds. The largest one means that
// there is none: 0.
func Milliseconds(ttl time.Duration) int64 {
	if ttl == math.MaxInt64 {
		return 0
	}
	ms := ttl.Milliseconds()
	if time.Duration(ms)*time.Millisecond < ttl {
		ms++
	}
	return ms
}

// postpone makes deadlines that count from From count from now, and reports whether
// anything has changed. The operations are written anew.
func (c *Change) postpone(now int64) bool {
	if c.From == 0 || now <= c.From {
		return false
	}
	var moved operations
	for i := range c.count {
		o := c.Op(i)
		if o.Attr.HasExpiry() {
			o.Expiry = ExpiryAt(o.Expiry, now-c.From)
		}
		moved.AddOp(o)
	}
	c.operations = moved
	c.From = now
	return true
}

// mostLate is by how much, in milliseconds, a wait may shorten the times to live
// that a call gives.
const mostLate = 20

// late reports whether the call that made the change is to run again, because its
// deadlines were counted from a reading that is long past. A call that has its turn
// goes on: it has been late before.
func (c *Change) late(now int64) bool {
	return c.CallFrom != 0 && c.Turn == nil && now-c.CallFrom > mostLate
}
