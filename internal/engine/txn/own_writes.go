package txn

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/memtable"
)

// ownWrites is what is known of a transaction's own writes beside the change.
type ownWrites struct {
	bounded bool  // by Engine.maxBytes
	held    int64 // of them, in bytes, as far as the engine knows
	large   int64 // bytes of those values that an index points to and does not copy
	indexed int64 // large, when the index was brought up to date
	unique  int64 // bytes of the writes when those that were replaced were looked for last
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

// renumbered says that writes were removed, so that the others have new numbers.
func (t *Txn) renumbered() {
	t.own.step.anew = true
	t.own.countLarge(t.change)
	t.forgetIndex()
}

// forgetIndex says that the numbers of the index are not those of the writes. Open walks go
// on with the old table, in whose numbers their gaps are true.
func (t *Txn) forgetIndex() {
	t.view.Own, t.view.OwnSeq, t.view.OwnGaps = nil, 0, nil
	t.own.gaps.Gaps = nil
}

// replacedFrom is from how many bytes of writes on those that later ones have replaced are
// removed before the commit.
const replacedFrom = 1 << 20

// removeReplaced removes puts of rows that were put again, as metadata rows are by each call,
// if they are half of the writes. It looks once the writes have doubled since it did so last,
// and only where the index tells what is newest: blind writes have none.
func (t *Txn) removeReplaced() {
	c := t.change
	if c.Encoded() < 2*t.own.unique+replacedFrom || t.view.Own == nil {
		return
	}
	own, bytes := t.index(), int64(0)
	replaced := func(i int, o record.Op) bool {
		if o.Attr.Kind() != base.KindPut {
			return false
		}
		_, tr, hit := own.Get(c.Hash(i), o.Key, base.SeqMax)
		return hit && tr.Attr.Kind() == base.KindPut && tr.Seq > rows.OwnBase+1+base.SeqNum(i)
	}
	for i := range c.Len() {
		if o := c.Op(i); replaced(i, o) {
			bytes += int64(len(o.Key) + len(o.Value))
		}
	}
	if bytes >= c.Encoded()/2 {
		c.Remove(replaced)
		t.renumbered()
	}
	t.own.unique = c.Encoded()
}

// ownGaps are the gaps that walks have found in a transaction that has written: behind
// what it has popped itself, for example.
type ownGaps struct {
	*readstate.Gaps // for the writes as they are numbered; nil: none yet
}

// begin returns the gaps for a new table of the own writes.
func (g *ownGaps) begin() *readstate.Gaps {
	if g.Gaps == nil {
		g.Gaps = new(readstate.Gaps)
	}
	return g.Gaps
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
	if g.Gaps != nil {
		g.Reset()
	}
}
