package readstate

import (
	"bytes"
	"slices"
	"sync/atomic"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/invariants"
)

// Gaps are stretches of keys in which walks have met nothing but tombstones. A later
// walk need not go through them again: it goes on at the gap's end. So the head of
// a queue is found at a steady cost, however much has gone through it.
//
//	   lo                                hi           put
//	───[ tombstones, and nothing else    )── row ─────│────►   a gap that walks
//	                                                           forward have found
//
// A gap is true for every read point from seq on, because every commit that puts
// a key into it ends it there (PutLocked) before the commit becomes visible. It grows
// at the end that walks come out of. What a walk finds beyond that end is true only
// as far as no key was put there meanwhile: put is the nearest one, of all commits
// above since.
//
// A transaction has Gaps of its own for what it has written: there a commit is a write.
//
// Gaps are lost with the process. They are few, and a gap that no walk uses is soon
// forgotten: a commit compares its keys with each. Without gaps a commit, or a walk,
// costs one atomic load. Safe for concurrent use.
type Gaps struct {
	// Settled returns the largest sequence given to a commit, once that commit is
	// visible. It is called without mu. Set before use; nil if every commit is noted.
	Settled func() base.SeqNum

	known atomic.Pointer[[]span] // of the gaps, for walks; nil if there are none

	mu    invariants.Mutex // a leaf, taken inside the commit section as well
	noted base.SeqNum      // the largest sequence that Begin was told of
	gaps  []*gap
}

// gap is a stretch, and what is known of the keys beyond it.
type gap struct {
	span
	since base.SeqNum // every later commit was noted
	put   []byte      // the nearest key beyond the end that grows, of those; nil if there is none
	idle  int         // commits since a walk used it
}

// span is the keys [lo, hi) without a row, at read points from seq on. Its keys are
// replaced, never changed.
type span struct {
	lo, hi   []byte
	seq      base.SeqNum
	backward bool         // walks back have found it: it grows at lo
	used     *atomic.Bool // by a walk, since commits looked
}

const (
	mostGaps   = 16
	mostIdle   = 4096 // commits
	mostGapKey = 1 << 10
)

// End returns where a walk at key, which reads at seq, may go on because there is no
// row before that: forward at or after it, backward before it. nil: it is not known.
// What it returns is not changed.
func (g *Gaps) End(key []byte, seq base.SeqNum, backward bool) []byte {
	known := g.known.Load()
	if known == nil {
		return nil
	}
	for i := range *known {
		p := &(*known)[i]
		if p.backward != backward || seq < p.seq || !p.holds(key) {
			continue
		}
		if !p.used.Load() {
			p.used.Store(true)
		}
		if backward {
			return p.lo
		}
		return p.hi
	}
	return nil
}

// holds reports whether a walk that is at key is inside: a walk back at key has
// passed key itself.
func (p *span) holds(key []byte) bool {
	lo, hi := bytes.Compare(key, p.lo), bytes.Compare(key, p.hi)
	if p.backward {
		return lo > 0 && hi <= 0
	}
	return lo >= 0 && hi < 0
}

// Found notes that a walk, which read at seq, has met no row in [lo, hi). The slices
// are copied.
func (g *Gaps) Found(lo, hi []byte, seq base.SeqNum, backward bool) {
	if max(len(lo), len(hi)) > mostGapKey || len(hi) == 0 {
		return
	}
	if g.grow(lo, hi, seq, backward) {
		return
	}
	p := &gap{span: span{lo: bytes.Clone(lo), backward: backward, seq: seq, used: new(atomic.Bool)}}
	if p.hi = p.lo; backward {
		p.hi = bytes.Clone(hi)
		p.lo = p.hi
	}
	g.mu.Lock()
	if p.since = g.noted; g.Settled != nil {
		p.since = base.SeqMax // until it is known
	}
	if len(g.gaps) == mostGaps {
		g.dropLocked(slices.MaxFunc(g.gaps, func(a, b *gap) int { return a.idle - b.idle }))
	}
	g.gaps = append(g.gaps, p)
	g.publishLocked()
	g.mu.Unlock()
	if g.Settled == nil {
		return
	}
	// Commits that have not seen the gap are visible to walks from here on. The gap
	// has begun empty: the next walk fills it.
	since := g.Settled()
	g.mu.Lock()
	p.since = since
	g.mu.Unlock()
}

// grow adds what a walk has found to the gap it touches, as far as nothing was put
// there since. It reports whether there is such a gap.
func (g *Gaps) grow(lo, hi []byte, seq base.SeqNum, backward bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.gaps {
		at := lo // where the walk began
		if backward {
			at = hi
		}
		if p.backward != backward || bytes.Compare(at, p.lo) < 0 || bytes.Compare(at, p.hi) > 0 {
			continue
		}
		if p.idle = 0; seq < p.since {
			return true
		}
		if backward {
			p.growDown(lo, seq, g.noted)
		} else {
			p.growUp(hi, seq, g.noted)
		}
		g.publishLocked()
		return true
	}
	return false
}

// growUp moves hi up, as far as the nearest key that was put. If that is in the way,
// the keys put from now on count: the next walk has seen those put before.
func (p *gap) growUp(hi []byte, seq, noted base.SeqNum) {
	if p.put != nil && bytes.Compare(p.put, hi) < 0 {
		hi, p.put, p.since = p.put, nil, max(p.since, noted)
	}
	if bytes.Compare(hi, p.hi) > 0 {
		p.hi, p.seq = bytes.Clone(hi), max(p.seq, seq)
	}
}

// growDown is growUp for lo. The key that was put stays outside.
func (p *gap) growDown(lo []byte, seq, noted base.SeqNum) {
	if p.put != nil && bytes.Compare(p.put, lo) >= 0 {
		lo, p.put, p.since = append(bytes.Clone(p.put), 0), nil, max(p.since, noted)
	}
	if bytes.Compare(lo, p.lo) < 0 {
		p.lo, p.seq = bytes.Clone(lo), max(p.seq, seq)
	}
}

// Noting reports whether there are gaps: then each commit is noted.
func (g *Gaps) Noting() bool { return g.known.Load() != nil }

// Begin begins the noting of a commit whose last sequence is seq. It is called inside
// the commit section, before the commit is visible; then PutLocked for
// each key that it puts, then Done.
func (g *Gaps) Begin(seq base.SeqNum) {
	g.mu.Lock()
	g.noted = seq
	for _, p := range slices.Clone(g.gaps) {
		if p.idle++; p.used.Load() {
			p.idle = 0
			p.used.Store(false)
		} else if p.idle > mostIdle {
			g.dropLocked(p)
		}
	}
}

// Done ends what Begin began.
func (g *Gaps) Done() { g.mu.Unlock() }

// PutLocked notes a key that the commit puts.
func (g *Gaps) PutLocked(key []byte) {
	cut := false
	for _, p := range g.gaps {
		cut = p.note(key) || cut
	}
	if cut {
		g.publishLocked()
	}
}

// note ends the gap at a key that is put into it, which it reports, and keeps the
// nearest that is put at or beyond the end that grows.
func (p *gap) note(key []byte) (cut bool) {
	if p.backward {
		switch {
		case bytes.Compare(key, p.hi) >= 0:
		case bytes.Compare(key, p.lo) >= 0:
			p.put = bytes.Clone(key)
			p.lo = append(bytes.Clone(key), 0)
			return true
		case p.put == nil || bytes.Compare(key, p.put) > 0:
			p.put = bytes.Clone(key)
		}
		return false
	}
	switch {
	case bytes.Compare(key, p.lo) < 0:
	case bytes.Compare(key, p.hi) < 0:
		p.put = bytes.Clone(key)
		p.hi = p.put
		return true
	case p.put == nil || bytes.Compare(key, p.put) < 0:
		p.put = bytes.Clone(key)
	}
	return false
}

// Reset forgets all gaps and commits.
func (g *Gaps) Reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gaps, g.noted = nil, 0
	g.publishLocked()
}

// dropLocked forgets a gap.
func (g *Gaps) dropLocked(p *gap) {
	g.gaps = slices.DeleteFunc(g.gaps, func(o *gap) bool { return o == p })
	g.publishLocked()
}

// publishLocked shows walks what has changed.
func (g *Gaps) publishLocked() {
	if len(g.gaps) == 0 {
		g.known.Store(nil)
		return
	}
	known := make([]span, len(g.gaps))
	for i, p := range g.gaps {
		known[i] = p.span
	}
	g.known.Store(&known)
}
