package txn

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/memtable"
)

// ownWrites is what is known of a transaction's own writes beside the change.
type ownWrites struct {
	bounded bool  // by Engine.maxBytes
	held    int64 // of them, in bytes, as far as the engine knows
	large   int64 // bytes of those values that an index points to and does not copy
	indexed int64 // large, when the index was brought up to date
	gaps    ownGaps
	step    step
}

// countLarge counts the large values of c anew.
func (o *ownWrites) countLarge(c *commit.Change) {
	o.large = 0
	for i := range c.Len() {
		if n := len(c.Op(i).Value); n > memtable.LargeValue {
			o.large += int64(n)
		}
	}
}

// ownGaps are the gaps that walks have found in a transaction that has written: behind
// what it has popped itself, for example.
type ownGaps struct {
	readstate.Gaps
	off bool // own writes were numbered anew: gaps of the old numbers are true for open walks only
}

// begin returns the gaps for a new table of the own writes; nil if there can be none.
func (g *ownGaps) begin() *readstate.Gaps {
	if g.off {
		return nil
	}
	return &g.Gaps
}

// note notes the writes from number from on, which are about to become visible.
func (g *ownGaps) note(c *commit.Change, from int) {
	if from == c.Len() {
		return
	}
	g.Begin(rows.OwnBase + base.SeqNum(c.Len()))
	defer g.Done()
	if !g.Noting() {
		return
	}
	for i := from; i < c.Len(); i++ {
		if o := c.Op(i); o.Attr.Kind() == base.KindPut {
			g.PutLocked(o.Key)
		}
	}
}

// reset makes them those of a new transaction.
func (g *ownGaps) reset() {
	g.Reset()
	g.off = false
}
