package memtable

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Places are the places among which one draws a key of a range of a table at random:
// pageCap for each leaf that reaches into the range. Each key there stands at one of
// them; the others are empty, or hold a key outside.
//
// While the table takes writes, leaves split. Leaves are drawn by their position at
// the moment, so that is as fair as before as long as there is a position for each:
// some are left over. When those are used up the places have to be counted anew; until
// then a key is as likely to be drawn as when they were counted. The bounds are kept,
// not copied. Not safe for concurrent use; the table may be written to meanwhile.
type Places struct {
	t      *Table
	lo, hi []byte
	leaves int // positions of leaves
	most   int // leaves of the whole table up to which there are enough
}

// Places counts the places of [lo, hi); a nil hi is the end of all keys. It looks at
// every branch that reaches into the range: one for some ten thousand keys.
func (t *Table) Places(lo, hi []byte) Places {
	p := Places{t: t, lo: lo, hi: hi}
	probe := t.takeProbe()
	t.order.rlock()
	t.order.leavesFrom(lo, hi, probe, func(_ *branch, _, n int) bool { p.leaves += n; return false })
	p.most = len(t.order.leaves)
	t.order.mu.RUnlock()
	t.probes.Put(probe)
	left := 4 + p.leaves/16
	p.leaves, p.most = p.leaves+left, p.most+left
	return p
}

// Len returns how many places there are.
func (p *Places) Len() uint64 { return uint64(p.leaves) * pageCap }

// Outgrown reports whether the places have to be counted anew.
func (p *Places) Outgrown() bool {
	p.t.order.rlock()
	defer p.t.order.mu.RUnlock()
	return len(p.t.order.leaves) > p.most
}

// At returns the key at a place below Len, and the trailer of its newest version with a
// sequence of at most seq; nil if there is none, of a key in the range. outgrown is as
// Outgrown, and then there is no key. The key is borrowed from the table, as values are.
func (p *Places) At(place uint64, seq base.SeqNum) (key []byte, tr base.Trailer, outgrown bool) {
	t, at := p.t, int(place/pageCap)
	node := uint32(0)
	probe := t.takeProbe()
	t.order.rlock()
	if outgrown = len(t.order.leaves) > p.most; !outgrown {
		t.order.leavesFrom(p.lo, p.hi, probe, func(b *branch, first, n int) bool {
			if at >= n {
				at -= n
				return false
			}
			if l, i := b.leaf[first+at], int(place%pageCap); i < int(l.n) {
				node = l.ref[i]
			}
			return true
		})
	}
	t.order.mu.RUnlock()
	t.probes.Put(probe)
	if node == 0 {
		return nil, tr, outgrown
	}
	key = t.arena.key(node)
	version := t.arena.atMost(t.arena.head(node), t.limit(seq))
	if version == 0 || bytes.Compare(key, p.lo) < 0 || p.hi != nil && bytes.Compare(key, p.hi) >= 0 {
		return nil, tr, false
	}
	tr, _ = t.arena.spot(version).trailer()
	tr.Seq += t.first
	return key, tr, false
}

// leavesFrom calls visit for each branch that reaches into [lo, hi), in order, with the
// first of its leaves that does and how many do, until it returns true. The caller
// holds mu.
func (o *order) leavesFrom(lo, hi []byte, probe *fence, visit func(b *branch, first, n int) bool) {
	b := o.branchFor(lo, probe)
	for first := b.find(o.arena, lo); ; first = 0 {
		last := int(b.n)
		end := b.next == nil || hi != nil && bytes.Compare(b.next.key, hi) >= 0
		if end && hi != nil {
			last = b.find(o.arena, hi)
		}
		if visit(b, first, last-first+1) || end {
			return
		}
		b = b.next
	}
}
