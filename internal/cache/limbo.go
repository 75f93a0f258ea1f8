package cache

// limbo is the memory of blocks that were evicted while somebody may have pointed at
// them. Who reads a block does so within an epoch, which it keeps from ending, and lets
// go of the block before it lets the epoch end. So once every epoch that had begun when
// a block was evicted has ended, nobody points at it. It is not safe for concurrent use.
//
//	epochs    ···──3──┤                 ended
//	            ├──4──────────┤
//	               ├──5───────────···   the newest
//	evicted             ▲               again in use when 4 and 5 have ended
type limbo struct {
	epoch uint64 // the newest that has begun
	bytes int64
	ages  []limboAge // oldest first
}

// limboAge is what was evicted while one epoch was the newest.
type limboAge struct {
	epoch   uint64
	bytes   int64
	buffers [][]byte
}

// limboShare is the part of the limit that is kept in limbo. What comes beyond is left
// to the collector: an epoch may last as long as an iterator is open.
const limboShare = 8

// put keeps b until all epochs that have begun have ended.
func (l *limbo) put(b []byte) {
	if n := len(l.ages); n == 0 || l.ages[n-1].epoch != l.epoch {
		l.ages = append(l.ages, limboAge{epoch: l.epoch})
	}
	last := &l.ages[len(l.ages)-1]
	last.buffers = append(last.buffers, b)
	last.bytes += int64(cap(b))
	l.bytes += int64(cap(b))
}

// take returns what only epochs before oldest can point at.
func (l *limbo) take(oldest uint64) (buffers [][]byte) {
	n := 0
	for ; n < len(l.ages) && l.ages[n].epoch < oldest; n++ {
		l.bytes -= l.ages[n].bytes
		buffers = append(buffers, l.ages[n].buffers...)
	}
	l.ages = append(l.ages[:0], l.ages[n:]...)
	clear(l.ages[len(l.ages):cap(l.ages)])
	return buffers
}

// limboFits keeps b in limbo, if there is not too much. The caller holds mu.
func (c *Cache) limboFits(b []byte) bool {
	if cap(b) > mostSpare || c.limbo.bytes+int64(cap(b)) > c.limit/limboShare {
		return false
	}
	c.limbo.put(b)
	return true
}

// BeginEpoch says that readers who come from now on may belong to epoch, which is above
// all before. It returns before any of them comes.
func (c *Cache) BeginEpoch(epoch uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limbo.epoch = max(c.limbo.epoch, epoch)
}

// EndEpochs says that all readers of the epochs before oldest have gone: what was
// evicted in their time is used again.
func (c *Cache) EndEpochs(oldest uint64) {
	c.mu.Lock()
	defer c.unlock()
	for _, b := range c.limbo.take(oldest) {
		if !c.spareFits(b) {
			c.lost.Add(int64(cap(b)))
		}
	}
	c.shrink(c.limit - c.reserved)
}

// Stuck reports whether so much was evicted since the newest epoch began that it is worth
// while to begin another.
func (c *Cache) Stuck() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stuckLocked()
}

// stuckLocked is Stuck. The caller holds mu.
func (c *Cache) stuckLocked() bool {
	n := len(c.limbo.ages)
	return n > 0 && c.limbo.ages[n-1].epoch == c.limbo.epoch && c.limbo.ages[n-1].bytes > c.limit/(8*limboShare)
}
