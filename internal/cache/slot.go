package cache

import (
	"sync/atomic"
	"unsafe"
)

// Slot is the place of one block of one open table. The zero Slot is empty.
// Load and Peek are safe for concurrent use with every method of the cache.
type Slot struct {
	entry atomic.Pointer[Entry]
	gone  uint64 // when the cache last evicted or refused this block; guarded by its mu
}

// Load returns the cached entry, nil if there is none, and marks it as used:
// point reads call it. A hit costs an atomic load, and a store only the first
// time after the mark was cleared.
func (s *Slot) Load() *Entry {
	e := s.Peek()
	if e != nil && e.touched.Load() == 0 {
		e.touched.Store(1)
	}
	return e
}

// Peek is Load without the mark: scans call it, so that passing over a block
// once does not keep it.
func (s *Slot) Peek() *Entry {
	e := s.entry.Load()
	if e != nil && e.held.Load() != shared && !e.share() {
		return nil
	}
	return e
}

// Borrow is Peek or, with mark, Load for a walk. It leases a block at which nobody points,
// which it reports: the walk calls EndLease when it leaves the block, so that the memory
// can be used again once the block is evicted or its table is merged away.
func (s *Slot) Borrow(mark bool) (e *Entry, lease bool) {
	e = s.entry.Load()
	switch {
	case e == nil:
		return nil, false
	case e.held.Load() == shared:
	case e.held.CompareAndSwap(idle, leased):
		lease = true
	case !e.share():
		return nil, false
	}
	if mark && e.touched.Load() == 0 {
		e.touched.Store(1)
	}
	return e, lease
}

// Address returns where the cached entry lies, nil if there is none, and touches none of
// its memory: whoever prefetches it must not wait for it, and does not share it. Only
// Peek and Load may be read from.
func (s *Slot) Address() unsafe.Pointer { return unsafe.Pointer(s.entry.Load()) }

// Entry is what the cache knows of one block. A block embeds it as its first
// field; the block's memory lives as long as anybody points at it. That of a block
// at which nobody does can be used again: whoever stores it calls Lease before, and
// EndLease once it has copied what it wanted. If nobody has found the block in its
// slot by the time it is evicted, it is recycled.
//
//	shared ◄── Peek, Load ── leased ── EndLease ──► idle ── evicted ──► dead
//	  ▲                        ▲                     │
//	  │                        └────── Borrow ───────┤
//	  └───────────────── Peek, Load ─────────────────┘
//
// Each step is one atomic exchange, so that either a reader has the block for good
// or its memory is used again, and never both.
type Entry struct {
	touched atomic.Uint32
	held    atomic.Uint32
	recycle func(*Entry) // set by Lease

	// The rest is guarded by the cache's mu.
	inMain     bool
	bytes      int64
	slot       *Slot
	prev, next *Entry
}

const (
	shared uint32 = iota // anybody may point at the block
	leased               // whoever stored it may
	idle                 // nobody does
	dead                 // its memory is in use elsewhere
)

// Lease says that only the caller points at the block, which is not stored yet.
// recycle is called with the cache's lock held and must not block.
func (e *Entry) Lease(recycle func(*Entry)) {
	e.recycle = recycle
	e.held.Store(leased)
}

// Leased reports whether the caller, who points at the block, is the only one who
// does.
func (e *Entry) Leased() bool { return e.held.Load() == leased }

// EndLease says that the caller does not point at the block any more.
func (e *Entry) EndLease() { e.held.CompareAndSwap(leased, idle) }

// share takes the block for a reader; false if its memory is in use elsewhere.
func (e *Entry) share() bool {
	for {
		switch h := e.held.Load(); h {
		case shared:
			return true
		case dead:
			return false
		default:
			if e.held.CompareAndSwap(h, shared) {
				return true
			}
		}
	}
}

// queue is a list of entries, oldest first out. It is not safe for concurrent
// use.
type queue struct {
	newest, last *Entry
	bytes, count int64
}

func (q *queue) oldest() *Entry { return q.last }

func (q *queue) push(e *Entry) {
	e.prev, e.next = nil, q.newest
	if q.newest != nil {
		q.newest.prev = e
	} else {
		q.last = e
	}
	q.newest = e
	q.bytes += e.bytes
	q.count++
}

func (q *queue) unlink(e *Entry) {
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		q.newest = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		q.last = e.prev
	}
	e.prev, e.next = nil, nil
	q.bytes -= e.bytes
	q.count--
}
