package resp

import (
	"hash/maphash"
	"sync"
)

// stripes are locks, of which each key of the store has one. A connection holds that of
// the key that it writes, from one command of a pipeline to the next while they are about
// the same: so clients that all write to one key take turns by pipelines, and do not hand
// the key over after each command. They keep no promise: the store has its own locks. Where commits wait for a sync by themselves
// there are no stripes: those who wait for one lock would not share the sync.
type stripes [256]sync.Mutex

var stripeSeed = maphash.MakeSeed()

// stripe takes the lock of the key that the command writes, if there is one such key, and
// gives back the one that the connection holds if it is another.
func (c *conn) stripe(call *call) {
	if !c.s.striped {
		return
	}
	var lock *sync.Mutex
	if cmd := call.cmd; cmd.first == 1 && cmd.last == 1 && cmd.flags&blocks == 0 {
		lock = &c.s.stripes[maphash.Bytes(stripeSeed, call.args[1])%uint64(len(c.s.stripes))]
	}
	if lock == c.striped {
		return
	}
	c.unstripe()
	if lock != nil {
		lock.Lock()
		c.striped = lock
	}
}

// unstripe gives back the lock that the connection holds: before anything that waits.
func (c *conn) unstripe() {
	if c.striped != nil {
		c.striped.Unlock()
		c.striped = nil
	}
}
