package compaction

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/manifest"
)

// dropped picks tables to remove unread: all there are, at once.
func (p *picker) dropped() *Compaction {
	c := &Compaction{Kind: KindDrop}
	var newer []covering
	for i, r := range p.all {
		var gone []*manifest.Table
		for _, t := range r.Tables {
			why := Reason(0)
			switch {
			case p.busy[t.Num] || t.MaxSeq > p.in.OldestReadSeq || !p.clear(TableSpan(t)):
				continue
			case p.allExpired(t) && !p.overlapsFrom(i+1, TableSpan(t)):
				why = ReasonAllExpired
			case p.rangeDeleted(t, newer):
				why = ReasonRangeDeleted
			default:
				continue
			}
			gone, c.Reason = append(gone, t), why
		}
		if len(gone) > 0 {
			c.take(RunInput{Age: r.Age, Level: r.Level, Tables: gone})
		}
		newer = p.addCovering(newer, r.Tables)
	}
	if len(c.Inputs) == 0 {
		return nil
	}
	return c
}

// take adds an input and widens the span to hold it.
func (c *Compaction) take(in RunInput) {
	s := hull(in.Tables)
	if len(c.Inputs) > 0 {
		s = s.join(c.Span)
	}
	c.Inputs, c.Span = append(c.Inputs, in), s
}

// allExpired reports whether t holds nothing but records that have expired for
// every read point. To be dropped it must also be known to everybody and hide
// nothing. Tables with metadata rows are read, so that their collections are
// nominated, and with TellEnded all are.
func (p *picker) allExpired(t *manifest.Table) bool {
	return !p.cfg.TellEnded && t.AllExpire() && t.MetaRows == 0 && t.MaxExpiry <= min(p.in.Now, p.in.OldestReadClock)
}

// covering is a table's span and range tombstones.
type covering struct {
	span Span
	list *rangedel.List
}

func (p *picker) addCovering(to []covering, tables []*manifest.Table) []covering {
	for _, t := range tables {
		if l := p.rangeDeletes(t); !l.Empty() {
			to = append(to, covering{TableSpan(t), l})
		}
	}
	return to
}

// rangeDeleted reports whether range tombstones of newer runs, known to every
// read point, cover all of t. They are in tables, so they are durable, and they
// go on hiding whatever t hid. If t holds metadata rows they must cover the
// element space up to its end as well: then the collections need no nomination.
func (p *picker) rangeDeleted(t *manifest.Table, newer []covering) bool {
	if len(newer) == 0 {
		return false
	}
	end, exclusive := t.Largest, t.LargestExclusive
	if t.MetaRows > 0 {
		end, exclusive = collectionEnd(t.Largest), true
		if end == nil {
			return false
		}
	}
	for key := t.Smallest; ; {
		next := p.coveredUpTo(key, t.MaxSeq, newer)
		if next == nil {
			return false
		}
		if c := bytes.Compare(next, end); c > 0 || c == 0 && exclusive {
			return true
		}
		key = next
	}
}

// coveredUpTo returns the furthest end of a range tombstone over key that hides
// everything up to seq and is known to every read point; nil if there is none.
func (p *picker) coveredUpTo(key []byte, seq base.SeqNum, newer []covering) (end []byte) {
	for _, c := range newer {
		if !c.span.holds(key) {
			continue
		}
		if s, _, to := c.list.At(key, p.in.OldestReadSeq); s > seq && bytes.Compare(to, end) > 0 {
			end = to
		}
	}
	return end
}

// collectionEnd returns the end of the element space of key's keyspace: what
// metadata rows at or below key own lies before it. nil if key is in no
// keyspace.
func collectionEnd(key []byte) []byte {
	prefix, _, ok := keyenc.KeyspaceOf(key)
	if !ok {
		return nil
	}
	return base.Successor(append(bytes.Clone(prefix), keyenc.SpaceElements))
}

// moved picks the young tables that nothing older overlaps, all of them at
// once, and gives them to the last level as they are; but for those that are
// full of tombstones.
func (p *picker) moved() *Compaction {
	c := &Compaction{Kind: KindMove, Reason: ReasonNoOverlap, Level: lastLevel, Age: lastAge}
	for i, r := range p.all[:p.young] {
		var free []*manifest.Table
		for _, t := range r.Tables {
			if p.onTop(i, t) && !barren(t) {
				free = append(free, t)
			}
		}
		if len(free) > 0 {
			c.take(RunInput{Age: r.Age, Level: r.Level, Tables: free})
		}
	}
	if len(c.Inputs) == 0 {
		return nil
	}
	return c
}

// cleared picks a table of tombstones that nothing older overlaps: it is read
// instead of moved, as soon as they may leave.
func (p *picker) cleared() *Compaction {
	for i, r := range p.all[:p.young] {
		for _, t := range r.Tables {
			if t.MaxSeq <= p.in.OldestReadSeq && barren(t) && p.onTop(i, t) {
				return p.down(i, TableSpan(t), ReasonTombstones)
			}
		}
	}
	return nil
}

// onTop reports whether table t of run i could become part of the last level as
// it is.
func (p *picker) onTop(i int, t *manifest.Table) bool {
	s := TableSpan(t)
	return !p.busy[t.Num] && p.clear(s) && !p.overlapsFrom(i+1, s)
}

// barren reports whether much of t is tombstones.
func barren(t *manifest.Table) bool { return t.RangeDeletes > 0 || t.Deletes*10 >= t.Records() }
