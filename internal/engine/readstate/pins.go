package readstate

import (
	"sync/atomic"
	"unsafe"
)

// PinCount counts the calls that hold something, spread over cache lines so
// that readers on different cores do not fight for one. Safe for concurrent
// use.
type PinCount struct {
	stripes [pinStripes]struct {
		n atomic.Int64
		_ [56]byte
	}
}

const pinStripes = 8

// stripe picks a stripe by the address of the caller's stack, which differs
// between goroutines and stays the same within a call. The address is only a
// number here.
func stripe() int {
	var here byte
	p := uintptr(unsafe.Pointer(&here))
	return int((p>>11 ^ p>>14) % pinStripes)
}

func (c *PinCount) add(stripe int, n int64) int64 { return c.stripes[stripe].n.Add(n) }

// Zero reports whether no call holds the thing. A caller who stays pinned holds
// its stripe above zero all the time, so reading them one by one cannot miss
// it.
func (c *PinCount) Zero() bool {
	for i := range c.stripes {
		if c.stripes[i].n.Load() != 0 {
			return false
		}
	}
	return true
}
