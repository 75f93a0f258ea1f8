package txn

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
)

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
