package memtable

import (
	"slices"
	"sync/atomic"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/rangedel"
)

// tombstones is the set of range tombstones of a table: runs whose sizes are
// falling powers of two, each with its own list. Another tombstone is a run of
// one; equal runs are joined. So each is fragmented anew only as often as its run
// doubles, and a look-up asks about log₂ n lists.
//
//	adding the 8th   4 · 2 · 1 · 1  →  4 · 2 · 2  →  4 · 4  →  8
//
// It is immutable but for whole, which any reader may fill in.
type tombstones struct {
	runs  []tombstoneRun
	whole atomic.Pointer[rangedel.List]
}

type tombstoneRun struct {
	raw  []rangedel.Tombstone
	list *rangedel.List
}

func newTombstoneRun(raw []rangedel.Tombstone) tombstoneRun {
	return tombstoneRun{raw: raw, list: rangedel.New(slices.Clone(raw))}
}

// tombstoneBytes is about what a tombstone takes beside its bounds: two words of
// bounds and a sequence in its run, as much again in two fragments.
const tombstoneBytes = 3 * 56

// AddRangeDelete deletes every record with start ≤ key < end and a smaller
// sequence, in this table and in all older sources. The bounds are copied. An empty range is counted and otherwise ignored. Adding
// n costs about n·log² n while not too many overlap.
func (t *Table) AddRangeDelete(start, end []byte, seq base.SeqNum) {
	// Outside the arena: lists made of tombstones may outlive the table.
	room := make([]byte, len(start)+len(end))
	copy(room[copy(room, start):], end)
	t.arena.used += int64(len(room))
	n := len(start)
	raw := []rangedel.Tombstone{{Start: room[:n:n], End: room[n:], Seq: t.first + seq}}

	var runs []tombstoneRun
	if old := t.deleted.Load(); old != nil {
		runs = old.runs
	}
	keep := len(runs)
	for keep > 0 && len(runs[keep-1].raw) <= len(raw) {
		keep--
		raw = slices.Concat(runs[keep].raw, raw)
	}
	t.deleted.Store(&tombstones{runs: append(slices.Clone(runs[:keep]), newTombstoneRun(raw))})
	t.outside.Add(tombstoneBytes + int64(len(room)))
	t.span(seq)
}

// rebaseTombstones adds first to every range tombstone's sequence.
func (t *Table) rebaseTombstones(first base.SeqNum) {
	old := t.deleted.Load()
	if old == nil {
		return
	}
	moved := &tombstones{}
	for _, run := range old.runs {
		raw := slices.Clone(run.raw)
		for i := range raw {
			raw[i].Seq += first
		}
		moved.runs = append(moved.runs, tombstoneRun{raw: raw, list: run.list.Shift(first)})
	}
	t.deleted.Store(moved)
}

// CoverSeq returns the largest sequence, at most limit, of a range tombstone of
// this table that covers key; 0 if none does. It allocates nothing.
func (t *Table) CoverSeq(key []byte, limit base.SeqNum) (seq base.SeqNum) {
	set := t.deleted.Load()
	if set == nil {
		return 0
	}
	for i := range set.runs {
		seq = max(seq, set.runs[i].list.Cover(key, limit))
	}
	return seq
}

// RangeDeletes returns every range tombstone added so far, as one list; nil if
// there is none. The list belongs to the table, which keeps it until the next
// range delete: the first call after that costs n·log n.
func (t *Table) RangeDeletes() *rangedel.List {
	set := t.deleted.Load()
	switch {
	case set == nil:
		return nil
	case len(set.runs) == 1:
		return set.runs[0].list
	}
	if list := set.whole.Load(); list != nil {
		return list
	}
	var all []rangedel.Tombstone
	for _, run := range set.runs {
		all = append(all, run.raw...)
	}
	list := rangedel.New(all)
	set.whole.Store(list)
	return list
}

// AppendRangeDeletes appends the lists that together are RangeDeletes, about
// log₂ n of them, without joining them.
func (t *Table) AppendRangeDeletes(dst []*rangedel.List) []*rangedel.List {
	if set := t.deleted.Load(); set != nil {
		for i := range set.runs {
			dst = append(dst, set.runs[i].list)
		}
	}
	return dst
}

// RangeDeletesNewer reports whether a range tombstone with a sequence above
// since covers any key of [lo, hi). A nil hi is the end of all keys. It
// allocates nothing.
func (t *Table) RangeDeletesNewer(lo, hi []byte, since base.SeqNum) bool {
	set := t.deleted.Load()
	if set == nil {
		return false
	}
	for i := range set.runs {
		if set.runs[i].list.Overlaps(lo, hi, since) {
			return true
		}
	}
	return false
}
