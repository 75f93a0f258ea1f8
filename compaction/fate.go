package compaction

import (
	"cmp"
	"slices"
	"sort"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/rangedel"
)

// fate is what becomes of a record in a merge.
//
//	kept      stays as it is
//	zeroed    stays, with sequence 0: nothing older exists and nobody asks for its age
//	buried    an expired record that must go on hiding older ones: a tombstone of
//	          the same sequence takes its place
//	shadowed  leaves: no read point lies between it and the next newer record
//	covered   leaves: likewise, with a range tombstone
//	elided    a tombstone leaves: there is nothing left for it to hide
//	expired   an expired record leaves, likewise
type fate uint8

const (
	kept fate = iota
	zeroed
	buried
	shadowed
	covered
	elided
	expired
	fates // how many there are
)

func (f fate) String() string {
	return [...]string{"kept", "zeroed", "buried", "shadowed", "covered", "elided", "expired", "?"}[min(f, fates)]
}

// surroundings are what decides over a record, beside the read points.
type surroundings struct {
	newer base.SeqNum // of the next newer record of the key in the merge; infinity if none
	cover base.SeqNum // of the next newer range tombstone over the key; infinity if none
	under bool        // a range tombstone over the key stays in the output
	older bool        // something older than the output may hold the key, or a tombstone over it
}

// decide is the rule of every merge. A record is dropped only if every read
// point, and everybody who comes later, gets the same answer without it:
//
//	1  shadowed: a newer record or range tombstone stays, or leaves under 2, and
//	   no read point lies in [r.seq, newer.seq). What the newer one is itself
//	   shadowed by shadows r as well, so looking at the next newer one suffices.
//	2  elided: tombstones and expired records that everybody sees (r.seq ≤ every
//	   registered sequence, expiry ≤ every clock) and under which nothing is.
//	3  an expired record that must stay is buried.
//
// A sequence becomes zero only under the conditions of 2, and never under a
// range tombstone that stays: that would hide it.
func (h *horizon) decide(r base.Trailer, s surroundings) fate {
	if next := min(s.newer, s.cover); next != infinity && !h.reads(r.Seq, next) {
		if s.cover < s.newer {
			return covered
		}
		return shadowed
	}
	free := r.Seq <= h.oldest && !s.older
	switch {
	case r.Attr.Kind() == base.KindDelete:
		if free {
			return elided
		}
		return kept
	case r.Expired(h.clock):
		if free {
			return expired
		}
		return buried
	case free && !s.under && r.Seq != 0:
		return zeroed
	}
	return kept
}

// bury returns the tombstone an expired record is replaced with.
func bury(r base.Trailer) base.Trailer {
	return base.Trailer{Seq: r.Seq, Attr: base.MakeAttr(base.KindDelete, 0, false)}
}

// distinct returns the part of all that the read points tell apart: of the
// tombstones between one read point and the next the newest over each key. Every
// read point gets the same answer from it, and no read point lies between a
// record and the next newer tombstone of all exactly if none lies between the
// record and the next newer one of the part.
//
//	read point at 5   #9 ─────────      stays
//	                  #7   ─────────    stays where #9 is not
//	                  #4 ────────       stays
func (h *horizon) distinct(all *rangedel.List) *rangedel.List {
	if !all.Layered() {
		return all
	}
	ts := slices.Clone(all.Tombstones())
	slices.SortFunc(ts, func(a, b rangedel.Tombstone) int { return cmp.Compare(a.Seq, b.Seq) })
	var apart []rangedel.Tombstone
	for len(ts) > 0 {
		n := len(ts)
		if i, _ := slices.BinarySearch(h.seqs, ts[0].Seq); i < len(h.seqs) {
			n = sort.Search(n, func(k int) bool { return ts[k].Seq > h.seqs[i] })
		}
		apart = append(apart, rangedel.New(ts[:n:n]).Newest()...)
		ts = ts[n:]
	}
	return rangedel.New(apart)
}

// remaining returns the part of distinct tombstones that stays in the output:
// those that hide something or may be unknown to a read point. overlaps tells
// whether anything older than the output has a key in [lo, hi).
func (h *horizon) remaining(distinct *rangedel.List, overlaps func(lo, hi []byte) bool) *rangedel.List {
	var stay []rangedel.Tombstone
	for _, t := range distinct.Tombstones() {
		if t.Seq > h.oldest || overlaps(t.Start, t.End) {
			stay = append(stay, t)
		}
	}
	return rangedel.New(stay)
}
