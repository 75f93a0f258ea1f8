package compaction

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/manifest"
)

// garbage estimates the bytes a merge would free, from properties alone.
type garbage struct {
	certain uint64 // expired or shadowed here, or tombstones
	why     Reason // what most of it is
}

// averageSize returns the bytes a record of t stands for, a collection's elements
// included.
func averageSize(t *manifest.Table) uint64 {
	return (t.Size + t.CollectionBytes) / max(1, t.Records())
}

// garbage estimates what t itself holds that may leave in a merge now. It is
// zero while a read point is older than t's records: then a merge might free
// nothing, and would be picked again and again.
func (p *picker) garbage(t *manifest.Table) (g garbage) {
	if t.MaxSeq > p.in.OldestReadSeq {
		return g
	}
	size := t.Size / max(1, t.Records())
	g.add(p.expired(t)*size, ReasonExpired)
	g.add(t.Shadowed*size, ReasonShadowed)
	g.add(t.Deletes*size+t.RangeDeletes*rangeSize, ReasonTombstones)
	return g
}

// rangeSize is about what a range tombstone takes.
const rangeSize = 64

func (g *garbage) add(bytes uint64, why Reason) {
	if bytes > 0 && (g.why == 0 || bytes > g.certain) {
		g.why = why
	}
	g.certain += bytes
}

// expired estimates how many of t's records have run out for everybody: their
// expiries are taken to be spread evenly. The estimate is at fault where one
// record lives far longer than the rest, so age counts too.
func (p *picker) expired(t *manifest.Table) uint64 {
	now := min(p.in.Now, p.in.OldestReadClock)
	switch {
	case t.Expiring == 0 || t.MinExpiry > now:
		return 0
	case t.MaxExpiry <= now:
		return t.Expiring
	case now-t.MinExpiry >= p.cfg.ExpiryAge && t.Expiring*100 >= t.Records()*uint64(p.cfg.GarbagePercent):
		return t.Expiring
	}
	past, all := float64(now-t.MinExpiry), float64(t.MaxExpiry-t.MinExpiry)
	return max(1, uint64(float64(t.Expiring)*past/all))
}

// enough reports whether freeing g bytes is worth reading n.
func (p *picker) enough(g, n uint64) bool {
	percent := p.cfg.BusyGarbagePercent
	if p.in.Idle {
		percent = p.cfg.GarbagePercent
	}
	return g > 0 && (g*100 >= n*uint64(percent) || g >= uint64(p.cfg.GarbageBytes))
}

// space picks what frees space: a last-level table that holds enough garbage by
// itself, then young tables that hide enough below them.
func (p *picker) space() *Compaction {
	for _, t := range p.last {
		if g := p.garbage(t); !p.busy[t.Num] && p.enough(g.certain, t.Size) {
			if c := p.down(p.young, TableSpan(t), g.why); c != nil {
				return c
			}
		}
	}
	for i := p.young - 1; i >= 0; i-- {
		for k, t := range p.all[i].Tables {
			why := p.hides(i, t)
			if why == 0 {
				continue
			}
			if c := p.best(i, p.all[i].Tables[k:k+1], why, p.frees); c != nil {
				return c
			}
		}
	}
	return nil
}

// hides returns why table t of young run i may free space by going down; 0 if
// it does not, or not now.
func (p *picker) hides(i int, t *manifest.Table) Reason {
	switch {
	case p.busy[t.Num] || t.MaxSeq > p.in.OldestReadSeq:
		return 0
	case t.Deletes > 0 || t.RangeDeletes > 0:
		return ReasonTombstones
	case p.expired(t) > 0:
		return ReasonExpired
	case t.Shadowed > 0:
		return ReasonShadowed
	case p.in.Idle:
		return ReasonIdle
	}
	return 0
}

// frees reports whether c frees enough for what it reads. When idle, young
// records count as overwrites: if they are not, bringing them down has still made
// reads cheaper, and it happens once.
func (p *picker) frees(c *Compaction) bool {
	var sum uint64
	for i, in := range c.Inputs {
		for _, t := range in.Tables {
			g := p.garbage(t)
			sum += g.certain
			if in.Level == lastLevel || t.MaxSeq > p.in.OldestReadSeq {
				continue
			}
			if p.in.Idle {
				sum += t.Size - min(t.Size, g.certain)
			}
			sum += p.hidden(t, c.Inputs[i+1:])
		}
	}
	return p.enough(sum, c.Bytes())
}

// hidden estimates the bytes that t's tombstones hide in the older inputs.
func (p *picker) hidden(t *manifest.Table, older []RunInput) (sum uint64) {
	if t.Deletes == 0 && t.RangeDeletes == 0 {
		return 0
	}
	list := p.rangeDeletes(t)
	for _, in := range older {
		for _, o := range overlapping(in.Tables, TableSpan(t)) {
			n := t.Deletes*averageSize(o) + hiddenCollections(t, o)
			switch {
			case t.RangeDeletes == 0:
			case list == nil: // not known: something between nothing and all
				n += o.Size / 2
			default:
				for _, d := range list.NewestFrom(o.Smallest) {
					if TableSpan(o).endsBefore(d.Start) {
						break
					}
					lo := d.Start
					if bytes.Compare(lo, o.Smallest) < 0 {
						lo = o.Smallest
					}
					n += p.bytesIn(o, lo, d.End)
				}
			}
			sum += min(n, o.Size+o.CollectionBytes)
		}
	}
	return sum
}

// hiddenCollections estimates the bytes of the collections whose metadata rows
// in o the tombstones of t hide. The row of one collection may stand among the
// elements of many, so its weight is not that of an average record: of o's
// records those are taken for elements that CollectionBytes speaks of, and a
// tombstone is taken to hit any of the others alike. How many rows a range
// tombstone hits is not known: something between none and all.
func hiddenCollections(t, o *manifest.Table) (sum uint64) {
	if o.MetaRows == 0 {
		return 0
	}
	elements := o.CollectionBytes / max(1, o.Size/max(1, o.Records()))
	rows := max(o.MetaRows, o.Records()-min(o.Records(), elements))
	sum = uint64(float64(min(t.Deletes, rows)) / float64(rows) * float64(o.CollectionBytes))
	if t.RangeDeletes > 0 {
		sum += o.CollectionBytes / 2
	}
	return sum
}

// bytesIn estimates the bytes of t in [lo, hi).
func (p *picker) bytesIn(t *manifest.Table, lo, hi []byte) uint64 {
	if p.in.Bytes != nil {
		if n, known := p.in.Bytes(t, lo, hi); known {
			return n
		}
	}
	if s, known := share(t, lo, hi); known {
		return uint64(s * float64(t.Size))
	}
	return t.Size / 2
}

// share estimates how much of table t lies in [lo, hi), from 0 to 1, as if its
// keys were spread evenly between its bounds. It is not known if eight bytes do
// not tell lo from hi: a table may have a single row before, and all the
// elements of a collection between them.
func share(t *manifest.Table, lo, hi []byte) (part float64, known bool) {
	skip := base.CommonPrefix(t.Smallest, t.Largest)
	place := func(key []byte) float64 {
		switch {
		case bytes.Compare(key, t.Smallest) <= 0:
			return 0
		case bytes.Compare(key, t.Largest) >= 0:
			return 1
		}
		first, last := base.Prefix8(t.Smallest, skip), base.Prefix8(t.Largest, skip)
		if first >= last {
			return 0
		}
		return float64(base.Prefix8(key, skip)-first) / float64(last-first)
	}
	part = place(hi) - place(lo)
	return part, part > 0
}

// Tables count as small at this part of the last level's table size, and so
// many of them must be neighbours: then a byte is rewritten for this once per
// doubling times three.
const fewSmall = 8

// small picks neighbours of the last level that fit one table, as flushes of
// little data leave them.
func (p *picker) small() *Compaction {
	limit := uint64(p.cfg.LastTableSize)
	for i := 0; i < len(p.last); {
		j, sum := i, uint64(0)
		for j < len(p.last) && !p.busy[p.last[j].Num] && p.last[j].Size*fewSmall <= limit && sum+p.last[j].Size <= limit {
			sum += p.last[j].Size
			j++
		}
		if j-i >= fewSmall {
			if c := p.down(p.young, hull(p.last[i:j]), ReasonSmallTables); c != nil {
				return c
			}
		}
		i = max(j, i+1)
	}
	return nil
}
