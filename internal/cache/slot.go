package cache

import "sync/atomic"

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
	e := s.entry.Load()
	if e != nil && e.touched.Load() == 0 {
		e.touched.Store(1)
	}
	return e
}

// Peek is Load without the mark: scans call it, so that passing over a block
// once does not keep it.
func (s *Slot) Peek() *Entry { return s.entry.Load() }

// Entry is what the cache knows of one block. A block embeds it as its first
// field; the block's memory lives as long as anybody points at it.
type Entry struct {
	touched atomic.Uint32

	// The rest is guarded by the cache's mu.
	inMain     bool
	bytes      int64
	slot       *Slot
	prev, next *Entry
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
