package readstate

import (
	"sync/atomic"
	"unsafe"

	"github.com/siltstonedb/siltstone/internal/latency"
)

// PinCount counts the calls that hold something, spread over cache lines so
// that readers on different cores do not fight for one. Safe for concurrent
// use.
//
// The lower half of a stripe is how many calls hold it. The upper half steps with each
// call that begins, and chooses those whose time is measured: they need no counter.
type PinCount struct {
	stripes [pinStripes]struct {
		n atomic.Uint64
		_ [56]byte
	}
}

const (
	pinStripes = 8
	onePin     = latency.Step<<32 + 1
	measured   = pinStripes // in what pin returns: the call's time is measured
)

// stripe picks a stripe by the address of the caller's stack, which differs
// between goroutines and stays the same within a call. The address is only a
// number here.
func stripe() int {
	var here byte
	p := uintptr(unsafe.Pointer(&here))
	return int((p>>11 ^ p>>14) % pinStripes)
}

// pin begins a call on a stripe, and returns what ends it: the stripe, and whether the
// call's time is measured.
func (c *PinCount) pin(stripe int) (pinned int) {
	if latency.Chosen(uint32(c.stripes[stripe].n.Add(onePin) >> 32)) {
		stripe |= measured
	}
	return stripe
}

// unpin ends a call, and reports whether no other holds the stripe.
func (c *PinCount) unpin(pinned int) (last bool) {
	return uint32(c.stripes[pinned%pinStripes].n.Add(^uint64(0))) == 0
}

// Begin returns the moment at which a call begins, given what Pin returned for it.
func Begin(pinned int) latency.Moment {
	if pinned&measured != 0 {
		return latency.Sampled()
	}
	return latency.Moment{}
}

// Zero reports whether no call holds the thing. A caller who stays pinned holds
// its stripe above zero all the time, so reading them one by one cannot miss
// it.
func (c *PinCount) Zero() bool {
	for i := range c.stripes {
		if uint32(c.stripes[i].n.Load()) != 0 {
			return false
		}
	}
	return true
}
