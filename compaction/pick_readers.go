package compaction

import (
	"cmp"

	"github.com/siltstonedb/siltstone/manifest"
)

// Range reads pay for every run they look into, and merging costs bytes. How long
// they will go on paying nobody knows, so this is the ski rental: what they have
// paid so far is the credit, and once it would have bought a merge, that is made.
// Whatever comes next, merging for readers has then cost no more than they had
// lost to not merging.

// way is a merge, or several, after which there are fewer runs.
type way struct {
	from, to int    // the runs [from, to) become one; to is the last level's: all go down
	bytes    uint64 // to be read
	fewer    int    // runs
}

// byPrice orders ways by what they cost for each run that is gone afterwards,
// the larger first among those that cost the same.
func byPrice(a, b way) int {
	if c := cmp.Compare(float64(a.bytes)*float64(b.fewer), float64(b.bytes)*float64(a.fewer)); c != 0 {
		return c
	}
	return cmp.Compare(b.fewer, a.fewer)
}

// cheapestWay returns the way of the lowest price, given the sizes of the young
// runs, newest first, and what of the last level lies below them; hasLast says
// whether there is one. While young data is much, only going down counts: else
// readers would keep the young from ever going there. It is a pure function; a
// way without fewer runs means there is none.
func cheapestWay(young []uint64, below uint64, hasLast, much bool) (best way) {
	consider := func(w way) {
		if best.fewer == 0 || byPrice(w, best) < 0 {
			best = w
		}
	}
	for i := range young {
		sum := young[i]
		for j := i + 1; j < len(young); j++ {
			sum += young[j]
			if !much || !hasLast {
				consider(way{from: i, to: j + 1, bytes: sum, fewer: j - i})
			}
		}
		if i == 0 && hasLast {
			consider(way{from: 0, to: len(young) + 1, bytes: sum + below, fewer: len(young)})
		}
	}
	return best
}

// readers picks what makes fewer runs, if readers have paid for it already.
func (p *picker) readers() *Compaction {
	if p.in.ReadCredit == 0 || p.young == 0 {
		return nil
	}
	sizes := make([]uint64, p.young)
	for i, r := range p.all[:p.young] {
		for _, t := range r.Tables {
			if !p.busy[t.Num] { // else it has been paid for
				sizes[i] += t.Size
			}
		}
	}
	w := cheapestWay(sizes, p.below(), len(p.last) > 0, p.much())
	switch {
	case w.fewer == 0 || w.bytes > p.in.ReadCredit:
		return nil
	case w.to > p.young: // piece by piece
		oldest := p.young - 1
		return p.best(oldest, p.all[oldest].Tables, ReasonReads, nil)
	}
	level := p.all[w.to-1].Level
	if level == 0 && (w.to == p.young || p.all[w.to].Level > 0) {
		level = 1
	}
	return p.whole(w.from, w.to, level, ReasonReads)
}

// below returns the bytes of the last level's tables that young ones overlap and
// nobody is merging.
func (p *picker) below() (sum uint64) {
	seen := map[*manifest.Table]bool{}
	for _, r := range p.all[:p.young] {
		for _, t := range r.Tables {
			for _, l := range overlapping(p.last, TableSpan(t)) {
				if !seen[l] && !p.busy[l.Num] {
					seen[l] = true
					sum += l.Size
				}
			}
		}
	}
	return sum
}

// Upon returns the bytes of the newest run's tables that overlap s: what a
// memtable of that span is merged with to be no run of its own.
func Upon(v *manifest.Version, s Span) uint64 {
	if len(v.Runs) == 0 {
		return 0
	}
	return bytesOf(overlapping(v.Runs[0].Tables, s))
}

// RelievesReaders reports whether readers have paid for something that Pick
// could do for them now. Unlike Pick it costs little where there is nothing to do.
func RelievesReaders(v *manifest.Version, in Input) bool { return newPicker(v, in).readers() != nil }
