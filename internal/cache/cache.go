package cache

import (
	"sync/atomic"

	"github.com/siltstonedb/siltstone/internal/invariants"
)

// Cache bounds the memory of cached blocks together with what is reserved for
// memory held elsewhere. It resists scans: a block enters a probation queue of
// about a tenth of the room, moves to the main queue if a point read touches it
// there, and enters the main queue directly if it is asked for again soon after
// it was evicted. It is safe for concurrent use.
type Cache struct {
	OnWaste func() // called now and then as waste grows; set before use, must not block

	hits   atomic.Int64
	misses atomic.Int64
	waste  atomic.Int64 // see Waste
	room   atomic.Int64 // see Room; set as mu is given back
	tables atomic.Uint64
	rows   atomic.Pointer[Rows]

	mu        invariants.Mutex
	limit     int64
	reserved  int64 // what is lent and what is waste included
	lent      int64
	rowBytes  int64 // of them those that rows hold
	counted   int64 // of them those that are waste
	probation queue
	main      queue
	evictions int64
	clock     uint64 // dates evictions and refusals, and ticks with each
}

// secondChances bounds how many touched blocks one eviction may spare, and so
// how long it holds the lock: then the oldest goes, touched or not.
const secondChances = 32

// dropBatch is how many slots Drop empties before it lets others have the lock.
const dropBatch = 128

// New returns a cache of limit bytes. Zero or less caches nothing.
func New(limit int64) *Cache {
	c := &Cache{limit: limit}
	c.room.Store(limit - slack)
	return c
}

// unlock gives mu back after something that may have changed the room.
func (c *Cache) unlock() {
	c.room.Store(c.limit - c.reserved - slack - c.probation.bytes - c.main.bytes)
	c.mu.Unlock()
}

// Waste counts n bytes that were let go of, for the collector to take, and returns
// how many that are since TakeWaste. Evicted blocks are counted by themselves.
func (c *Cache) Waste(n int64) int64 {
	now := c.waste.Add(n)
	if step := max(1, c.limit/wasteSteps); c.OnWaste != nil && now/step != (now-n)/step {
		c.OnWaste()
	}
	return now
}

// wasteSteps is how often OnWaste is called while as much as the limit is wasted.
const wasteSteps = 16

// TakeWaste begins to count waste anew.
func (c *Cache) TakeWaste() int64 { return c.waste.Swap(0) }

// CountWaste reserves n bytes for waste, in place of what was reserved for it before.
func (c *Cache) CountWaste(n int64) {
	c.mu.Lock()
	defer c.unlock()
	c.reserved += n - c.counted
	c.counted = n
	c.shrink(c.limit-c.reserved, false)
}

// Metrics is what a cache has seen and holds. Bytes are of blocks, Reserved of
// what is held elsewhere. Hits is what readers reported: they may sample.
type Metrics struct {
	Limit, Reserved         int64
	Lent, Rows, Waste       int64 // parts of Reserved
	Bytes                   int64
	Blocks                  int64
	Hits, Misses, Evictions int64
}

// Metrics returns a consistent view of the sizes; the counts may be slightly
// behind.
func (c *Cache) Metrics() Metrics {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Metrics{
		Limit:     c.limit,
		Reserved:  c.reserved,
		Lent:      c.lent,
		Rows:      c.rowBytes,
		Waste:     c.counted,
		Bytes:     c.probation.bytes + c.main.bytes,
		Blocks:    c.probation.count + c.main.count,
		Hits:      c.hits.Load(),
		Misses:    c.misses.Load(),
		Evictions: c.evictions,
	}
}

// CountHits adds n to the hits. Readers call it for many hits at once, because
// a shared counter costs more than the hit itself.
func (c *Cache) CountHits(n int64) { c.hits.Add(n) }

// CountMisses adds n to the misses that Admits and Store have not seen.
func (c *Cache) CountMisses(n int64) { c.misses.Add(n) }

// Room reports whether a block of that many bytes fits without an eviction. It
// costs an atomic load and may be slightly behind.
func (c *Cache) Room(bytes int64) bool { return bytes <= c.room.Load() }

// slack is the room that counts as none: what one eviction leaves over.
const slack = 64 << 10

// Admits reports whether a block of that many bytes, to be read from disk for s,
// should be stored. While there is room it should. A full cache takes only what a
// point read (hot) has asked for twice in a short time: what is asked for once
// would cost an allocation and an eviction and be gone before it is asked for
// again. The caller reads other blocks into memory of its own.
func (c *Cache) Admits(s *Slot, bytes int64, hot bool) bool {
	if c.Room(bytes) {
		return true
	}
	if !hot {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.recent(s) {
		return true
	}
	c.misses.Add(1)
	c.clock++
	s.gone = c.clock
	if c.rows.Load() == nil {
		c.rows.Store(newRows(c, c.limit-c.reserved))
	}
	return false
}

// Rows returns the single records beside the blocks, nil as long as no point read
// was refused a block.
func (c *Cache) Rows() *Rows { return c.rows.Load() }

// reserveRows is Reserve for rows.
func (c *Cache) reserveRows(n int64) {
	c.mu.Lock()
	defer c.unlock()
	c.rowBytes += n
	c.reserved += n
	c.shrink(c.limit-c.reserved, false)
}

// NewTable returns a number, not 0, that no table had before: rows are kept by it.
func (c *Cache) NewTable() uint64 { return c.tables.Add(1) }

// recent reports whether s was evicted or refused so lately that a cache of
// twice the size would hold it. The caller holds mu.
func (c *Cache) recent(s *Slot) bool {
	return s.gone != 0 && c.clock-s.gone < uint64(c.main.count+c.probation.count)
}

// Store puts e, which takes bytes of memory, into s and evicts what no longer
// fits. An entry that s already holds is replaced. hot says that a point read
// asked: only such blocks return straight to the main queue.
//
// An entry is stored once and belongs to the cache from then on. One that would
// take more than half of the room is not kept.
func (c *Cache) Store(s *Slot, e *Entry, bytes int64, hot bool) {
	c.misses.Add(1)
	c.mu.Lock()
	defer c.unlock()
	if old := s.entry.Load(); old != nil {
		c.remove(old, true)
	}
	room := c.limit - c.reserved
	if bytes > room/2 {
		return
	}
	e.slot, e.bytes = s, bytes
	again := c.recent(s)
	c.shrink(room-bytes, true)
	if hot && again {
		c.main.push(e)
		e.inMain = true
	} else {
		c.probation.push(e)
	}
	s.entry.Store(e)
}

// Drop forgets every block of the slots, as a table does that closes. Nobody
// may store into them any more.
func (c *Cache) Drop(slots []Slot) {
	for len(slots) > 0 {
		n := min(len(slots), dropBatch)
		c.mu.Lock()
		for i := range slots[:n] {
			if e := slots[i].entry.Load(); e != nil {
				c.remove(e, false)
			}
		}
		c.unlock()
		slots = slots[n:]
	}
}

// Reserve takes n bytes of the limit for memory held elsewhere and evicts
// blocks to make room. It never fails: what is reserved beyond the limit shows
// in Metrics, and the cache keeps no block meanwhile.
func (c *Cache) Reserve(n int64) {
	c.mu.Lock()
	defer c.unlock()
	c.reserved += n
	c.shrink(c.limit-c.reserved, false)
}

// Release gives back n reserved bytes.
func (c *Cache) Release(n int64) {
	c.mu.Lock()
	defer c.unlock()
	c.reserved -= n
}

// lendable is the share of the limit that is lent at most.
const lendable = 8

// Lend reserves n bytes for a buffer that its owner could do without, as
// iterators that read ahead do, unless too much is lent already. Takeback ends
// it.
func (c *Cache) Lend(n int64) bool {
	c.mu.Lock()
	defer c.unlock()
	if c.lent+n > c.limit/lendable {
		return false
	}
	c.lent += n
	c.reserved += n
	c.shrink(c.limit-c.reserved, false)
	return true
}

// Takeback returns n bytes that were lent.
func (c *Cache) Takeback(n int64) {
	c.mu.Lock()
	defer c.unlock()
	c.lent -= n
	c.reserved -= n
}

// shrink evicts until the blocks take at most room bytes. replaced says that a block
// takes the place. The caller holds mu.
func (c *Cache) shrink(room int64, replaced bool) {
	chances := secondChances
	for c.probation.bytes+c.main.bytes > max(room, 0) {
		fromProbation := c.main.count == 0 ||
			c.probation.count > 0 && c.probation.bytes*10 > c.probation.bytes+c.main.bytes
		from := &c.main
		if fromProbation {
			from = &c.probation
		}
		e := from.oldest()
		if chances > 0 && e.touched.Load() != 0 {
			chances--
			e.touched.Store(0)
			from.unlink(e)
			c.main.push(e)
			e.inMain = true
			continue
		}
		c.evictions++
		c.clock++
		e.slot.gone = c.clock
		c.remove(e, replaced)
	}
}

// remove takes e out of its queue and its slot. What nobody points at is used again.
// It is waste all the same unless a block takes its place: it stays in memory beside
// what pushed it out. The caller holds mu.
func (c *Cache) remove(e *Entry, replaced bool) {
	if e.inMain {
		c.main.unlink(e)
	} else {
		c.probation.unlink(e)
	}
	e.slot.entry.Store(nil)
	e.slot = nil // an entry that a reader keeps must not keep its table's slots
	recycled := e.held.CompareAndSwap(idle, dead)
	if recycled {
		e.recycle(e)
	}
	if !recycled || !replaced {
		c.Waste(e.bytes)
	}
}
