package clock

import (
	"sync"
	"time"

	"github.com/siltstonedb/siltstone/internal/invariants"
)

// Clock is the store's one clock, in milliseconds since 1970. It never goes back: not
// when the wall clock does, and not across a restart, since log frames and version
// edits carry the readings they relied on and recovery starts at the largest found.
// While the wall is behind, the clock advances by elapsed time until the wall catches
// up, so that time to live keeps running. Safe for concurrent use.
type Clock struct {
	wall  func() time.Time
	moved bool // wall is moved by the program, and no time elapses between its readings

	mu     invariants.Mutex
	last   int64 // largest reading handed out
	floor  int64 // reading at start; plus elapsed time, the least the clock shows
	start  time.Time
	frozen int // holders for whom time stands still
}

// Latest is the largest reading there is, in the year 36 million. A time to live from
// then on is a deadline that a record can hold. A wall that shows more stands still there.
const Latest = 1 << 60

// New returns a clock over wall; nil is time.Now. It shows 1 at least: a wall before
// 1970, as that of a test or of a board that has lost its time, makes it count from
// there, so that what has a time to live expires.
func New(wall func() time.Time) *Clock {
	if wall == nil {
		wall = time.Now
	}
	return &Clock{wall: wall, start: wall(), floor: 1}
}

// NewLogical returns a clock over a wall that the program moves. It shows the largest
// reading there was, 1 at least, and stands still until there is a larger one.
func NewLogical(wall func() time.Time) *Clock {
	c := New(wall)
	c.moved = true
	return c
}

// Advance makes the clock show at least reading from now on.
func (c *Clock) Advance(reading int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	reading = min(reading, Latest)
	if reading > c.floor {
		c.floor, c.start = reading, c.wall()
	}
	c.last = max(c.last, reading)
}

// Now returns the current reading. The func of New is called with the lock held.
func (c *Clock) Now() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.frozen > 0 {
		return c.last
	}
	w := c.wall()
	t := w.UnixMilli()
	if c.moved {
		c.last = min(max(c.last, c.floor, t), Latest)
		return c.last
	}
	if e := w.Sub(c.start).Milliseconds(); e >= 0 {
		t = max(t, c.floor+e)
	}
	if t < max(c.last, 1) {
		// The wall went back. Time goes on from here, not from when the wall will
		// have caught up.
		t = max(c.last, 1)
		c.floor, c.start = t, w
	}
	c.last = min(t, Latest)
	return c.last
}

// Shown returns the largest reading handed out so far.
func (c *Clock) Shown() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// Freeze lets time stand still until the returned func is called. Freezes nest.
func (c *Clock) Freeze() (thaw func()) {
	c.Now()
	c.mu.Lock()
	c.frozen++
	c.mu.Unlock()
	return sync.OnceFunc(func() {
		c.mu.Lock()
		c.frozen--
		c.mu.Unlock()
	})
}
