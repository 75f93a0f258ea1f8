package compaction

import "github.com/siltstonedb/siltstone/manifest"

// level is the runs of one level, [from, to) of the version's.
type level struct {
	number   uint8
	from, to int
	limit    int // runs that are left alone
}

// levels returns the young levels, newest first.
func (p *picker) levels() (ls []level) {
	for i := 0; i < p.young; i++ {
		n := p.all[i].Level
		if k := len(ls) - 1; k >= 0 && ls[k].number == n {
			ls[k].to = i + 1
			continue
		}
		limit := p.cfg.TierRuns
		if n == 0 {
			limit = p.cfg.FlushRuns
		}
		ls = append(ls, level{number: n, from: i, to: i + 1, limit: limit})
	}
	return ls
}

// runs picks for the level that is furthest beyond its limit of runs: into one
// run of the next tier, or down if young data has become much.
func (p *picker) runs() *Compaction {
	var worst *level
	ls := p.levels()
	for i := range ls {
		l := &ls[i]
		if l.to-l.from > l.limit && (worst == nil || (l.to-l.from)*worst.limit > (worst.to-worst.from)*l.limit) {
			worst = l
		}
	}
	if worst == nil {
		return nil
	}
	why := ReasonTierRuns
	if worst.number == 0 {
		why = ReasonFlushRuns
	}
	return p.collapse(worst.from, worst.to, worst.number+1, why)
}

// collapse merges the runs [i, j) into one of the given level, or the young data
// down if there is much of it.
func (p *picker) collapse(i, j int, number uint8, why Reason) *Compaction {
	if number >= lastLevel || p.much() {
		oldest := p.young - 1
		c := p.best(oldest, p.all[oldest].Tables, why, nil)
		if c != nil || len(p.in.Frozen) == 0 {
			return c
		}
	}
	if len(p.in.Frozen) > 0 {
		return p.around(i, j, min(number, lastLevel-1), why)
	}
	return p.whole(i, j, number, why)
}

// around merges the longest stretch of the runs [i, j) that has no frozen table into
// one: of the given level if it reaches to the oldest of them, else of theirs, since
// levels rise with age.
func (p *picker) around(i, j int, number uint8, why Reason) *Compaction {
	from, to := i, i
	for a := i; a < j; a++ {
		b := a
		for b < j && !p.frozen(b) {
			b++
		}
		if b-a > to-from {
			from, to = a, b
		}
		a = max(a, b)
	}
	if to-from < 2 {
		return nil
	}
	if to < j {
		number = p.all[to-1].Level
	}
	return p.whole(from, to, number, why)
}

// frozen reports whether run i has a frozen table.
func (p *picker) frozen(i int) bool {
	for _, t := range p.all[i].Tables {
		if p.in.Frozen[t.Num] {
			return true
		}
	}
	return false
}

// much reports whether the young runs are large beside the last level.
func (p *picker) much() bool {
	var young uint64
	for _, r := range p.all[:p.young] {
		young += bytesOf(r.Tables)
	}
	return young*100 >= bytesOf(p.last)*uint64(p.cfg.YoungPercent)
}

// best returns the cheapest way down for one or more of the given tables of run
// i: the one that brings down most young bytes for what it rewrites of the last
// level. To that end newer runs join in as far as they make it cheaper. worth may refuse candidates; nil: all are fine.
func (p *picker) best(i int, tables []*manifest.Table, why Reason, worth func(*Compaction) bool) *Compaction {
	var best *Compaction
	for _, t := range tables {
		if p.busy[t.Num] {
			continue
		}
		for j := i; j >= 0; j-- {
			s := TableSpan(t)
			if j < i && len(overlapping(p.all[j].Tables, s)) == 0 {
				continue
			}
			if c := p.down(j, s, why); c != nil && (worth == nil || worth(c)) && (best == nil || p.price(c) < p.price(best)) {
				best = c
			}
		}
	}
	return p.extend(best, worth)
}

// price is what c rewrites of the last level per young byte it brings down; more
// if it is larger than a single merge should be.
func (p *picker) price(c *Compaction) float64 {
	young, last := youngAndLast(c)
	return float64(last+1) / float64(young+1) * max(1, float64(young+last)/float64(p.cfg.MaxInput))
}

// youngAndLast splits a compaction's input bytes.
func youngAndLast(c *Compaction) (young, last uint64) {
	for _, in := range c.Inputs {
		if in.Level == lastLevel {
			last += bytesOf(in.Tables)
		} else {
			young += bytesOf(in.Tables)
		}
	}
	return young, last
}

// extend widens c by neighbours as long as it stays bearable and gets no dearer,
// so that edges are rewritten once.
func (p *picker) extend(c *Compaction, worth func(*Compaction) bool) *Compaction {
	if c == nil {
		return nil
	}
	top := c.Inputs[0]
	run := 0
	for p.all[run].Age != top.Age {
		run++
	}
	tables := p.all[run].Tables
	for {
		lo, hi := neighbours(tables, c.Inputs[0].Tables)
		wider := []*manifest.Table{lo, hi}
		grown := false
		for _, t := range wider {
			if t == nil {
				continue
			}
			w := p.down(run, c.Span.join(TableSpan(t)), c.Reason)
			if w != nil && w.Bytes() <= uint64(p.cfg.MaxInput) && p.price(w) <= p.price(c) && (worth == nil || worth(w)) {
				c, grown = w, true
				break
			}
		}
		if !grown {
			return c
		}
	}
}

// neighbours returns the tables before and behind part, which is a stretch of
// tables; nil where there is none.
func neighbours(tables, part []*manifest.Table) (lo, hi *manifest.Table) {
	for i, t := range tables {
		if t == part[0] && i > 0 {
			lo = tables[i-1]
		}
		if t == part[len(part)-1] && i+1 < len(tables) {
			hi = tables[i+1]
		}
	}
	return lo, hi
}
