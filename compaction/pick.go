package compaction

import (
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/manifest"
)

// Pick returns what to compact next, or nil if there is nothing to do that the
// running compactions do not stand in the way of. It is a pure function: the
// same version and input give the same answer. Carrying out pick after pick on
// an unchanging store comes to an end, and after an answer of nil the next one
// is nil too until the version, the read points, the busy ones or the flags of
// the input have changed, or time has passed for those that expire. For 100 GiB
// it takes well below a millisecond, tens of them when idle.
//
// While Input.Manual is set, merges for it have ReasonManual; when none is
// picked any more and none is running, the range is down and clean.
//
// What costs nothing comes first, then what was asked for, then what bounds the
// number of runs, then space:
//
//	drop   tables nobody can see anything of
//	move   tables that nothing older overlaps, to the last level
//	manual a range that was asked for
//	clear  tables of tombstones that hide nothing
//	runs   flush runs, tiers, and what readers have paid for
//	space  tombstones, expiry, shadowed versions; when idle, young data at all
//	small  tables that should be one
func Pick(v *manifest.Version, in Input) *Compaction {
	invariants.NotUnder(invariants.Work, "Pick")
	p := newPicker(v, in)
	for _, try := range []func() *Compaction{
		p.dropped, p.moved, p.manual, p.cleared, p.runs, p.readers, p.space, p.small,
	} {
		if c := try(); c != nil {
			return c
		}
	}
	return nil
}

// PlaceFlush returns the place of a flush of a memtable that lies within s and
// whose run has the given age: the last level if nothing older overlaps it,
// flush outputs and running merges included, else level 0. Older memtables that
// are not flushed yet are the caller's to look at: as long as there are any,
// older is set.
func PlaceFlush(v *manifest.Version, in Input, s Span, age uint64, older bool) *Compaction {
	p := newPicker(v, in)
	c := &Compaction{Kind: KindFlush, Reason: ReasonFlush, Level: 0, Age: age, Span: s}
	if !older && p.clear(s) && !p.overlapsFrom(0, s) {
		c.Level, c.Age = lastLevel, lastAge
	}
	return c
}

// picker is what Pick works with: the version, cut up.
type picker struct {
	in    Input
	cfg   Config
	all   []manifest.Run    // all, newest first
	young int               // how many of them are above the last level
	last  []*manifest.Table // the last level's tables
	busy  map[base.FileNum]bool
	spans []Span // of running compactions that write to existing keys' places
}

func newPicker(v *manifest.Version, in Input) *picker {
	p := &picker{in: in, cfg: in.Config.WithDefaults(), all: v.Runs, young: len(v.Runs), busy: map[base.FileNum]bool{}}
	if last, ok := lastRun(v); ok {
		p.last = last.Tables
		p.young--
	}
	for num := range in.Frozen {
		p.busy[num] = true
	}
	for _, c := range in.Busy {
		if c.Kind == KindFlush && c.Level == 0 {
			continue // becomes the newest run: in nobody's way
		}
		p.spans = append(p.spans, c.Span)
		for _, i := range c.Inputs {
			for _, t := range i.Tables {
				p.busy[t.Num] = true
			}
		}
	}
	return p
}

// clear reports whether no running compaction has anything to do with s. Their
// outputs may span the gaps between their inputs, so it is their hull that
// counts.
func (p *picker) clear(s Span) bool {
	for _, b := range p.spans {
		if b.overlaps(s) {
			return false
		}
	}
	return true
}

// overlapsFrom reports whether a run from index i on, that is, that run or an
// older one, has anything in s.
func (p *picker) overlapsFrom(i int, s Span) bool {
	for ; i < len(p.all); i++ {
		if len(overlapping(p.all[i].Tables, s)) > 0 {
			return true
		}
	}
	return false
}

// down returns the merge into the last level of the tables of run i within s,
// with all they need: going down, each older run's tables that overlap what was
// gathered so far. It widens only downward: what is newer may stay, since its
// place is above. nil if a running compaction is in the way, or if there is
// nothing to take.
func (p *picker) down(i int, s Span, why Reason) *Compaction {
	c := &Compaction{Kind: KindMerge, Reason: why, Level: lastLevel, Age: lastAge}
	for ; i < len(p.all); i++ {
		r := p.all[i]
		ts := overlapping(r.Tables, s)
		if len(ts) == 0 {
			continue
		}
		for _, t := range ts {
			if p.busy[t.Num] {
				return nil
			}
		}
		s = s.join(hull(ts))
		c.Inputs = append(c.Inputs, RunInput{Age: r.Age, Level: r.Level, Tables: ts})
	}
	if c.Span = s; len(c.Inputs) == 0 || !p.clear(s) || p.tooLarge(c) {
		return nil
	}
	return c
}

// whole returns the merge of the whole runs [i, j) into one run of the given
// level, in their place. Neighbours in age only.
func (p *picker) whole(i, j int, level uint8, why Reason) *Compaction {
	c := &Compaction{Kind: KindMerge, Reason: why, Level: level, Age: p.all[i].Age, Span: hull(p.all[i].Tables)}
	for _, r := range p.all[i:j] {
		for _, t := range r.Tables {
			if p.busy[t.Num] {
				return nil
			}
		}
		c.Span = c.Span.join(hull(r.Tables))
		c.Inputs = append(c.Inputs, RunInput{Age: r.Age, Level: r.Level, Tables: r.Tables})
	}
	if !p.clear(c.Span) || p.tooLarge(c) {
		return nil
	}
	return c
}

// tooLarge reports whether the disk had no room for c.
func (p *picker) tooLarge(c *Compaction) bool {
	return slices.ContainsFunc(p.in.TooLarge, c.SameInputs)
}

// manual brings the asked-for range down, then cleans what lies there.
func (p *picker) manual() *Compaction {
	if p.in.Manual == nil {
		return nil
	}
	s := p.in.Manual.span()
	for i := p.young - 1; i >= 0; i-- {
		if ts := overlapping(p.all[i].Tables, s); len(ts) > 0 {
			return p.best(i, ts, ReasonManual, nil)
		}
	}
	for _, t := range overlapping(p.last, s) {
		// Sequences that are left tell that a read point was in the way, or that the
		// table came here unread.
		if t.MaxSeq > 0 && t.MaxSeq <= p.in.OldestReadSeq || p.garbage(t).certain > 0 {
			if c := p.down(p.young, TableSpan(t), ReasonManual); c != nil {
				return c
			}
		}
	}
	return nil
}

// rangeDeletes returns what is known of t's range tombstones.
func (p *picker) rangeDeletes(t *manifest.Table) *rangedel.List {
	if t.RangeDeletes == 0 || p.in.RangeDeletes == nil {
		return nil
	}
	return p.in.RangeDeletes(t)
}
